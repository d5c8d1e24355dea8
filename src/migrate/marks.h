/*
 * Marks: objects in a QEMU, of no use to it, that tell a later mig-send or
 * mig-recv what was done.  At the source each is named MARK_SENT and the
 * migration's id; see sender_mark.c.  At the destination each is named
 * MARK_RECEIVED, the id, and one of the endings, which is what is read here.  A
 * plan that came to nothing may have left one, too.
 */
#ifndef MIGRATE_MARKS_H
#define MIGRATE_MARKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "migrate/partner_talk.h"
#include "wire/handover.h"

#define MARK_TYPE "rng-builtin" /* QEMU has it since 4.2 */
#define MARK_SENT "mig-send-"
#define MARK_RECEIVED "mig-recv-"
#define MARK_ALONE "0"          /* the id where there was no partner */
#define MARK_RUN "-run"         /* it is to run when it has arrived */
#define MARK_PAUSED "-paused"   /* it is not */
#define MARK_STARTED "-started" /* `cont` was about to be sent */

enum {
    MARK_NAME_MAX = sizeof MARK_RECEIVED + PARTNER_ID_MAX + sizeof MARK_STARTED,
    MARKS_MAX = 16
};

/* What the marks with one id tell. */
struct mark {
    char id[PARTNER_ID_MAX + 1];
    enum handover_run run;
};

struct marks {
    struct mark marks[MARKS_MAX];
    size_t count;          /* of ids; more than MARKS_MAX are left out */
    bool started;          /* by whichever id */
    enum handover_run run; /* where all of them agree */
};

/**
 * mark_rest(object, prefix):
 * Return what follows ${prefix} in the name of ${object}, one of those that
 * qom-list returned; NULL if it begins otherwise.
 */
const char *mark_rest(const json_t *object, const char *prefix);

/**
 * marks_take(marks, objects):
 * Read what qom-list returned for /objects, or NULL, into ${marks}.
 */
void marks_take(struct marks *marks, const json_t *objects);

/**
 * marks_find(marks, id):
 * Return the mark of the migration ${id}, or NULL.
 */
const struct mark *marks_find(const struct marks *marks, const char *id);

#endif
