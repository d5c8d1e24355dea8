#include "tunnel/raw_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/net_options.h"
#include "io/sockopt.h"
#include "io/transport.h"
#include "tunnel/candidate.h"
#include "tunnel/door.h"
#include "tunnel/lobby.h"
#include "tunnel/qemu_gate.h"
#include "tunnel/raw_end.h"
#include "tunnel/raw_migration.h"
#include "tunnel/raw_origin.h"
#include "tunnel/refusal.h"

/*
 * Theory of operation.  A connection is first a candidate.  When one turns out
 * to be a QEMU's main channel, a migration begins: that candidate and those
 * accepted after it move to the queue, and from then on, for as long as the
 * main channel lives, every new connection joins the queue at once.  The gate
 * connects the first in the queue to QEMU, then the next, so that QEMU accepts
 * them in the order in which they came.
 *
 * With TLS a candidate is nothing before it has proved who it is, but its place
 * is that of its accepting: what comes after it from the main channel's host
 * joins after it.  It joins only if it has proved to be the same.
 *
 * Strangers cost a descriptor each, so there is a limit to them.  When one more
 * comes the oldest goes, but none that has proved who it is or may yet turn out
 * to be a channel of the migration under way, as long as there are others.
 *
 * QEMU's socket is never touched before a main channel has shown itself: the
 * waiting VM dies of a connection that says nothing.
 */

struct raw_server {
    struct raw_server_options options;
    struct listener *listener;
    struct raw_end *end;
    struct lobby lobby;           /* candidates that are in no migration */
    struct candidate_list queue;  /* of this migration, in its order */
    unsigned long accepted;       /* connections so far; how many it was */
    unsigned long main_accepted;  /* with the main channel, */
    unsigned long begun_accepted; /* and when it showed itself */
    unsigned taken;               /* channels of this migration so far */
    struct raw_origin origin;     /* of this migration */
    struct qemu_gate *gate;
    bool connecting; /* the gate works on the first in the queue */
    struct door door;
};

/* One of the lobby. */
static void
drop(struct raw_server *server, struct candidate *candidate, const char *why)
{
    door_say_dropped(&server->door, candidate->peer, why);
    lobby_remove(&server->lobby, candidate);
    candidate_free(candidate);
}

static void
drop_queue(void *arg)
{
    struct raw_server *server = arg;
    struct candidate *first;

    qemu_gate_stop(server->gate);
    server->connecting = false;
    while ((first = TAILQ_FIRST(&server->queue)) != NULL) {
        door_say_dropped(&server->door, first->peer, "its migration is over");
        TAILQ_REMOVE(&server->queue, first, entry);
        candidate_free(first);
    }
}

static bool
is_expecting(void *arg)
{
    struct raw_server *server = arg;
    struct candidate *first = TAILQ_FIRST(&server->queue);

    return first != NULL && first->number == 1;
}

/* The main channel waits to be connected, or is open. */
static bool
main_lives(struct raw_server *server)
{
    struct raw_migration *migration = raw_end_migration(server->end);
    struct candidate *first = TAILQ_FIRST(&server->queue);

    return migration != NULL && ((first != NULL && first->number == 1) ||
                                 raw_migration_main_lives(migration));
}

static void
connect_next(struct raw_server *server)
{
    struct candidate *first = TAILQ_FIRST(&server->queue);

    if (first == NULL || server->connecting)
        return;
    server->connecting = true;
    qemu_gate_connect(server->gate, first->number == 1);
}

static void
move_to_queue(struct raw_server *server, struct candidate *candidate)
{
    lobby_remove(&server->lobby, candidate);
    candidate_stop(candidate);
    candidate->number = ++server->taken;
    TAILQ_INSERT_TAIL(&server->queue, candidate, entry);
    log_debug("channel %u: from %s", candidate->number, candidate->peer);
}

static void
say_begun(const struct candidate *main)
{
    const char *identity = transport_identity(main->transport);

    log_info("migration from %s%s%s", main->peer,
             identity[0] != '\0' ? ", " : "", identity);
}

/*
 * A multifd channel that was accepted before its main channel, through a relay
 * that keeps no order, and is still there.
 */
static bool
belongs_though_early(const struct raw_server *server,
                     const struct candidate *candidate)
{
    return candidate->accepted < server->main_accepted &&
           candidate->verdict == CANDIDATE_FURTHER &&
           !transport_hung_up(candidate->transport) &&
           raw_origin_admits(&server->origin, candidate);
}

/*
 * Let what came after the main channel join, in the order in which it came.  A
 * handshake that is not done holds up those that came from there after it.
 */
