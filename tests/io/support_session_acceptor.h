/* A server of the test's own, for the transports of a client under test. */
#ifndef SUPPORT_SESSION_ACCEPTOR_H
#define SUPPORT_SESSION_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "support_session_peer.h"

enum { SESSION_TRANSPORTS_MAX = 64, SESSION_CHANNELS_MAX = 8 };

struct session_acceptor {
    struct stage *stage;
    int fd; /* -1 once it listens no more */
    uint16_t port;
    struct event *event;
    unsigned count;                                    /* so far */
    struct session_peer peers[SESSION_TRANSPORTS_MAX]; /* by accept order */
    bool mute;                  /* do not answer greetings */
    struct server_greeting how; /* the answer, but for channel and position */

    /* The latest transport of each channel that was answered, or NULL. */
    struct session_peer *channels[SESSION_CHANNELS_MAX];
};

/**
 * session_acceptor_open(acceptor, stage):
 * Listen on a port of 127.0.0.1; accept, and answer each greeting as an honest
 * server does: what came over a channel's earlier transports counts.
 */
void session_acceptor_open(struct session_acceptor *acceptor,
                           struct stage *stage);

/**
 * session_acceptor_stop(acceptor):
 * Listen no more: connections are refused from now on.
 */
void session_acceptor_stop(struct session_acceptor *acceptor);

/**
 * session_acceptor_close(acceptor):
 * The same, and close all connections.
 */
void session_acceptor_close(struct session_acceptor *acceptor);

#endif
