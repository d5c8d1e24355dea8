#include "tunnel/relay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/loop.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"
#include "tunnel/flow.h"
#include "wire/bucket.h"
#include "wire/greeting.h"
#include "wire/verdict.h"

/*
 * Theory of operation.  There is a flow from each side to the other, and each
 * ends on its own.  What is next follows from the states of the two flows
 * alone (see settle):
 *
 *   both ENDED                      the channel ended cleanly, unless TCP was
 *                                   reset since its end was read
 *   TCP can't be read or written    reset it; the channel has ended
 *   QEMU can't be read or written   what QEMU wrote before may be the reason
 *                                   of it, so pass that on first, and reset
 *                                   TCP when the far end has it (or after
 *                                   LINGER_MS): then the channel has ended;
 *                                   with on_qemu_lost it has ended in order,
 *                                   if the owner says so
 */
enum {
    RING_BYTES = 256 << 10,
    EARLY_BYTES_MAX = 4096,
    LINGER_MS = 1000,
    LINGER_STEP_MS = 10,
};

struct relay_side {
    struct relay *relay;
    enum side side;
    struct transport *transport;
    struct flow flow; /* from this side to the other */
};

struct relay {
    struct loop *loop;
    struct relay_side sides[SIDES];
    enum relay_end end;
    int error;
    char why[TLS_WHY_MAX]; /* the same in words */
    uint64_t start_ms;
    uint64_t end_ms;
    uint64_t linger_until_ms; /* 0 while QEMU has not failed */
    struct timer *timer;
    struct bucket *bandwidth;
    struct bucket_user user; /* of it */
    struct timer *turn;      /* when it lets QEMU's side be read again */
    void (*on_end)(void *arg);
    void (*on_qemu_lost)(void *arg);
    bool lost_qemu; /* and said so, or is about to */
    void *arg;
};

/* What QEMU may send now; if nothing, come back in *${wait_us}. */
static uint64_t
allowance(const struct relay *relay, uint64_t *wait_us)
{
    if (relay->bandwidth == NULL || bucket_rate(relay->bandwidth) == 0)
        return UINT64_MAX;
    return bucket_ask(relay->bandwidth, &relay->user, loop_now_us(relay->loop),
                      wait_us);
}

/* Let QEMU's bytes go as far as the bandwidth does; they are read only then. */
static void
step_from_qemu(struct relay *relay)
{
    struct flow *flow = &relay->sides[SIDE_QEMU].flow;
    uint64_t wait_us = 0, may = allowance(relay, &wait_us);

    flow_allow(flow, may);
    flow_step(flow, true);
    if (may != UINT64_MAX)
        bucket_spend(relay->bandwidth, &relay->user, loop_now_us(relay->loop),
                     may - flow->may_read);
    flow_allow(flow, allowance(relay, &wait_us));
    if (wait_us > 0 && !timer_pending(relay->turn))
        timer_start(relay->turn, (wait_us + 999) / 1000);
}

static void
step_from(struct relay *relay, enum side side)
{
    if (side == SIDE_QEMU)
        step_from_qemu(relay);
    else
        flow_step(&relay->sides[side].flow, true);
}

static enum side
other(enum side side)
{
    return side == SIDE_QEMU ? SIDE_NET : SIDE_QEMU;
}

/* The errno with which ${side} can no longer be read or written, or 0. */
static int
side_error(const struct relay *relay, enum side side)
{
    const struct flow *from = &relay->sides[side].flow;
    const struct flow *to = &relay->sides[other(side)].flow;

    if (from->state == FLOW_READ_FAILED)
        return from->error;
    if (to->state == FLOW_WRITE_FAILED)
        return to->error;
    return 0;
}

static void
close_net(struct relay *relay)
{
    struct transport **net = &relay->sides[SIDE_NET].transport;

    if (relay->end == RELAY_CLEAN)
        transport_free(*net);
    else
        transport_abort(*net);
    *net = NULL;
}

static void
finish(struct relay *relay, enum relay_end end, int error)
{
    enum side side = end == RELAY_QEMU_LOST ? SIDE_QEMU : SIDE_NET;

    errno = error;
    if (error != 0)
        snprintf(relay->why, sizeof relay->why, "%s",
                 transport_why(relay->sides[side].transport));
    relay->end = end;
    relay->error = error;
    relay->end_ms = loop_now_ms(relay->loop);
    timer_stop(relay->timer);
    timer_stop(relay->turn);
    transport_want(relay->sides[SIDE_QEMU].transport, false, false);
    close_net(relay);
}