static void
join_in_order(struct raw_server *server)
{
    struct candidate *candidate, *next;
    char why[RAW_ORIGIN_WHY_MAX];
    bool held_up = false;

    for (candidate = TAILQ_FIRST(&server->lobby.list); candidate != NULL;
         candidate = next) {
        next = TAILQ_NEXT(candidate, entry);
        if (candidate->accepted <= server->main_accepted)
            continue;
        if (candidate->transport == NULL) {
            held_up = held_up || raw_origin_is_host(&server->origin, candidate);
            continue;
        }
        if (raw_origin_is_host(&server->origin, candidate)) {
            if (held_up)
                continue;
            candidate_look(candidate); /* it may have closed already */
        }
        if (raw_origin_admits(&server->origin, candidate))
            move_to_queue(server, candidate);
        else if (candidate->accepted > server->begun_accepted)
            drop(server, candidate,
                 raw_origin_why_not(&server->origin, candidate, why));
    }
    connect_next(server);
}

/* Begin a migration with ${main}.  What came after it belongs to it. */
static void
begin(struct raw_server *server, struct candidate *main)
{
    struct candidate *candidate, *next;

    if (raw_end_begin(server->end) == NULL) {
        drop(server, main, strerror(errno));
        return;
    }
    server->taken = 0;
    raw_origin_set(&server->origin, main);
    server->main_accepted = main->accepted;
    server->begun_accepted = server->accepted;
    say_begun(main);
    move_to_queue(server, main);
    for (candidate = TAILQ_FIRST(&server->lobby.list); candidate != NULL;
         candidate = next) {
        next = TAILQ_NEXT(candidate, entry);
        if (belongs_though_early(server, candidate))
            move_to_queue(server, candidate);
    }
    join_in_order(server);
}

static const char *
tls_not_expected(const struct raw_server *server)
{
    return server->options.tls != NULL
               ? "a TLS client within TLS; --qemu-tls is needed if it is a "
                 "QEMU with tls-creds"
               : "a TLS client; --qemu-tls is needed if it is a QEMU with "
                 "tls-creds, and --tls-dir or --psk if it is a mig-client "
                 "with them";
}

static const char *
what_it_is(const struct candidate *candidate)
{
    static const char greeting[] = { 'm', 'i', 'g', '-', 't', 'u' };

    if (candidate->early_bytes == sizeof greeting &&
        memcmp(candidate->early, greeting, sizeof greeting) == 0)
        return "a mig-client without --raw: both ends need it, or neither";
    return "not a QEMU migration stream";
}

/* It will join when those have joined that came before it. */
static bool
waits_to_join(struct raw_server *server, const struct candidate *candidate)
{
    return main_lives(server) && candidate->accepted > server->main_accepted &&
           raw_origin_admits(&server->origin, candidate);
}

static void
on_judged(void *arg, struct candidate *candidate)
{
    struct raw_server *server = arg;
    const char *why = NULL;

    if (waits_to_join(server, candidate))
        return;
    switch (candidate->verdict) {
    case CANDIDATE_UNKNOWN: return;
    case CANDIDATE_MAIN:
    case CANDIDATE_TLS:
        if (raw_origin_is_main(&server->origin, candidate)) {
            if (raw_end_migration(server->end) == NULL)
                begin(server, candidate);
            return;
        }
        why = server->options.qemu_tls
                  ? "not encrypted, and --qemu-tls is given"
                  : tls_not_expected(server);
        break;
    case CANDIDATE_FURTHER: /* its main channel may yet come */
        if (main_lives(server) && belongs_though_early(server, candidate)) {
            move_to_queue(server, candidate);
            connect_next(server);
        }
        return;
    case CANDIDATE_FOREIGN: why = what_it_is(candidate); break;
    case CANDIDATE_CLOSED: why = "closed before it showed what it is"; break;
    case CANDIDATE_SILENT: why = "no migration began with it"; break;
    case CANDIDATE_REFUSED: why = candidate->why; break;
    }
    if (candidate->verdict == CANDIDATE_TLS && server->options.tls == NULL)
        refusal_send(candidate_take(candidate), 0, REASON_TLS_ABSENT);
    drop(server, candidate, why);
    if (main_lives(server))
        join_in_order(server); /* what it has held up */
}

static void
on_secured(void *arg, struct candidate *candidate)
{
    struct raw_server *server = arg;

    (void)candidate;
    if (main_lives(server))
        join_in_order(server);
}

/* Strangers must not get it out of the way. */
static bool
is_spared(void *arg, const struct candidate *candidate)
{
    struct raw_server *server = arg;

    if (server->options.tls != NULL && candidate->transport != NULL)
        return true;
    return main_lives(server) && candidate->accepted > server->main_accepted &&
           raw_origin_is_host(&server->origin, candidate);
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct raw_server *server = arg;
    struct candidate *candidate, *surplus;

    if (!door_admits(&server->door, fd, peer, peer_len))
        return;
    net_prepare(server->options.net, fd);
    surplus = lobby_surplus(&server->lobby, is_spared, server);
    if (surplus != NULL)
        drop(server, surplus, "too many connections say nothing");
    candidate = candidate_new(&(struct candidate_options){
        .loop = server->options.loop,
        .fd = fd,
        .tls = server->options.tls,
        .peer = peer,
        .peer_len = peer_len,
        .on_secured = on_secured,
        .on_judged = on_judged,
        .arg = server,
    });
    if (candidate == NULL) {
        log_warn("a connection is lost");
        return;
    }
    candidate->accepted = ++server->accepted;
    lobby_add(&server->lobby, candidate);
    if (main_lives(server))
        join_in_order(server);
}

