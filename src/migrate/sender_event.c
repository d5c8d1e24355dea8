/*
 * Whether a migration that has failed had reached the switchover decides
 * whether the destination may have the VM too.  A STOP event counts as the
 * switchover unless query-status, asked at once, proves that the VM was stopped
 * for another reason.
 */
#include <string.h>

#include "base/log.h"
#include "migrate/sender_state.h"

/* Runstates that QEMU never takes for the switchover.  "running" is not among
 * them: the switchover may have failed by now. */
static bool
is_another_stop(const char *runstate)
{
    static const char *const others[] = {
        "debug",    "guest-panicked", "io-error",   "internal-error",
        "paused",   "prelaunch",      "restore-vm", "save-vm",
        "shutdown", "suspended",      "watchdog"
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(runstate, others[i]) == 0)
            return true;
    return false;
}

static void
on_stopped(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;

    job_take_runstate(job, reply);
    if (sender->stops == 0 || !is_another_stop(job->runstate))
        return;
    sender->stops--;
    if (sender->paused)
        return; /* by us */
    log_info("VM: does not run any more, its state is '%s'; its migration goes "
             "on",
             job->runstate);
}

void
sender_on_event(void *owner, const char *name, const json_t *data)
{
    struct sender *sender = owner;

    if (strcmp(name, "RESUME") == 0) {
        sender->runs = true;
        sender->paused = false;
    }
    if (strcmp(name, "STOP") == 0) {
        sender->runs = false;
        if (sender->state == SENDER_MIGRATING) {
            sender->stops++;
            job_ask(&sender->job, "query-status", NULL, on_stopped);
            return;
        }
    }
    if (sender->job.follow != NULL)
        follow_event(sender->job.follow, name, data);
}
