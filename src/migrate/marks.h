/*
 * Marks: objects in the destination's QEMU, of no use to it, that tell a later
 * mig-recv what was done.  Each is named MARK_PREFIX, the migration's id, and
 * one of the endings.
 */
#ifndef MIGRATE_MARKS_H
#define MIGRATE_MARKS_H

#include <jansson.h>
#include <stdbool.h>

#include "migrate/partner_talk.h"
#include "wire/handover.h"

#define MARK_PREFIX "mig-recv-"
#define MARK_ALONE "0"          /* the id where there was no partner */
#define MARK_RUN "-run"         /* it is to run when it has arrived */
#define MARK_PAUSED "-paused"   /* it is not */
#define MARK_STARTED "-started" /* `cont` was about to be sent */

struct marks {
    bool proved; /* there are any */
    bool started;
    enum handover_run run;
    char id[PARTNER_ID_MAX + 1]; /* of the migration, or "" */
};

/**
 * marks_take(marks, objects):
 * Read what qom-list returned for /objects, or NULL, into ${marks}.
 */
void marks_take(struct marks *marks, const json_t *objects);

#endif
