#include "tunnel/session_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "base/log.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/net_options.h"
#include "io/timer.h"
#include "io/transport.h"
#include "io/unix_socket.h"
#include "tunnel/client_line.h"
#include "tunnel/control_port.h"
#include "tunnel/helper_talk.h"
#include "tunnel/session_label.h"
#include "tunnel/worker_channel.h"

/*
 * Theory of operation.  A session goes through these states, and then the next
 * one begins:
 *
 *   state    what there is                         left by
 *   JOINING  channel 0 is dialled                  accepted, or refused
 *   WAITING  channel 0                             READY from the server
 *   OPEN     and the Unix socket                   QEMU connects
 *   RUNNING  and QEMU's channels                   END, or a channel fails
 *   ENDING   channel 0, to say farewell, and       both over, or FAREWELL_MS
 *            QEMU's connections of a session that
 *            failed, HOLD_MS after the last one
 *
 * QEMU's connections wait in a queue until the server has accepted the channel
 * of the one before.
 */
enum client_state { JOINING, WAITING, OPEN, RUNNING, ENDING };

enum {
    HOLD_MS = 1000, /* QEMU 7.2 aborts when we close earlier; see DESIGN.md */
    FAREWELL_MS = 2000,
    STOP_MS = 5000,
    DRIVER_MS = 5000,   /* for a driver to leave, with --once */
    HELPERS_MS = 40000, /* once all is proved; the server gives helpers 30 s */
    FOREVER_MS = 1000 * 1000 * 1000,
};

struct channel_entry {
    struct session_client *client;
    uint32_t number;
    struct client_line *line; /* NULL while it waits in the queue, */
    struct transport *qemu;   /* and when it is doomed */
    bool up;
    TAILQ_ENTRY(channel_entry) entry;
};
TAILQ_HEAD(channel_entry_list, channel_entry);

struct session_client {
    struct session_client_options options;
    enum client_state state;
    unsigned char id[SESSION_ID_BYTES];
    char label[SESSION_LABEL_MAX];
    unsigned sessions; /* begun so far */
    struct control_port *control;
    struct client_line *line; /* of channel 0 */
    bool line_over;
    bool complete_told; /* the server says that all is complete */
    struct channel_entry_list channels;
    uint32_t accepted;
    uint64_t last_accept_ms;
    uint64_t start_ms;    /* of the migration */
    uint64_t complete_ms; /* when all of it was proved; 0 before */
    struct socket_file file;
    struct listener *listener;
    struct helper_talk *talk; /* NULL without a control socket */
    struct timer *later;      /* what can't be done inside a callback: */
    bool begin_due;
    enum reason end_due;
    struct timer *closing; /* the way through ENDING */
    uint64_t farewell_ms;  /* when channel 0 has had its time */
    bool leaving;          /* all that is left is a driver */
    bool stopping;
    struct timer *stop_timer;
    struct timer *helpers;   /* while all is proved, and only helpers go on */
    enum exit_status status; /* of the last session that was used */
    bool used;
};

static void open_next(struct session_client *client);

static void
entry_free(struct channel_entry *entry)
{
    TAILQ_REMOVE(&entry->client->channels, entry, entry);
    client_line_free(entry->line);
    transport_free(entry->qemu);
    free(entry);
}

static void
close_socket(struct session_client *client)
{
    listener_free(client->listener);
    client->listener = NULL;
    socket_file_remove(&client->file);
}

static void
count(struct session_client *client, struct session_totals *totals)
{
    struct session_channel_report report;
    struct channel_entry *entry;

    *totals = (struct session_totals){
        .ms = (client->complete_ms != 0 ? client->complete_ms
                                        : loop_now_ms(client->options.loop)) -
              client->start_ms,
    };
    TAILQ_FOREACH (entry, &client->channels, entry) {
        totals->channels++;
        if (entry->line == NULL)
            continue;
        worker_channel_report(client_line_channel(entry->line), &report);
        totals->there_bytes += report.out_bytes;
        totals->back_bytes += report.in_bytes;
        totals->replayed_bytes += report.replayed_bytes;
        totals->stream_bytes += report.stream_bytes;
        totals->wire_bytes += report.wire_bytes;
    }
}

