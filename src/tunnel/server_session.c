#include "tunnel/server_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "io/folder_watch.h"
#include "io/loop.h"
#include "io/net_options.h"
#include "io/sockopt.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"
#include "io/unix_socket.h"
#include "tunnel/control_port.h"
#include "tunnel/greeter.h"
#include "tunnel/helper_talk.h"
#include "tunnel/qemu_gate.h"
#include "tunnel/session_label.h"
#include "tunnel/spent_sockets.h"
#include "tunnel/worker_channel.h"

/*
 * Theory of operation.  Channel 0 comes first and makes the session.  While
 * there is no other, QEMU's socket is watched and the client told when it is
 * READY.  Channels 1, 2, ... then come in order, each is accepted at once, and
 * the gate connects them to QEMU one after the other.
 *
 * A channel whose transport is lost waits for the next one, for as long as
 * resume_timeout_ms.  A channel that fails, or waits too long, ends the session
 * with a reason: QEMU's connections are closed at once, the peer is told by
 * RESET on each channel and by END on channel 0.  That QEMU breaks off a
 * channel after the first is no failure: it does so when it is done, too, with
 * bytes unread that it has no need of, a moment before it says on channel 1
 * that it has the VM.  Channel 1 has to end then, within MAIN_MS; until it has,
 * what comes for the other is kept, and if it is much, that was a failure after
 * all.  When every channel is finished the session is complete.  What has ended
 * stays around for the client to hear of it, with channel 0, for linger_ms.
 *
 * A session that is complete does not end while drivers are attached at both
 * ends, for they talk through it; it waits for one of them to leave, for
 * HELPERS_MS at most, and for AWAY_MS while channel 0 has no transport.  A new
 * client may end it when there is none, and else after PATIENCE_MS: by then
 * they are not about to hand over but wait for somebody.  Nothing that happens
 * meanwhile makes it fail.
 */
enum {
    /*
     * Something that comes to be at QEMU's path is told by the system, and
     * listens a moment later: then it is looked for often, for a second.
     * Without that telling it is always looked for.
     */
    LOOK_SOON_MS = 50,
    LOOK_BLIND_MS = 250,
    LOOK_MS = 2000,
    LOOK_AGAIN_MS = 1000, /* while it listens, and nobody has connected */
    CHANGED_MS = 1000,
    FLUSH_STEP_MS = 10,
    FLUSH_MS = 1000,
    HELPERS_MS = 30000,
    AWAY_MS = 5000, /* what is lost is back within that, or stays away long */
    PATIENCE_MS = 5000,
    MAIN_STEP_MS = 20,
    MAIN_MS = 3000, /* for channel 1 to end after another one has */
    CHANNELS_MAX = 1024,
};

struct served {
    struct server_session *session;
    uint32_t number;
    struct worker_channel *channel;
    struct timer *lost;
    uint64_t lost_ms; /* when its transport was lost; 0 while there is one */
    bool connected;   /* to QEMU */
    bool finished;
    TAILQ_ENTRY(served) entry;
};
TAILQ_HEAD(served_list, served);

struct server_session {
    struct server_session_options options;
    char unix_path[108]; /* sun_path, unix(7) */
    char identity[TLS_IDENTITY_MAX];
    char label[SESSION_LABEL_MAX];
    struct served_list channels; /* by number */
    uint32_t next;               /* number of the next channel */
    struct control_port *control;
    struct qemu_gate *gate;
    bool gate_busy;
    struct timer *look;
    struct folder_watch *watch; /* NULL when there is none, or no need */
    uint64_t changed_ms;        /* when something changed there; 0 for never */
    bool ready;
    bool warned;   /* of a socket that is not trusted */
    bool complete; /* and perhaps waiting for helpers: */
    struct timer *helpers;
    uint64_t complete_ms; /* when it was */
    bool ended;
    enum reason reason;
    uint64_t start_ms; /* of the migration */
    uint64_t flush_until_ms;
    struct timer *linger;
    struct timer *main_end; /* looks whether channel 1 has ended */
    uint64_t main_until_ms; /* by when it has to */
};

