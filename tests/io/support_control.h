/* A control socket on the test's loop; the test is the helpers, line by line,
 * and the tunnel. */
#ifndef SUPPORT_CONTROL_H
#define SUPPORT_CONTROL_H

#include <stdbool.h>

#include "support_line_peer.h"
#include "support_net.h"
#include "support_stage.h"
#include "tunnel/control_socket.h"
#include "wire/bucket.h"

enum { CONTROL_RIG_PEERS = 16, CONTROL_RIG_BUSY = 2000 };

#define DRIVER_HELLO                                                         \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send 1\",\"role\":" \
    "\"driver\"}\n"
#define OBSERVER_HELLO                                                       \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send 2\",\"role\":" \
    "\"observer\"}\n"

struct control_rig {
    struct stage stage;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8];
    struct control_socket *socket;
    struct bucket bandwidth;
    struct line_peer peers[CONTROL_RIG_PEERS];
    unsigned count;
    unsigned came; /* drivers */
    unsigned left;
    unsigned messages;
    char last[128];         /* the last message, cut */
    bool hold;              /* hold the driver back at its next message */
    struct line_peer *busy; /* says one more for each that is heard, up to
                               CONTROL_RIG_BUSY; or NULL */
    unsigned early;         /* messages while no driver was attached */
    unsigned at_left;       /* messages when a driver left */
};

/**
 * control_rig_open(rig):
 * control_rig_close(rig):
 * Make a control socket; end it.  What is logged meanwhile is captured.
 */
void control_rig_open(struct control_rig *rig);
void control_rig_close(struct control_rig *rig);

/**
 * control_rig_stop(rig):
 * control_rig_start(rig):
 * End the control socket, as if the tunnel's process had; make it again.
 */
void control_rig_stop(struct control_rig *rig);
void control_rig_start(struct control_rig *rig);

/**
 * control_rig_connect(rig, hello):
 * Connect a helper that says ${hello}, and do not wait.
 */
struct line_peer *control_rig_connect(struct control_rig *rig,
                                      const char *hello);

/**
 * control_rig_driver(rig):
 * control_rig_observer(rig):
 * Attach a helper, and wait until it is.
 */
struct line_peer *control_rig_driver(struct control_rig *rig);
struct line_peer *control_rig_observer(struct control_rig *rig);

/**
 * control_rig_message(rig, text):
 * The partner says ${text}.
 */
void control_rig_message(struct control_rig *rig, const char *text);

#endif
