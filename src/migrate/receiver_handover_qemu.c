/*
 * The destination's QEMU, for the handover's machine: what it is told, and what
 * is seen of the guest in it.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/timer.h"
#include "migrate/receiver_state.h"

enum { AGAIN_MS = 5 /* each is downtime */ };

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

void
receiver_obey(struct receiver *receiver, enum handover_order order)
{
    if (order == ORDER_CONT) {
        receiver_mark(receiver, MARK_STARTED);
        ask_qemu(receiver, "cont", NULL, on_continued);
    } else if (order == ORDER_QUIT) {
        log_info("QEMU: is told to quit: the VM stays at the source");
        ask_qemu(receiver, "quit", NULL, on_quit);
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
        receiver_watch_leave(receiver);
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
