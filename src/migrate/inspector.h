/*
 * --status: says what is going on with a QEMU and its migration, and changes
 * nothing.  A helper that is at work has QEMU's monitor for itself, so it is
 * asked; else QEMU is.
 */
#ifndef MIGRATE_INSPECTOR_H
#define MIGRATE_INSPECTOR_H

#include <stdio.h>

#include "base/exit_status.h"

struct inspector;
struct job_config;
struct loop;

struct inspector_options {
    struct loop *loop;
    const struct job_config *config; /* outlives the inspector */
    const char *program;             /* "mig-send"; outlives the inspector */
    FILE *out;                       /* for people; NULL for none */
    FILE *json;                      /* for programs; NULL for none */

    /**
     * on_done(arg, status):
     * The end, never called before inspector_new has returned: STATUS_DONE if
     * all was told, STATUS_UNKNOWN if a helper is at work and does not answer,
     * or else STATUS_FAILED.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *arg;
};

/**
 * inspector_new(options):
 * Look.  Return NULL with errno set if there is no memory.  The caller frees it
 * with inspector_free.
 */
struct inspector *inspector_new(const struct inspector_options *options);
void inspector_free(struct inspector *inspector);

#endif
