/*
 * mig-recv brings back a migration that was interrupted in postcopy: QEMU is
 * told to listen anew (migrate-recover) and takes the socket file's name from
 * its old socket, which a QEMU 7.2 has kept and nobody can reach by then.  Then
 * the source may resume; what comes of it is followed as with --attach.
 *
 * The tunnel may come up before this program or after it, and without a control
 * socket there is no partner to tell.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "migrate/receiver_state.h"

void
receiver_recover_say(struct receiver *receiver)
{
    if (receiver->recover == RECOVER_LISTENING && receiver->talk != NULL &&
        partner_talk_there(receiver->talk))
        partner_talk_say(receiver->talk, &(struct partner_message){
                                             .type = PARTNER_LISTENING });
}

static void
on_recovered(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;

    if (reply->error != NULL && reply->error_class != NULL) {
        job_done(&receiver->job, STATUS_FAILED,
                 "migration: QEMU does not listen anew: %s; it is still "
                 "interrupted, end neither QEMU",
                 reply->error);
        return;
    }
    log_info("QEMU: waits at %s to be resumed; mig-send --recover at the "
             "source resumes it",
             receiver_unix_path(receiver));
    receiver->recover = RECOVER_LISTENING;
    if (receiver->job.follow == NULL)
        receiver_follow(receiver);
    if (receiver->options.config->standalone)
        receiver->together = false;
    else
        receiver_know_partner(receiver);
    receiver_recover_say(receiver);
}

/* Without marks nobody knows the migration's id, and both need the same. */
static int
choose_id(struct receiver *receiver)
{
    uint64_t number;

    if (receiver->id[0] != '\0')
        return 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return -1;
    snprintf(receiver->id, sizeof receiver->id, "%016" PRIx64, number);
    return 0;
}

void
receiver_recover_order(struct receiver *receiver)
{
    struct job *job = &receiver->job;
    char uri[sizeof "unix:" + 108];

    if (receiver->recover == RECOVER_NOTHING) { /* it goes on by itself */
        receiver_follow(receiver);
        if (receiver->options.config->standalone)
            receiver->together = false;
        else
            receiver_know_partner(receiver);
        return;
    }
    receiver->recovers = true;
    if (choose_id(receiver) != 0) {
        job_done(job, STATUS_FAILED, "migration: no random numbers: %s",
                 strerror(errno));
        return;
    }
    snprintf(uri, sizeof uri, "unix:%s", receiver_unix_path(receiver));
    job_ask(job, "migrate-recover", json_pack("{s:s}", "uri", uri),
            on_recovered);
}

/* A mig-server that has lost its client waits for it, and QEMU sees nothing of
 * that before it ends, so that the operator may be faster. */
static bool
is_late(const struct receiver *receiver)
{
    return receiver->options.config->recover && !receiver->recovers &&
           receiver->job.progress.migration.status == MIGRATION_POSTCOPY_PAUSED;
}

bool
receiver_recover_holds(struct receiver *receiver)
{
    const struct migration *migration = &receiver->job.progress.migration;

    if (receiver->recover == RECOVER_NOTHING && is_late(receiver)) {
        receiver->recover = RECOVER_ORDERED;
        receiver_recover_order(receiver);
        return true;
    }
    if (receiver->recover == RECOVER_NOTHING)
        return false;
    if (!migration_goes_on(migration))
        return true;
    receiver->recover = RECOVER_NOTHING;
    log_info("migration: goes on, its status is '%s'", migration->status_name);
    return false;
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct migration migration;

    if (reply->error != NULL) {
        job_done(&receiver->job, STATUS_UNKNOWN,
                 "QEMU: does not tell how the migration stands: %s; nothing "
                 "was done: ask again with \"%s --recover\"",
                 reply->error, receiver->command);
        return;
    }
    migration_parse(&migration, reply->value);
    if (migration.status == MIGRATION_POSTCOPY_PAUSED)
        receiver->recover = RECOVER_ORDERED;
    else if (migration_is_postcopy(&migration) ||
             migration.status == MIGRATION_COMPLETED)
        log_info("migration: is not interrupted, its status is '%s'; "
                 "following it",
                 migration.status_name);
    else {
        job_done(&receiver->job, STATUS_FAILED,
                 "migration: there is nothing to recover here, its status is "
                 "'%s'",
                 migration.status_name);
        return;
    }
    receiver_attach(receiver);
}

void
receiver_recover(struct receiver *receiver)
{
    job_ask(&receiver->job, "query-migrate", NULL, on_migration);
}