static void
done(struct session_client *client)
{
    timer_stop(client->later);
    timer_stop(client->closing);
    timer_stop(client->stop_timer);
    timer_stop(client->helpers);
    helper_talk_free(client->talk);
    client->talk = NULL;
    client->options.on_done(client->options.arg, client->status);
}

static void
on_driver_left(void *arg)
{
    done(arg);
}

static void
drop_channels(struct session_client *client)
{
    while (!TAILQ_EMPTY(&client->channels))
        entry_free(TAILQ_FIRST(&client->channels));
}

/* The session is over and everything of it is closed. */
static void
session_over(struct session_client *client)
{
    close_socket(client);
    client_line_free(client->line);
    client->line = NULL;
    control_port_free(client->control);
    client->control = NULL;
    if (client->stopping) {
        done(client);
        return;
    }
    if (client->options.once && client->used) {
        client->leaving = helper_talk_farewell(client->talk, DRIVER_MS,
                                               on_driver_left, client);
        if (!client->leaving)
            done(client);
        return;
    }
    client->begin_due = true;
    timer_start(client->later, 0);
}

static void
on_closing(void *arg)
{
    struct session_client *client = arg;
    uint64_t now = loop_now_ms(client->options.loop);
    uint64_t hold_ms = client->last_accept_ms + HOLD_MS;

    if (!TAILQ_EMPTY(&client->channels) && now < hold_ms) {
        timer_start(client->closing, hold_ms - now);
        return;
    }
    drop_channels(client);
    if (!client->line_over && now < client->farewell_ms)
        timer_start(client->closing, client->farewell_ms - now);
    else
        session_over(client);
}

/* QEMU sees a failure, but not before it is safe for it. */
static void
doom(struct session_client *client, enum reason reason)
{
    struct channel_entry *entry;

    TAILQ_FOREACH (entry, &client->channels, entry) {
        struct worker_channel *channel;

        if (entry->line == NULL)
            continue;
        channel = client_line_channel(entry->line);
        entry->qemu = worker_channel_take_local(channel);
        client_line_give_up(entry->line, reason);
    }
}

/* All of QEMU's channels, of which there are some, are proved to be complete.
 */
static struct channel_entry *
all_complete(struct session_client *client)
{
    struct channel_entry *entry;

    TAILQ_FOREACH (entry, &client->channels, entry)
        if (entry->line == NULL ||
            !worker_channel_complete(client_line_channel(entry->line)))
            return NULL;
    return TAILQ_FIRST(&client->channels);
}

/* What is proved to be complete does not fail any more: what it is then. */
static enum reason
proved(struct session_client *client, enum reason reason)
{
    struct channel_entry *main =
        client->state == RUNNING ? all_complete(client) : NULL;

    if (main == NULL || reason == REASON_NONE)
        return reason;
    return worker_channel_verdict(client_line_channel(main->line), true);
}

static void
end_session(struct session_client *client, enum reason reason, bool tell)
{
    struct session_totals totals;

    if (client->state == ENDING)
        return;
    reason = proved(client, reason);
    timer_stop(client->helpers);
    client->used = client->state == RUNNING;
    client->state = ENDING;
    socket_file_remove(&client->file); /* who has connected is still accepted */
    if (client->used) {
        count(client, &totals);
        session_log_end(client->label, reason, &totals);
    } else if (reason != REASON_STOPPED || !client->stopping) {
        log_warnx("%s: %s", client->label, reason_text(reason));
    }
    if (client->used)
        client->status = session_status(reason);
    if (reason != REASON_NONE) {
        doom(client, reason);
    } else {
        client->last_accept_ms = 0; /* nothing fails: no need to hold */
    }
    if (tell)
        control_port_send(
            client->control,
            &(struct control_message){ .type = CONTROL_END, .reason = reason });
    control_port_end(client->control);
    helper_talk_end(client->talk, client->control);
    client->end_due = REASON_NONE;
    client->farewell_ms = loop_now_ms(client->options.loop) + FAREWELL_MS;
    timer_start(client->closing, 0);
}

/* From where the session can't be ended at once, because it is in use. */
static void
end_later(struct session_client *client, enum reason reason)
{
    if (client->end_due == REASON_NONE)
        client->end_due = reason;
    timer_start(client->later, 0);
}

