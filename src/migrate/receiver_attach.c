/*
 * mig-recv comes back to a migration that began before: after it died, or to
 * release the guest.  QEMU says what has become of it, and the marks that the
 * one before has left say what QEMU can't: which migration it is, whether the
 * guest is to run, and whether it has run here.  Without marks a guest that is
 * here counts as one that has run: then nobody quits it.
 */
#include <string.h>

#include "base/log.h"
#include "migrate/receiver_state.h"
#include "migrate/teller.h"

bool
receiver_attaches(const struct receiver *receiver)
{
    const struct job_config *config = receiver->options.config;

    return config->attach || config->release || config->recover;
}

void
receiver_know_partner(struct receiver *receiver)
{
    receiver->releasing = receiver->options.config->release;
    if (receiver->talk == NULL && !receiver_talk_open(receiver))
        return;
    if (receiver->id[0] != '\0')
        partner_talk_set_id(receiver->talk, receiver->id);
    else
        partner_talk_adopt_id(receiver->talk);
    if (partner_talk_there(receiver->talk))
        receiver_step(receiver, DESTINATION_CAME);
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;
    struct migration migration;
    bool waits = strcmp(job->runstate, "inmigrate") == 0;

    migration_parse(&migration, reply->value);
    log_info("migration: its status is '%s', and the VM's '%s'",
             migration.status_name, job->runstate);
    job_begin(job);
    receiver->there = job->progress;
    job->progress.migration = migration;
    handover_destination_init(&receiver->handover, receiver->run);
    if (migration.status == MIGRATION_FAILED) {
        snprintf(receiver->why, sizeof receiver->why, "%s",
                 receiver_cause(&migration));
        receiver_step(receiver, DESTINATION_QEMU_FAILED);
    } else if (waits)
        receiver_step(receiver, DESTINATION_QEMU_WAITING);
    else if (receiver->ran || !receiver->proved ||
             strcmp(job->runstate, "running") == 0)
        receiver_step(receiver, DESTINATION_QEMU_RUNS);
    else if (migration.status == MIGRATION_COMPLETED)
        receiver_step(receiver, DESTINATION_QEMU_ARRIVED);
    else if (migration.status == MIGRATION_POSTCOPY_PAUSED)
        receiver_step(receiver, DESTINATION_QEMU_BROKEN);
    if (job->over)
        return;
    if (receiver->options.config->recover) {
        receiver_recover_order(receiver);
        return;
    }
    receiver_follow(receiver);
    receiver_know_partner(receiver);
}

static void
on_runstate(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;

    job_take_runstate(job, reply);
    if (strcmp(job->runstate, "running") == 0)
        receiver->ran = true;
    if (reply->error != NULL)
        job_done(job, STATUS_FAILED, "QEMU: %s", reply->error);
    else
        job_ask(job, "query-migrate", NULL, on_migration);
}

static void
on_objects(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct marks marks;

    marks_take(&marks, reply->value);
    if (marks.proved) {
        receiver->proved = true;
        receiver->ran |= marks.started;
        receiver->run = marks.run;
        memcpy(receiver->id, marks.id, sizeof marks.id);
    }
    job_ask(&receiver->job, "query-status", NULL, on_runstate);
}

void
receiver_attach(struct receiver *receiver)
{
    receiver->together = true;
    job_ask(&receiver->job, "qom-list", json_pack("{s:s}", "path", "/objects"),
            on_objects);
}