/* The one place that says what is waited for. */
static void
rearm(struct relay *relay)
{
    for (int side = 0; side < SIDES; side++) {
        struct relay_side *near = &relay->sides[side];
        struct relay_side *far = &relay->sides[other((enum side)side)];

        transport_want(near->transport, flow_wants_read(&near->flow),
                       flow_wants_write(&far->flow));
    }
}

/* QEMU is gone: has the far end got all that it said before? */
static bool
last_words_passed_on(const struct relay *relay)
{
    const struct flow *flow = &relay->sides[SIDE_QEMU].flow;

    return flow->state != FLOW_OPEN && flow_empty(flow) &&
           transport_unsent(relay->sides[SIDE_NET].transport) == 0;
}

/* A mig-server with TLS has answered, and no QEMU. */
static bool
is_refused(const struct relay *relay)
{
    const struct tail *back = &relay->sides[SIDE_NET].flow.tail;

    return greeting_begins(back->head, back->head_bytes);
}

/* QEMU has gone, and nobody minds.  What was read for it stays where it is. */
static void
lose_qemu(struct relay *relay)
{
    struct flow *from = &relay->sides[SIDE_QEMU].flow;
    struct flow *to = &relay->sides[SIDE_NET].flow;

    relay->lost_qemu = true;
    flow_allow(from, UINT64_MAX); /* last words are few */
    flow_give_up(from);
    flow_step(from, true);
    flow_give_up(from);
    flow_step(from, false);
    if (to->state != FLOW_READ_FAILED)
        flow_hold(to);
}

/* Return whether the relay has ended. */
static bool
settle(struct relay *relay)
{
    uint64_t now = loop_now_ms(relay->loop);
    int net_error, qemu_error;

    if (relay->on_qemu_lost != NULL && side_error(relay, SIDE_QEMU) != 0)
        lose_qemu(relay);
    net_error = side_error(relay, SIDE_NET);
    qemu_error = side_error(relay, SIDE_QEMU);

    if (net_error == 0 && is_refused(relay))
        net_error = ECONNREFUSED;
    if (net_error != 0) {
        /* What came before it may say why. */
        flow_step(&relay->sides[SIDE_NET].flow, true);
        finish(relay, RELAY_NET_LOST, net_error);
        return true;
    }
    if (qemu_error != 0) {
        if (relay->linger_until_ms == 0)
            relay->linger_until_ms = now + LINGER_MS;
        if (last_words_passed_on(relay) || now >= relay->linger_until_ms) {
            finish(relay, RELAY_QEMU_LOST, qemu_error);
            return true;
        }
        timer_start(relay->timer, LINGER_STEP_MS);
    } else if (relay->sides[SIDE_QEMU].flow.state == FLOW_ENDED &&
               relay->sides[SIDE_NET].flow.state == FLOW_ENDED) {
        /* A reset after the far end's end shows nowhere else. */
        net_error = transport_error(relay->sides[SIDE_NET].transport);
        finish(relay, net_error != 0 ? RELAY_NET_LOST : RELAY_CLEAN, net_error);
        return true;
    }
    rearm(relay);
    return false;
}

static void
settle_and_report(struct relay *relay)
{
    bool had_qemu = !relay->lost_qemu;

    if (settle(relay))
        relay->on_end(relay->arg);
    else if (had_qemu && relay->lost_qemu)
        relay->on_qemu_lost(relay->arg);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct relay_side *near = arg;
    struct relay *relay = near->relay;
    struct relay_side *far = &relay->sides[other(near->side)];

    if (readable)
        step_from(relay, near->side);
    if (writable) {
        flow_unblock(&far->flow);
        step_from(relay, far->side); /* more has arrived in the meantime */
    }
    settle_and_report(relay);
}

/* The first look at everything, and each look while lingering. */
static void
on_timer(void *arg)
{
    struct relay *relay = arg;

    /* TCP is read first: an error that writing has told reads as an end. */
    step_from(relay, SIDE_NET);
    step_from(relay, SIDE_QEMU);
    settle_and_report(relay);
}

static void
on_turn(void *arg)
{
    struct relay *relay = arg;

    step_from(relay, SIDE_QEMU);
    settle_and_report(relay);
}

