/*
 * Theory of operation.
 *
 *   query-status    must be inmigrate
 *   query-migrate   must not have begun, or wait at our path already: an
 *                   earlier mig-recv may have left it like that
 *   the settings    before migrate-incoming: QEMU sets its channels up there
 *   stop            so that the VM arrives paused: whether the source has let
 *                   go of it can't be known without a partner, and if its last
 *                   word back is lost, the source runs it on
 *   migrate-incoming
 *   follow          until completed or failed, or until QEMU is gone
 *   query-status    until the VM has left inmigrate: it runs, or is paused
 *
 * A QEMU from 9.1 stays up when an incoming migration fails, tells why, and is
 * told to quit; see receiver_incoming.c.  One before that exits, so the end of
 * the QMP connection is how most failures show there.  But the connection may
 * also end where QEMU lives on and gets the VM, and to call that a failure
 * would let somebody start the VM a second time.  So that QEMU has exited needs
 * a proof:
 *
 *   the process at the other end of the Unix socket was the QEMU itself, and
 *   has exited; or
 *   the migration socket, which QEMU was seen to listen on, is still there but
 *   nobody listens.  QEMU removes it before it closes it when the VM has
 *   arrived, and leaves it behind when it exits.
 */
#include "migrate/receiver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "io/timer.h"
#include "io/unix_socket.h"
#include "migrate/doorbell.h"
#include "migrate/gather.h"
#include "migrate/job_command.h"
#include "migrate/process.h"
#include "migrate/receiver_state.h"
#include "migrate/teller.h"
#include "wire/standing.h"

enum { FOLLOW_MS = 1000, AGAIN_MS = 50 };

const char *
receiver_unix_path(const struct receiver *receiver)
{
    return receiver->job.options.config->unix_path;
}

void
receiver_on_runstate(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;

    job_take_runstate(job, reply);
    if (reply->error != NULL)
        job_done(job, STATUS_UNKNOWN,
                 "VM: has arrived, but QEMU does not tell its state: %s",
                 reply->error);
    else if (strcmp(job->runstate, "inmigrate") == 0)
        timer_start(receiver->again, AGAIN_MS);
    else if (strcmp(job->runstate, "running") == 0)
        job_done(job, STATUS_DONE, "VM: has arrived and runs");
    else if (strcmp(job->runstate, "paused") == 0)
        job_done(job, STATUS_DONE,
                 "VM: has arrived and is paused; if the source's QEMU says "
                 "'completed' and does not run, \"%s --release\" runs it here; "
                 "if it runs there, quit this QEMU",
                 receiver->command);
    else
        job_done(job, STATUS_DONE, "VM: has arrived; its state is '%s'",
                 job->runstate);
}

static void
on_status(void *owner)
{
    const struct receiver *receiver = owner;

    switch (receiver->job.progress.migration.status) {
    case MIGRATION_ACTIVE: log_info("migration: the VM is coming"); break;
    case MIGRATION_POSTCOPY_ACTIVE:
        log_info("migration: postcopy: the VM goes on here, the rest of its "
                 "memory follows: it needs both hosts until that is done");
        break;
    default: break;
    }
}

static void
on_update(void *owner, bool whole)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;
    const struct migration *migration = &job->progress.migration;

    if (receiver_recover_holds(receiver))
        return;
    if (receiver->together) {
        receiver_handover_update(receiver, whole);
        return;
    }
    if (receiver->arrived || receiver->failed)
        return;
    if (migration->status == MIGRATION_COMPLETED) {
        receiver->arrived = true;
        job_ask(job, "query-status", NULL, receiver_on_runstate);
    } else if (whole && (migration->status == MIGRATION_FAILED ||
                         migration->status == MIGRATION_CANCELLED)) {
        receiver_failed(receiver);
    } else if (migration->status == MIGRATION_POSTCOPY_PAUSED) {
        job_done(job, STATUS_UNKNOWN, "migration: %s", standing_interrupted);
    }
}

void
receiver_follow(struct receiver *receiver)
{
    receiver->listened = unix_listening(receiver_unix_path(receiver)) == 1;
    job_follow(&receiver->job, FOLLOW_MS);
}

static void
on_applied(void *owner)
{
    struct receiver *receiver = owner;

    if (receiver->together || !receiver->options.config->run_at_once)
        receiver_prepare(receiver);
    else
        receiver_incoming(receiver);
}

