/*
 * Theory of operation.
 *
 *   state           does                                        then
 *   CHECKING        query-status, query-migrate                 MEETING
 *   MEETING         looks for the partner; sender_meet.c        WAITING
 *   WAITING         looks whether mig-client listens            APPLYING
 *   APPLYING        sets capabilities and parameters;           CHECKING_AGAIN
 *                   sender_plan.c
 *   CHECKING_AGAIN  the same, for much may have changed         MIGRATING
 *   MIGRATING       migrate; follows it; sender_policy.c        CONCLUDING
 *   CONCLUDING      query-status: where is the VM after all?    done
 *
 * Before MIGRATING nothing has happened to the VM, so an end is just an end.
 * In MIGRATING, to cancel is a wish: it is granted only by an update that is
 * younger than the wish, for in postcopy migrate_cancel loses the VM; a cancel
 * that QEMU refuses is tried again at the next update.  Only what QEMU says in
 * the end decides: a cancel may come too late.  A QEMU that says nothing at all
 * is waited for, but not once somebody wants it to end.
 */
#include "migrate/sender.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/doorbell.h"
#include "migrate/gather.h"
#include "migrate/job_command.h"
#include "migrate/listen_wait.h"
#include "migrate/process.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "migrate/teller.h"

enum {
    SILENCE_POLL_MS = 1000,
    /* A switchover keeps QEMU busy for as long as the downtime is. */
    SILENCE_MS = 15000
};

void
sender_begin(struct sender *sender)
{
    sender->state = SENDER_CHECKING_AGAIN;
    sender_check(sender, sender_migrate);
}

static void
on_applied(void *owner)
{
    struct sender *sender = owner;

    if (sender->together)
        sender_plan(sender);
    else
        sender_begin(sender);
}

/* What came of it, to those who asked for the release. */
static void
answer_rings(struct sender *sender)
{
    const struct handover_source *handover = &sender->handover;
    bool kept = handover->state == SOURCE_KEPT && !handover->two;

    doorbell_answer(sender->doorbell, kept ? STATUS_DONE : STATUS_UNKNOWN);
}

static void
on_ring(void *arg)
{
    struct sender *sender = arg;

    if (sender->job.over) {
        answer_rings(sender);
        return;
    }
    log_info("VM: somebody here asks to release it");
    if (sender->planned)
        sender_step(sender, SOURCE_RELEASE);
}

static void
on_ready(void *owner)
{
    struct sender *sender = owner;
    const struct job_config *config = sender->options.config;

    if (!config->standalone)
        sender->doorbell =
            doorbell_new(sender->job.loop, &config->target, on_ring, sender);
    sender->qemu = process_qemu(qmp_peer(sender->job.qmp));
    if (config->recover)
        sender_find_mark(sender, sender_recover);
    else if (config->cancel)
        sender_find_mark(sender, sender_withdraw);
    else if (config->attach || config->release)
        sender_find_mark(sender, sender_attach);
    else
        sender_check(sender, config->standalone ? sender_wait : sender_meet);
}

static void
on_patience(void *arg)
{
    struct sender *sender = arg;

    job_done(&sender->job, STATUS_TIMED_OUT,
             sender->planned
                 ? "migration: the destination does not get prepared; nothing "
                   "was started"
                 : "migration: mig-recv is not heard at the destination: is it "
                   "running there, beside mig-server? --standalone works "
                   "without it. Nothing was started");
}

static void
on_resume_timer(void *arg)
{
    struct sender *sender = arg;

    job_ask(&sender->job, "query-status", NULL, sender_on_final_status);
}

static void
lose_qemu(struct sender *sender, const char *why)
{
    struct job *job = &sender->job;

    if (sender->together && job->begun) {
        log_warnx("QMP: %s", why);
        sender_handover_lost(sender);
    } else if (!job->begun) {
        job_done(job, STATUS_FAILED, "QMP: %s; nothing was started", why);
    } else if (job->progress.migration.status == MIGRATION_COMPLETED) {
        sender_report_success(sender);
    } else {
        job->runstate[0] = '\0';
        job_done(job, STATUS_UNKNOWN,
                 "QMP: %s while the migration was '%s'; if mig-recv says that "
                 "the VM has arrived, it is at the destination; else see "
                 "whether this QEMU still lives, and ask it with query-status "
                 "and query-migrate",
                 why, job->progress.migration.status_name);
    }
}

static void
on_end(void *owner, enum qmp_end end, const char *why)
{
    (void)end;
    lose_qemu(owner, why);
}

static void
on_silence_timer(void *arg)
{
    struct sender *sender = arg;
    const struct job *job = &sender->job;

    if (job->over)
        return;
    if (qmp_silent_ms(job->qmp) >= SILENCE_MS) {
        lose_qemu(sender, "QEMU has not said anything for 15 s");
        return;
    }
    timer_start(sender->silence, SILENCE_POLL_MS);
}

bool
sender_stop(struct sender *sender, enum exit_status status)
{
    struct job *job = &sender->job;

    if (job->over)
        return false;
    if (sender->together && sender->unsure) {
        log_info("migration: looks first whether it is about to be in "
                 "postcopy");
    } else if (sender->together) {
        sender_step(sender, SOURCE_CANCEL);
        if (job->over || sender->handover.state != SOURCE_CANCELLING)
            return false; /* a line has said why */
    } else if (job->follow != NULL) {
        follow_ask(job->follow);
    }
    sender->wish = status;
    timer_start(sender->silence, SILENCE_POLL_MS);
    return true;
}

