/* The migration itself at the source, and what came of it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "wire/progress_text.h"
#include "wire/send_outcome.h"
#include "wire/standing.h"

enum {
    FOLLOW_MS = 500,
    RECOUNTS_MAX = 4,
    RESUME_POLL_MS = 100,
    RESUME_MS = 3000 /* QEMU says "failed" before it lets the VM run again */
};

static struct send_facts
send_facts_of(const struct sender *sender)
{
    const struct job *job = &sender->job;

    return (struct send_facts){
        .migration = &job->progress.migration,
        .runstate = job->runstate,
        .version = job->version,
        .was_running = sender->was_running,
        .runs = sender->runs || sender->stops > 0,
        .switching = sender->stops > 0,
        .saw_device = sender->saw_device,
        .cancelled = sender->cancelled,
        .timed_out = sender->wish == STATUS_TIMED_OUT,
    };
}

static void
report_failure(struct sender *sender)
{
    const struct send_facts facts = send_facts_of(sender);
    char text[SEND_OUTCOME_TEXT_MAX];
    enum exit_status status;

    if (sender->together) {
        if (!sender_unpause(sender))
            sender_handover_kept(sender);
        return;
    }
    /* Once it runs again, nothing tells any more how far it had got. */
    if (sender->paused && send_may_have_switched(&facts))
        sender->stops++;
    if (sender_unpause(sender))
        return;
    status = send_outcome(&facts, text);
    job_done(&sender->job, status, "%s", text);
}

void
sender_on_final_status(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;

    job_take_runstate(job, reply);
    if (reply->error == NULL && (sender->runs || sender->stops > 0) &&
        strcmp(job->runstate, "running") != 0 &&
        loop_now_ms(job->loop) < sender->deadline_ms)
        timer_start(sender->resume, RESUME_POLL_MS);
    else
        report_failure(sender);
}

void
sender_report_success(struct sender *sender)
{
    struct job *job = &sender->job;
    char text[PROGRESS_TEXT_MAX];

    if (sender->wish != STATUS_DONE)
        log_warnx("migration: completed before it could be cancelled");
    if (!sender->together)
        log_info("VM: has left this QEMU for good; if it is paused at the "
                 "destination, mig-recv --release runs it there");
    json_text_copy(job->runstate, sizeof job->runstate, "postmigrate");
    progress_report_text(text, &job->progress);
    job_done(job, STATUS_DONE,
             "migration: completed, the VM is at the destination%s: %s",
             sender->paused && !sender->together
                 ? ", paused: the command cont starts it there"
                 : "",
             text);
}

static void
conclude(struct sender *sender)
{
    struct job *job = &sender->job;

    if (job->progress.migration.status == MIGRATION_COMPLETED) {
        sender_report_success(sender);
        return;
    }
    sender->state = SENDER_CONCLUDING;
    sender->deadline_ms = loop_now_ms(job->loop) + RESUME_MS;
    job_ask(job, "query-status", NULL, sender_on_final_status);
}

static void
on_cancelled(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error == NULL)
        return;
    sender->cancelling = false;
    if (sender->refused)
        return;
    sender->refused = true;
    log_warnx("migration: QEMU does not cancel it: %s; trying again",
              reply->error);
}

/* There is an update younger than the wish. */
static void
grant_wish(struct sender *sender)
{
    if (sender->switching ||
        migration_is_postcopy(&sender->job.progress.migration)) {
        sender->wish = STATUS_DONE;
        log_warnx("migration: can't be cancelled in postcopy, when the VM "
                  "needs both hosts; it goes on");
        return;
    }
    sender->cancelling = true;
    sender->cancelled = true;
    job_ask(&sender->job, "migrate_cancel", NULL, on_cancelled);
}

void
sender_on_status(void *owner)
{
    struct sender *sender = owner;

    switch (sender->job.progress.migration.status) {
    case MIGRATION_DEVICE: sender->saw_device = true; break;
    case MIGRATION_PRE_SWITCHOVER:
        log_info("migration: waits in pre-switchover for the command "
                 "migrate-continue");
        break;
    case MIGRATION_WAIT_UNPLUG:
        log_info("migration: waits for the guest to let go of a device");
        break;
    case MIGRATION_POSTCOPY_ACTIVE:
        log_info("migration: postcopy: the VM goes on at the destination, the "
                 "rest of its memory follows: it needs both hosts until that "
                 "is done");
        break;
    default: break;
    }
}

/*
 * QEMU 7.2 says "completed" a moment before it fills the total time in: look
 * again, but not for ever.
 */
static bool
is_uncounted(struct sender *sender)
{
    const struct migration *migration = &sender->job.progress.migration;

    return migration->status == MIGRATION_COMPLETED &&
           migration->total_time_ms == 0 && sender->recounts++ < RECOUNTS_MAX;
}

void
sender_on_update(void *owner, bool whole)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;
    const struct migration *migration = &job->progress.migration;

    if (sender->state != SENDER_MIGRATING || sender_recover_holds(sender))
        return;
    if (whole && sender_policy_update(sender))
        return;
    if (sender->together &&
        !(whole && (migration->status == MIGRATION_FAILED ||
                    migration->status == MIGRATION_CANCELLED))) {
        sender_handover_update(sender, whole);
        return;
    }
    if (!whole)
        return; /* the numbers follow */
    if (is_uncounted(sender))
        return;
    if (migration_is_over(migration->status))
        conclude(sender);
    else if (migration->status == MIGRATION_POSTCOPY_PAUSED)
        job_done(job, STATUS_UNKNOWN, "migration: %s", standing_interrupted);
    else if (sender->wish != STATUS_DONE && !sender->cancelling)
        grant_wish(sender);
}

/* Without a reply in time QEMU may still have begun. */
static void
on_migrate(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error != NULL && reply->error_class != NULL &&
        sender->together) {
        snprintf(sender->job.progress.migration.error,
                 sizeof sender->job.progress.migration.error,
                 "QEMU refused it: %s", reply->error);
        sender_handover_kept(sender);
        return;
    }
    if (reply->error != NULL && reply->error_class != NULL) {
        job_done(&sender->job, STATUS_FAILED,
                 "migration: QEMU refused it: %s; %s", reply->error,
                 send_whereabouts(sender->job.runstate, sender->was_running));
        return;
    }
    if (reply->error != NULL)
        log_info("QMP: %s; waiting", reply->error);
    sender_follow(sender);
}

void
sender_follow(struct sender *sender)
{
    job_follow(&sender->job, FOLLOW_MS);
}

void
sender_migrate(struct sender *sender)
{
    const char *path = sender->job.options.config->unix_path;
    char uri[sizeof "unix:" + 108];

    if (!sender_trusts_socket(sender))
        return;
    snprintf(uri, sizeof uri, "unix:%s", path);
    sender->state = SENDER_MIGRATING;
    sender->was_running = sender->runs;
    log_info("migration: begins, by way of %s", path);
    job_begin(&sender->job);
    sender_policy_begin(sender);
    if (sender->together) {
        sender->handover.run = sender->runs ? RUN_YES : RUN_NO;
        sender_step(sender, SOURCE_BEGIN);
    }
    job_ask(&sender->job, "migrate", json_pack("{s:s}", "uri", uri),
            on_migrate);
}
