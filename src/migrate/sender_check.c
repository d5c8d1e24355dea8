#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/unix_socket.h"
#include "migrate/listen_wait.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "wire/standing.h"

enum { READY_MS = 100 };

bool
sender_trusts_socket(struct sender *sender)
{
    char why[SOCKET_WHY_MAX];

    if (socket_file_trusted(sender->job.options.config->unix_path, why))
        return true;
    job_done(&sender->job, STATUS_FAILED,
             "--unix: %s, or let mig-client run as the same user as this; "
             "nothing was started",
             why);
    return false;
}

/*
 * With a partner QEMU has to migrate to the tunnel that leads to it.  What
 * listens may be another mig-client's, with the same --unix.
 */
static void
begin_together(struct sender *sender)
{
    const struct job_config *config = sender->job.options.config;
    uint64_t now = loop_now_ms(sender->job.loop);

    if (sender->talk == NULL || partner_talk_ready(sender->talk)) {
        if (sender->recover != RECOVER_NOTHING)
            sender_recover_ready(sender);
        else
            sender_begin(sender);
        return;
    }
    if (sender->ready_by_ms == 0)
        sender->ready_by_ms = now + config->wait_ms;
    if (now < sender->ready_by_ms)
        timer_start(sender->seek, READY_MS);
    else
        job_done(&sender->job, STATUS_TIMED_OUT,
                 "migration: somebody listens at %s, but not the mig-client "
                 "that this mig-send is attached to, at %s: is there another "
                 "one with the same --unix? Nothing was started",
                 config->unix_path, config->control_path);
}

void
sender_on_listening(struct sender *sender)
{
    const struct job_config *config = sender->job.options.config;

    if (sender->together) {
        begin_together(sender);
        return;
    }
    if (sender_sees_tunnel(sender)) {
        sender_meet(sender);
        return;
    }
    if (config->control_given || config->check) {
        job_done(&sender->job, STATUS_FAILED,
                 "partner: no tunnel that leads to one listens at %s; nothing "
                 "was started",
                 config->control_path);
        return;
    }
    if (!config->standalone)
        log_info("migration: works alone: mig-client has no control socket at "
                 "%s",
                 config->control_path);
    if (sender->recover != RECOVER_NOTHING) {
        sender_recover_ready(sender);
        return;
    }
    if (sender_trusts_socket(sender))
        sender_plan_alone(sender);
}

static void
on_waited(void *arg, enum listen_wait_end end)
{
    struct sender *sender = arg;
    struct job *job = &sender->job;
    const char *path = job->options.config->unix_path;
    char wait[TEXT_MAX];

    if (job->over)
        return;
    switch (end) {
    case LISTEN_WAIT_READY: sender_on_listening(sender); break;
    case LISTEN_WAIT_TIMED_OUT:
        text_duration(wait, job->options.config->wait_ms);
        job_done(job, STATUS_TIMED_OUT,
                 "migration: nobody listens at %s after %s: is mig-client "
                 "running on this host, with the same --unix? Nothing was "
                 "started",
                 path, wait);
        break;
    case LISTEN_WAIT_NO_SOCKET:
        job_done(job, STATUS_USAGE,
                 "--unix %s: expected mig-client's socket, but this is none",
                 path);
        break;
    case LISTEN_WAIT_FAILED:
        job_done(job, STATUS_FAILED, "--unix %s: %s; nothing was started", path,
                 strerror(errno));
        break;
    }
}

static void
on_wait(void *arg)
{
    const struct sender *sender = arg;

    if (!sender->job.over)
        log_info("migration: waiting for mig-client to listen at %s",
                 sender->job.options.config->unix_path);
}

void
sender_wait(struct sender *sender)
{
    const struct listen_wait_options options = {
        .path = sender->job.options.config->unix_path,
        .wait_ms = sender->job.options.config->wait_ms,
        .on_wait = on_wait,
        .on_done = on_waited,
        .arg = sender,
    };

    listen_wait_free(sender->wait);
    sender->state = SENDER_WAITING;
    sender->ready_by_ms = 0;
    sender->wait = listen_wait_new(sender->job.loop, &options);
    if (sender->wait == NULL)
        job_done(&sender->job, STATUS_FAILED, "migration: out of memory");
}

static bool
is_unknown_command(const struct qmp_reply *reply)
{
    return reply->error_class != NULL &&
           strcmp(reply->error_class, "CommandNotFound") == 0;
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;
    struct migration migration;

    if (reply->error != NULL && !is_unknown_command(reply)) {
        job_done(job, STATUS_FAILED,
                 "QEMU: does not tell whether a migration is under way: %s; "
                 "the VM was left alone",
                 reply->error);
        return;
    }
    migration_parse(&migration, reply->value);
    if (migration.status == MIGRATION_POSTCOPY_PAUSED) {
        job_done(job, STATUS_FAILED, "migration: %s", standing_interrupted);
        return;
    }
    if (!migration_is_idle(migration.status)) {
        job_done(job, STATUS_FAILED,
                 "VM: a migration of it is under way already, its status is "
                 "'%s'; it was left alone: \"%s --attach\" goes on with it",
                 migration.status_name, sender->command);
        return;
    }
    if (migration.blocked[0] != '\0') {
        job_done(job, STATUS_FAILED, "VM: can't be migrated: %s",
                 migration.blocked);
        return;
    }
    sender->checked(sender);
}

static void
on_runstate(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct job *job = &sender->job;

    job_take_runstate(job, reply);
    sender->runs = strcmp(job->runstate, "running") == 0;
    if (reply->error != NULL) {
        job_done(job, STATUS_FAILED, "QEMU: %s", reply->error);
    } else if (job->runstate[0] == '\0') {
        job_done(job, STATUS_FAILED,
                 "QEMU: does not tell the VM's state; it was left alone");
    } else if (strcmp(job->runstate, "inmigrate") == 0) {
        job_done(job, STATUS_FAILED,
                 "VM: this QEMU waits for a VM (state 'inmigrate'): it is a "
                 "destination, for mig-recv");
    } else if (strcmp(job->runstate, "postmigrate") == 0) {
        job_done(job, STATUS_FAILED,
                 "VM: has been migrated away from this QEMU already (state "
                 "'postmigrate'); if it does not run at its destination yet, "
                 "\"%s --attach\" goes on with that",
                 sender->command);
    } else {
        if (!sender->runs && sender->state == SENDER_CHECKING_AGAIN)
            log_info("VM: its state is '%s', so it will arrive like that",
                     job->runstate);
        job_ask(job, "query-migrate", NULL, on_migration);
    }
}

void
sender_check(struct sender *sender, void (*checked)(struct sender *sender))
{
    sender->checked = checked;
    job_ask(&sender->job, "query-status", NULL, on_runstate);
}
