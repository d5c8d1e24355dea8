/*
 * The control socket: where helpers (mig-send, mig-recv) attach to this end of
 * the tunnel, to reach their partner at the other end.  What they say to each
 * other is not understood here.
 */
#ifndef TUNNEL_CONTROL_SOCKET_H
#define TUNNEL_CONTROL_SOCKET_H

#include <jansson.h>
#include <stdbool.h>

#include "io/unix_socket.h"
#include "wire/control_line.h"

struct bucket;
struct control_socket;
struct loop;

enum {
    CONTROL_HELPERS_MAX = 8, /* that are attached; one place is the driver's */
    CONTROL_STRANGERS_MAX = 8, /* that have not said hello: the oldest goes */
};

/* No callback may free the socket. */
struct control_socket_options {
    struct loop *loop;
    const char *path;         /* copied */
    const char *program;      /* "mig-client 0.1.0"; outlives it */
    struct bucket *bandwidth; /* that helpers may set; NULL for none */

    /**
     * on_driver(arg, attached):
     * A driver has come, or has left with everything said that it had to say.
     */
    void (*on_driver)(void *arg, bool attached);

    /**
     * on_message(arg, message):
     * The driver says ${message} to its partner.
     */
    void (*on_message)(void *arg, json_t *message);
    void *arg;
};

/**
 * control_socket_new(options, why):
 * Listen at ${options}->path, with mode 0600, for helpers of this user or root.
 * Return NULL, with one line in ${why}, if that is not possible.  The caller
 * frees it with control_socket_free, which drops the helpers and removes the
 * file.
 */
struct control_socket *control_socket_new(
    const struct control_socket_options *options, char why[SOCKET_WHY_MAX]);
void control_socket_free(struct control_socket *socket);

/**
 * control_socket_state(socket, view):
 * Tell the helpers what has become of the tunnel, if that is new; at first it
 * is joining, without a session and a partner.  One that reads slowly is told
 * of the latest alone, but never misses that the partner was away.
 */
void control_socket_state(struct control_socket *socket,
                          const struct tunnel_view *view);

/**
 * control_socket_message(socket, message):
 * Tell the driver, and those who observe, what the partner says.
 */
void control_socket_message(struct control_socket *socket, json_t *message);

/**
 * control_socket_hold(socket, held):
 * Let the driver wait with what it says, or go on.
 */
void control_socket_hold(struct control_socket *socket, bool held);

/**
 * control_socket_is(socket, path):
 * Return whether ${path} leads to this socket.
 */
bool control_socket_is(const struct control_socket *socket, const char *path);

/**
 * control_socket_driver(socket):
 * Return whether a driver is attached.
 */
bool control_socket_driver(const struct control_socket *socket);

#endif
