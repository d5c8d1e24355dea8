/*
 * Asks the helper that is at work on this host already, which alone may speak
 * to QEMU and to the partner: to say how it stands, to cancel, or to release
 * the guest.
 */
#ifndef MIGRATE_ASKER_H
#define MIGRATE_ASKER_H

#include <stdbool.h>
#include <stdio.h>

#include "base/exit_status.h"
#include "wire/control_line.h"

struct asker;
struct loop;
struct qmp_target;
struct standing;

struct asker_options {
    struct loop *loop;
    const char *path; /* of the control socket; outlives the asker */
    const struct qmp_target *target; /* the QEMU; outlives the asker */
    const char *program;             /* "mig-send"; outlives the asker */
    enum helper_request request;

    /* What is learned of the tunnel and of the helper, as the side in it says;
     * outlives the asker. */
    struct standing *standing;
    FILE *json; /* for the result of what was asked for, or NULL */

    /**
     * on_done(arg, asked, status):
     * The end, never called before asker_new has returned.  If not ${asked},
     * there is no helper to ask.  Else it has told how it stands; or a line has
     * said what came of what it was asked for, which is ${status}.  The
     * callback may free the asker.
     */
    void (*on_done)(void *arg, bool asked, enum exit_status status);
    void *arg;
};

/**
 * asker_new(options):
 * Ask.  Return NULL with errno set if there is no memory.  The caller frees it
 * with asker_free.
 */
struct asker *asker_new(const struct asker_options *options);
void asker_free(struct asker *asker);

/**
 * asker_leave(asker):
 * A person does not want to wait for the answer.  Return whether something has
 * been asked for; then it counts as unanswered, and on_done was called, or was
 * so before.
 */
bool asker_leave(struct asker *asker);

#endif
