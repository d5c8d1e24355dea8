#include "tunnel/raw_server.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/sockopt.h"
#include "io/transport.h"
#include "tunnel/candidate.h"
#include "tunnel/qemu_gate.h"
#include "tunnel/raw_end.h"
#include "tunnel/raw_migration.h"

/*
 * Theory of operation.  A connection is first a candidate.  When one turns out
 * to be a QEMU's main channel, a migration begins: that candidate and those
 * accepted after it move to the queue, and from then on, for as long as the
 * main channel lives, every new connection joins the queue at once.  The gate
 * connects the first in the queue to QEMU, then the next, so that QEMU accepts
 * them in the order in which they came.
 *
 * QEMU's socket is never touched before a main channel has shown itself: the
 * waiting VM dies of a connection that says nothing.
 */
enum {
    DROP_BURST = 5,
    DROP_INTERVAL_MS = 10000,
};

struct raw_server {
    struct raw_server_options options;
    struct listener *listener;
    struct raw_end *end;
    struct candidate_list candidates; /* not in a migration, as accepted */
    struct candidate_list queue;      /* of this migration, in its order */
    unsigned taken;                   /* channels of this migration so far */
    struct qemu_gate *gate;
    bool connecting; /* the gate works on the first in the queue */
    struct log_limit drops;
    char peer_host[ADDRESS_HOST_MAX]; /* where the main channel comes from */
};

static void
drop(struct raw_server *server, struct candidate_list *list,
     struct candidate *candidate, const char *why)
{
    uint64_t now = loop_now_ms(server->options.loop), unsaid;

    if (log_limit_pass(&server->drops, now, &unsaid)) {
        if (unsaid > 0)
            log_info("%llu more connections dropped",
                     (unsigned long long)unsaid);
        log_info("%s dropped: %s", candidate->peer, why);
    }
    TAILQ_REMOVE(list, candidate, entry);
    candidate_free(candidate);
}

