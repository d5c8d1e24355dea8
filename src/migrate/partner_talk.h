/*
 * A helper's talk with its partner: typed messages (wire/partner.h) over a
 * partner_link.  Each statement about the guest carries the id of the migration
 * that it is about, so that nobody acts on what was said of another one.
 */
#ifndef MIGRATE_PARTNER_TALK_H
#define MIGRATE_PARTNER_TALK_H

#include <stdbool.h>

#include "wire/control_line.h"
#include "wire/partner.h"

struct loop;
struct partner_talk;

enum { PARTNER_ID_MAX = 16 };

/* Every callback may free the talk. */
struct partner_talk_options {
    struct loop *loop;
    const char *path;    /* of the control socket; copied */
    const char *program; /* "mig-send"; outlives the talk */
    const char *command; /* how it is called, the same; NULL: not told */

    /**
     * on_up(arg, partner):
     * The tunnel has taken this helper; ${partner} is whether a partner is
     * there, of which on_came tells when it has greeted.
     */
    void (*on_up)(void *arg, bool partner);

    /**
     * on_came(arg):
     * on_left(arg):
     * The partner has greeted, anew or for the first time: what was said before
     * may be lost to it.  It has gone, or can't be heard.
     */
    void (*on_came)(void *arg);
    void (*on_left)(void *arg);

    /**
     * on_message(arg, message):
     * The partner says ${message}, which is no HELLO.
     */
    void (*on_message)(void *arg, const struct partner_message *message);

    /**
     * on_request(arg, request):
     * Somebody on this host asks for ${request}.
     */
    void (*on_request)(void *arg, enum helper_request request);

    /**
     * on_end(arg, absent, refused, why):
     * There is no talk any more: the tunnel is ${absent} and always was, or it
     * has ${refused} this helper, or what ${why} says.
     */
    void (*on_end)(void *arg, bool absent, bool refused, const char *why);
    void *arg;
};

/**
 * partner_talk_new(options):
 * Attach to the tunnel.  Return NULL with errno set if there is no memory.  The
 * caller frees it with partner_talk_free; what was said then is still
 * delivered, as far as the tunnel can.
 */
struct partner_talk *partner_talk_new(
    const struct partner_talk_options *options);
void partner_talk_free(struct partner_talk *talk);

/**
 * partner_talk_there(talk):
 * Return whether the partner has greeted and has not left since.
 */
bool partner_talk_there(const struct partner_talk *talk);

/**
 * partner_talk_ready(talk):
 * Return whether the tunnel that this helper is attached to has the socket for
 * the source's QEMU: it is ready, or QEMU has connected.
 */
bool partner_talk_ready(const struct partner_talk *talk);

/**
 * partner_talk_their_command(talk):
 * Return how the partner says it is called, or NULL.
 */
const char *partner_talk_their_command(const struct partner_talk *talk);

/**
 * partner_talk_set_id(talk, id):
 * partner_talk_adopt_id(talk):
 * From now on the talk is about the migration ${id}, at most PARTNER_ID_MAX
 * letters; statements about others, or about none, are left out.  Until this is
 * called every statement is left out.  With adopt, the partner says which one
 * it is, already when it greets.
 *
 * partner_talk_adopt_one(talk, is_one):
 * The same, but only one that ${is_one}(arg, id) is true of, which gets the
 * options' arg.
 */
void partner_talk_set_id(struct partner_talk *talk, const char *id);
void partner_talk_adopt_id(struct partner_talk *talk);
void partner_talk_adopt_one(struct partner_talk *talk,
                            bool (*is_one)(void *arg, const char *id));

/**
 * partner_talk_id(talk):
 * partner_talk_heard_id(talk):
 * Return the id that the talk is about; that of the message which on_message
 * tells of.  "" if there is none.
 */
const char *partner_talk_id(const struct partner_talk *talk);
const char *partner_talk_heard_id(const struct partner_talk *talk);

/**
 * partner_talk_greet(talk):
 * Greet the partner once more: what it has said up to now is lost here, and it
 * is to say it again.
 */
void partner_talk_greet(struct partner_talk *talk);

/**
 * partner_talk_say(talk, message):
 * Say ${message}; nothing happens if nobody is there.
 */
void partner_talk_say(struct partner_talk *talk,
                      const struct partner_message *message);

#endif
