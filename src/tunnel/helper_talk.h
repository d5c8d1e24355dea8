/*
 * What both ends of a session do alike for helpers: the control socket on this
 * side, channel 0 on the other, and between them a session after the other.
 */
#ifndef TUNNEL_HELPER_TALK_H
#define TUNNEL_HELPER_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "io/unix_socket.h"
#include "wire/control_line.h"
#include "wire/greeting.h"

struct bucket;
struct control_port;
struct helper_talk;
struct loop;

struct helper_talk_options {
    struct loop *loop;
    const char *path;         /* of the control socket, copied; NULL for none */
    const char *program;      /* "mig-client 0.1.0"; outlives it */
    struct bucket *bandwidth; /* see control_socket_options */
    bool needed;              /* whoever starts this has asked for it; else it
                                 is tried every 2 s until it can be made */
};

/* A session, for as long as helpers talk through it. */
struct helper_talk_session {
    struct control_port *port;
    unsigned char id[SESSION_ID_BYTES];

    /**
     * on_drivers(arg):
     * A driver has come or gone at one of the two ends.  The callback may end
     * the session, but must not free the talk.  NULL for an owner that does not
     * ask.
     */
    void (*on_drivers)(void *arg);
    void *arg;
};

/**
 * helper_talk_open(talk, options, why):
 * Make the control socket.  Return 0 and set *${talk}, which the caller frees
 * with helper_talk_free; it is NULL if there is to be none.  One that is not
 * needed may be made later, and then a line is logged, once; another when it is
 * there.  Return -1, with one line in ${why}, if it is needed and can't be
 * made.  For a talk that is NULL nothing is done below, and nobody is attached.
 */
int helper_talk_open(struct helper_talk **talk,
                     const struct helper_talk_options *options,
                     char why[SOCKET_WHY_MAX]);
void helper_talk_free(struct helper_talk *talk);

/**
 * helper_talk_begin(talk, session):
 * helper_talk_end(talk, port):
 * Channel 0 of ${session} is up: tell the other end whether a driver is here.
 * The session of ${port} has ended, so the partner is gone; nothing if another
 * one has begun since, or it never did.
 */
void helper_talk_begin(struct helper_talk *talk,
                       const struct helper_talk_session *session);
void helper_talk_end(struct helper_talk *talk, const struct control_port *port);

/**
 * helper_talk_state(talk, state):
 * Tell the helpers that the tunnel is in ${state}.
 */
void helper_talk_state(struct helper_talk *talk, enum tunnel_state state);

/**
 * helper_talk_take(talk, message):
 * The other end says ${message}; what is not for helpers is left out.
 */
void helper_talk_take(struct helper_talk *talk,
                      const struct control_message *message);

/**
 * helper_talk_room(talk):
 * The port is not full any more.
 */
void helper_talk_room(struct helper_talk *talk);

/**
 * helper_talk_is(talk, path):
 * Return whether ${path} leads to the control socket: it is no QEMU's then.
 */
bool helper_talk_is(const struct helper_talk *talk, const char *path);

/**
 * helper_talk_both(talk):
 * Return whether drivers are attached at both ends.
 */
bool helper_talk_both(const struct helper_talk *talk);

/**
 * helper_talk_farewell(talk, ms, on_left, arg):
 * Call ${on_left}(${arg}) when no driver is attached here any more, at the
 * latest in ${ms} milliseconds, from the loop; it may free the talk.  Return
 * whether there is one to wait for; if not, there is no such call.
 */
bool helper_talk_farewell(struct helper_talk *talk, uint64_t ms,
                          void (*on_left)(void *arg), void *arg);

#endif
