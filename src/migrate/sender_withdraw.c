/*
 * mig-send --cancel, where no other mig-send is at work: QEMU is looked at, and
 * only what surely is not in postcopy is cancelled, since migrate_cancel loses
 * the guest there.  With postcopy-ram on, the mig-send before may just have
 * ordered postcopy; QEMU obeys when an iteration ends, so what is in precopy at
 * a second look is so because nobody has.  That holds while the link moves: one
 * that stands still holds the iteration up.  All the same it is cancelled then,
 * for a dead link is what people cancel for.
 */
#include "base/log.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "wire/qmp_message.h"
#include "wire/standing.h"

enum { AGAIN_MS = 1000 };

static void
begin(struct sender *sender)
{
    sender->together = true;
    sender->planned = true;
    sender->prepared = true;
    sender->was_running = sender->runs;
    sender->state = SENDER_MIGRATING;
    handover_source_init(&sender->handover,
                         sender->runs ? RUN_YES : RUN_UNKNOWN);
    job_begin(&sender->job);
    sender_step(sender, SOURCE_QEMU_MOVING);
    sender_follow(sender);
    if (sender->job.over)
        return;
    if (!sender->options.config->standalone) {
        if (!sender_talk_open(sender))
            return;
        sender_adopt(sender);
    }
    log_info("migration: cancelling it");
    sender_want_cancel(sender);
}

static void
on_capabilities(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (sender_has_postcopy(reply->value))
        timer_start(sender->later, AGAIN_MS);
    else
        begin(sender);
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;
    struct standing standing = { .source = true };
    const char *why;
    bool again = sender->prepared;

    migration_parse(&standing.migration, reply->value);
    json_text_copy(standing.vm, sizeof standing.vm, job->runstate);
    job->progress.migration = standing.migration;
    why = standing_refuses_cancel(&standing);
    if (reply->error != NULL)
        job_done(job, STATUS_FAILED, "QEMU: %s", reply->error);
    else if (why != NULL)
        job_done(job, STATUS_FAILED, "migration: %s", why);
    else if (again)
        begin(sender);
    else
        job_ask(job, "query-migrate-capabilities", NULL, on_capabilities);
}

static void
on_runstate(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (sender_take_runstate(sender, reply))
        job_ask(&sender->job, "query-migrate", NULL, on_migration);
}

void
sender_withdraw_late(struct sender *sender)
{
    sender->prepared = true;
    sender_withdraw(sender);
}

void
sender_withdraw(struct sender *sender)
{
    job_ask(&sender->job, "query-status", NULL, on_runstate);
}

void
sender_withdraw_refused(struct sender *sender, enum handover_tell tell)
{
    if (!sender->options.config->cancel)
        return;
    if (tell == TELL_CANCEL_TOO_LATE)
        job_done(&sender->job, STATUS_FAILED,
                 "migration: %s; mig-send --attach goes on with it",
                 standing_too_late);
    else if (tell == TELL_CANCEL_POSTCOPY)
        job_done(&sender->job, STATUS_FAILED, "migration: %s", standing_split);
}
