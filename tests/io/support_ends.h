/* Both ends of a session, with a control socket each; the test is the two
 * QEMUs, the helpers and the network. */
#ifndef SUPPORT_ENDS_H
#define SUPPORT_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "support_acceptor.h"
#include "support_net.h"
#include "support_partner.h"
#include "support_peer.h"
#include "support_stage.h"
#include "tunnel/session_client.h"
#include "tunnel/session_server.h"

enum {
    ENDS_LONG_MS = 300000, /* never, as far as a test goes */
    ENDS_WINDOW = 1 << 20,
    ENDS_CHANNELS_MAX = 8,
};

struct ends_outcome {
    unsigned dones;
    enum exit_status status;
};

struct ends {
    struct stage stage;
    struct worker_pool *pool;
    char dir[NET_PATH_MAX];
    char source_path[NET_PATH_MAX + 16]; /* the sockets for the QEMUs, */
    char dest_path[NET_PATH_MAX + 16];
    char source_control[NET_PATH_MAX + 24]; /* and for the helpers */
    char dest_control[NET_PATH_MAX + 24];
    struct session_client_options client_options; /* may be changed */
    struct session_server_options server_options;
    uint16_t port;
    struct session_client *client;
    struct session_server *server;
    struct ends_outcome client_outcome;
    struct ends_outcome server_outcome;
    struct peer source[ENDS_CHANNELS_MAX];
    unsigned count;
    struct acceptor dest;
    bool dest_listens;
};

/**
 * ends_open(rig, once, by_name):
 * ends_close(rig):
 * Make the world, and options for two ends in it; the server is for many VMs if
 * ${by_name}, of which the one is called "vm".  What is logged is captured.
 */
void ends_open(struct ends *rig, bool once, bool by_name);
void ends_close(struct ends *rig);

/**
 * ends_start_server(rig):
 * ends_start_client(rig):
 * ends_start(rig):
 * Start the one, the other, or both.
 */
void ends_start_server(struct ends *rig);
void ends_start_client(struct ends *rig);
void ends_start(struct ends *rig);

/**
 * ends_dest_listens(rig, on):
 * The destination's QEMU listens, or no more.
 */
void ends_dest_listens(struct ends *rig, bool on);

/**
 * ends_migrate(rig, channels):
 * ends_finish(rig, last):
 * Begin a migration to a QEMU that listens; end it with ${last}, which is
 * "stream}" for one that is complete.
 */
void ends_migrate(struct ends *rig, unsigned channels);
void ends_finish(struct ends *rig, const char *last);

/**
 * ends_cut(rig):
 * The network loses every connection between the two ends.
 */
void ends_cut(struct ends *rig);

/**
 * ends_drivers(rig, source, dest, again):
 * Attach a driver at each end and wait until they know of each other.
 */
void ends_drivers(struct ends *rig, struct partner *source,
                  struct partner *dest, bool again);

#endif
