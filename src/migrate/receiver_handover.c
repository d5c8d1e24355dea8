/*
 * Drives the destination's machine of the handover (wire/handover.h): what QEMU
 * is in and what the partner says goes in, orders and words come out.
 *
 * A guest that has arrived waits for the source's word for as long as it takes.
 * Where only a farewell is waited for, the timer `leave` ends it:
 *
 *   taken and whole, the partner there   5 s for its bye
 *   taken and whole, and it is not       5 s for it to come back and hear of it
 *   QEMU is gone                         5 s; less once the source has kept it
 *   QEMU was told to quit and has not    30 s: a large one takes a while
 *   only a person can go on              3 s after the instruction
 *
 * In postcopy the guest is taken long before it is whole: that is waited for.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/output.h"
#include "migrate/process.h"
#include "migrate/receiver_state.h"
#include "migrate/teller.h"
#include "wire/progress_text.h"

enum {
    FAREWELL_MS = 5000,
    SOON_MS = 200,
    QUIT_MS = 30000,
    INSTRUCTED_MS = 3000
};

static enum partner_type
type_of(enum handover_say what)
{
    switch (what) {
    case SAY_PREPARED: return PARTNER_PREPARED;
    case SAY_ARRIVED: return PARTNER_ARRIVED;
    case SAY_RUNNING: return PARTNER_RUNNING;
    case SAY_FAILED: return PARTNER_FAILED;
    case SAY_DISCARDED: return PARTNER_DISCARDED;
    case SAY_GONE: return PARTNER_GONE;
    case SAY_RELEASE_ASKED: return PARTNER_RELEASE_ASKED;
    case SAY_CANCEL: return PARTNER_CANCEL;
    default: return PARTNER_OTHER;
    }
}

static void
say(struct receiver *receiver, enum handover_say what)
{
    struct partner_message message = { .type = type_of(what) };

    if (message.type == PARTNER_OTHER || receiver->talk == NULL)
        return;
    if (message.type == PARTNER_FAILED)
        snprintf(message.why, sizeof message.why, "%s", receiver->why);
    partner_talk_say(receiver->talk, &message);
}

/* The numbers are the source's, which knows them. */
static void
report(struct receiver *receiver, enum exit_status status, const char *text)
{
    char numbers[PROGRESS_TEXT_MAX] = "";
    struct job *job = &receiver->job;

    if (receiver->there.migration.total_time_ms > 0) {
        progress_report_text(numbers, &receiver->there);
        job->progress = receiver->there;
    }
    job_done(job, status, "%s%s%s", text, numbers[0] != '\0' ? ": " : "",
             numbers);
}

/* In postcopy, by which the source's QEMU is still needed. */
static bool
is_half(const struct receiver *receiver)
{
    return migration_is_postcopy(&receiver->job.progress.migration) &&
           receiver->there.migration.status != MIGRATION_COMPLETED;
}

static void
report_half(struct receiver *receiver)
{
    job_done(&receiver->job, STATUS_UNKNOWN,
             "migration: left in postcopy, at status '%s': the VM needs both "
             "QEMUs until all of its memory is here, so end neither",
             receiver->job.progress.migration.status_name);
}

/* That it was to be continued is not that it runs: QEMU may have refused it to
 * a program before this one, which has left the mark. */
static void
finish_taken(struct receiver *receiver, enum exit_status status)
{
    struct job *job = &receiver->job;

    if (receiver->handover.lost)
        job_done(
            job, status,
            "VM: is lost: it was taken in postcopy, and QEMU failed before "
            "all of its memory was here%s%s; start it anew from its disks",
            receiver->why[0] != '\0' ? ": " : "", receiver->why);
    else if (receiver->handover.twice)
        job_done(
            job, status,
            "VM: is at both hosts, as mig-send says: stop one of the two at "
            "once, and quit its QEMU");
    else if (receiver->handover.broken)
        job_done(job, status,
                 "migration: left, interrupted in postcopy: end neither QEMU; "
                 "the line above says what to do");
    else if (is_half(receiver))
        report_half(receiver);
    else if (strcmp(job->runstate, "running") == 0)
        report(receiver, status, "VM: has arrived and runs");
    else if (receiver->handover.run == RUN_NO)
        report(receiver, status,
               "VM: has arrived and is paused, as it was; the command cont "
               "starts it");
    else
        job_done(job, STATUS_UNKNOWN,
                 "VM: is here and belongs here, but does not run, its state is "
                 "'%s': the command cont starts it",
                 job->runstate);
}

static void
finish(struct receiver *receiver, enum exit_status status)
{
    struct job *job = &receiver->job;

    switch (receiver->handover.state) {
    case DESTINATION_TAKEN: finish_taken(receiver, status); break;
    case DESTINATION_EMPTY:
        job->runstate[0] = '\0';
        job_done(job, receiver->interrupted ? STATUS_CANCELLED : status,
                 "migration: the VM is not here%s%s%s%s",
                 receiver->why[0] != '\0' ? ": " : "", receiver->why,
                 receiver->their_why[0] != '\0' ? "; the source says: " : "",
                 receiver->their_why);
        break;
    case DESTINATION_QUITTING:
        job_done(job, status,
                 "QEMU: was told to quit and has not; the VM has not run here, "
                 "so end this QEMU by hand, or let \"%s --attach\" try again",
                 receiver->command);
        break;
    default:
        job_done(job, status,
                 "migration: left, and the VM %s; \"%s --attach\" goes on "
                 "with it",
                 receiver->handover.state == DESTINATION_ARRIVED
                     ? "has arrived and is paused"
                     : "may still come",
                 receiver->command);
    }
}

