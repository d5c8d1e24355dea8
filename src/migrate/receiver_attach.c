/*
 * mig-recv comes back to a migration that began before: after it died, or to
 * release the guest.  QEMU says what has become of it, and the marks that the
 * one before has left say what QEMU can't: which migration it is, whether the
 * guest is to run, and whether it has run here.  Without marks a guest that is
 * here counts as one that has run: then nobody quits it.  But that there are
 * none is for QEMU to say: where it does not answer, nothing is known.
 */
#include <stdio.h>
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

/* Nothing has been said to anybody yet. */
static void
ask_again(struct receiver *receiver, const char *what,
          const struct qmp_reply *reply)
{
    const struct job_config *config = receiver->options.config;

    job_done(&receiver->job, STATUS_UNKNOWN,
             "QEMU: does not tell %s%s%s; nothing was done: ask again with "
             "\"%s %s\"",
             what, reply->error != NULL ? ": " : "",
             reply->error != NULL ? reply->error : "", receiver->command,
             config->recover   ? "--recover"
             : config->release ? "--release"
                               : "--attach");
}

/* Plans that came to nothing may have left marks beside those of the migration,
 * which the partner knows. */
static bool
is_marked(void *arg, const char *id)
{
    struct receiver *receiver = arg;
    const struct mark *mark = marks_find(&receiver->marks, id);

    if (mark == NULL)
        return receiver->marks.count == 0;
    snprintf(receiver->id, sizeof receiver->id, "%s", id);
    receiver->run = mark->run;
    if (receiver->handover.run == RUN_UNKNOWN)
        receiver->handover.run = mark->run;
    return true;
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
        partner_talk_adopt_one(receiver->talk, is_marked);
    if (!partner_talk_there(receiver->talk))
        return;
    /* It came while QEMU was looked at, when its words were left out. */
    partner_talk_greet(receiver->talk);
    receiver_step(receiver, DESTINATION_CAME);
}

static void
on_migration(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;
    struct migration migration;
    bool waits = strcmp(job->runstate, "inmigrate") == 0;

    if (reply->error != NULL) {
        ask_again(receiver, "how the migration stands", reply);
        return;
    }
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
    else if (receiver->ran || receiver->marks.count == 0 ||
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
    if (reply->error != NULL || job->runstate[0] == '\0')
        ask_again(receiver, "the VM's state", reply);
    else
        job_ask(job, "query-migrate", NULL, on_migration);
}

static void
on_objects(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct marks *marks = &receiver->marks;

    if (reply->error != NULL || !json_is_array(reply->value)) {
        ask_again(receiver, "what mig-recv did before", reply);
        return;
    }
    marks_take(marks, reply->value);
    receiver->ran |= marks->started;
    receiver->run = marks->run;
    if (marks->count == 1)
        memcpy(receiver->id, marks->marks[0].id, sizeof receiver->id);
    job_ask(&receiver->job, "query-status", NULL, on_runstate);
}

/* A source's QEMU says completed, too, but its VM is in postmigrate. */
static bool
has_come(const struct receiver *receiver)
{
    const struct migration *migration = &receiver->job.progress.migration;

    return receiver->marks.count > 0 || migration_is_postcopy(migration) ||
           (migration->status == MIGRATION_COMPLETED &&
            strcmp(receiver->job.runstate, "postmigrate") != 0);
}

static void
on_marks_looked_for(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;
    enum migration_status status = job->progress.migration.status;

    marks_take(&receiver->marks, reply->value);
    if (has_come(receiver))
        job_done(job, STATUS_FAILED,
                 "VM: has come here by an earlier migration, its state is "
                 "'%s', so leave this QEMU as it is: \"%s %s\" goes on with "
                 "that",
                 job->runstate, receiver->command,
                 status == MIGRATION_POSTCOPY_PAUSED ? "--recover"
                                                     : "--attach");
    else if (reply->error != NULL)
        ask_again(receiver, "what mig-recv did before", reply);
    else
        job_done(job, STATUS_FAILED,
                 "VM: its state is '%s', so this QEMU can't receive one: start "
                 "the destination's QEMU with -incoming defer",
                 job->runstate);
}

static void
on_migration_looked_for(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    struct job *job = &receiver->job;

    if (reply->error != NULL) {
        ask_again(receiver, "how the migration stands", reply);
        return;
    }
    migration_parse(&job->progress.migration, reply->value);
    job_ask(job, "qom-list", json_pack("{s:s}", "path", "/objects"),
            on_marks_looked_for);
}

void
receiver_explain(struct receiver *receiver)
{
    job_ask(&receiver->job, "query-migrate", NULL, on_migration_looked_for);
}

void
receiver_attach(struct receiver *receiver)
{
    receiver->together = true;
    job_ask(&receiver->job, "qom-list", json_pack("{s:s}", "path", "/objects"),
            on_objects);
}