/* There is no more to hear of the server; what is proved is so without it. */
static void
forgotten(struct session_client *client, enum reason reason, const char *why)
{
    struct channel_entry *main = all_complete(client);

    if (main != NULL)
        reason = worker_channel_verdict(client_line_channel(main->line), true);
    else if (why != NULL)
        log_warnx("%s: %s", client->label, why);
    end_session(client, reason, false);
}

/*
 * The server says that the session has ended.  That it is complete has to be
 * proved by each channel; the proofs come over other transports than this word,
 * so they may be on their way yet.
 */
static void
on_end(struct session_client *client, enum reason reason)
{
    if (reason == REASON_NONE && client->state != RUNNING)
        reason = REASON_PROTOCOL;
    client->complete_told = reason == REASON_NONE;
    if (!client->complete_told || all_complete(client) != NULL)
        end_session(client, reason, false);
}

static void
on_channel_up(void *arg)
{
    struct channel_entry *entry = arg;

    entry->up = true;
    open_next(entry->client);
}

static void
on_channel_finished(void *arg)
{
    struct channel_entry *entry = arg;
    struct session_client *client = entry->client;

    if (all_complete(client) == NULL)
        return;
    /* The server may wait for helpers, but QEMU has nothing more to send. */
    client->complete_ms = loop_now_ms(client->options.loop);
    socket_file_remove(&client->file);
    if (client->complete_told)
        end_session(client, REASON_NONE, false);
    else
        timer_start(client->helpers, HELPERS_MS);
}

static void
on_channel_failed(void *arg, enum reason reason, const char *why)
{
    struct channel_entry *entry = arg;
    struct session_client *client = entry->client;

    if (reason == REASON_UNKNOWN) {
        forgotten(client, reason, why);
        return;
    }
    if (why != NULL || reason >= REASON_BAD_FRAME)
        log_warnx("%s channel %u: %s", client->label, (unsigned)entry->number,
                  why != NULL ? why : reason_text(reason));
    end_session(client, reason, true);
}

static struct client_line *
line_new(struct session_client *client, uint32_t number, uint64_t wait_ms,
         const struct client_line_options *callbacks)
{
    struct client_line_options options = *callbacks;

    options.loop = client->options.loop;
    options.pool = number > 0 ? client->options.pool : NULL;
    options.label = client->label;
    options.dest = client->options.dest;
    options.tls = client->options.tls;
    options.net = client->options.net;
    options.bandwidth = client->options.bandwidth;
    options.number = number;
    options.window = client->options.window;
    if (number != 0)
        options.compress = client->options.compress;
    options.wait_ms = wait_ms;
    options.resume_timeout_ms = client->options.resume_timeout_ms;
    memcpy(options.session, client->id, sizeof options.session);
    snprintf(options.name, sizeof options.name, "%s", client->options.name);
    return client_line_new(&options);
}

/* Open the first channel that waits, if all before it are up. */
static void
open_next(struct session_client *client)
{
    struct channel_entry *entry;

    TAILQ_FOREACH (entry, &client->channels, entry)
        if (!entry->up)
            break;
    if (entry == NULL || entry->line != NULL || client->state != RUNNING)
        return;
    entry->line =
        line_new(client, entry->number, client->options.resume_timeout_ms,
                 &(struct client_line_options){
                     .on_up = on_channel_up,
                     .on_finished = on_channel_finished,
                     .on_failed = on_channel_failed,
                     .arg = entry,
                 });
    if (entry->line == NULL) {
        log_warn("%s channel %u", client->label, (unsigned)entry->number);
        end_later(client, REASON_LIMIT);
        return;
    }
    worker_channel_set_local(client_line_channel(entry->line), entry->qemu);
    entry->qemu = NULL;
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct session_client *client = arg;
    struct channel_entry *entry = calloc(1, sizeof *entry);
    struct transport *qemu = transport_new(client->options.loop, fd);

    (void)peer;
    (void)peer_len;
    if (entry == NULL || qemu == NULL) {
        log_warn("a connection of QEMU's is lost");
        free(entry);
        transport_free(qemu);
        end_later(client, REASON_LIMIT);
        return;
    }
    client->last_accept_ms = loop_now_ms(client->options.loop);
    if (client->state == OPEN) {
        client->state = RUNNING;
        helper_talk_state(client->talk, TUNNEL_RUNNING);
        client->start_ms = client->last_accept_ms;
        log_info("%s: QEMU has connected", client->label);
    }
    *entry = (struct channel_entry){ .client = client,
                                     .number = ++client->accepted,
                                     .qemu = qemu };
    TAILQ_INSERT_TAIL(&client->channels, entry, entry);
    open_next(client);
}

