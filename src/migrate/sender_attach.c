/*
 * mig-send comes back to a migration that began before: after it died, or to
 * release the guest.  First QEMU says what has become of it, then the partner
 * is looked for.
 */
#include <string.h>

#include "base/log.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "wire/standing.h"

enum { AGAIN_MS = 1000 };

/* With postcopy-ram on, it may have been ordered by the one before. */
bool
sender_has_postcopy(const json_t *capabilities)
{
    json_t *entry;
    size_t i;

    json_array_foreach(capabilities, i, entry)
    {
        const char *name =
            json_string_value(json_object_get(entry, "capability"));
        if (name != NULL && strcmp(name, "postcopy-ram") == 0)
            return json_is_true(json_object_get(entry, "state"));
    }
    return capabilities == NULL;
}

bool
sender_attaches(const struct sender *sender)
{
    const struct job_config *config = sender->options.config;

    return config->attach || config->release || config->recover ||
           config->cancel;
}

/* The machine may have ended the job. */
static void
go_on(struct sender *sender)
{
    if (sender->job.over)
        return;
    sender->planned = true;
    sender->prepared = true;
    sender->was_running = sender->runs;
    if (sender->options.config->release)
        sender->releasing = true;
    if (!sender_talk_open(sender))
        return;
    sender_adopt(sender);
    if (sender->handover.state == SOURCE_KEPT && !sender->releasing)
        log_info("migration: there is none, the VM is here");
}

void
sender_attach_late(struct sender *sender)
{
    if (!sender->unsure || sender->job.follow == NULL)
        return;
    sender->unsure_asked = true;
    follow_ask(sender->job.follow);
}

/* QEMU obeys the order when the iteration at hand ends.  A look at which not
 * more has been sent than at the one before proves nothing: the link may stand
 * still in the midst of one. */
bool
sender_attach_update(struct sender *sender)
{
    const struct migration *migration = &sender->job.progress.migration;
    bool split = migration_is_postcopy(migration);
    enum exit_status wish = sender->wish;

    if (!sender->unsure || !(sender->unsure_asked || split))
        return false;
    sender->unsure_asked = false;
    if (!split && migration->transferred_bytes <= sender->looked_bytes) {
        timer_start(sender->later, AGAIN_MS);
        return false;
    }
    sender->unsure = false;
    sender->wish = STATUS_DONE;
    if (!split)
        sender_step(sender, SOURCE_QEMU_REFUSED);
    if (sender->job.over)
        return true;
    return wish != STATUS_DONE && sender_stop(sender, wish);
}

static void
on_capabilities(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    const struct migration *migration = &sender->job.progress.migration;

    sender->unsure = sender_has_postcopy(reply->value) &&
                     !migration_is_postcopy(migration) &&
                     !sender->options.config->recover;
    sender->looked_bytes = migration->transferred_bytes;
    if (sender->unsure)
        timer_start(sender->later, AGAIN_MS);
    sender_step(sender, sender_has_postcopy(reply->value)
                            ? SOURCE_QEMU_MAY_SPLIT
                            : SOURCE_QEMU_MOVING);
    sender_follow(sender);
    go_on(sender);
    if (!sender->job.over)
        sender_policy_attach(sender, reply->value);
}

/* Whoever paused it knows what it is: to keep it could cost its copy at the
 * destination, and to give it could run it twice. */
static void
end_stranger(struct sender *sender)
{
    job_done(&sender->job, STATUS_FAILED,
             "VM: is here, its state is '%s', though a migration has completed:"
             " it came to this QEMU, or somebody has continued it after it was "
             "given; nothing was done, and nobody was told anything",
             sender->job.runstate);
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;
    struct migration migration;

    /* No answer is not the answer that there is no migration. */
    if (reply->error != NULL) {
        job_done(job, STATUS_UNKNOWN,
                 "QEMU: does not tell what has become of the migration: %s; "
                 "nothing was done, and nobody was told anything: try \"%s "
                 "--attach\" again",
                 reply->error, sender->command);
        return;
    }
    migration_parse(&migration, reply->value);
    if (migration.status == MIGRATION_COMPLETED && !sender->runs &&
        !standing_has_left(job->runstate)) {
        end_stranger(sender);
        return;
    }
    job_begin(job);
    job->progress.migration = migration;
    log_info("migration: its status is '%s', and the VM's '%s'",
             migration.status_name, job->runstate);
    handover_source_init(&sender->handover, RUN_UNKNOWN);
    if (migration.status == MIGRATION_COMPLETED) {
        sender->handed = true;
        sender_step(sender,
                    sender->runs ? SOURCE_QEMU_RUNS : SOURCE_QEMU_COMPLETED);
        go_on(sender);
    } else if (migration_is_idle(migration.status)) {
        sender_step(sender, SOURCE_QEMU_KEPT);
        go_on(sender);
    } else {
        sender->handover.run = sender->runs ? RUN_YES : RUN_UNKNOWN;
        sender->stops = 0;
        sender->state = SENDER_MIGRATING;
        job_ask(job, "query-migrate-capabilities", NULL, on_capabilities);
    }
}

bool
sender_take_runstate(struct sender *sender, const struct qmp_reply *reply)
{
    struct job *job = &sender->job;

    job_take_runstate(job, reply);
    sender->runs = strcmp(job->runstate, "running") == 0;
    if (reply->error != NULL)
        job_done(job, STATUS_FAILED, "QEMU: %s", reply->error);
    else if (strcmp(job->runstate, "inmigrate") == 0)
        job_done(job, STATUS_FAILED,
                 "VM: this QEMU waits for a VM (state 'inmigrate'): it is a "
                 "destination, for mig-recv");
    return !job->over;
}

static void
on_runstate(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (sender_take_runstate(sender, reply))
        job_ask(&sender->job, "query-migrate", NULL, on_migration);
}

void
sender_attach(struct sender *sender)
{
    sender->together = true;
    job_ask(&sender->job, "query-status", NULL, on_runstate);
}
