/*
 * The way from a helper (mig-send, mig-recv) to its partner: through the
 * control socket of the tunnel's end on this host.
 */
#ifndef MIGRATE_PARTNER_LINK_H
#define MIGRATE_PARTNER_LINK_H

#include <jansson.h>
#include <stdbool.h>

#include "wire/control_line.h"

struct loop;
struct partner_link;

enum partner_link_end {
    LINK_ABSENT,  /* there is no socket, or nobody listens: no tunnel */
    LINK_REFUSED, /* the tunnel does not take this helper */
    LINK_CLOSED,  /* the tunnel's process has gone away */
    LINK_SILENT,  /* what is there does not answer */
    LINK_BROKEN,  /* an error, or what is there is no tunnel, or not ours */
};

/* Every callback may free the link. */
struct partner_link_options {
    struct loop *loop;
    const char *path;    /* of the control socket; copied */
    const char *program; /* "mig-send 0.1.0", at most CONTROL_PROGRAM_MAX */
    enum helper_role role;
    bool again; /* attach again when the tunnel's process has gone away, or
                   the next one does not answer, with pauses of 100 ms that
                   double up to 2 s, for ever */

    /**
     * on_up(arg, view):
     * The tunnel has taken this helper, for the first time or again.
     */
    void (*on_up)(void *arg, const struct tunnel_view *view);

    /**
     * on_state(arg, view):
     * The tunnel's state has changed.  When the tunnel is gone and `again` is
     * set, it is TUNNEL_UNKNOWN, without a session and a partner.
     */
    void (*on_state)(void *arg, const struct tunnel_view *view);

    /**
     * on_partner(arg, there):
     * The partner has come or gone; follows on_up or on_state.  What was said
     * to it before may be lost.
     */
    void (*on_partner)(void *arg, bool there);

    /**
     * on_message(arg, message, from):
     * The partner says ${message}, an object; to an observer, too, what the
     * driver on this host says.
     */
    void (*on_message)(void *arg, const json_t *message, enum line_from from);

    /**
     * on_request(arg, request):
     * To a driver: an observer asks for this.
     */
    void (*on_request)(void *arg, enum helper_request request);

    /**
     * on_end(arg, end, why):
     * The last callback.  ${why} is a clause, as in "the tunnel has gone away".
     */
    void (*on_end)(void *arg, enum partner_link_end end, const char *why);
    void *arg;
};

/**
 * partner_link_new(options):
 * Attach.  Callbacks that are NULL are left out; none is made before this
 * function has returned.  Return NULL with errno set if there is no memory.
 * The caller frees it with partner_link_free, which detaches; what the kernel
 * has not taken by then is lost.
 */
struct partner_link *partner_link_new(
    const struct partner_link_options *options);
void partner_link_free(struct partner_link *link);

/**
 * partner_link_send(link, message):
 * Say ${message}, an object that stays the caller's, to the partner, and to
 * those who observe here.  If no partner is there, it is lost to it.  Return 0;
 * or -1 with errno set: ENOTCONN if this helper is not attached, EMSGSIZE if
 * the message is too long or no object, ENOBUFS if 1 MiB waits already, or
 * ENOMEM.
 */
int partner_link_send(struct partner_link *link, json_t *message);

/**
 * partner_link_request(link, request):
 * As an observer, ask the driver on this host.  If there is none, the tunnel
 * refuses this helper.  Return 0; or -1 with errno set, as partner_link_send.
 */
int partner_link_request(struct partner_link *link,
                         enum helper_request request);

/**
 * partner_link_view(link):
 * Return what is known of the tunnel, NULL if this helper is not attached.
 */
const struct tunnel_view *partner_link_view(const struct partner_link *link);

#endif