static int
open_socket(struct session_client *client)
{
    char why[SOCKET_WHY_MAX];
    int fd = socket_file_listen(&client->file, client->options.unix_path, why);

    if (fd < 0) {
        log_warnx("%s", why);
        return -1;
    }
    client->listener = listener_new_fd(
        client->options.loop, fd,
        &(struct listener_options){ .on_accept = on_accept, .arg = client });
    return client->listener != NULL ? 0 : -1;
}

static void
on_ready(struct session_client *client)
{
    if (client->state != WAITING)
        return;
    if (open_socket(client) != 0) {
        end_later(client, REASON_STOPPED);
        client->stopping = true;
        client->status = STATUS_FAILED;
        return;
    }
    client->state = OPEN;
    helper_talk_state(client->talk, TUNNEL_READY);
    log_info("%s: the destination is ready; listening on %s", client->label,
             client->options.unix_path);
}

static void
on_waiting(struct session_client *client)
{
    if (client->state != OPEN)
        return;
    close_socket(client);
    client->state = WAITING;
    helper_talk_state(client->talk, TUNNEL_WAITING);
    log_info("%s: the destination is not ready any more", client->label);
}

static void
on_message(void *arg, const struct control_message *message)
{
    struct session_client *client = arg;

    switch (message->type) {
    case CONTROL_READY: on_ready(client); break;
    case CONTROL_WAITING: on_waiting(client); break;
    case CONTROL_END: on_end(client, message->reason); break;
    case CONTROL_HELPER:
    case CONTROL_MESSAGE: helper_talk_take(client->talk, message); break;
    case CONTROL_OTHER: break;
    }
}

static void
on_room(void *arg)
{
    struct session_client *client = arg;

    helper_talk_room(client->talk);
}

static void
on_bad_message(void *arg)
{
    end_session(arg, REASON_BAD_CONTROL, true);
}

static void
begin_talk(struct session_client *client)
{
    struct helper_talk_session session = { .port = client->control };

    memcpy(session.id, client->id, sizeof session.id);
    helper_talk_begin(client->talk, &session);
}

static void
on_line_up(void *arg)
{
    struct session_client *client = arg;
    char dest[ADDRESS_TEXT_MAX];

    if (client->state != JOINING)
        return; /* it has been stopped: all that is left is to say so */
    client->state = WAITING;
    begin_talk(client);
    log_info("%s: joined mig-server at %s, waiting for the destination's QEMU",
             client->label, address_text(dest, &client->options.dest));
    net_say(client->options.net,
            worker_channel_fd(client_line_channel(client->line)),
            client->label);
}

static void
on_line_finished(void *arg)
{
    struct session_client *client = arg;

    client->line_over = true;
    if (client->state == ENDING)
        timer_start(client->closing, 0);
    else
        end_session(client, REASON_PROTOCOL, false);
}

/* The server can't be had: there is no session. */
static void
not_joined(struct session_client *client, enum reason reason, const char *why)
{
    char dest[ADDRESS_TEXT_MAX];

    log_warnx("cannot join mig-server at %s: %s",
              address_text(dest, &client->options.dest),
              why != NULL ? why : reason_text(reason));
    client->state = ENDING;
    client->stopping = true;
    client->status = STATUS_FAILED;
    timer_start(client->closing, 0);
}

static void
on_line_failed(void *arg, enum reason reason, const char *why)
{
    struct session_client *client = arg;

    client->line_over = true;
    if (client->state == ENDING)
        timer_start(client->closing, 0);
    else if (client->state == JOINING)
        not_joined(client, reason, why);
    else
        forgotten(client, reason, reason == REASON_UNKNOWN ? why : NULL);
}