static int
start_side(struct relay *relay, enum side side)
{
    struct relay_side *near = &relay->sides[side];
    struct transport *to = relay->sides[other(side)].transport;

    near->relay = relay;
    near->side = side;
    transport_on_ready(near->transport, on_ready, near);
    return flow_init(&near->flow, near->transport, to, RING_BYTES);
}

static void
take_early(struct ring *ring, const void *early, size_t bytes)
{
    struct iovec iov[2];

    if (bytes == 0 || ring_room_iov(ring, iov) == 0)
        return;
    memcpy(iov[0].iov_base, early, bytes);
    ring_filled(ring, bytes);
}

struct relay *
relay_new(const struct relay_options *options)
{
    struct relay *relay = calloc(1, sizeof *relay);

    if (relay == NULL || options->early_bytes > EARLY_BYTES_MAX) {
        transport_abort(options->sides[SIDE_NET]);
        transport_free(options->sides[SIDE_QEMU]);
        free(relay);
        errno = ENOMEM;
        return NULL;
    }
    relay->loop = options->loop;
    relay->on_end = options->on_end;
    relay->on_qemu_lost = options->on_qemu_lost;
    relay->arg = options->arg;
    relay->start_ms = loop_now_ms(options->loop);
    relay->sides[SIDE_QEMU].transport = options->sides[SIDE_QEMU];
    relay->sides[SIDE_NET].transport = options->sides[SIDE_NET];
    relay->bandwidth = options->bandwidth;
    relay->timer = timer_new(options->loop, on_timer, relay);
    relay->turn = timer_new(options->loop, on_turn, relay);
    if (relay->timer == NULL || relay->turn == NULL ||
        start_side(relay, SIDE_QEMU) != 0 || start_side(relay, SIDE_NET) != 0) {
        relay_free(relay);
        errno = ENOMEM;
        return NULL;
    }
    flow_allow_splice(&relay->sides[SIDE_NET].flow);
    take_early(&relay->sides[SIDE_NET].flow.ring, options->early,
               options->early_bytes);
    timer_start(relay->timer, 0);
    return relay;
}

void
relay_free(struct relay *relay)
{
    if (relay == NULL)
        return;
    timer_free(relay->timer);
    timer_free(relay->turn);
    close_net(relay);
    transport_free(relay->sides[SIDE_QEMU].transport);
    for (int side = 0; side < SIDES; side++)
        flow_fini(&relay->sides[side].flow);
    free(relay);
}

void
relay_break(struct relay *relay)
{
    if (relay->end == RELAY_OPEN)
        finish(relay, RELAY_TORN_DOWN, 0);
}

bool
relay_lost_qemu(const struct relay *relay)
{
    return relay->lost_qemu;
}

size_t
relay_left(const struct relay *relay)
{
    const struct relay_side *net = &relay->sides[SIDE_NET];

    if (relay->end != RELAY_OPEN)
        return 0;
    return flow_held(&net->flow) + transport_unread(net->transport);
}

void
relay_drop_qemu(struct relay *relay)
{
    if (!relay->lost_qemu || relay->end != RELAY_OPEN)
        return;
    flow_drop(&relay->sides[SIDE_NET].flow);
    timer_start(relay->timer, 0);
}

bool
relay_qemu_hung_up(const struct relay *relay)
{
    return transport_hung_up(relay->sides[SIDE_QEMU].transport);
}

void
relay_report(const struct relay *relay, struct relay_report *report)
{
    uint64_t end_ms =
        relay->end == RELAY_OPEN ? loop_now_ms(relay->loop) : relay->end_ms;

    *report = (struct relay_report){
        .end = relay->end,
        .error = relay->error,
        .why = relay->why,
        .refused = is_refused(relay),
        .ms = end_ms - relay->start_ms,
    };
    for (int side = 0; side < SIDES; side++)
        report->bytes[side] = flow_delivered(&relay->sides[side].flow);
}

bool
relay_confirms(const struct relay *relay, enum side source)
{
    const struct flow *flow = &relay->sides[other(source)].flow;
    struct verdict_stream back = { .bytes = flow_delivered(flow) };
    struct verdict_stream there = { .bytes = 1 }; /* not kept, as it may be
                                                     spliced */

    if (flow->tail.head_bytes < sizeof flow->tail.head || flow->spliced > 0 ||
        !verdict_is_return_path(flow->tail.head))
        return true;
    memcpy(back.tail, flow->tail.bytes, sizeof back.tail);
    return verdict_of(&there, &back) == REASON_NONE;
}
