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
    AGAIN_MS = 5, /* each is downtime */
    FAREWELL_MS = 5000,
    SOON_MS = 200,
    QUIT_MS = 30000,
    INSTRUCTED_MS = 3000
};

static void
ask_qemu(struct receiver *receiver, const char *name, json_t *arguments,
         void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    if (job_try(&receiver->job, name, arguments, on_reply) != 0)
        log_debug("QMP: %s can't be sent", name);
}

static void
on_announced(void *owner, const struct qmp_reply *reply)
{
    (void)owner;
    if (reply->error != NULL)
        log_info("network: QEMU does not announce the VM anew: %s",
                 reply->error);
}

static void
on_filter(void *owner, const struct qmp_reply *reply)
{
    json_t *nic;
    size_t i;

    (void)owner;
    json_array_foreach(reply->value, i, nic)
    {
        const char *name = json_string_value(json_object_get(nic, "name"));
        const char *mac = json_string_value(json_object_get(nic, "main-mac"));

        if (name != NULL && mac != NULL)
            log_info("network: NIC %s with MAC %s is announced here", name,
                     mac);
    }
}

/* As QEMU does by itself when the guest starts; once more does no harm where
 * the first was too early for a bridge. */
static void
announce(struct receiver *receiver)
{
    if (receiver->announced)
        return;
    receiver->announced = true;
    ask_qemu(receiver, "announce-self",
             json_pack("{s:i, s:i, s:i, s:i}", "initial", 50, "max", 550,
                       "rounds", 5, "step", 100),
             on_announced);
    ask_qemu(receiver, "query-rx-filter", NULL, on_filter);
}

/* The event may be first, or the reply. */
static void
runs(struct receiver *receiver)
{
    receiver->ran = true;
    json_text_copy(receiver->job.runstate, sizeof receiver->job.runstate,
                   "running");
    announce(receiver);
    receiver_step(receiver, DESTINATION_QEMU_RUNS);
}

static void
on_continued(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;

    if (reply->error != NULL && reply->error_class != NULL) {
        job_done(&receiver->job, STATUS_UNKNOWN,
                 "VM: has arrived and is paused, but QEMU does not continue "
                 "it: %s; once that is mended, the command cont starts it",
                 reply->error);
        return;
    }
    if (reply->error != NULL) {
        log_warnx("QMP: cont: %s; waiting", reply->error);
        receiver_look(receiver);
        return;
    }
    runs(receiver);
}

static void
on_quit(void *owner, const struct qmp_reply *reply)
{
    (void)owner;
    if (reply->error != NULL && reply->error_class != NULL)
        log_warnx("QEMU: does not quit: %s; the VM has not run here and never "
                  "will, so end this QEMU by hand",
                  reply->error);
    else if (reply->error != NULL)
        log_debug("QMP: quit: %s", reply->error);
}

static void
obey(struct receiver *receiver, enum handover_order order)
{
    if (order == ORDER_CONT) {
        receiver_mark(receiver, MARK_STARTED);
        ask_qemu(receiver, "cont", NULL, on_continued);
    } else if (order == ORDER_QUIT) {
        log_info("QEMU: is told to quit: the VM stays at the source");
        ask_qemu(receiver, "quit", NULL, on_quit);
    }
}

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

static void
watch_leave(struct receiver *receiver)
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
    obey(receiver, acts.order);
    say(receiver, acts.say);
    if (acts.tell != TELL_RECOVER || receiver->recover == RECOVER_NOTHING)
        teller_tell(receiver->teller, acts.tell);
    if (before != DESTINATION_ARRIVED &&
        receiver->handover.state == DESTINATION_ARRIVED)
        log_info("VM: has arrived, and waits for the source's word");
    watch_leave(receiver);
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
    watch_leave(receiver);
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

/* The two QEMUs compare what they have: `cont` could wait for a page that comes
 * only after that. */
static bool
is_recovering(const struct migration *migration)
{
    return migration->status == MIGRATION_POSTCOPY_RECOVER ||
           migration->status == MIGRATION_POSTCOPY_RECOVER_SETUP;
}

static void
on_state(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;
    const struct migration *migration = &job->progress.migration;

    receiver->looking = false;
    if (reply->error != NULL || is_recovering(migration))
        return; /* the next update asks again */
    job_take_runstate(job, reply);
    if (strcmp(job->runstate, "inmigrate") == 0)
        timer_start(receiver->again, AGAIN_MS);
    else if (receiver->ran || strcmp(job->runstate, "running") == 0)
        receiver_step(receiver, DESTINATION_QEMU_RUNS);
    else if (migration->status == MIGRATION_COMPLETED)
        receiver_step(receiver, DESTINATION_QEMU_ARRIVED);
    else if (migration->status == MIGRATION_POSTCOPY_PAUSED)
        receiver_step(receiver, DESTINATION_QEMU_BROKEN);
    else
        receiver_step(receiver, DESTINATION_QEMU_POSTCOPY);
}

void
receiver_look(struct receiver *receiver)
{
    if (receiver->looking)
        return;
    receiver->looking = true;
    ask_qemu(receiver, "query-status", NULL, on_state);
}

/* The guest is ours, and its memory still comes. */
static void
take_split(struct receiver *receiver)
{
    const struct migration *migration = &receiver->job.progress.migration;
    const struct handover_destination *handover = &receiver->handover;

    if (migration->status == MIGRATION_COMPLETED && !handover->whole)
        receiver_step(receiver, DESTINATION_QEMU_ARRIVED);
    else if (migration->status == MIGRATION_POSTCOPY_PAUSED)
        receiver_step(receiver, DESTINATION_QEMU_BROKEN);
    else if (handover->broken && !is_recovering(migration))
        receiver_step(receiver, DESTINATION_QEMU_POSTCOPY);
    else
        watch_leave(receiver);
}

void
receiver_handover_update(struct receiver *receiver, bool whole)
{
    const struct migration *migration = &receiver->job.progress.migration;

    if (migration->status == MIGRATION_FAILED ||
        migration->status == MIGRATION_CANCELLED) {
        if (!whole)
            return; /* why follows */
        snprintf(receiver->why, sizeof receiver->why, "%s",
                 receiver_cause(migration));
        receiver_step(receiver, DESTINATION_QEMU_FAILED);
    } else if (receiver->handover.state == DESTINATION_TAKEN ||
               receiver->handover.state == DESTINATION_STARTING) {
        take_split(receiver);
    } else if (migration->status == MIGRATION_COMPLETED ||
               migration_is_postcopy(migration)) {
        receiver_look(receiver);
    }
}

void
receiver_handover_event(struct receiver *receiver, const char *name,
                        const json_t *data)
{
    const char *nic = json_string_value(json_object_get(data, "name"));

    if (strcmp(name, "RESUME") == 0) {
        log_info("VM: runs here");
        runs(receiver);
    } else if (strcmp(name, "NIC_RX_FILTER_CHANGED") == 0) {
        log_info("network: the guest has set up NIC %s anew",
                 nic != NULL ? nic : "without a name");
    }
}
