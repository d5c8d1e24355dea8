/* A session client on the test's loop; the test is the QEMU and the server. */
#ifndef SUPPORT_SESSION_CLIENT_H
#define SUPPORT_SESSION_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "support_net.h"
#include "support_peer.h"
#include "support_session_acceptor.h"
#include "support_stage.h"
#include "tunnel/session_client.h"

enum {
    SOURCE_QEMUS_MAX = 8,
    SOURCE_WINDOW = 1 << 20,
    SOURCE_LONG_MS = 300000, /* never, as far as a test goes */
    SOURCE_HOLD_MS = 1000,
};

/* What the server says over channel 0. */
#define SOURCE_READY "{\"type\":\"ready\"}\n"
#define SOURCE_WAITING "{\"type\":\"waiting\"}\n"

struct source {
    struct stage stage;
    struct worker_pool *pool;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8]; /* the socket for QEMU */
    struct session_acceptor server;
    struct session_client *client;
    unsigned dones;
    enum exit_status status;
    struct peer qemus[SOURCE_QEMUS_MAX];
    unsigned count;
    uint64_t last_connect_ms;
};

/**
 * source_defaults():
 * Return options of a client for a VM "vm" that waits long for everything, and
 * is done after one migration.
 */
struct session_client_options source_defaults(void);

/**
 * source_open(options):
 * source_open_running(options):
 * source_close(rig):
 * Start a client whose server listens; the same, with a QEMU that has
 * connected; end it, and all that is connected to it.
 */
struct source *source_open(const struct session_client_options *options);
struct source *source_open_running(
    const struct session_client_options *options);
void source_close(struct source *rig);

/**
 * source_channel(rig, number):
 * Return the server's end of the latest transport of a channel, or NULL.
 */
struct session_peer *source_channel(struct source *rig, uint32_t number);

/**
 * source_listens(rig):
 * Return whether the socket for QEMU is there.
 */
bool source_listens(const struct source *rig);

/**
 * source_become_ready(rig):
 * The server says that its QEMU listens; wait for the socket.
 */
void source_become_ready(struct source *rig);

/**
 * source_qemu(rig):
 * Connect as QEMU does, once more.
 */
struct peer *source_qemu(struct source *rig);

/**
 * source_tell_end(rig, reason):
 * The server says that the session has ended.
 */
void source_tell_end(struct source *rig, int reason);

/**
 * source_finish_channel(rig, last):
 * QEMU's channel 1 says ${last} and ends, and the server's stream too, and then
 * its transport.
 */
void source_finish_channel(struct source *rig, const char *last);

/**
 * source_end_control(rig):
 * The server ends channel 0, as it does when the session is over.
 */
void source_end_control(struct source *rig);

/**
 * source_done(rig, status):
 * See to it that the client is done, once, with ${status}.
 */
void source_done(struct source *rig, enum exit_status status);

/**
 * source_failure_held(rig):
 * See to it that each QEMU sees a failure, but not too early for a 7.2.
 */
void source_failure_held(struct source *rig);

#endif