static int
begin_session(struct session_client *client)
{
    struct transport *local = NULL;

    client->state = JOINING;
    client->line_over = false;
    client->complete_told = false;
    client->accepted = 0;
    client->complete_ms = 0;
    client->end_due = REASON_NONE;
    helper_talk_state(client->talk, TUNNEL_JOINING);
    if (getrandom(client->id, sizeof client->id, 0) !=
        (ssize_t)sizeof client->id)
        return -1;
    session_label(client->label, client->id, client->options.name);
    client->control = control_port_new(
        &(struct control_port_options){
            .loop = client->options.loop,
            .on_message = on_message,
            .on_room = on_room,
            .on_bad = on_bad_message,
            .arg = client,
        },
        &local);
    if (client->control == NULL)
        return -1;
    client->line =
        line_new(client, 0,
                 client->sessions++ == 0 ? client->options.wait_ms : FOREVER_MS,
                 &(struct client_line_options){
                     .on_up = on_line_up,
                     .on_finished = on_line_finished,
                     .on_failed = on_line_failed,
                     .arg = client,
                 });
    if (client->line == NULL) {
        transport_free(local);
        return -1;
    }
    worker_channel_set_local(client_line_channel(client->line), local);
    return 0;
}

static void
on_later(void *arg)
{
    struct session_client *client = arg;

    if (client->begin_due) {
        client->begin_due = false;
        if (begin_session(client) != 0) {
            log_warn("cannot begin a session");
            client->status = STATUS_FAILED;
            done(client);
        }
        return;
    }
    if (client->end_due != REASON_NONE)
        end_session(client, client->end_due, true);
}

/* The server may be waiting for helpers, with a migration that is complete. */
static void
on_stop_timer(void *arg)
{
    struct session_client *client = arg;
    struct channel_entry *main = all_complete(client);

    end_session(client,
                main == NULL ? REASON_STOPPED
                             : worker_channel_verdict(
                                   client_line_channel(main->line), true),
                true);
}

/* The server may not be there any more, and all that counts is proved. */
static void
on_helpers_timer(void *arg)
{
    struct session_client *client = arg;

    if (all_complete(client) != NULL)
        end_session(client, REASON_LOST, true);
}

static int
open_talk(struct session_client *client)
{
    const struct helper_talk_options options = {
        .loop = client->options.loop,
        .path = client->options.control_path,
        .program = client->options.program,
        .needed = client->options.control_needed,
        .bandwidth = client->options.bandwidth,
    };
    char why[SOCKET_WHY_MAX];

    if (helper_talk_open(&client->talk, &options, why) == 0)
        return 0;
    log_warnx("%s", why);
    return -1;
}

struct session_client *
session_client_new(const struct session_client_options *options)
{
    struct session_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return NULL;
    client->options = *options;
    TAILQ_INIT(&client->channels);
    client->later = timer_new(options->loop, on_later, client);
    client->closing = timer_new(options->loop, on_closing, client);
    client->stop_timer = timer_new(options->loop, on_stop_timer, client);
    client->helpers = timer_new(options->loop, on_helpers_timer, client);
    if (client->later == NULL || client->closing == NULL ||
        client->stop_timer == NULL || client->helpers == NULL) {
        session_client_free(client);
        errno = ENOMEM;
        return NULL;
    }
    if (open_talk(client) != 0) {
        session_client_free(client);
        errno = EADDRINUSE;
        return NULL;
    }
    client->begin_due = true;
    timer_start(client->later, 0);
    return client;
}

void
session_client_free(struct session_client *client)
{
    if (client == NULL)
        return;
    close_socket(client);
    drop_channels(client);
    client_line_free(client->line);
    helper_talk_free(client->talk);
    control_port_free(client->control);
    timer_free(client->later);
    timer_free(client->closing);
    timer_free(client->stop_timer);
    timer_free(client->helpers);
    free(client);
}

void
session_client_stop(struct session_client *client)
{
    enum exit_status unused =
        client->options.once ? STATUS_CANCELLED : STATUS_DONE;

    if (client->stopping || client->line == NULL) {
        if (client->state == RUNNING)
            client->status = session_status(proved(client, REASON_CANCELLED));
        else if (!client->stopping && !client->leaving)
            client->status = unused;
        done(client);
        return;
    }
    client->stopping = true;
    if (client->state == RUNNING) {
        log_info("stopping: the migration under way has %d s to end",
                 STOP_MS / 1000);
        timer_start(client->stop_timer, STOP_MS);
    } else if (client->state != ENDING) {
        end_session(client, REASON_STOPPED, true);
        client->status = unused;
    } else if (!client->used) {
        client->status = unused;
    }
}
