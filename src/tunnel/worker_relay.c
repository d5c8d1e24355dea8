#include "tunnel/worker_relay.h"

#include <errno.h>
#include <stdlib.h>

#include "io/mailbox.h"
#include "io/transport.h"
#include "io/worker.h"
#include "io/worker_pool.h"

/*
 * Theory of operation.  As in worker_channel.c: on the main thread everything
 * goes straight through; with a worker the relay is the worker's, calls are
 * made there while the main thread waits, and the end comes back by a letter,
 * as does the loss of QEMU before it.  An owner that has not opened a letter
 * yet still takes the relay for open: if it breaks it then, they are taken
 * back.
 */
struct worker_relay {
    struct relay_options options; /* the owner's */
    struct worker_pool *pool;
    struct worker *worker; /* NULL on the main thread */
    struct letter end;
    struct letter qemu_lost;
    bool over;      /* the owner knows the end, or has made it */
    bool lost_qemu; /* the owner knows */

    struct relay *relay; /* the worker's, if there is one */
};

/* A call on its way to the relay's thread, with what it takes and returns. */
struct request {
    struct worker_relay *relay;
    struct relay_report *report;
    enum side source;
    size_t bytes;
    bool yes;
};

static void
carry_out(void (*call)(void *arg), struct request *request)
{
    struct worker *worker = request->relay->worker;

    if (worker != NULL)
        worker_call(worker, call, request);
    else
        call(request);
}

/* On the relay's thread. */
static void
on_end(void *arg)
{
    struct worker_relay *relay = arg;

    if (relay->worker == NULL)
        relay->end.on_letter(relay);
    else
        mailbox_post(worker_pool_mailbox(relay->pool), &relay->end);
}

static void
on_qemu_lost(void *arg)
{
    struct worker_relay *relay = arg;

    if (relay->worker == NULL)
        relay->qemu_lost.on_letter(relay);
    else
        mailbox_post(worker_pool_mailbox(relay->pool), &relay->qemu_lost);
}

/* On the main thread: its callback may free the relay. */
static void
on_end_letter(void *arg)
{
    struct worker_relay *relay = arg;

    relay->over = true;
    relay->options.on_end(relay->options.arg);
}

static void
on_qemu_lost_letter(void *arg)
{
    struct worker_relay *relay = arg;

    relay->lost_qemu = true;
    relay->options.on_qemu_lost(relay->options.arg);
}

static void
take_back(struct worker_relay *relay)
{
    struct mailbox *mailbox;

    if (relay->worker == NULL)
        return;
    mailbox = worker_pool_mailbox(relay->pool);
    mailbox_take_back(mailbox, &relay->end);
    mailbox_take_back(mailbox, &relay->qemu_lost);
}

static void
make(void *arg)
{
    struct worker_relay *relay = ((struct request *)arg)->relay;
    struct relay_options options = relay->options;

    if (relay->worker != NULL)
        options.loop = worker_loop(relay->worker);
    options.on_end = on_end;
    options.on_qemu_lost = options.on_qemu_lost != NULL ? on_qemu_lost : NULL;
    options.arg = relay;
    relay->relay = relay_new(&options);
}

struct worker_relay *
worker_relay_new(struct worker_pool *pool, const struct relay_options *options)
{
    struct worker_relay *relay = calloc(1, sizeof *relay);
    struct request request = { .relay = relay };

    if (relay == NULL) {
        transport_abort(options->sides[SIDE_NET]);
        transport_free(options->sides[SIDE_QEMU]);
        errno = ENOMEM;
        return NULL;
    }
    relay->options = *options;
    relay->end = (struct letter){ .on_letter = on_end_letter, .arg = relay };
    relay->qemu_lost =
        (struct letter){ .on_letter = on_qemu_lost_letter, .arg = relay };
    relay->pool = pool;
    relay->worker = worker_pool_take(pool);
    for (int side = 0; side < SIDES && relay->worker != NULL; side++)
        transport_move(options->sides[side], worker_loop(relay->worker));
    carry_out(make, &request);
    if (relay->relay != NULL)
        return relay;
    worker_relay_free(relay);
    errno = ENOMEM;
    return NULL;
}

static void
unmake(void *arg)
{
    struct request *request = arg;

    relay_free(request->relay->relay);
}

void
worker_relay_free(struct worker_relay *relay)
{
    struct request request = { .relay = relay };

    if (relay == NULL)
        return;
    carry_out(unmake, &request);
    take_back(relay);
    worker_pool_give_back(relay->pool, relay->worker);
    free(relay);
}

static void
break_off(void *arg)
{
    struct request *request = arg;

    relay_break(request->relay->relay);
}

void
worker_relay_break(struct worker_relay *relay)
{
    struct request request = { .relay = relay };

    carry_out(break_off, &request);
    take_back(relay);
    relay->over = true;
}

static void
judge(void *arg)
{
    struct request *request = arg;

    request->yes = relay_confirms(request->relay->relay, request->source);
}

bool
worker_relay_confirms(struct worker_relay *relay, enum side source)
{
    struct request request = { .relay = relay, .source = source };

    carry_out(judge, &request);
    return request.yes;
}

bool
worker_relay_lost_qemu(const struct worker_relay *relay)
{
    return relay->lost_qemu;
}

static void
count_left(void *arg)
{
    struct request *request = arg;

    request->bytes = relay_left(request->relay->relay);
}

size_t
worker_relay_left(struct worker_relay *relay)
{
    struct request request = { .relay = relay };

    carry_out(count_left, &request);
    return request.bytes;
}

static void
drop_qemu(void *arg)
{
    struct request *request = arg;

    relay_drop_qemu(request->relay->relay);
}

void
worker_relay_drop_qemu(struct worker_relay *relay)
{
    struct request request = { .relay = relay };

    carry_out(drop_qemu, &request);
}

static void
look_at_qemu(void *arg)
{
    struct request *request = arg;

    request->yes = relay_qemu_hung_up(request->relay->relay);
}

bool
worker_relay_qemu_hung_up(struct worker_relay *relay)
{
    struct request request = { .relay = relay };

    carry_out(look_at_qemu, &request);
    return request.yes;
}

static void
report_to(void *arg)
{
    struct request *request = arg;

    relay_report(request->relay->relay, request->report);
}

void
worker_relay_report(struct worker_relay *relay, struct relay_report *report)
{
    struct request request = { .relay = relay, .report = report };

    carry_out(report_to, &request);
    if (!relay->over) {
        report->end = RELAY_OPEN; /* it may have ended a moment ago */
        report->error = 0;
    }
}
