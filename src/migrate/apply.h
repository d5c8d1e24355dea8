/*
 * Gives a QEMU its migration settings: asks what it knows, sets capabilities
 * and parameters, and asks again whether they are as they were set.  Or, where
 * it is too late to set any, only asks whether they are as they should be.
 */
#ifndef MIGRATE_APPLY_H
#define MIGRATE_APPLY_H

#include <stdbool.h>

#include "wire/settings.h"

struct qmp;
struct apply;

struct apply_options {
    struct qmp *qmp;
    const struct settings *settings; /* must outlive the apply */
    bool check_only;                 /* set nothing */

    /**
     * on_done(arg, why):
     * The end: ${why} is NULL if everything is set, or says what is wrong.  Not
     * called if the QMP connection ends before.  The callback may free the
     * apply.
     */
    void (*on_done)(void *arg, const char *why);
    void *arg;
};

/**
 * apply_new(options):
 * Start.  Return NULL with errno set as by qmp_execute, or ENOMEM.  The caller
 * frees it with apply_free, after ${options}->qmp or when it is done.
 */
struct apply *apply_new(const struct apply_options *options);
void apply_free(struct apply *apply);

#endif