static struct served *
find_channel(struct server_session *session, uint32_t number)
{
    struct served *served;

    TAILQ_FOREACH (served, &session->channels, entry)
        if (served->number == number)
            return served;
    return NULL;
}

static void
served_free(struct served *served)
{
    TAILQ_REMOVE(&served->session->channels, served, entry);
    worker_channel_free(served->channel);
    timer_free(served->lost);
    free(served);
}

static void
count(struct server_session *session, struct session_totals *totals)
{
    struct session_channel_report report;
    struct served *served;

    *totals = (struct session_totals){
        .ms = (session->complete ? session->complete_ms
                                 : loop_now_ms(session->options.loop)) -
              session->start_ms,
    };
    TAILQ_FOREACH (served, &session->channels, entry) {
        if (served->number == 0)
            continue;
        worker_channel_report(served->channel, &report);
        totals->channels++;
        totals->there_bytes += report.in_bytes;
        totals->back_bytes += report.out_bytes;
        totals->replayed_bytes += report.replayed_bytes;
        totals->stream_bytes += report.stream_bytes;
        totals->wire_bytes += report.wire_bytes;
    }
}

/* Close what has been said to the end; later, in force. */
static void
flush(struct server_session *session)
{
    bool late = loop_now_ms(session->options.loop) >= session->flush_until_ms;
    bool all = true;
    struct served *served;

    TAILQ_FOREACH (served, &session->channels, entry) {
        if (served->number == 0 || !worker_channel_connected(served->channel))
            continue;
        if (late || worker_channel_flushed(served->channel))
            worker_channel_close_transport(served->channel);
        else
            all = false;
    }
    if (!all)
        timer_start(session->look, FLUSH_STEP_MS);
}

static void
let_qemu_go(struct server_session *session)
{
    struct served *served;

    qemu_gate_stop(session->gate);
    TAILQ_FOREACH (served, &session->channels, entry) {
        timer_stop(served->lost);
        if (served->number == 0)
            continue;
        transport_free(worker_channel_take_local(served->channel));
        if (session->reason != REASON_NONE)
            worker_channel_reset(served->channel, session->reason);
    }
}

static void
stop_watching(struct server_session *session)
{
    folder_watch_free(session->watch);
    session->watch = NULL;
}

void
server_session_end(struct server_session *session, enum reason reason)
{
    struct session_totals totals;

    if (session->ended)
        return;
    if (session->complete)
        reason = REASON_NONE;
    session->ended = true;
    session->reason = reason;
    count(session, &totals);
    if (session->next > 1)
        session_log_end(session->label, reason, &totals);
    else
        log_info("%s: %s", session->label, reason_text(reason));
    stop_watching(session);
    timer_stop(session->look);
    timer_stop(session->helpers);
    let_qemu_go(session);
    if (reason == REASON_NONE) {
        spent_sockets_add(session->options.spent, session->unix_path,
                          loop_now_ms(session->options.loop));
    } else {
        session->flush_until_ms = loop_now_ms(session->options.loop) + FLUSH_MS;
        flush(session);
    }
    control_port_send(
        session->control,
        &(struct control_message){ .type = CONTROL_END, .reason = reason });
    control_port_end(session->control);
    helper_talk_end(session->options.talk, session->control);
    session->options.talk = NULL; /* another session may begin in it */
    timer_start(session->linger, session->options.linger_ms);
    session->options.on_ended(session->options.arg, session, reason);
}

static void
on_linger_over(void *arg)
{
    struct server_session *session = arg;

    session->options.on_gone(session->options.arg, session);
}

/* The session is complete: how long the helpers may go on. */
static void
limit_helpers(struct server_session *session)
{
    const struct served *control = find_channel(session, 0);
    uint64_t now = loop_now_ms(session->options.loop);
    uint64_t until = session->complete_ms + HELPERS_MS;

    if (control->lost_ms != 0 && control->lost_ms + AWAY_MS < until)
        until = control->lost_ms + AWAY_MS;
    timer_start(session->helpers, until > now ? until - now : 0);
}

