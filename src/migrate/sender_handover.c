/*
 * Drives the source's machine of the handover (wire/handover.h): what QEMU is
 * in and what the partner says goes in, orders and words come out.
 *
 * The machine says itself when there is nothing left to do, if all goes well.
 * Where it waits for a word that may never come, the timer `leave` ends it:
 *
 *   kept, and the partner is there      10 s for it to quit its QEMU
 *   kept, and it is not                  5 s for it to come back
 *   given whole, and it is not there    --wait, with an instruction meanwhile
 *   asked back, and it is there          60 s for it to quit its QEMU
 *   only a person can go on              3 s after the instruction
 *
 * and the timer `numbers` ends the wait for the last ones of a QEMU that has
 * gone silent.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "migrate/teller.h"
#include "wire/send_outcome.h"

enum {
    KEPT_MS = 10000,
    ALONE_MS = 5000,
    ASKED_BACK_MS = 60000,
    INSTRUCTED_MS = 3000,
    NUMBERS_MS = 5000, /* QEMU has told all that matters: it runs there */
};

static void
tell_qemu(struct sender *sender, const char *name,
          void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    if (job_try(&sender->job, name, NULL, on_reply) != 0)
        log_warnx("QMP: %s can't be sent", name);
}

static void
on_cancelled(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error == NULL)
        return;
    sender->cancelling = false;
    if (!sender->refused)
        log_warnx("migration: QEMU does not cancel it: %s; trying again",
                  reply->error);
    sender->refused = true;
}

static void
on_continued(struct sender *sender, const char *error)
{
    if (error != NULL) {
        log_warnx("VM: is here again, but QEMU does not continue it: %s",
                  error);
        sender->was_running = true;
        sender_step(sender, SOURCE_QEMU_KEPT);
        return;
    }
    json_text_copy(sender->job.runstate, sizeof sender->job.runstate,
                   "running");
    sender_step(sender, SOURCE_QEMU_RUNS);
}

static void
obey(struct sender *sender, enum handover_order order)
{
    switch (order) {
    case ORDER_ASK:
        if (sender->job.follow != NULL)
            follow_ask(sender->job.follow);
        break;
    case ORDER_CANCEL:
        if (sender->cancelling)
            break;
        sender->cancelling = true;
        sender->cancelled = true;
        tell_qemu(sender, "migrate_cancel", on_cancelled);
        break;
    case ORDER_CONT: sender_cont(sender, on_continued); break;
    case ORDER_START_POSTCOPY:
        sender->unsure = false;
        tell_qemu(sender, "migrate-start-postcopy", sender_on_postcopy);
        break;
    case ORDER_QUIT:
    case ORDER_NOTHING: break;
    }
}

static void
say(struct sender *sender, enum handover_say what)
{
    struct partner_message message = { .type = PARTNER_OTHER };
    const struct job *job = &sender->job;

    switch (what) {
    case SAY_GIVEN:
        message.type = PARTNER_GIVEN;
        message.run = sender->handover.run;
        message.postcopy = !sender->handover.whole;
        break;
    case SAY_KEPT:
        message.type = PARTNER_KEPT;
        message.running = strcmp(job->runstate, "running") == 0;
        snprintf(message.why, sizeof message.why, "%s",
                 job->progress.migration.error);
        break;
    case SAY_GONE: message.type = PARTNER_GONE; break;
    case SAY_TAKE_BACK: message.type = PARTNER_TAKE_BACK; break;
    case SAY_BYE: message.type = PARTNER_BYE; break;
    default: return;
    }
    if (sender->talk != NULL)
        partner_talk_say(sender->talk, &message);
}

static void
report_kept(struct sender *sender, enum exit_status status)
{
    struct job *job = &sender->job;
    const struct migration *migration = &job->progress.migration;
    const char *error = migration->error, *theirs = sender->their_why;

    if (sender->options.config->release &&
        strcmp(job->runstate, "running") == 0) {
        job_done(job, STATUS_DONE, "VM: runs here, at the source, again");
        return;
    }
    if (status == STATUS_CANCELLED && sender->wish == STATUS_TIMED_OUT)
        status = STATUS_TIMED_OUT;
    /* What was cancelled fails there, too: that is no cause. */
    if (status == STATUS_CANCELLED || status == STATUS_TIMED_OUT)
        error = theirs = "";
    if (status == STATUS_CANCELLED && sender->options.config->cancel)
        status = STATUS_DONE;
    job_done(job, status, "migration: %s%s%s%s%s; %s",
             migration_is_over(migration->status) ? migration->status_name
                                                  : "not begun",
             error[0] != '\0' ? ": " : "", error,
             theirs[0] != '\0' ? "; the destination says: " : "", theirs,
             send_whereabouts(job->runstate, sender->was_running));
}

static void
leave_unknown(struct sender *sender, enum exit_status status)
{
    static const char text[] =
        "migration: left without knowing what came of it; ";

    if (sender->instructed)
        job_done(&sender->job, status, "%sthe line above says what to do",
                 text);
    else
        job_done(&sender->job, status, "%s\"%s --attach\" goes on with it",
                 text, sender->command);
}

static void
finish(struct sender *sender, enum exit_status status)
{
    if (status == STATUS_DONE) {
        sender_report_success(sender);
    } else if (sender->handover.two) {
        job_done(&sender->job, status,
                 "migration: the guest is here, but runs at the destination "
                 "too: the line above says what to do");
    } else if (sender->handover.state == SOURCE_KEPT) {
        report_kept(sender, status);
    } else {
        leave_unknown(sender, status);
    }
}

