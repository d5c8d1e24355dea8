/* What becomes of the source's QEMU, for the handover's machine. */
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/process.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "wire/standing.h"

enum {
    PROGRESS_MS = 450, /* less than between two updates */
    EXIT_POLL_MS = 50,
    EXIT_LOOKS = 100,
    RECOUNTS_MAX = 4
};

static void
tell_progress(struct sender *sender)
{
    const struct migration *migration = &sender->job.progress.migration;
    uint64_t now_ms = loop_now_ms(sender->job.loop);
    struct partner_message message = { .type = PARTNER_PROGRESS };

    if (sender->talk == NULL ||
        (!migration_is_over(migration->status) && sender->progress_ms != 0 &&
         now_ms - sender->progress_ms < PROGRESS_MS))
        return;
    sender->progress_ms = now_ms;
    message.body = migration_json(migration);
    partner_talk_say(sender->talk, &message);
    partner_fini(&message);
}

static void
on_completed_state(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    job_take_runstate(&sender->job, reply);
    if (strcmp(sender->job.runstate, "running") == 0)
        sender_step(sender, SOURCE_QEMU_RUNS);
    else if (standing_has_left(sender->job.runstate))
        sender_step(sender, SOURCE_QEMU_COMPLETED);
    else if (reply->error == NULL) /* and paused again after that */
        sender_step(sender, SOURCE_QEMU_KEPT);
    else
        sender->handed = false; /* the next update asks again */
}

/* Whether the guest is to run at the destination.  One that was stopped for
 * another reason than the switchover has left `stops` at 0. */
static void
note_run(struct sender *sender)
{
    if (sender->runs || sender->stops > 0 || sender->paused)
        sender->handover.run = RUN_YES;
    else if (sender->handover.run != RUN_UNKNOWN)
        sender->handover.run = RUN_NO;
}

/* STOP comes before "completed", so what runs then was continued by somebody.
 */
static void
hand_over(struct sender *sender)
{
    sender->handed = true;
    if (sender->handover.state != SOURCE_GIVEN) /* in postcopy */
        note_run(sender);
    if (sender->runs)
        job_ask(&sender->job, "query-status", NULL, on_completed_state);
    else
        sender_step(sender, SOURCE_QEMU_COMPLETED);
}

/* QEMU 7.2 says "completed" a moment before it fills the total time in. */
static void
take_completed(struct sender *sender, bool whole)
{
    const struct migration *migration = &sender->job.progress.migration;

    if (whole &&
        (migration->total_time_ms > 0 || sender->recounts++ >= RECOUNTS_MAX))
        sender->counted = true;
    if (!sender->handed)
        hand_over(sender);
    else if (sender->finishing && sender->counted)
        sender_finish(sender);
    else if (sender->finishing && whole)
        follow_ask(sender->job.follow);
}

static void
step_postcopy(struct sender *sender)
{
    if (sender->handover.state != SOURCE_GIVEN)
        note_run(sender);
    sender_step(sender, SOURCE_QEMU_POSTCOPY);
}

void
sender_handover_update(struct sender *sender, bool whole)
{
    const struct migration *migration = &sender->job.progress.migration;
    bool fresh = follow_is_fresh(sender->job.follow);

    if (whole)
        tell_progress(sender);
    if (migration->status == MIGRATION_COMPLETED) {
        take_completed(sender, whole);
    } else if (whole && fresh && !sender_attach_update(sender)) {
        if (migration->status == MIGRATION_POSTCOPY_PAUSED)
            sender_step(sender, SOURCE_QEMU_BROKEN);
        else if (migration_is_postcopy(migration))
            step_postcopy(sender);
        else
            sender_step(sender, SOURCE_QEMU_MOVING);
    }
}

void
sender_handover_kept(struct sender *sender)
{
    if (sender->job.follow != NULL)
        sender->state = SENDER_CONCLUDING;
    sender_step(sender, SOURCE_QEMU_KEPT);
}

void
sender_on_exit(void *arg)
{
    struct sender *sender = arg;

    if (sender->qemu != 0 && process_has_exited(sender->qemu)) {
        log_warnx("QEMU: has ended");
        sender_step(sender, SOURCE_QEMU_GONE);
    } else if (sender->qemu != 0 && ++sender->exit_looks < EXIT_LOOKS) {
        timer_start(sender->exit, EXIT_POLL_MS);
    } else {
        sender_step(sender, SOURCE_QEMU_LOST);
    }
}

void
sender_handover_lost(struct sender *sender)
{
    sender->deaf = true;
    if (sender->finishing) {
        sender_finish(sender);
        return;
    }
    sender->job.runstate[0] = '\0';
    timer_start(sender->exit, 0);
}
