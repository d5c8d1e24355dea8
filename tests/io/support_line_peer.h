/* The far end of a connection that speaks in lines, on the test's loop. */
#ifndef SUPPORT_LINE_PEER_H
#define SUPPORT_LINE_PEER_H

#include <stdbool.h>
#include <stddef.h>

struct event;
struct stage;

struct line_peer {
    struct stage *stage;
    int fd;
    struct event *readable;
    char *text; /* what has come so far */
    size_t length;
    bool eof; /* or an error */
};

/**
 * line_peer_open(peer, stage, fd):
 * line_peer_close(peer):
 * Take over the non-blocking socket ${fd} and read from it; close it, if it is
 * not closed already.
 */
void line_peer_open(struct line_peer *peer, struct stage *stage, int fd);
void line_peer_close(struct line_peer *peer);

/**
 * line_peer_read(peer, on):
 * Read on, or no more.
 */
void line_peer_read(struct line_peer *peer, bool on);

/**
 * line_peer_say(peer, text):
 * Say ${text}; serve the loop while there is no room.
 */
void line_peer_say(struct line_peer *peer, const char *text);

/**
 * line_peer_count(peer, part):
 * line_peer_wait(peer, part):
 * Return how often ${part} has come; serve the loop until it has.
 */
unsigned line_peer_count(const struct line_peer *peer, const char *part);
void line_peer_wait(struct line_peer *peer, const char *part);

#endif
