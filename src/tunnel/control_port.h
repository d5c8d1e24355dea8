/*
 * The messages of channel 0: an object at each end of a session that sends and
 * takes them.  The stream between it and its session_channel is a socket pair,
 * so channel 0 is carried and resumed as any other channel.
 */
#ifndef TUNNEL_CONTROL_PORT_H
#define TUNNEL_CONTROL_PORT_H

#include <stdbool.h>

#include "wire/control.h"

struct control_port;
struct loop;
struct transport;

struct control_port_options {
    struct loop *loop;

    /**
     * on_message(arg, message):
     * The other end says ${message}, which is the port's.  The callback may
     * free the port if it is END, after which there is no other.
     */
    void (*on_message)(void *arg, const struct control_message *message);

    /**
     * on_room(arg):
     * The port is not full any more.  The callback must not free it.  NULL for
     * an owner that does not ask.
     */
    void (*on_room)(void *arg);

    /**
     * on_bad(arg):
     * The other end says what is no message; nothing more is read.  The
     * callback may free the port.
     */
    void (*on_bad)(void *arg);
    void *arg;
};

/**
 * control_port_new(options, local):
 * Make a port and set *${local} to the other end of its stream, for
 * session_channel_set_local.  Return NULL with errno set if that fails.  The
 * caller frees it with control_port_free.
 */
struct control_port *control_port_new(
    const struct control_port_options *options, struct transport **local);
void control_port_free(struct control_port *port);

/**
 * control_port_send(port, message):
 * Send ${message}, which stays the caller's, after those that wait already.
 */
void control_port_send(struct control_port *port,
                       const struct control_message *message);

/**
 * control_port_full(port):
 * Return whether so much waits to be sent, because the link stands still, that
 * helpers have to wait with what they say.  The session's own few messages need
 * not: there is always room for them.
 */
bool control_port_full(const struct control_port *port);

/**
 * control_port_end(port):
 * There will be no more messages from here.
 */
void control_port_end(struct control_port *port);

#endif
