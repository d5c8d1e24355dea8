/*
 * Follows a migration in a QEMU: at each MIGRATION event,
 * and at an interval in case there are none, asks query-migrate.
 */
#ifndef MIGRATE_FOLLOW_H
#define MIGRATE_FOLLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/migration.h"

struct follow;
struct loop;
struct qmp;

struct follow_options {
    struct qmp *qmp;
    uint64_t interval_ms;

    /**
     * on_update(arg, migration, whole):
     * The migration is as in ${migration}.  If not ${whole}, this is an event,
     * which has nothing but the status, and a whole update follows at once if
     * QEMU is still there.  The callback may free the follow.
     */
    void (*on_update)(void *arg, const struct migration *migration, bool whole);
    void *arg;
};

/**
 * follow_new(loop, options):
 * Start with a query.  Return NULL if there is no memory.  The caller frees it
 * with follow_free, after ${options}->qmp.
 */
struct follow *follow_new(struct loop *loop,
                          const struct follow_options *options);
void follow_free(struct follow *follow);

/**
 * follow_event(follow, name, data):
 * The QMP connection got the event ${name} with ${data}.  May call back.
 */
void follow_event(struct follow *follow, const char *name, const json_t *data);

/**
 * follow_ask(follow):
 * Ask for an update whose answer is younger than this call.
 */
void follow_ask(struct follow *follow);

/**
 * follow_is_fresh(follow):
 * In on_update, return whether the update that is being told is whole and
 * younger than the latest call of follow_ask.
 */
bool follow_is_fresh(const struct follow *follow);

#endif
