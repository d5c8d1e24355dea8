/*
 * Before a migration with a partner:
 *
 *   attach to the tunnel     there is none: work alone
 *   the partner has come     facts: what QEMU is here
 *   its plan                 settings, `stop`, a mark, migrate-incoming
 *   prepared                 see receiver_handover.c
 *
 * A plan that can't be carried out is refused, and another one may follow:
 * until migrate-incoming nothing has happened that could not be undone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/gather.h"
#include "migrate/receiver_state.h"
#include "migrate/teller.h"

enum { SEEK_MS = 200 };

static void
say_facts(struct receiver *receiver)
{
    const struct partner_message facts = { .type = PARTNER_FACTS,
                                           .body = receiver->facts };

    if (receiver->talk != NULL && receiver->facts != NULL &&
        partner_talk_there(receiver->talk) && !receiver->job.begun &&
        !receiver->preparing)
        partner_talk_say(receiver->talk, &facts);
}

static void
say_refused(struct receiver *receiver, const char *why)
{
    struct partner_message refused = { .type = PARTNER_REFUSED };

    snprintf(refused.why, sizeof refused.why, "%s", why);
    if (receiver->talk != NULL)
        partner_talk_say(receiver->talk, &refused);
}

void
receiver_refuse(struct receiver *receiver, const char *why)
{
    receiver->preparing = false;
    say_refused(receiver, why);
    log_warnx("migration: refused: %s", why);
}

static void
take_plan(struct receiver *receiver, const struct partner_message *plan)
{
    const char *id = partner_talk_heard_id(receiver->talk);
    char why[PARTNER_WHY_MAX];

    if (receiver->job.begun || receiver->preparing || id[0] == '\0') {
        if (strcmp(id, partner_talk_id(receiver->talk)) != 0)
            receiver_refuse(receiver, "this QEMU is prepared for another "
                                      "migration already; start it anew");
        return;
    }
    if (!receiver_take_settings(receiver, plan, why)) {
        receiver_refuse(receiver, why);
        job_done(&receiver->job, STATUS_USAGE, "%s; nothing was started", why);
        return;
    }
    log_info("migration: mig-send has a plan for it; preparing");
    partner_talk_set_id(receiver->talk, id);
    snprintf(receiver->id, sizeof receiver->id, "%s", id);
    receiver->run = plan->run;
    receiver->unwanted = false;
    receiver->preparing = true;
    receiver->job.settings = &receiver->settings;
    job_apply(&receiver->job);
}

static void
on_marked(void *owner, const struct qmp_reply *reply)
{
    (void)owner;
    if (reply->error != NULL)
        log_debug("QMP: object-add: %s", reply->error);
}

void
receiver_mark(struct receiver *receiver, const char *what)
{
    const char *id =
        receiver->talk != NULL ? partner_talk_id(receiver->talk) : "";
    char name[MARK_NAME_MAX];

    if (id[0] == '\0')
        id = receiver->id[0] != '\0' ? receiver->id : MARK_ALONE;
    snprintf(name, sizeof name, MARK_RECEIVED "%s%s", id, what);
    if (job_try(&receiver->job, "object-add",
                json_pack("{s:s, s:s}", "qom-type", MARK_TYPE, "id", name),
                on_marked) != 0)
        log_warnx("QMP: object-add can't be sent");
    if (strcmp(what, MARK_STARTED) != 0)
        memcpy(receiver->mark, name, sizeof name);
}

bool
receiver_unmark(struct receiver *receiver,
                void (*on_reply)(void *owner, const struct qmp_reply *reply))
{
    char name[MARK_NAME_MAX];

    if (receiver->mark[0] == '\0')
        return false;
    memcpy(name, receiver->mark, sizeof name);
    receiver->mark[0] = '\0';
    job_ask(&receiver->job, "object-del", json_pack("{s:s}", "id", name),
            on_reply);
    return true;
}

static void
on_stopped(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;

    if (reply->error != NULL && receiver->together) {
        receiver_refuse(receiver, reply->error);
        return;
    }
    if (reply->error != NULL) {
        job_done(&receiver->job, STATUS_FAILED,
                 "QEMU: can't be told to let the VM arrive paused: %s; nothing "
                 "was started",
                 reply->error);
        return;
    }
    if (!receiver->together)
        snprintf(receiver->id, sizeof receiver->id, MARK_ALONE);
    receiver_mark(receiver, receiver->run == RUN_NO ? MARK_PAUSED : MARK_RUN);
    receiver_incoming(receiver);
}

void
receiver_prepare(struct receiver *receiver)
{
    job_ask(&receiver->job, "stop", NULL, on_stopped);
}

void
receiver_prepared(struct receiver *receiver)
{
    receiver->preparing = false;
    receiver->there = receiver->job.progress;
    handover_destination_init(&receiver->handover, receiver->run);
    if (receiver->talk != NULL && partner_talk_there(receiver->talk))
        receiver_step(receiver, DESTINATION_CAME);
    receiver_step(receiver, DESTINATION_QEMU_WAITING);
    if (receiver->unwanted)
        receiver_step(receiver, DESTINATION_HEARD_KEPT);
}

static void
on_gathered(void *arg, json_t *facts, const char *why)
{
    struct receiver *receiver = arg;

    receiver->facts = json_incref(facts);
    gather_free(receiver->gather);
    receiver->gather = NULL;
    if (receiver->facts != NULL)
        say_facts(receiver);
    else
        job_done(&receiver->job, STATUS_FAILED,
                 "QEMU: can't be asked what it is: %s; nothing was started",
                 why);
}

static bool
attaches(const struct receiver *receiver)
{
    return receiver_attaches(receiver) || receiver->waits;
}

static void
on_up(void *arg, bool partner)
{
    struct receiver *receiver = arg;
    const struct gather_options gather = { .qmp = receiver->job.qmp,
                                           .on_done = on_gathered,
                                           .arg = receiver };

    if (receiver->together && !receiver->releasing)
        return;
    receiver->together = true;
    if (receiver->waits && !receiver->job.begun) {
        log_info("QEMU: waits for the VM already; going on with that");
        receiver_attach(receiver);
        return;
    }
    if (attaches(receiver)) {
        if (!partner && receiver->releasing) {
            receiver->releasing = false;
            receiver_step(receiver, DESTINATION_RELEASE);
        }
        return;
    }
    if (!partner)
        log_info("migration: waits for mig-send at the source");
    receiver->gather = gather_new(&gather);
    if (receiver->gather == NULL)
        job_done(&receiver->job, STATUS_FAILED,
                 "migration: %s; nothing was started", strerror(errno));
}

/* A new mig-send, where the one before has begun something. */
static void
refuse_another(struct receiver *receiver)
{
    const char *command = partner_talk_their_command(receiver->talk);
    char why[PARTNER_WHY_MAX];

    snprintf(why, sizeof why,
             "this QEMU waits for a migration that began before: \"%s "
             "--attach\" goes on with it, or ends it where it never began",
             command != NULL && strlen(command) < PARTNER_WHY_MAX / 2
                 ? command
                 : "mig-send");
    say_refused(receiver, why);
}

