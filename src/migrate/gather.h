/*
 * Asks a QEMU for everything that facts (wire/facts.h) need.  Only questions
 * are asked: nothing is changed.
 */
#ifndef MIGRATE_GATHER_H
#define MIGRATE_GATHER_H

#include <jansson.h>
#include <stdint.h>

struct gather;
struct qmp;

/* Questions about devices; what has more devices is cut, and marked so. */
enum { GATHER_QUESTIONS_MAX = 512 };

struct gather_options {
    struct qmp *qmp;
    uint64_t reply_ms; /* how long each reply may take; 0 for 10 s */

    /**
     * on_done(arg, facts, why):
     * The end: ${facts}, which the gather owns, or NULL and ${why}.  What this
     * QEMU does not tell is missing in them; it only fails if QEMU gives no
     * reply in time or there is no memory.  Not called if the QMP connection
     * ends before.  The callback may free the gather.
     */
    void (*on_done)(void *arg, json_t *facts, const char *why);
    void *arg;
};

/**
 * gather_new(options):
 * Start.  Return NULL with errno set as by qmp_execute, or ENOMEM.  The caller
 * frees it with gather_free, after ${options}->qmp or when it is done.
 */
struct gather *gather_new(const struct gather_options *options);
void gather_free(struct gather *gather);

#endif
