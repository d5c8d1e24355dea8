#include "tunnel/raw_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/sockopt.h"
#include "io/timer.h"
#include "io/transport.h"
#include "io/unix_socket.h"
#include "tunnel/candidate.h"
#include "tunnel/raw_end.h"
#include "tunnel/raw_migration.h"

/*
 * Theory of operation.  A connection is first a candidate.  When one turns out
 * to be a QEMU's main channel, a migration begins: that candidate and those
 * accepted after it move to the queue, and from then on, for as long as the
 * main channel lives, every new connection joins the queue at once.  The first
 * in the queue is connected to QEMU, then the next, so that QEMU accepts them
 * in the order in which they came.
 *
 * QEMU's socket is never touched before a main channel has shown itself: the
 * waiting VM dies of a connection that says nothing.
 *
 *   the first in the queue   QEMU's socket       then
 *   channel 1                nobody listens      look again, up to --wait
 *   any                      EAGAIN (backlog)    try again, up to --wait
 *   channel 1                refused, no file    as if nobody listened
 *   any                      another error       the migration breaks
 *   any                      connected           the next
 */
enum {
    LOOK_MS = 100,
    RETRY_MS = 10,
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
    struct timer *retry;
    uint64_t deadline_ms; /* for the first in the queue */
    bool told_wait;
    struct log_limit drops;
    char peer_host[ADDRESS_HOST_MAX]; /* where the main channel comes from */
};

static void connect_next(struct raw_server *server);

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

    timer_stop(server->retry);
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

/* The first in the queue is another one now. */
static void
next_turn(struct raw_server *server)
{
    server->deadline_ms =
        loop_now_ms(server->options.loop) + server->options.wait_ms;
    connect_next(server);
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
    server->told_wait = false;
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
    next_turn(server);
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
    case CANDIDATE_FOREIGN: why = "not a QEMU migration stream"; break;
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
    if (TAILQ_FIRST(&server->queue) == candidate)
        next_turn(server);
}

/* The migration is over: a main channel may have come too early for its own. */
static void
on_over(void *arg)
{
    struct raw_server *server = arg;
    struct candidate *candidate;

    TAILQ_FOREACH(candidate, &server->candidates, entry)
    {
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

static void
give_up(struct raw_server *server, const char *why)
{
    log_warnx("channel %u: cannot connect to QEMU at %s: %s",
              TAILQ_FIRST(&server->queue)->number, server->options.unix_path,
              why);
    raw_end_break(server->end);
}

static void
try_again(struct raw_server *server, uint64_t ms, const char *why)
{
    char wait[TEXT_MAX];

    if (loop_now_ms(server->options.loop) >= server->deadline_ms) {
        give_up(server, why);
        return;
    }
    if (!server->told_wait && ms == LOOK_MS)
        log_info("waiting up to %s for QEMU to listen on %s",
                 text_duration(wait, server->options.wait_ms),
                 server->options.unix_path);
    server->told_wait = server->told_wait || ms == LOOK_MS;
    timer_start(server->retry, ms);
}

/* Hand the first in the queue and its new connection to the migration. */
static void
add_first(struct raw_server *server, int fd)
{
    struct candidate *first = TAILQ_FIRST(&server->queue);
    struct transport *qemu = transport_new(server->options.loop, fd);

    if (qemu == NULL) {
        give_up(server, strerror(errno));
        return;
    }
    log_debug("channel %u: connected to QEMU", first->number);
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
    if (!TAILQ_EMPTY(&server->queue))
        next_turn(server);
}

/* Channel 1 waits for QEMU; the others find it as channel 1 left it. */
static bool
qemu_is_ready(struct raw_server *server)
{
    static const char nobody[] =
        "no QEMU listens there; start it with -incoming defer and run mig-recv";
    struct candidate *first = TAILQ_FIRST(&server->queue);
    int listening;

    if (first->number != 1)
        return true;
    if (transport_hung_up(first->transport)) {
        give_up(server, "the source gave up before QEMU was ready");
        return false;
    }
    listening = unix_listening(server->options.unix_path);
    if (listening == 0)
        try_again(server, LOOK_MS, nobody);
    else if (listening < 0)
        give_up(server, strerror(errno));
    return listening == 1;
}

static void
connect_next(struct raw_server *server)
{
    unsigned number = TAILQ_FIRST(&server->queue)->number;
    int fd;

    if (!qemu_is_ready(server))
        return;
    fd = unix_connect(server->options.unix_path);
    if (fd >= 0)
        add_first(server, fd);
    else if (errno == EAGAIN)
        try_again(server, RETRY_MS, "its backlog stays full");
    else if (number == 1 && (errno == ECONNREFUSED || errno == ENOENT))
        try_again(server, LOOK_MS, strerror(errno));
    else
        give_up(server, strerror(errno));
}

static void
on_retry(void *arg)
{
    connect_next(arg);
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
    server->retry = timer_new(options->loop, on_retry, server);
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
    if (server->retry != NULL && server->end != NULL)
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
    timer_free(server->retry);
    free(server);
}

void
raw_server_stop(struct raw_server *server)
{
    raw_end_stop(server->end);
}