static void
check_complete(struct server_session *session)
{
    struct served *served, *main = find_channel(session, 1);
    enum reason reason;

    if (session->ended || session->complete || main == NULL)
        return;
    TAILQ_FOREACH (served, &session->channels, entry)
        if (served->number != 0 && !served->finished)
            return;
    reason = worker_channel_verdict(main->channel, false);
    session->complete = reason == REASON_NONE;
    session->complete_ms = loop_now_ms(session->options.loop);
    if (!session->complete || !helper_talk_both(session->options.talk)) {
        server_session_end(session, reason);
        return;
    }
    log_info("%s: complete; the helpers finish the handover", session->label);
    limit_helpers(session);
}

static void
on_drivers(void *arg)
{
    struct server_session *session = arg;

    if (session->complete && !helper_talk_both(session->options.talk))
        server_session_end(session, REASON_NONE);
}

static void
on_helpers_timer(void *arg)
{
    server_session_end(arg, REASON_NONE);
}

static void
on_lost(void *arg, const char *why, bool in_order)
{
    struct served *served = arg;
    struct server_session *session = served->session;

    (void)in_order;
    if (session->ended || served->finished)
        return;
    served->lost_ms = loop_now_ms(session->options.loop);
    log_warnx("%s channel %u: transport lost: %s (waiting for it to resume)",
              session->label, (unsigned)served->number, why);
    timer_start(served->lost, session->options.resume_timeout_ms);
    if (session->complete)
        limit_helpers(session);
}

static void
on_lost_timer(void *arg)
{
    struct served *served = arg;

    server_session_end(served->session, REASON_LOST);
}

static void
on_finished(void *arg)
{
    struct served *served = arg;
    struct server_session *session = served->session;

    served->finished = true;
    worker_channel_close_transport(served->channel);
    if (served->number == 0 && session->ended)
        timer_start(session->linger, 0);
    else if (served->number == 0)
        server_session_end(session, REASON_PROTOCOL);
    else
        check_complete(session);
}

/*
 * A destination that fails when the source has ended its stream early has been
 * left by the source, and not the other way round.
 */
static void
on_failed(void *arg, enum reason reason)
{
    struct served *served = arg;
    struct server_session *session = served->session;
    struct served *main = find_channel(session, 1);

    if (reason == REASON_DESTINATION_CLOSED && main != NULL &&
        worker_channel_ended(main->channel))
        reason = REASON_CANCELLED;
    if (reason >= REASON_BAD_FRAME)
        log_warnx("%s channel %u: %s", session->label, (unsigned)served->number,
                  reason_text(reason));
    server_session_end(session, reason);
}

/* Channel 1 has told what came of the migration: the others need say nothing.
 */
static bool
main_ended(struct server_session *session)
{
    return worker_channel_local_ended(find_channel(session, 1)->channel);
}

static void
on_local_lost(void *arg)
{
    struct served *served = arg;
    struct server_session *session = served->session;

    log_debug("%s channel %u: broken off by QEMU", session->label,
              (unsigned)served->number);
    if (session->ended)
        return;
    if (main_ended(session)) {
        worker_channel_drop_local(served->channel);
    } else if (!timer_pending(session->main_end)) {
        session->main_until_ms = loop_now_ms(session->options.loop) + MAIN_MS;
        timer_start(session->main_end, MAIN_STEP_MS);
    }
}

static void
on_main_end(void *arg)
{
    struct server_session *session = arg;
    struct served *served;

    if (session->ended)
        return;
    if (main_ended(session)) {
        TAILQ_FOREACH (served, &session->channels, entry)
            worker_channel_drop_local(served->channel);
    } else if (loop_now_ms(session->options.loop) >= session->main_until_ms) {
        server_session_end(session, REASON_DESTINATION_CLOSED);
    } else {
        timer_start(session->main_end, MAIN_STEP_MS);
    }
}

static void
connect_next(struct server_session *session)
{
    struct served *served;

    if (session->gate_busy || session->ended)
        return;
    TAILQ_FOREACH (served, &session->channels, entry)
        if (served->number != 0 && !served->connected)
            break;
    if (served == NULL)
        return;
    session->gate_busy = true;
    qemu_gate_connect(session->gate, served->number == 1);
}