void
sender_want_cancel(struct sender *sender)
{
    if (!sender->job.begun)
        sender_cancel(sender);
    else if (sender->wish == STATUS_DONE)
        (void)sender_stop(sender, STATUS_CANCELLED);
}

static void
on_later(void *arg)
{
    struct sender *sender = arg;

    if (sender->job.over)
        return;
    if (sender->options.config->recover)
        sender_recover_late(sender);
    else if (sender->options.config->cancel)
        sender_withdraw_late(sender);
    else
        sender_attach_late(sender);
}

static void
interrupt(struct sender *sender)
{
    sender->interrupted = true;
    if (sender_stop(sender, STATUS_CANCELLED))
        log_info("migration: cancelling it; once more leaves without waiting");
    else if (!sender->job.over)
        log_info("migration: goes on; Ctrl-C once more leaves it to itself");
}

void
sender_cancel(struct sender *sender)
{
    struct job *job = &sender->job;

    if (job->over)
        return;
    if (sender->recover == RECOVER_FINDING) {
        job_done(job, STATUS_CANCELLED,
                 "migration: interrupted before it was resumed: it still waits "
                 "for mig-send --recover");
    } else if (!job->begun) {
        job_done(job, STATUS_CANCELLED,
                 "migration: interrupted before it began; the VM stays here");
    } else if (sender->interrupted && sender->together) {
        sender_on_leave(sender);
    } else if (sender->interrupted) {
        job_done(job, STATUS_UNKNOWN,
                 "migration: left at status '%s', without waiting for its end: "
                 "ask QEMU with query-migrate",
                 job->progress.migration.status_name);
    } else {
        interrupt(sender);
    }
}

/* A partner that has been told the plan does not wait for what never begins. */
static void
on_over(void *owner)
{
    struct sender *sender = owner;

    if (sender->planned && sender->talk != NULL &&
        sender->handover.state == SOURCE_BEFORE)
        partner_talk_say(
            sender->talk,
            &(struct partner_message){
                .type = PARTNER_KEPT,
                .running = strcmp(sender->job.runstate, "running") == 0 });
    answer_rings(sender);
    partner_talk_free(sender->talk);
    sender->talk = NULL;
    gather_free(sender->gather);
    sender->gather = NULL;
    listen_wait_free(sender->wait);
    sender->wait = NULL;
    teller_end(sender->teller);
    timer_stop(sender->resume);
    timer_stop(sender->silence);
    timer_stop(sender->leave);
    timer_stop(sender->seek);
    timer_stop(sender->patience);
    timer_stop(sender->exit);
    timer_stop(sender->numbers);
    timer_stop(sender->policy);
    timer_stop(sender->later);
    timer_stop(sender->cont_again);
}

struct sender *
sender_new(struct loop *loop, const struct job_options *options)
{
    struct sender *sender = calloc(1, sizeof *sender);
    const struct job_hooks hooks = {
        .on_ready = on_ready,
        .on_applied = on_applied,
        .on_event = sender_on_event,
        .on_status = sender_on_status,
        .on_update = sender_on_update,
        .on_end = on_end,
        .on_over = on_over,
        .owner = sender,
    };

    if (sender == NULL)
        return NULL;
    sender->options = *options;
    job_command(options->config, sender->command);
    sender->leave_for = -1;
    sender->resume = timer_new(loop, on_resume_timer, sender);
    sender->silence = timer_new(loop, on_silence_timer, sender);
    sender->seek = timer_new(loop, sender_on_seek, sender);
    sender->patience = timer_new(loop, on_patience, sender);
    sender->leave = timer_new(loop, sender_on_leave, sender);
    sender->exit = timer_new(loop, sender_on_exit, sender);
    sender->numbers = timer_new(loop, sender_on_numbers, sender);
    sender->policy = timer_new(loop, sender_on_policy, sender);
    sender->later = timer_new(loop, on_later, sender);
    sender->cont_again = timer_new(loop, sender_cont_again, sender);
    sender->teller = teller_new(loop, sender_handover_told, sender);
    if (sender->resume == NULL || sender->silence == NULL ||
        sender->seek == NULL || sender->patience == NULL ||
        sender->leave == NULL || sender->exit == NULL ||
        sender->numbers == NULL || sender->policy == NULL ||
        sender->later == NULL || sender->cont_again == NULL ||
        sender->teller == NULL ||
        job_init(&sender->job, loop, options, &hooks) != 0) {
        sender_free(sender);
        return NULL;
    }
    teller_commands(sender->teller, sender->command, NULL);
    return sender;
}

void
sender_free(struct sender *sender)
{
    if (sender == NULL)
        return;
    listen_wait_free(sender->wait);
    timer_free(sender->resume);
    timer_free(sender->silence);
    timer_free(sender->seek);
    timer_free(sender->patience);
    timer_free(sender->leave);
    timer_free(sender->exit);
    timer_free(sender->numbers);
    timer_free(sender->policy);
    timer_free(sender->later);
    timer_free(sender->cont_again);
    teller_free(sender->teller);
    doorbell_free(sender->doorbell);
    partner_talk_free(sender->talk);
    gather_free(sender->gather);
    json_decref(sender->facts);
    json_decref(sender->their_facts);
    job_fini(&sender->job);
    free(sender);
}