/* The partner may have another plan. */
static bool
on_refused(void *owner, const char *why)
{
    struct receiver *receiver = owner;

    if (!receiver->preparing)
        return false;
    receiver_refuse(receiver, why);
    return true;
}

static bool
same_file(const char *one, const char *other)
{
    struct stat a, b;

    return strcmp(one, other) == 0 ||
           (stat(one, &a) == 0 && stat(other, &b) == 0 &&
            a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

/* QEMU replaces whatever socket is at its path, another QEMU's too.  Return
 * whether that, or what it does already, stands against a migration; then the
 * job has ended. */
static bool
is_taken(struct receiver *receiver, const struct migration *migration)
{
    if (migration->socket_path[0] != '\0')
        job_done(&receiver->job, STATUS_FAILED,
                 "QEMU: waits for a VM already, at %s; give that path with "
                 "--unix to follow it, or start QEMU anew",
                 migration->socket_path);
    else if (migration->status == MIGRATION_FAILED)
        job_done(&receiver->job, STATUS_FAILED,
                 "QEMU: a migration to it has failed: %s; start it anew for "
                 "another attempt",
                 receiver_cause(migration));
    else if (migration->status != MIGRATION_NONE)
        job_done(&receiver->job, STATUS_FAILED,
                 "QEMU: a migration to it has begun already, its status is "
                 "'%s'",
                 migration->status_name);
    else if (unix_listening(receiver_unix_path(receiver)) == 1)
        job_done(&receiver->job, STATUS_FAILED,
                 "--unix %s: another program listens there already, perhaps "
                 "another QEMU that waits for its VM; give another path here "
                 "and to mig-server",
                 receiver_unix_path(receiver));
    else
        return false;
    return true;
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct migration migration;

    migration_parse(&migration, reply->value);
    receiver->waits =
        migration.socket_path[0] != '\0' &&
        same_file(migration.socket_path, receiver_unix_path(receiver));
    if (!receiver->waits && is_taken(receiver, &migration))
        return;
    if (!receiver->options.config->standalone)
        receiver_meet(receiver);
    else if (receiver->waits)
        job_check_settings(&receiver->job);
    else
        job_apply(&receiver->job);
}

static void
on_first_runstate(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;

    job_take_runstate(job, reply);
    if (reply->error != NULL)
        job_done(job, STATUS_FAILED, "QEMU: %s", reply->error);
    else if (job->runstate[0] == '\0')
        job_done(job, STATUS_FAILED,
                 "QEMU: does not tell the VM's state; it was left alone");
    else if (strcmp(job->runstate, "inmigrate") != 0)
        receiver_explain(receiver);
    else
        job_ask(job, "query-migrate", NULL, on_migration);
}

/* What came of it, to those who asked for the release. */
static void
answer_rings(struct receiver *receiver)
{
    enum exit_status status = STATUS_UNKNOWN;

    if (receiver->handover.state == DESTINATION_EMPTY)
        status = STATUS_FAILED;
    else if (receiver->handover.state == DESTINATION_TAKEN &&
             receiver->job.status == STATUS_DONE)
        status = STATUS_DONE;
    doorbell_answer(receiver->doorbell, status);
}

static void
on_ring(void *arg)
{
    struct receiver *receiver = arg;

    if (receiver->job.over) {
        answer_rings(receiver);
        return;
    }
    log_info("VM: somebody here asks to release it");
    if (receiver->together && receiver->job.begun)
        receiver_step(receiver, DESTINATION_RELEASE);
}

static void
on_ready(void *owner)
{
    struct receiver *receiver = owner;
    const struct job_config *config = receiver->options.config;
    pid_t peer = qmp_peer(receiver->job.qmp);

    if (!config->standalone)
        receiver->doorbell = doorbell_new(receiver->job.loop, &config->target,
                                          on_ring, receiver);

    if (process_is_destination(peer))
        receiver->qemu = peer;
    if (config->recover)
        receiver_recover(receiver);
    else if (receiver_attaches(receiver))
        receiver_attach(receiver);
    else
        job_ask(&receiver->job, "query-status", NULL, on_first_runstate);
}

static void
on_event(void *owner, const char *name, const json_t *data)
{
    struct receiver *receiver = owner;

    if (receiver->together && receiver->job.begun)
        receiver_handover_event(receiver, name, data);
    if (receiver->job.follow != NULL)
        follow_event(receiver->job.follow, name, data);
}

static void
leave(struct receiver *receiver, enum exit_status status, const char *why)
{
    struct job *job = &receiver->job;
    enum migration_status now = job->progress.migration.status;

    if (receiver->failed)
        receiver_report_failed(receiver);
    else if (!job->begun)
        job_done(job, status, "migration: %s; nothing was started", why);
    else if (now == MIGRATION_NONE || now == MIGRATION_SETUP)
        job_done(job, status,
                 "migration: %s; the VM has not come, but this QEMU still "
                 "waits for it at %s: quit it if it is not to come any more",
                 why, receiver_unix_path(receiver));
    else
        job_done(job, STATUS_UNKNOWN,
                 "migration: %s; it goes on without this program, its status "
                 "is '%s': stop it at the source, or see with query-status "
                 "here whether the VM has arrived",
                 why, job->progress.migration.status_name);
}

static void
on_timeout(void *owner)
{
    struct receiver *receiver = owner;

    if (receiver->together && receiver->handover.state != DESTINATION_PREPARED)
        return; /* it has arrived */
    leave(receiver, STATUS_TIMED_OUT, "time is up");
}

void
receiver_cancel(struct receiver *receiver)
{
    struct job *job = &receiver->job;

    if (job->over)
        return;
    if (receiver->recover != RECOVER_NOTHING) {
        job_done(
            job, STATUS_UNKNOWN,
            "migration: left; this QEMU waits at %s to be resumed: "
            "mig-send --recover at the source resumes it, and it waits for "
            "\"%s --recover\" here, which follows it, too",
            receiver_unix_path(receiver), receiver->command);
    } else if (!receiver->together || !job->begun) {
        leave(receiver, STATUS_CANCELLED, "interrupted");
    } else if (receiver->interrupted) {
        receiver_on_leave(receiver);
    } else {
        receiver->interrupted = true;
        log_info("migration: %s; once more leaves without waiting",
                 receiver->handover.partner ? "asks the source to cancel it"
                                            : "interrupted");
        receiver_step(receiver, DESTINATION_CANCEL);
    }
}

static void
on_over(void *owner)
{
    struct receiver *receiver = owner;

    partner_talk_free(receiver->talk);
    receiver->talk = NULL;
    gather_free(receiver->gather);
    receiver->gather = NULL;
    answer_rings(receiver);
    teller_end(receiver->teller);
    timer_stop(receiver->leave);
    timer_stop(receiver->seek);
    timer_stop(receiver->again);
}

struct receiver *
receiver_new(struct loop *loop, const struct job_options *options)
{
    struct receiver *receiver = calloc(1, sizeof *receiver);
    const struct job_hooks hooks = {
        .on_ready = on_ready,
        .on_applied = on_applied,
        .on_refused = on_refused,
        .on_event = on_event,
        .on_status = on_status,
        .on_update = on_update,
        .on_end = receiver_on_end,
        .on_timeout = on_timeout,
        .on_over = on_over,
        .owner = receiver,
    };

    if (receiver == NULL)
        return NULL;
    receiver->options = *options;
    job_command(options->config, receiver->command);
    receiver->leave_for = -1;
    receiver->again = timer_new(loop, receiver_on_again, receiver);
    receiver->leave = timer_new(loop, receiver_on_leave, receiver);
    receiver->seek = timer_new(loop, receiver_on_seek, receiver);
    receiver->teller = teller_new(loop, receiver_handover_told, receiver);
    if (receiver->again == NULL || receiver->leave == NULL ||
        receiver->seek == NULL || receiver->teller == NULL ||
        job_init(&receiver->job, loop, options, &hooks) != 0) {
        receiver_free(receiver);
        return NULL;
    }
    teller_commands(receiver->teller, NULL, receiver->command);
    return receiver;
}

void
receiver_free(struct receiver *receiver)
{
    if (receiver == NULL)
        return;
    timer_free(receiver->again);
    timer_free(receiver->leave);
    timer_free(receiver->seek);
    teller_free(receiver->teller);
    doorbell_free(receiver->doorbell);
    partner_talk_free(receiver->talk);
    gather_free(receiver->gather);
    json_decref(receiver->facts);
    job_fini(&receiver->job);
    free(receiver);
}
