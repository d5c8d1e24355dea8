/*
 * A raw server on the test's loop; the test is the sources and the QEMU.
 */
#ifndef SUPPORT_SERVER_RIG_H
#define SUPPORT_SERVER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support_acceptor.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_stage.h"
#include "tunnel/raw_server.h"

enum { SERVER_RIG_SOURCES = 128, SERVER_RIG_BACKLOG = 64 };
#define SERVER_RIG_HOST "127.0.0.1"

struct server_rig {
    struct stage stage;
    struct worker_pool *pool;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8]; /* QEMU's socket */
    struct acceptor qemu;
    bool qemu_listens;
    struct raw_server *server;
    uint16_t port;
    unsigned dones; /* calls of on_done */
    enum exit_status status;
    struct peer sources[SERVER_RIG_SOURCES];
    unsigned count;
};

/**
 * server_rig_defaults():
 * Return options that wait long for QEMU, and serve once.
 */
struct raw_server_options server_rig_defaults(void);

/**
 * server_rig_open(rig, options):
 * Start a server with ${options}; where it listens is the rig's matter.
 */
void server_rig_open(struct server_rig *rig,
                     const struct raw_server_options *options);
void server_rig_close(struct server_rig *rig);

/**
 * server_rig_open_ready(rig, options):
 * As server_rig_open, with a QEMU that listens already.
 */
void server_rig_open_ready(struct server_rig *rig,
                           const struct raw_server_options *options);

/**
 * server_rig_qemu_listens(rig, backlog):
 * QEMU listens from now on.
 */
void server_rig_qemu_listens(struct server_rig *rig, int backlog);

/**
 * server_rig_connect(rig, host):
 * server_rig_say(rig, words, length):
 * server_rig_main(rig):
 * Return a new source that connects from the address ${host}, and says
 * nothing; that says ${words}; that says what a main channel says first.
 */
struct peer *server_rig_connect(struct server_rig *rig, const char *host);
struct peer *server_rig_say(struct server_rig *rig, const void *words,
                            size_t length);
struct peer *server_rig_main(struct server_rig *rig);

/**
 * server_rig_begin(rig, channels):
 * Begin a migration; each further channel says its number, from 1.
 */
void server_rig_begin(struct server_rig *rig, unsigned channels);

/**
 * server_rig_assert_done(rig, status):
 * The server is done, once, with ${status}.
 */
void server_rig_assert_done(struct server_rig *rig, enum exit_status status);

/**
 * server_rig_assert_dropped(rig, source):
 * The server resets ${source}.
 */
void server_rig_assert_dropped(struct server_rig *rig, struct peer *source);

#endif
