/* A listener of the test's, in the place of a QEMU or of a mig-server. */
#ifndef SUPPORT_ACCEPTOR_H
#define SUPPORT_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "support_peer.h"

enum { ACCEPTOR_MAX = 80 };

struct acceptor {
    struct stage *stage;
    int fd;
    struct event *event;
    unsigned count;                  /* connections so far */
    struct peer peers[ACCEPTOR_MAX]; /* in the order of accepting */
    uint64_t accepted_ms;            /* when the last one came */
};

/**
 * acceptor_open(acceptor, stage, fd):
 * Accept every connection to the listening socket ${fd}.
 */
void acceptor_open(struct acceptor *acceptor, struct stage *stage, int fd);

/**
 * acceptor_pause(acceptor, on):
 * Accept nothing, so that the backlog fills up; or accept again.
 */
void acceptor_pause(struct acceptor *acceptor, bool on);

/**
 * acceptor_close(acceptor):
 * Close the listening socket and every connection.
 */
void acceptor_close(struct acceptor *acceptor);

#endif