static void
drop_queue(void *arg)
{
    struct raw_server *server = arg;

    qemu_gate_stop(server->gate);
    server->connecting = false;
    while (!TAILQ_EMPTY(&server->queue))
        drop(server, &server->queue, TAILQ_FIRST(&server->queue),
             "its migration is over");
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
enqueue(struct raw_server *server, struct candidate *candidate)
{
    candidate_stop(candidate);
    candidate->number = ++server->taken;
    TAILQ_INSERT_TAIL(&server->queue, candidate, entry);
    log_debug("channel %u: from %s", candidate->number, candidate->peer);
}

static void
move_to_queue(struct raw_server *server, struct candidate *candidate)
{
    TAILQ_REMOVE(&server->candidates, candidate, entry);
    enqueue(server, candidate);
}

/*
 * What people and their tools say first.  A postcopy-preempt channel begins
 * with the address of a page, and so with bytes that are 0.
 */
static bool
is_text(const struct candidate *candidate)
{
    enum { ENOUGH = 3 };

    for (size_t i = 0; i < candidate->early_bytes; i++)
        if (!isprint(candidate->early[i]) && !isspace(candidate->early[i]))
            return false;
    return candidate->early_bytes >= ENOUGH;
}

/*
 * Whether a connection may be a further channel of the migration: from the
 * same host, and not visibly something else.
 */
static bool
may_join(const struct raw_server *server, const struct candidate *candidate)
{
    if (strcmp(candidate->peer_host, server->peer_host) != 0)
        return false;
    switch (candidate->verdict) {
    case CANDIDATE_MAIN:
    case CANDIDATE_CLOSED: return false;
    case CANDIDATE_TLS: return server->options.qemu_tls;
    case CANDIDATE_FOREIGN: return !is_text(candidate);
    default: return true;
    }
}

/* Whether a stream with this verdict is a main channel as we expect it. */
static bool
is_main(const struct raw_server *server, enum candidate_verdict verdict)
{
    return verdict ==
           (server->options.qemu_tls ? CANDIDATE_TLS : CANDIDATE_MAIN);
}

/* A multifd channel that waits for its main channel, and is still there. */
static bool
came_early(const struct candidate *candidate)
{
    return candidate->verdict == CANDIDATE_FURTHER &&
           !transport_hung_up(candidate->transport);
}

/*
 * Begin a migration with ${main}.  What came after it belongs to it; so does a
 * multifd channel that came before it, through a relay that keeps no order.
 */
static void
begin(struct raw_server *server, struct candidate *main)
{
    struct candidate *candidate, *next, *later = TAILQ_NEXT(main, entry);
    bool is_later = false;

    if (raw_end_begin(server->end) == NULL) {
        drop(server, &server->candidates, main, strerror(errno));
        return;
    }
    server->taken = 0;
    memcpy(server->peer_host, main->peer_host, sizeof server->peer_host);
    log_info("migration from %s", main->peer);
    move_to_queue(server, main);
    for (candidate = TAILQ_FIRST(&server->candidates); candidate != NULL;
         candidate = next) {
        next = TAILQ_NEXT(candidate, entry);
        is_later = is_later || candidate == later;
        if (!is_later && !came_early(candidate))
            continue;
        candidate_look(candidate); /* it may have closed already */
        if (may_join(server, candidate))
            move_to_queue(server, candidate);
    }
    connect_next(server);
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

static void
on_judged(void *arg, struct candidate *candidate)
{
    struct raw_server *server = arg;
    const char *why = NULL;

    switch (candidate->verdict) {
    case CANDIDATE_UNKNOWN: return;
    case CANDIDATE_MAIN:
    case CANDIDATE_TLS:
        if (is_main(server, candidate->verdict)) {
            if (raw_end_migration(server->end) == NULL)
                begin(server, candidate);
            return;
        }
        why = server->options.qemu_tls
                  ? "not encrypted, and --qemu-tls is given"
                  : "a TLS client; --qemu-tls is needed if it is a QEMU with "
                    "tls-creds";
        break;
    case CANDIDATE_FURTHER: return; /* its main channel may yet come */
    case CANDIDATE_FOREIGN: why = what_it_is(candidate); break;
    case CANDIDATE_CLOSED: why = "closed before it showed what it is"; break;
    case CANDIDATE_SILENT: why = "no migration began with it"; break;
    }
    drop(server, &server->candidates, candidate, why);
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct raw_server *server = arg;
    struct candidate *candidate;

    sockopt_tcp(fd);
    candidate = candidate_new(&(struct candidate_options){
        .loop = server->options.loop,
        .fd = fd,
        .peer = peer,
        .peer_len = peer_len,
        .on_judged = on_judged,
        .arg = server,
    });
    if (candidate == NULL) {
        log_warn("a connection is lost");
        return;
    }
    TAILQ_INSERT_TAIL(&server->candidates, candidate, entry);
    if (!main_lives(server))
        return;
    candidate_look(candidate);
    if (!may_join(server, candidate)) {
        drop(server, &server->candidates, candidate,
             "it does not belong to the migration under way");
        return;
    }
    move_to_queue(server, candidate);
    connect_next(server);
}

/* The migration is over: a main channel may have come too early for its own. */
static void
on_over(void *arg)
{
    struct raw_server *server = arg;
    struct candidate *candidate;

    TAILQ_FOREACH (candidate, &server->candidates, entry) {
        if (is_main(server, candidate->verdict)) {
            begin(server, candidate);
            return;
        }
    }
}

static void
halt(void *arg)
{
    struct raw_server *server = arg;
    struct candidate *candidate;

    listener_free(server->listener);
    server->listener = NULL;
    while ((candidate = TAILQ_FIRST(&server->candidates)) != NULL) {
        TAILQ_REMOVE(&server->candidates, candidate, entry);
        candidate_free(candidate);
    }
}

/* Hand the first in the queue and its new connection to the migration. */
static void
add_first(struct raw_server *server, struct transport *qemu)
{
    struct candidate *first = TAILQ_FIRST(&server->queue);

    log_debug("channel %u: connected to QEMU", first->number);
    sockopt_tcp_bulk(transport_fd(first->transport));
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
    server->drops = (struct log_limit){ .burst = DROP_BURST,
                                        .interval_ms = DROP_INTERVAL_MS };
    TAILQ_INIT(&server->candidates);
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
        .source = SIDE_NET,
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
            &(struct listener_options){ .on_accept = on_accept, .arg = server },
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
