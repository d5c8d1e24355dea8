/*
 * Lets the destination's QEMU wait for the VM, and sees to one that lives on
 * when the migration has failed.
 *
 * A QEMU exits when an incoming migration fails, and why stands on its stderr
 * only, unless `exit-on-error` is off, which 9.1 can.  Then it stays up and
 * tells: it is asked, and told to quit after that, for it is of no more use.
 * Its version says whether it can, which costs nothing: query-qmp-schema would
 * be hundreds of KiB.  One that should know the argument and refuses it, as a
 * build of somebody's own might, is asked again without it.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/unix_socket.h"
#include "migrate/receiver_state.h"

#define EXIT_ON_ERROR "exit-on-error"

static void send_incoming(struct receiver *receiver);

static void
tell_refused(struct receiver *receiver)
{
    char why[PARTNER_WHY_MAX];

    memcpy(why, receiver->why, sizeof why);
    receiver->why[0] = '\0';
    if (receiver->together)
        receiver_refuse(receiver, why);
    else
        job_done(&receiver->job, STATUS_FAILED,
                 "QEMU: can't wait for a VM at %s: %s",
                 receiver_unix_path(receiver), why);
}

static void
on_unmarked(void *owner, const struct qmp_reply *reply)
{
    if (reply->error != NULL)
        log_debug("QMP: object-del: %s", reply->error);
    tell_refused(owner);
}

/* The next plan has another id, and a mig-recv that attaches would find the
 * marks of both. */
static void
on_refused(struct receiver *receiver, const char *error)
{
    if (receiver->stays && strstr(error, EXIT_ON_ERROR) != NULL) {
        receiver->stays = false;
        send_incoming(receiver);
        return;
    }
    receiver->job.begun = false;
    snprintf(receiver->why, sizeof receiver->why, "%s", error);
    if (!receiver_unmark(receiver, on_unmarked))
        tell_refused(receiver);
}

static void
on_incoming(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;

    if (reply->error != NULL && reply->error_class != NULL) {
        on_refused(receiver, reply->error);
        return;
    }
    if (reply->error != NULL)
        log_info("QMP: %s; waiting", reply->error);
    else
        log_info("QEMU: waits for the VM at %s", receiver_unix_path(receiver));
    receiver_follow(receiver);
    if (receiver->together && !receiver->job.over)
        receiver_prepared(receiver);
}

static void
send_incoming(struct receiver *receiver)
{
    char uri[sizeof "unix:" + 108];
    json_t *arguments;

    snprintf(uri, sizeof uri, "unix:%s", receiver_unix_path(receiver));
    arguments = json_pack("{s:s}", "uri", uri);
    if (receiver->stays)
        json_object_set_new(arguments, EXIT_ON_ERROR, json_false());
    job_ask(&receiver->job, "migrate-incoming", arguments, on_incoming);
}

void
receiver_incoming(struct receiver *receiver)
{
    job_begin(&receiver->job);
    if (receiver->waits) {
        log_info("QEMU: waits for the VM at %s already; following it",
                 receiver_unix_path(receiver));
        receiver_follow(receiver);
        return;
    }
    receiver->stays = qmp_version_at_least(&receiver->job.version, 9, 1);
    send_incoming(receiver);
}

const char *
receiver_cause(const struct migration *migration)
{
    return migration->error[0] != '\0' ? migration->error
                                       : "QEMU gives no reason";
}

void
receiver_report_failed(struct receiver *receiver)
{
    struct job *job = &receiver->job;
    const struct migration *migration = &job->progress.migration;

    job_done(job, STATUS_FAILED,
             "migration: %s: %s; the VM is not here, and this QEMU %s for "
             "another attempt",
             migration->status_name, receiver_cause(migration),
             receiver->failed ? "was told to quit: start it anew"
                              : "must be started anew");
}

static void
on_quit(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;

    if (reply->error != NULL)
        log_warnx("QMP: quit: %s", reply->error);
    receiver_report_failed(receiver);
}

void
receiver_failed(struct receiver *receiver)
{
    if (!receiver->stays) {
        receiver_report_failed(receiver);
        return;
    }
    receiver->failed = true;
    job_ask(&receiver->job, "quit", NULL, on_quit);
}
