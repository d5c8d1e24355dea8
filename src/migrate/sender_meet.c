/*
 * Before a migration with a partner:
 *
 *   attach to the tunnel   there is none: work alone
 *   MEETING                both QEMUs' facts                -> compared
 *   APPLYING               the settings of this side        -> set
 *   PLANNING               plan: the settings of theirs     -> prepared
 *   WAITING, ...           as alone
 *
 * Nothing has happened to the VM here by then.  A partner that has been told
 * the plan may have a QEMU that waits, which can't be undone: if it comes to
 * nothing after that, it is told that the guest is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/unix_socket.h"
#include "migrate/gather.h"
#include "migrate/listen_wait.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "migrate/teller.h"
#include "wire/facts.h"

enum { SEEK_MS = 100 };

static void
on_gathered(void *arg, json_t *facts, const char *why)
{
    struct sender *sender = arg;

    sender->facts = json_incref(facts);
    gather_free(sender->gather);
    sender->gather = NULL;
    if (sender->facts != NULL)
        sender_compare(sender);
    else
        job_done(&sender->job, STATUS_FAILED,
                 "QEMU: can't be asked what it is: %s; nothing was started",
                 why);
}

static void
on_up(void *arg, bool partner)
{
    struct sender *sender = arg;
    const struct gather_options gather = { .qmp = sender->job.qmp,
                                           .on_done = on_gathered,
                                           .arg = sender };

    if (sender->together && !sender->releasing)
        return;
    sender->together = true;
    if (sender->recover != RECOVER_NOTHING) {
        sender_recover_up(sender, partner);
        return;
    }
    if (sender_attaches(sender)) {
        if (!partner && sender->releasing) {
            sender->releasing = false;
            sender_step(sender, SOURCE_RELEASE);
        }
        return;
    }
    if (!partner)
        log_info("migration: waits for mig-recv at the destination");
    timer_start(sender->patience, sender->options.config->wait_ms);
    sender->gather = gather_new(&gather);
    if (sender->gather == NULL)
        job_done(&sender->job, STATUS_FAILED,
                 "migration: %s; nothing was started", strerror(errno));
}

static void
on_came(void *arg)
{
    struct sender *sender = arg;
    bool wanted;

    if (!sender_knows_partner(sender)) {
        if (sender->releasing)
            job_done(&sender->job, STATUS_FAILED,
                     "VM: was not released: what has become of it at its "
                     "destination can't be seen by way of this tunnel");
        return;
    }
    teller_commands(sender->teller, NULL,
                    partner_talk_their_command(sender->talk));
    teller_partner_came(sender->teller);
    if (!sender->planned)
        return; /* it says its facts by itself */
    wanted = sender->releasing;
    sender->releasing = false;
    sender_step(sender, wanted ? SOURCE_CAME_WANTED : SOURCE_CAME);
}

static void
on_left(void *arg)
{
    struct sender *sender = arg;

    json_decref(sender->their_facts);
    sender->their_facts = NULL;
    if (!sender->job.begun)
        log_info("partner: mig-recv is not heard any more");
    if (sender->planned)
        sender_step(sender, SOURCE_LEFT);
}

static void
take_facts(struct sender *sender, const json_t *facts)
{
    const char *why = facts_check(facts);

    if (sender->job.begun || sender->prepared)
        return;
    if (why != NULL) {
        job_done(&sender->job, STATUS_FAILED,
                 "preflight: the destination's facts make no sense: %s; "
                 "nothing was started",
                 why);
        return;
    }
    json_decref(sender->their_facts);
    sender->their_facts = json_deep_copy(facts);
    sender_compare(sender);
}

static void
take_refused(struct sender *sender, const struct partner_message *message)
{
    if ((sender->state == SENDER_PLANNING || sender->state == SENDER_MEETING) &&
        !sender->prepared)
        job_done(&sender->job, STATUS_FAILED,
                 "migration: the destination refuses it: %s; nothing was "
                 "started",
                 message->why);
}

static void
take_prepared(struct sender *sender)
{
    if (sender->state != SENDER_PLANNING || sender->prepared)
        return;
    sender->prepared = true;
    timer_stop(sender->patience);
    log_info("migration: the destination is prepared");
    sender_wait(sender);
}

static void
on_message(void *arg, const struct partner_message *message)
{
    struct sender *sender = arg;

    switch (message->type) {
    case PARTNER_FACTS: take_facts(sender, message->body); break;
    case PARTNER_REFUSED: take_refused(sender, message); break;
    case PARTNER_PREPARED: take_prepared(sender); break;
    case PARTNER_LISTENING: sender_recover_listening(sender); break;
    default:
        if (sender->planned)
            sender_partner_says(sender, message);
    }
}

static void
on_request(void *arg, enum helper_request request)
{
    struct sender *sender = arg;

    if (request == REQUEST_STATUS)
        sender_report(sender);
    else if (request == REQUEST_CANCEL)
        sender_want_cancel(sender);
    else if (request == REQUEST_RELEASE && sender->planned)
        sender_step(sender, SOURCE_RELEASE);
}

static void
on_talk_end(void *arg, bool absent, bool refused, const char *why)
{
    struct sender *sender = arg;

    partner_talk_free(sender->talk);
    sender->talk = NULL;
    if (sender->releasing && absent) {
        sender->releasing = false;
        sender_step(sender, SOURCE_RELEASE);
    } else if (sender->planned || (sender_attaches(sender) &&
                                   sender->recover == RECOVER_NOTHING)) {
        log_warnx("partner: %s", why);
        if (sender->handover.partner)
            sender_step(sender, SOURCE_LEFT);
    } else if (absent) {
        log_debug("partner: %s", why);
        timer_start(sender->seek, SEEK_MS);
        sender_wait(sender);
    } else {
        job_done(&sender->job, STATUS_FAILED,
                 "partner: %s%s; nothing was started", why,
                 refused ? " (another mig-send may be at work)" : "");
    }
}

bool
sender_talk_open(struct sender *sender)
{
    const struct partner_talk_options options = {
        .loop = sender->job.loop,
        .path = sender->options.config->control_path,
        .program = "mig-send",
        .command = sender->command,
        .on_up = on_up,
        .on_came = on_came,
        .on_left = on_left,
        .on_message = on_message,
        .on_request = on_request,
        .on_end = on_talk_end,
        .arg = sender,
    };

    if (sender->job.over)
        return false;
    sender->talk = partner_talk_new(&options);
    if (sender->talk == NULL)
        job_done(&sender->job, STATUS_FAILED, "migration: out of memory");
    return sender->talk != NULL;
}

bool
sender_sees_tunnel(const struct sender *sender)
{
    const struct job_config *config = sender->options.config;

    return !sender->together && !config->standalone &&
           unix_listening(config->control_path) == 1;
}

/* mig-client may just be starting.  Its control socket is there before the
 * socket for QEMU. */
void
sender_on_seek(void *arg)
{
    struct sender *sender = arg;

    if (sender->state != SENDER_WAITING)
        return;
    if (sender->together) {
        if (sender->ready_by_ms != 0)
            sender_on_listening(sender);
    } else if (sender_sees_tunnel(sender)) {
        listen_wait_free(sender->wait);
        sender->wait = NULL;
        sender_meet(sender);
    } else {
        timer_start(sender->seek, SEEK_MS);
    }
}

void
sender_meet(struct sender *sender)
{
    sender->state = SENDER_MEETING;
    if (sender_talk_open(sender) && sender->recover != RECOVER_NOTHING)
        sender_adopt(sender);
}