/* QEMU fills its numbers in a moment later, and the partner wants them, too. */
static bool
waits_for_numbers(struct sender *sender)
{
    const struct job *job = &sender->job;

    if (job->follow == NULL || sender->deaf || sender->counted)
        return false;
    sender->finishing = true;
    timer_start(sender->numbers, NUMBERS_MS);
    follow_ask(job->follow);
    return true;
}

void
sender_finish(struct sender *sender)
{
    say(sender, SAY_BYE);
    sender_report_success(sender);
}

/* With --release: to follow what can't be released would end with 0 when the
 * guest has gone the other way.  Return whether that has ended the job. */
static bool
release_refused(struct sender *sender, enum handover_tell tell)
{
    bool moves =
        tell == TELL_RELEASE_POSTCOPY ||
        (tell == TELL_NOT_GIVEN && sender->handover.state != SOURCE_KEPT);

    if (!sender->options.config->release || (!moves && tell != TELL_RUNS_THERE))
        return false;
    if (moves)
        job_done(&sender->job, STATUS_FAILED,
                 "VM: nothing was released, the migration goes on: \"%s "
                 "--attach\" follows it",
                 sender->command);
    else
        job_done(&sender->job, STATUS_FAILED,
                 "VM: was not released, it runs at the destination");
    return true;
}

void
sender_on_numbers(void *arg)
{
    struct sender *sender = arg;

    log_debug("QMP: the last numbers do not come");
    sender_finish(sender);
}

/* What may not come to an end by itself gets one. */
static void
watch_leave(struct sender *sender)
{
    const struct handover_source *handover = &sender->handover;
    int situation = (int)handover->state * 8 + (handover->partner ? 1 : 0) +
                    (sender->instructed ? 2 : 0) + (handover->whole ? 4 : 0);

    if (situation == sender->leave_for)
        return;
    sender->leave_for = situation;
    timer_stop(sender->leave);
    if (sender->instructed)
        timer_start(sender->leave, INSTRUCTED_MS);
    else if (handover->state == SOURCE_KEPT)
        timer_start(sender->leave, handover->partner ? KEPT_MS : ALONE_MS);
    else if (handover->state == SOURCE_DEAD)
        timer_start(sender->leave, ALONE_MS);
    else if (handover->whole &&
             (handover->state == SOURCE_GIVEN ||
              handover->state == SOURCE_TAKING) &&
             !handover->partner)
        timer_start(sender->leave, sender->options.config->wait_ms);
    else if (handover->whole && handover->state == SOURCE_TAKING)
        timer_start(sender->leave, ASKED_BACK_MS);
}

void
sender_step(struct sender *sender, enum source_event event)
{
    enum source_state before = sender->handover.state;
    struct handover_acts acts;

    if (sender->job.over)
        return;
    acts = handover_source_step(&sender->handover, event);
    if (sender->finishing || (acts.finish && acts.status == STATUS_DONE &&
                              waits_for_numbers(sender)))
        return;
    obey(sender, acts.order);
    say(sender, acts.say);
    if (!sender_recover_silences(sender, acts.tell))
        teller_tell(sender->teller, acts.tell);
    if (before != SOURCE_GIVEN && sender->handover.state == SOURCE_GIVEN)
        log_info("handover: the guest is given to the destination");
    watch_leave(sender);
    if (release_refused(sender, acts.tell))
        return;
    if (acts.finish)
        finish(sender, acts.status);
    else
        sender_withdraw_refused(sender, acts.tell);
}

void
sender_on_leave(void *arg)
{
    struct sender *sender = arg;
    struct handover_acts acts;

    if (sender->job.over)
        return;
    acts = handover_source_step(&sender->handover, SOURCE_LEAVE);
    say(sender, acts.say);
    if (!sender->instructed && acts.tell != TELL_NOTHING) {
        teller_tell_now(sender->teller, acts.tell);
        sender->instructed = true;
    }
    finish(sender, acts.status);
}

/* An instruction means that waiting does not help, but for the partner. */
void
sender_handover_told(void *arg, enum handover_tell tell)
{
    struct sender *sender = arg;

    if (sender->job.over || tell == TELL_SEE_DESTINATION)
        return;
    sender->instructed = true;
    watch_leave(sender);
}

void
sender_partner_says(struct sender *sender,
                    const struct partner_message *message)
{
    switch (message->type) {
    case PARTNER_ARRIVED: sender_step(sender, SOURCE_HEARD_ARRIVED); break;
    case PARTNER_RUNNING: sender_step(sender, SOURCE_HEARD_RUNNING); break;
    case PARTNER_FAILED:
        snprintf(sender->their_why, sizeof sender->their_why, "%s",
                 message->why);
        sender_step(sender, SOURCE_HEARD_EMPTY);
        break;
    case PARTNER_DISCARDED: sender_step(sender, SOURCE_HEARD_EMPTY); break;
    case PARTNER_GONE: sender_step(sender, SOURCE_HEARD_GONE); break;
    case PARTNER_CANCEL:
        log_info("migration: the destination's operator cancels it");
        sender_step(sender, SOURCE_HEARD_CANCEL);
        break;
    case PARTNER_RELEASE_ASKED:
        sender_step(sender, SOURCE_HEARD_RELEASE_ASKED);
        break;
    default: break;
    }
}
