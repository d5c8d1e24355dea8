/* One connection through the proxy: the client's and the server's socket. */
#ifndef FAULTS_LINK_H
#define FAULTS_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "rule.h"

enum { LINK_BUFFER_BYTES = 256 * 1024 };

/* One direction: read from its own side, written to the other one. */
struct stream {
    unsigned char bytes[LINK_BUFFER_BYTES];
    size_t length; /* read, */
    size_t passed; /* of it looked at and free to go */
    uint64_t forwarded;
    int record;    /* a file for all that is read, or -1 */
    bool ended;    /* there is nothing more to read */
    bool end_sent; /* and the other side knows */
    struct watch watch;
};

struct link {
    int fds[2]; /* 0 the client, 1 the server; -1 once closed */
    struct stream streams[2];
    long channel;
    bool dead;      /* its bytes are swallowed; so it stays */
    int cut;        /* direction that a rule has cut, or -1 */
    int64_t cut_ms; /* when */
    TAILQ_ENTRY(link) entry;
};

TAILQ_HEAD(link_list, link);

/**
 * link_new(client, server):
 * Make a link of two connected sockets; ${server} is -1 if what the client
 * sends is to be swallowed.  link_free resets both.
 */
struct link *link_new(int client, int server);
void link_free(struct link *link);

/**
 * link_record(link, prefix):
 * Keep what either side sends, in PREFIX.there and PREFIX.back.
 */
void link_record(struct link *link, const char *prefix);

/**
 * link_poll(link, fds):
 * Fill in what the two sides of ${link} wait for.
 */
void link_poll(const struct link *link, struct pollfd fds[2]);

/**
 * link_step(link, fds):
 * Read and write what can be.  Return false when the link is over: an end has
 * reset it, or both have closed it.
 */
bool link_step(struct link *link, const struct pollfd fds[2]);

/**
 * link_cut_due(link, now_ms):
 * Return whether a rule has cut the link, and what was to pass before has
 * arrived (or can't in time).
 */
bool link_cut_due(const struct link *link, int64_t now_ms);

#endif