static void
on_came(void *arg)
{
    struct receiver *receiver = arg;

    teller_commands(receiver->teller,
                    partner_talk_their_command(receiver->talk), NULL);
    teller_partner_came(receiver->teller);
    if (!receiver->job.begun) {
        say_facts(receiver);
        return;
    }
    if (partner_talk_heard_id(receiver->talk)[0] == '\0')
        refuse_another(receiver);
    receiver_step(receiver, DESTINATION_CAME);
    receiver_recover_say(receiver);
    if (!receiver->releasing)
        return;
    receiver->releasing = false;
    receiver_step(receiver, DESTINATION_RELEASE);
}

static void
on_left(void *arg)
{
    struct receiver *receiver = arg;

    if (!receiver->job.begun)
        log_info("migration: mig-send has left before it began; waits for it");
    else if (receiver->handover.state == DESTINATION_PREPARED)
        log_info(
            "partner: mig-send is not heard any more; waits for it, or for "
            "mig-send --attach at the source, which goes on with the "
            "migration, or ends it where it never began");
    if (receiver->job.begun)
        receiver_step(receiver, DESTINATION_LEFT);
}

static void
on_message(void *arg, const struct partner_message *message)
{
    struct receiver *receiver = arg;

    if (message->type == PARTNER_PLAN)
        take_plan(receiver, message);
    else if (message->type == PARTNER_KEPT && receiver->preparing)
        receiver->unwanted = true; /* the machine begins only after that */
    else if (receiver->job.begun)
        receiver_partner_says(receiver, message);
}

static void
on_request(void *arg, enum helper_request request)
{
    struct receiver *receiver = arg;

    if (request == REQUEST_STATUS)
        receiver_report(receiver);
    else if (request == REQUEST_CANCEL && !receiver->interrupted)
        receiver_cancel(receiver);
    else if (request == REQUEST_RELEASE && receiver->job.begun)
        receiver_step(receiver, DESTINATION_RELEASE);
}

static void
on_talk_end(void *arg, bool absent, bool refused, const char *why)
{
    struct receiver *receiver = arg;

    partner_talk_free(receiver->talk);
    receiver->talk = NULL;
    if (receiver->releasing && absent) {
        receiver->releasing = false;
        receiver_step(receiver, DESTINATION_RELEASE);
    } else if (absent && receiver->recover != RECOVER_NOTHING) {
        timer_start(receiver->seek, SEEK_MS);
    } else if (absent && receiver->options.config->control_given &&
               !receiver->job.begun) {
        if (!receiver->sought)
            log_info("partner: waits for mig-server: %s", why);
        receiver->sought = true;
        timer_start(receiver->seek, SEEK_MS);
    } else if (absent && receiver->waits && !receiver->job.begun) {
        log_info("migration: works alone: %s", why);
        job_check_settings(&receiver->job);
    } else if (attaches(receiver) || receiver->job.begun) {
        log_warnx("partner: %s", why);
        if (receiver->handover.partner)
            receiver_step(receiver, DESTINATION_LEFT);
    } else if (absent) {
        log_info("migration: works alone: %s", why);
        job_apply(&receiver->job);
    } else {
        job_done(&receiver->job, STATUS_FAILED,
                 "partner: %s%s; nothing was started", why,
                 refused ? " (another mig-recv may be at work)" : "");
    }
}

bool
receiver_talk_open(struct receiver *receiver)
{
    const struct partner_talk_options options = {
        .loop = receiver->job.loop,
        .path = receiver->options.config->control_path,
        .program = "mig-recv",
        .command = receiver->command,
        .on_up = on_up,
        .on_came = on_came,
        .on_left = on_left,
        .on_message = on_message,
        .on_request = on_request,
        .on_end = on_talk_end,
        .arg = receiver,
    };

    if (receiver->job.over)
        return false;
    receiver->talk = partner_talk_new(&options);
    if (receiver->talk == NULL)
        job_done(&receiver->job, STATUS_FAILED, "migration: out of memory");
    return receiver->talk != NULL;
}

void
receiver_on_seek(void *arg)
{
    struct receiver *receiver = arg;

    if (receiver_attaches(receiver))
        receiver_know_partner(receiver);
    else
        receiver_talk_open(receiver);
}

void
receiver_meet(struct receiver *receiver)
{
    receiver_talk_open(receiver);
}
