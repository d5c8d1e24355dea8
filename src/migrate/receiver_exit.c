/* Whether the destination's QEMU has exited: the proofs are in receiver.c. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "io/timer.h"
#include "io/unix_socket.h"
#include "migrate/process.h"
#include "migrate/receiver_state.h"

enum {
    AGAIN_MS = 50,
    EXIT_TRIES = 100 /* giving back its memory takes a large QEMU a while */
};

static bool
has_exited(const struct receiver *receiver)
{
    const char *path = receiver_unix_path(receiver);
    struct stat st;

    if (receiver->qemu != 0)
        return process_has_exited(receiver->qemu);
    return receiver->listened && unix_listening(path) == 0 &&
           stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* It has the guest that was taken, but not all of its memory yet. */
static bool
is_half(const struct receiver *receiver)
{
    return receiver->handover.state == DESTINATION_TAKEN &&
           migration_is_postcopy(&receiver->job.progress.migration);
}

/* Nobody can bring it back. */
static void
lose_half(struct receiver *receiver)
{
    job_done(&receiver->job, STATUS_UNKNOWN,
             "QEMU: has exited in postcopy, when the VM ran here and a part of "
             "its memory was still at the source: the VM is lost; start it "
             "anew from its disks");
}

/* Tell a QEMU that has exited from one whose connection is gone. */
static void
look_for_qemu(struct receiver *receiver)
{
    struct job *job = &receiver->job;
    bool exited = has_exited(receiver);

    if (exited && receiver->together) {
        log_info("QEMU: has exited");
        if (is_half(receiver)) {
            lose_half(receiver);
            return;
        }
        if (!receiver->handover.discarded && receiver->why[0] == '\0')
            snprintf(receiver->why, sizeof receiver->why,
                     "QEMU has exited; " USUAL_CAUSES);
        receiver_step(receiver, DESTINATION_QEMU_GONE);
        return;
    }
    if (receiver->together && receiver->tries + 1 >= EXIT_TRIES) {
        if (is_half(receiver))
            receiver_on_leave(receiver);
        else
            receiver_step(receiver, DESTINATION_QEMU_LOST);
        return;
    }
    if (exited)
        job_done(job, STATUS_FAILED,
                 "QEMU: has exited, the VM is not here; " USUAL_CAUSES);
    else if (++receiver->tries < EXIT_TRIES)
        timer_start(receiver->again, AGAIN_MS);
    else if (receiver->qemu != 0)
        job_done(job, STATUS_UNKNOWN,
                 "QMP: QEMU closed the connection but still lives, as process "
                 "%d, and may still receive the VM: ask it with query-status",
                 (int)receiver->qemu);
    else
        job_done(job, STATUS_UNKNOWN,
                 "QMP: the connection was closed, and nothing proves that QEMU "
                 "has exited: look for its process; if it lives, the VM may "
                 "still arrive there: ask it with query-status, or start "
                 "mig-recv again");
}

void
receiver_on_again(void *arg)
{
    struct receiver *receiver = arg;

    if (receiver->job.over)
        return;
    if (receiver->tries > 0)
        look_for_qemu(receiver);
    else if (receiver->together)
        receiver_look(receiver);
    else
        job_ask(&receiver->job, "query-status", NULL, receiver_on_runstate);
}

void
receiver_on_end(void *owner, enum qmp_end end, const char *why)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;
    bool postcopy = migration_is_postcopy(&job->progress.migration);

    receiver->deaf = true;
    if (!job->begun)
        job_done(job, STATUS_FAILED, "QMP: %s; nothing was started", why);
    else if (receiver->failed)
        receiver_report_failed(receiver);
    else if (receiver->together ||
             (end == QMP_CLOSED && !receiver->arrived && !postcopy))
        look_for_qemu(receiver);
    else if (receiver->arrived)
        job_done(job, STATUS_UNKNOWN,
                 "QMP: the VM had arrived, then: %s; see whether this QEMU "
                 "still runs, and whether the VM is paused at the source",
                 why);
    else if (postcopy)
        job_done(job, STATUS_UNKNOWN,
                 "QMP: %s, in postcopy, when the VM needs both QEMUs: see "
                 "whether they still run, and end neither",
                 why);
    else
        job_done(job, STATUS_UNKNOWN,
                 "QMP: %s; QEMU may still receive the VM: ask it with "
                 "query-status",
                 why);
}