static void
on_qemu(void *arg, struct transport *qemu, const char *why)
{
    struct server_session *session = arg;
    struct served *served;

    session->gate_busy = false;
    TAILQ_FOREACH (served, &session->channels, entry)
        if (served->number != 0 && !served->connected)
            break;
    if (served == NULL) {
        transport_free(qemu);
        return;
    }
    if (qemu == NULL) {
        log_warnx("%s channel %u: cannot connect to QEMU at %s: %s",
                  session->label, (unsigned)served->number, session->unix_path,
                  why);
        server_session_end(session, REASON_NOT_READY);
        return;
    }
    served->connected = true;
    worker_channel_set_local(served->channel, qemu);
    connect_next(session);
}

/* What we listen on ourselves is for helpers: it is no QEMU's socket, whatever
 * name has led to it. */
static bool
is_control(const struct server_session *session)
{
    return session->options.is_control != NULL &&
           session->options.is_control(session->options.arg,
                                       session->unix_path);
}

/* A source that has given up must not cost the VM that waits its life. */
static const char *
still_wanted(void *arg)
{
    struct server_session *session = arg;
    struct served *main = find_channel(session, 1);

    if (is_control(session))
        return "it is a control socket of this server";
    if (main == NULL || !worker_channel_ended(main->channel))
        return NULL;
    return "the source gave up before QEMU was ready";
}

static uint64_t
next_look_ms(const struct server_session *session)
{
    if (session->ready)
        return LOOK_AGAIN_MS;
    if (session->changed_ms != 0 &&
        loop_now_ms(session->options.loop) - session->changed_ms < CHANGED_MS)
        return LOOK_SOON_MS;
    return session->watch != NULL ? LOOK_MS : LOOK_BLIND_MS;
}

static void
on_look(void *arg)
{
    struct server_session *session = arg;
    char why[SOCKET_WHY_MAX];
    bool ready;

    if (session->ended) {
        flush(session);
        return;
    }
    if (session->next > 1)
        return; /* the source has connected: the gate looks now */
    ready = unix_listening(session->unix_path) == 1 && !is_control(session) &&
            !spent_sockets_has(session->options.spent, session->unix_path,
                               loop_now_ms(session->options.loop));
    if (ready && !socket_file_trusted(session->unix_path, why)) {
        if (!session->warned)
            log_warnx("%s: %s", session->label, why);
        session->warned = true;
        ready = false;
    }
    if (ready != session->ready) {
        session->ready = ready;
        helper_talk_state(session->options.talk,
                          ready ? TUNNEL_READY : TUNNEL_WAITING);
        log_info("%s: QEMU %s on %s", session->label,
                 ready ? "listens" : "listens no more", session->unix_path);
        control_port_send(session->control,
                          &(struct control_message){
                              .type = ready ? CONTROL_READY : CONTROL_WAITING,
                          });
    }
    timer_start(session->look, next_look_ms(session));
}

static void
on_changed(void *arg)
{
    struct server_session *session = arg;

    session->changed_ms = loop_now_ms(session->options.loop);
    timer_start(session->look, 0);
}

static void
on_message(void *arg, const struct control_message *message)
{
    struct server_session *session = arg;

    if (message->type == CONTROL_END)
        server_session_end(session, message->reason != REASON_NONE
                                        ? message->reason
                                        : REASON_CANCELLED);
    else if (!session->ended)
        helper_talk_take(session->options.talk, message);
}

static void
on_room(void *arg)
{
    struct server_session *session = arg;

    if (!session->ended)
        helper_talk_room(session->options.talk);
}

static void
on_bad_message(void *arg)
{
    server_session_end(arg, REASON_BAD_CONTROL);
}

static struct worker_channel *
channel_new(struct server_session *session, struct served *served)
{
    bool carries = served->number > 0; /* QEMU's bytes */

    return worker_channel_new(
        carries ? session->options.pool : NULL,
        &(struct session_channel_options){
            .loop = session->options.loop,
            .number = served->number,
            .patient = true,
            .window = session->options.window,
            .pack_log = carries ? session->options.pack_log : 0,
            .bandwidth = carries ? session->options.bandwidth : NULL,
            .on_lost = on_lost,
            .on_finished = on_finished,
            .on_failed = on_failed,
            .local_reason = REASON_DESTINATION_CLOSED,
            .on_local_lost = served->number > 1 ? on_local_lost : NULL,
            .arg = served,
        });
}