void
receiver_watch_leave(struct receiver *receiver)
{
    const struct handover_destination *handover = &receiver->handover;
    bool half = is_half(receiver);
    int situation = (int)handover->state * 64 + (int)handover->heard * 8 +
                    (handover->partner ? 1 : 0) + (half ? 2 : 0) +
                    (receiver->instructed ? 4 : 0);

    if (situation == receiver->leave_for)
        return;
    receiver->leave_for = situation;
    timer_stop(receiver->leave);
    if (receiver->instructed)
        timer_start(receiver->leave, INSTRUCTED_MS);
    else if (handover->state == DESTINATION_TAKEN && !half)
        timer_start(receiver->leave, FAREWELL_MS);
    else if (handover->state == DESTINATION_QUITTING)
        timer_start(receiver->leave, QUIT_MS);
    else if (handover->state == DESTINATION_EMPTY ||
             handover->state == DESTINATION_DEAD)
        timer_start(receiver->leave,
                    handover->heard == WORD_KEPT ? SOON_MS : FAREWELL_MS);
}

/* Nothing reaches QEMU any more.  Its process has gone before its connection is
 * seen to end, where mig-recv stood still meanwhile. */
static bool
is_deaf(const struct receiver *receiver)
{
    return receiver->deaf ||
           (receiver->qemu != 0 && process_has_exited(receiver->qemu));
}

/* A guest that can't be started must not count as one that was: once QEMU is
 * known to be gone, it never ran here, and the source may have it back. */
static bool
comes_too_late(const struct receiver *receiver, enum destination_event event)
{
    return (event == DESTINATION_HEARD_GIVEN || event == DESTINATION_RELEASE) &&
           (receiver->handover.state == DESTINATION_PREPARED ||
            receiver->handover.state == DESTINATION_ARRIVED) &&
           is_deaf(receiver);
}

void
receiver_step(struct receiver *receiver, enum destination_event event)
{
    enum destination_state before = receiver->handover.state;
    struct handover_acts acts;

    if (receiver->job.over || comes_too_late(receiver, event))
        return;
    acts = handover_destination_step(&receiver->handover, event);
    receiver_obey(receiver, acts.order);
    say(receiver, acts.say);
    if (acts.tell != TELL_RECOVER || receiver->recover == RECOVER_NOTHING)
        teller_tell(receiver->teller, acts.tell);
    if (before != DESTINATION_ARRIVED &&
        receiver->handover.state == DESTINATION_ARRIVED)
        log_info("VM: has arrived, and waits for the source's word");
    receiver_watch_leave(receiver);
    if (acts.finish)
        finish(receiver, acts.status);
}

void
receiver_on_leave(void *arg)
{
    struct receiver *receiver = arg;
    struct handover_acts acts;

    if (receiver->job.over)
        return;
    acts = handover_destination_step(&receiver->handover, DESTINATION_LEAVE);
    if (receiver->handover.state != DESTINATION_QUITTING) /* its own words */
        teller_tell_now(receiver->teller, acts.tell);
    finish(receiver, acts.status);
}

/* It waits on: a new tunnel, or mig-send --attach, may yet bring the word.  But
 * not where the guest has all that can come by itself. */
void
receiver_handover_told(void *arg, enum handover_tell tell)
{
    struct receiver *receiver = arg;

    if (receiver->job.over || (tell != TELL_TWO_GUESTS && tell != TELL_RECOVER))
        return;
    receiver->instructed = true;
    receiver_watch_leave(receiver);
}

static void
take_progress(struct receiver *receiver, const struct partner_message *message)
{
    struct migration migration;
    struct job *job = &receiver->job;
    bool is_new;

    migration_parse(&migration, message->body);
    is_new = receiver->there.migration.status != migration.status;
    progress_take(&receiver->there, &migration, loop_now_ms(job->loop));
    output_flush(job->output);
    if (is_new)
        log_debug("migration: status %s at the source", migration.status_name);
    if (!migration_is_over(migration.status))
        output_progress(job->output, &receiver->there);
}

void
receiver_partner_says(struct receiver *receiver,
                      const struct partner_message *message)
{
    switch (message->type) {
    case PARTNER_PROGRESS: take_progress(receiver, message); break;
    case PARTNER_GIVEN:
        if (message->run != RUN_UNKNOWN)
            receiver->handover.run = message->run;
        receiver_step(receiver, DESTINATION_HEARD_GIVEN);
        break;
    case PARTNER_KEPT:
        snprintf(receiver->their_why, sizeof receiver->their_why, "%s",
                 message->why);
        receiver_step(receiver, DESTINATION_HEARD_KEPT);
        break;
    case PARTNER_GONE: receiver_step(receiver, DESTINATION_HEARD_GONE); break;
    case PARTNER_TAKE_BACK:
        receiver_step(receiver, DESTINATION_HEARD_TAKE_BACK);
        break;
    case PARTNER_BYE: receiver_step(receiver, DESTINATION_HEARD_BYE); break;
    default: break;
    }
}
