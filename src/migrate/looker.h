/* Asks a QEMU how it stands, changes nothing, and leaves. */
#ifndef MIGRATE_LOOKER_H
#define MIGRATE_LOOKER_H

#include "wire/qmp_target.h"

struct looker;
struct loop;
struct standing;

struct looker_options {
    struct loop *loop;
    struct qmp_target target;
    struct standing *standing; /* what is learned; outlives the looker */

    /**
     * on_done(arg, why):
     * The end, never called before looker_new has returned.  ${why} is a clause
     * on why QEMU could not be asked, NULL if it was.  The callback may free
     * the looker.
     */
    void (*on_done)(void *arg, const char *why);
    void *arg;
};

/**
 * looker_new(options):
 * Look.  Return NULL with errno set if there is no memory.  The caller frees it
 * with looker_free.
 */
struct looker *looker_new(const struct looker_options *options);
void looker_free(struct looker *looker);

#endif