static struct served *
served_new(struct server_session *session)
{
    struct served *served = calloc(1, sizeof *served);

    if (served == NULL)
        return NULL;
    served->session = session;
    served->number = session->next;
    served->lost = timer_new(session->options.loop, on_lost_timer, served);
    served->channel = channel_new(session, served);
    TAILQ_INSERT_TAIL(&session->channels, served, entry);
    if (served->lost == NULL || served->channel == NULL) {
        served_free(served);
        return NULL;
    }
    if (session->next++ == 1) {
        stop_watching(session);
        session->start_ms = loop_now_ms(session->options.loop);
        helper_talk_state(session->options.talk, TUNNEL_RUNNING);
    }
    return served;
}

/*
 * A client that never got the answer to its first greeting sends it again.  For
 * channel 0, which is made with the session, the first is the repetition.
 */
static bool
is_repeated(const struct served *served, const struct client_greeting *greeting)
{
    return worker_channel_fresh(served->channel) && !greeting_claims(greeting);
}

/* Which channel a greeting is for; NULL with *${refusal} set if none. */
static struct served *
select_channel(struct server_session *session,
               const struct client_greeting *greeting, enum reason *refusal)
{
    struct served *served = find_channel(session, greeting->channel);

    *refusal = REASON_BAD_RESUME;
    if (served != NULL &&
        !worker_channel_accepts(served->channel, &greeting->position))
        return NULL; /* perhaps one that was long on its way: touch nothing */
    *refusal = REASON_ORDER;
    if (session->ended && session->reason != REASON_NONE &&
        greeting->channel != 0) {
        *refusal = session->reason;
        return NULL;
    }
    if (greeting->resume || (served != NULL && is_repeated(served, greeting)))
        return served;
    if (session->ended || session->complete ||
        greeting->channel != session->next)
        return NULL;
    *refusal = REASON_BAD_RESUME;
    if (greeting_claims(greeting))
        return NULL;
    *refusal = REASON_LIMIT;
    return session->next < CHANNELS_MAX ? served_new(session) : NULL;
}

static void
say_joined(struct server_session *session, const char *peer)
{
    int fd = worker_channel_fd(find_channel(session, 0)->channel);

    log_info("%s: mig-client at %s has joined%s%s", session->label, peer,
             session->identity[0] != '\0' ? ", " : "", session->identity);
    if (fd >= 0)
        net_say(session->options.net, fd, session->label);
}

static void
say_resumed(struct served *served, uint64_t replay)
{
    struct server_session *session = served->session;
    uint64_t now = loop_now_ms(session->options.loop);
    char took[TEXT_MAX], bytes[TEXT_MAX];

    timer_stop(served->lost);
    if (session->ended || served->finished || served->lost_ms == 0)
        return; /* nobody here has missed it */
    log_info("%s channel %u: resumed after %s, %s sent again", session->label,
             (unsigned)served->number,
             text_duration(took, now - served->lost_ms),
             text_size(bytes, replay));
    served->lost_ms = 0;
    if (session->complete)
        limit_helpers(session);
}

enum reason
server_session_admit(struct server_session *session, struct greeter *greeter)
{
    const struct client_greeting *greeting = &greeter->greeting;
    struct server_greeting answer = { .version = greeting_version(greeting),
                                      .channel = greeting->channel };
    enum reason refusal;
    uint64_t replay;
    struct served *served = select_channel(session, greeting, &refusal);

    if (served == NULL)
        return refusal;
    /* Whatever carried the channel so far is out of date. */
    worker_channel_greet(served->channel, &answer.position);
    if (!worker_channel_accepts(served->channel, &greeting->position))
        return REASON_BAD_RESUME; /* what came last shows that it lies */

    /* The answer comes first: what is attached may write at once. */
    (void)greeter_answer(greeter, &answer); /* if it is gone, that will show */
    sockopt_tcp_bulk(transport_fd(greeter->transport));
    refusal = worker_channel_attach(served->channel, greeter->transport,
                                    &greeting->position,
                                    greeter->bytes + greeter->used,
                                    greeter->length - greeter->used, &replay);
    if (refusal != REASON_NONE)
        return refusal;
    (void)greeter_take(greeter); /* the channel's now */
    say_resumed(served, replay);
    if (served->number != 0) {
        connect_next(session);
    } else if (!session->ended) {
        if (!greeting->resume)
            say_joined(session, greeter->peer);
        timer_start(session->look, 0);
    }
    return REASON_NONE;
}

