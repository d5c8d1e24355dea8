/*
 * mig-send brings back a migration that was interrupted in postcopy:
 *
 *   look at QEMU                it must be interrupted; if it goes on by
 *                               itself, that is followed
 *   attach to the tunnel        there is none: without a partner
 *   the partner: listening      the destination's QEMU waits to be resumed
 *   look for mig-client's socket
 *   migrate with resume         and follow it, as with --attach
 *
 * The source is the second to be told, for a QEMU 7.2 at the destination still
 * listens where it did before, and loses the VM by a connection that comes to
 * nothing.  Alone, nobody can see to that but the operator.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"

enum { BEGIN_MS = 10000 }; /* both QEMUs connect at once, or never */

/* It was interrupted already when this program came: for the machine that
 * proves that the guest is the destination's. */
void
sender_recover_up(struct sender *sender, bool partner)
{
    sender->planned = true;
    sender->prepared = true;
    handover_source_init(&sender->handover, RUN_UNKNOWN);
    sender_step(sender, SOURCE_QEMU_BROKEN);
    if (sender->job.over)
        return;
    if (!partner)
        log_info("migration: waits for mig-recv --recover at the destination");
    timer_start(sender->later, sender->options.config->wait_ms);
}

void
sender_recover_listening(struct sender *sender)
{
    if (sender->recover != RECOVER_FINDING || sender->state == SENDER_WAITING)
        return;
    timer_stop(sender->later);
    log_info("migration: the destination's QEMU waits to be resumed");
    sender_wait(sender);
}

static void
on_resumed(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error != NULL && reply->error_class != NULL)
        job_done(&sender->job, STATUS_FAILED,
                 "migration: QEMU does not resume it: %s; it is still "
                 "interrupted, end neither QEMU",
                 reply->error);
    else if (sender->job.follow == NULL)
        sender_follow(sender);
}

void
sender_recover_ready(struct sender *sender)
{
    const char *path = sender->job.options.config->unix_path;
    char uri[sizeof "unix:" + 108];

    if (!sender_trusts_socket(sender))
        return;
    snprintf(uri, sizeof uri, "unix:%s", path);
    sender->state = SENDER_MIGRATING;
    sender->recover = RECOVER_ORDERED;
    log_info("migration: is resumed, by way of %s", path);
    job_begin(&sender->job);
    timer_start(sender->later, BEGIN_MS);
    job_ask(&sender->job, "migrate",
            json_pack("{s:s, s:b}", "uri", uri, "resume", 1), on_resumed);
}

bool
sender_recover_holds(struct sender *sender)
{
    const struct migration *migration = &sender->job.progress.migration;

    if (sender->recover == RECOVER_NOTHING)
        return false;
    if (!migration_goes_on(migration))
        return true;
    sender->recover = RECOVER_NOTHING;
    timer_stop(sender->later);
    log_info("migration: goes on, its status is '%s'", migration->status_name);
    return false;
}

bool
sender_recover_silences(const struct sender *sender, enum handover_tell tell)
{
    return sender->recover != RECOVER_NOTHING &&
           (tell == TELL_RECOVER || tell == TELL_SEE_DESTINATION);
}

void
sender_recover_late(struct sender *sender)
{
    struct job *job = &sender->job;

    if (sender->recover == RECOVER_FINDING && sender->talk != NULL &&
        partner_talk_there(sender->talk))
        job_done(job, STATUS_TIMED_OUT,
                 "migration: mig-recv is there, but its QEMU does not wait to "
                 "be resumed: see what mig-recv --status says there. The "
                 "migration is still interrupted, end neither QEMU");
    else if (sender->recover == RECOVER_FINDING)
        job_done(job, STATUS_TIMED_OUT,
                 "migration: mig-recv --recover is not heard at the "
                 "destination: is it running there, beside mig-server? "
                 "--standalone works without it. The migration is still "
                 "interrupted, end neither QEMU");
    else
        job_done(job, STATUS_UNKNOWN,
                 "migration: QEMU was told to resume it and does not begin%s%s;"
                 " it is still interrupted, end neither QEMU, and try "
                 "--recover again at both",
                 job->progress.migration.error[0] != '\0' ? ": " : "",
                 job->progress.migration.error);
}

/* It goes on by itself, or is done. */
static void
join(struct sender *sender, const struct migration *migration)
{
    log_info("migration: is not interrupted, its status is '%s'; following it",
             migration->status_name);
    if (!sender->options.config->standalone) {
        sender_attach(sender);
        return;
    }
    sender->state = SENDER_MIGRATING;
    job_begin(&sender->job);
    sender_follow(sender);
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct migration migration;

    if (reply->error != NULL) {
        job_done(&sender->job, STATUS_FAILED,
                 "QEMU: does not tell what has become of the migration: %s; "
                 "nothing was done",
                 reply->error);
        return;
    }
    migration_parse(&migration, reply->value);
    if (migration.status == MIGRATION_POSTCOPY_PAUSED) {
        sender->recover = RECOVER_FINDING;
        if (sender->options.config->standalone)
            sender_wait(sender);
        else
            sender_meet(sender);
    } else if (migration_is_postcopy(&migration) ||
               migration.status == MIGRATION_COMPLETED) {
        join(sender, &migration);
    } else {
        job_done(&sender->job, STATUS_FAILED,
                 "migration: there is nothing to recover here, its status is "
                 "'%s'",
                 migration.status_name);
    }
}

static void
on_runstate(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;

    job_take_runstate(job, reply);
    if (strcmp(job->runstate, "inmigrate") == 0)
        job_done(job, STATUS_FAILED,
                 "VM: this QEMU waits for a VM (state 'inmigrate'): it is a "
                 "destination, for mig-recv");
    else
        job_ask(job, "query-migrate", NULL, on_migration);
}

void
sender_recover(struct sender *sender)
{
    job_ask(&sender->job, "query-status", NULL, on_runstate);
}