/* The migration is over: a main channel may have come too early for its own. */
static void
on_over(void *arg)
{
    struct raw_server *server = arg;
    struct candidate *candidate;

    TAILQ_FOREACH (candidate, &server->lobby.list, entry) {
        if (raw_origin_is_main(&server->origin, candidate)) {
            begin(server, candidate);
            return;
        }
    }
}

static void
halt(void *arg)
{
    struct raw_server *server = arg;

    listener_free(server->listener);
    server->listener = NULL;
    lobby_clear(&server->lobby);
}

/* Hand the first in the queue and its new connection to the migration. */
static void
add_first(struct raw_server *server, struct transport *qemu)
{
    struct candidate *first = TAILQ_FIRST(&server->queue);

    log_debug("channel %u: connected to QEMU", first->number);
    sockopt_tcp_bulk(transport_fd(first->transport));
    if (first->number == 1)
        net_say(server->options.net, transport_fd(first->transport),
                "channel 1");
    TAILQ_REMOVE(&server->queue, first, entry);
    if (raw_migration_add(raw_end_migration(server->end),
                          &(struct raw_channel_options){
                              .number = first->number,
                              .sides = { qemu, candidate_take(first) },
                              .early = first->early,
                              .early_bytes = first->early_bytes,
                          }) != 0) {
        log_warn("channel %u", first->number);
        raw_end_break(server->end);
    }
    candidate_free(first);
    connect_next(server);
}

static void
on_connected(void *arg, struct transport *qemu, const char *why)
{
    struct raw_server *server = arg;

    server->connecting = false;
    if (qemu != NULL) {
        add_first(server, qemu);
        return;
    }
    log_warnx("channel %u: cannot connect to QEMU at %s: %s",
              TAILQ_FIRST(&server->queue)->number, server->options.unix_path,
              why);
    raw_end_break(server->end);
}

/* A source that has given up must not cost the VM that waits its life. */
static const char *
still_wanted(void *arg)
{
    struct raw_server *server = arg;

    if (!transport_hung_up(TAILQ_FIRST(&server->queue)->transport))
        return NULL;
    return "the source gave up before QEMU was ready";
}

struct raw_server *
raw_server_new(const struct raw_server_options *options,
               char why[LISTENER_WHY_MAX])
{
    struct raw_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        snprintf(why, LISTENER_WHY_MAX, "%s", strerror(errno));
        return NULL;
    }
    server->options = *options;
    door_init(&server->door, options->loop, options->allow,
              options->allow_count);
    server->origin.qemu_tls = options->qemu_tls;
    lobby_init(&server->lobby);
    TAILQ_INIT(&server->queue);
    server->gate = qemu_gate_new(&(struct qemu_gate_options){
        .loop = options->loop,
        .unix_path = options->unix_path,
        .wait_ms = options->wait_ms,
        .on_connected = on_connected,
        .still_wanted = still_wanted,
        .arg = server,
    });
    server->end = raw_end_new(&(struct raw_end_options){
        .loop = options->loop,
        .pool = options->pool,
        .source = SIDE_NET,
        .bandwidth = options->bandwidth,
        .once = options->once,
        .on_done = options->on_done,
        .done_arg = options->arg,
        .drop_queue = drop_queue,
        .is_expecting = is_expecting,
        .on_over = on_over,
        .halt = halt,
        .arg = server,
    });
    snprintf(why, LISTENER_WHY_MAX, "%s", strerror(ENOMEM));
    if (server->gate != NULL && server->end != NULL)
        server->listener = listener_new_tcp(
            options->loop, &options->listen,
            &(struct listener_options){
                .net = options->net, .on_accept = on_accept, .arg = server },
            why);
    if (server->listener != NULL)
        return server;
    raw_server_free(server);
    return NULL;
}

void
raw_server_free(struct raw_server *server)
{
    struct candidate *candidate;

    if (server == NULL)
        return;
    halt(server);
    while ((candidate = TAILQ_FIRST(&server->queue)) != NULL) {
        TAILQ_REMOVE(&server->queue, candidate, entry);
        candidate_free(candidate);
    }
    raw_end_free(server->end);
    qemu_gate_free(server->gate);
    free(server);
}

void
raw_server_stop(struct raw_server *server)
{
    raw_end_stop(server->end);
}
