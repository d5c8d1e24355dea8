/*
 * How it stands with a migration: what a QEMU and the programs at its host tell
 * at one moment, and what follows for people (--status).
 */
#ifndef WIRE_STANDING_H
#define WIRE_STANDING_H

#include <jansson.h>
#include <stdbool.h>

#include "wire/control_line.h"
#include "wire/migration.h"
#include "wire/progress.h"

enum standing_tunnel {
    STANDING_NO_TUNNEL, /* no control socket: it may be up all the same */
    STANDING_ALONE,     /* the tunnel, and nobody at its other end */
    STANDING_PARTNER    /* and a partner is there */
};

struct standing {
    bool source; /* this QEMU's side */
    enum standing_tunnel tunnel;
    struct tunnel_view view; /* unless STANDING_NO_TUNNEL */
    bool helper;             /* a helper is at work here */
    bool begun;              /* and has told QEMU to migrate, or to wait */
    bool fresh;              /* destination: it has arrived, paused, and a mark
                                or the helper says that it has never run */
    char vm[32];             /* runstate; "" if it is not known */
    struct migration migration;
};

/* Clauses that more than one program says. */
extern const char standing_interrupted[]; /* in postcopy, and what to do */
extern const char standing_split[];       /* so it can't be cancelled */
extern const char standing_too_late[];    /* to cancel it */

/* Where the guest is, as far as it is known. */
enum standing_guest {
    GUEST_HERE,
    GUEST_THERE,
    GUEST_MOVING,  /* at the source, until the migration completes */
    GUEST_ARRIVED, /* here, and who may run it is not settled */
    GUEST_GIVEN,   /* it never runs at the source again by itself */
    GUEST_SPLIT,   /* in postcopy: at the destination, and needs both */
    GUEST_BROKEN,  /* the same, interrupted */
    GUEST_NOT_COME,
    GUEST_UNKNOWN
};

/**
 * standing_has_left(vm):
 * Return whether the runstate ${vm} of a QEMU that says "completed" shows that
 * its VM has left it.  One to which a VM came says "completed" too, and so does
 * one whose VM was continued after that.
 */
bool standing_has_left(const char *vm);

/**
 * standing_guest(standing):
 * Return where the guest is.
 */
enum standing_guest standing_guest(const struct standing *standing);

/**
 * standing_guest_text(standing):
 * standing_next_text(standing):
 * Return a sentence on where the guest is; and one on which command goes on
 * from here, or "".  Both are static.
 */
const char *standing_guest_text(const struct standing *standing);
const char *standing_next_text(const struct standing *standing);

/**
 * standing_progress(standing, progress):
 * Write the migration's numbers, as far as one look can tell them, into
 * ${progress}.
 */
void standing_progress(const struct standing *standing,
                       struct progress *progress);

/**
 * standing_json(standing):
 * Return ${standing} as an object of type "state", for programs, which the
 * caller owns; NULL if there is no memory.
 */
json_t *standing_json(const struct standing *standing);

/**
 * standing_report(standing):
 * standing_take(standing, report):
 * Return what a helper tells of itself, as an object that the caller owns, NULL
 * if there is no memory; take what one has told.  It has the members `begun`,
 * `fresh`, `vm` and `migration`, of which any may be missing.
 */
json_t *standing_report(const struct standing *standing);
void standing_take(struct standing *standing, const json_t *report);

/**
 * standing_refuses_cancel(standing):
 * Return why the migration can't be cancelled from here, which is static; NULL
 * if it may be tried.
 */
const char *standing_refuses_cancel(const struct standing *standing);

#endif