static void
begin_talk(struct server_session *session)
{
    struct helper_talk_session talk = {
        .port = session->control,
        .on_drivers = on_drivers,
        .arg = session,
    };

    memcpy(talk.id, session->options.id, sizeof talk.id);
    helper_talk_begin(session->options.talk, &talk);
}

struct server_session *
server_session_new(const struct server_session_options *options)
{
    struct server_session *session = calloc(1, sizeof *session);
    struct transport *local = NULL;
    struct served *control = NULL;

    if (session == NULL)
        return NULL;
    session->options = *options;
    snprintf(session->unix_path, sizeof session->unix_path, "%s",
             options->unix_path);
    snprintf(session->identity, sizeof session->identity, "%s",
             options->identity);
    session_label(session->label, options->id, options->name);
    TAILQ_INIT(&session->channels);
    session->look = timer_new(options->loop, on_look, session);
    session->linger = timer_new(options->loop, on_linger_over, session);
    session->main_end = timer_new(options->loop, on_main_end, session);
    session->helpers = timer_new(options->loop, on_helpers_timer, session);
    session->gate = qemu_gate_new(&(struct qemu_gate_options){
        .loop = options->loop,
        .unix_path = session->unix_path,
        .wait_ms = options->wait_ms,
        .on_connected = on_qemu,
        .still_wanted = still_wanted,
        .arg = session,
    });
    if (session->look == NULL || session->linger == NULL ||
        session->main_end == NULL || session->helpers == NULL ||
        session->gate == NULL)
        goto fail;
    session->control = control_port_new(
        &(struct control_port_options){
            .loop = options->loop,
            .on_message = on_message,
            .on_room = on_room,
            .on_bad = on_bad_message,
            .arg = session,
        },
        &local);
    if (session->control == NULL || (control = served_new(session)) == NULL)
        goto fail;
    worker_channel_set_local(control->channel, local);
    session->watch = folder_watch_new(options->loop, session->unix_path,
                                      on_changed, session);
    begin_talk(session);
    return session;

fail:
    if (control == NULL)
        transport_free(local);
    server_session_free(session);
    errno = ENOMEM;
    return NULL;
}

void
server_session_free(struct server_session *session)
{
    if (session == NULL)
        return;
    while (!TAILQ_EMPTY(&session->channels))
        served_free(TAILQ_FIRST(&session->channels));
    helper_talk_end(session->options.talk, session->control);
    control_port_free(session->control);
    folder_watch_free(session->watch);
    qemu_gate_free(session->gate);
    timer_free(session->look);
    timer_free(session->linger);
    timer_free(session->main_end);
    timer_free(session->helpers);
    free(session);
}

bool
server_session_is(const struct server_session *session,
                  const unsigned char id[SESSION_ID_BYTES])
{
    return memcmp(session->options.id, id, SESSION_ID_BYTES) == 0;
}

bool
server_session_named(const struct server_session *session, const char *name)
{
    return strcmp(session->options.name, name) == 0;
}

const char *
server_session_identity(const struct server_session *session)
{
    return session->identity;
}

bool
server_session_live(const struct server_session *session)
{
    return !session->ended;
}

bool
server_session_used(const struct server_session *session)
{
    return session->next > 1;
}

bool
server_session_abandoned(struct server_session *session)
{
    bool connected =
        worker_channel_connected(find_channel(session, 0)->channel);
    uint64_t now = loop_now_ms(session->options.loop);

    if (session->ended)
        return false;
    if (session->complete)
        return !connected || now >= session->complete_ms + PATIENCE_MS;
    return session->next <= 1 && !connected;
}
