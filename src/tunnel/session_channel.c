#include "tunnel/session_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/loop.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"
#include "tunnel/delivery.h"
#include "tunnel/frame_reader.h"
#include "tunnel/frame_writer.h"
#include "tunnel/ring.h"
#include "tunnel/squeezer.h"
#include "tunnel/tail.h"
#include "wire/bucket.h"
#include "wire/channel.h"
#include "wire/pace.h"
#include "wire/verdict.h"

/*
 * Theory of operation.  Whatever happens, step() does all that can be done,
 * then settle() makes of the state what follows from it:
 *
 *   local stream   -> out ring   while the window has room (carry_local)
 *   out ring       -> transport  as frames (frame_writer)
 *   transport      -> in         always: the peer keeps to our room
 *   in             -> local      while it takes bytes (deliver)
 *
 * A local stream that fails still gets its last words through: what it said
 * is read to its end and sent before the RESET.
 */
enum {
    RING_FIRST_BYTES = 512 << 10,
    READ_MIN_BYTES = 64 << 10, /* a smaller read is not worth a wake-up */
    STEP_TURNS = 8,

    /*
     * What comes in small pieces is not acknowledged piece by piece.  The
     * sender has 256 KiB on their way at least (PACE_MIN_BYTES).
     */
    ACK_BYTES = 128 << 10,
    ACK_MS = 5,

    /*
     * Payload that is on its way is not looked at packet by packet, where these
     * come slowly: that cost more than moving it.
     */
    AWAITED_MIN_BYTES = 8 << 10,
    AWAITED_MAX_BYTES = 64 << 10,

    /*
     * Payload that is worth to be spliced.  The last bytes of a frame are
     * copied with the next header, since the last ones of a stream are looked
     * at (see verdict.h).
     */
    SPLICE_BYTES = 32 << 10,
    COPIED_BYTES = 64,

    /* What a QEMU that is done may leave behind is the end of a packet. */
    LEFTOVER_BYTES = 64 << 10,

    /*
     * Whether the other end lives is asked on channel 0 all the time, on the
     * others ever more seldom while they carry nothing.  Of two ends one asks
     * later, and looks come a little late, so that an answer just before counts
     * for the whole time: or both would ask, and twice.
     */
    PATIENT_MS = CHANNEL_PING_MS * 5 / 2,
    REST_MS = 30000,
    LATE_MS = 50,
};

static const char closed_by_peer[] = "closed by the peer";

struct session_channel {
    struct session_channel_options options;
    struct channel machine;
    struct pace pace;
    struct ring out;
    struct delivery in;
    struct transport *local;
    struct transport *net;
    struct frame_reader reader;
    struct frame_writer writer;
    struct squeezer *squeezer; /* NULL if this end does not compress */
    struct timer *timer;
    struct timer *ack_timer; /* for an ACK that waits for more */
    struct timer *turn;      /* when the bandwidth lets this channel send */
    struct bucket_user user; /* of the bandwidth */
    bool roused;             /* the timer has been started anew for that */
    bool local_blocked;      /* it took less than it was offered */
    bool local_drained;      /* there was nothing more to read */
    bool local_failed;       /* it can't be read or written any more */
    bool local_lost;         /* and that is no failure: see on_local_lost */
    bool told_lost;
    bool dropping;      /* session_channel_drop_local was called */
    bool local_first;   /* it ended before the peer's end was known */
    bool told_finished; /* on_finished was called, for this transport */
    bool failing;       /* session_channel_reset was called */
    bool deaf;          /* the peer gave up or lied: it is read no more */
    uint64_t replayed_bytes;
    struct tail out_tail;

    /* What the present step has found: */
    const char *lost;   /* why the transport is gone, or NULL */
    enum reason broken; /* why the channel can't go on */

    char why[TLS_WHY_MAX]; /* what the transport said of it */
};

static uint64_t
now_us(const struct session_channel *channel)
{
    return loop_now_us(channel->options.loop);
}

/* Bytes that the bandwidth lets go now; if none, come back in *${wait_us}. */
static uint64_t
may_send(const struct session_channel *channel, uint64_t *wait_us)
{
    if (channel->options.bandwidth == NULL ||
        bucket_rate(channel->options.bandwidth) == 0)
        return UINT64_MAX;
    return bucket_ask(channel->options.bandwidth, &channel->user,
                      now_us(channel), wait_us);
}

/*
 * Bytes that are compressed ahead of what is sent.  With a limit that is no
 * more than a tenth of a second's.
 */
static uint64_t
ahead(const struct session_channel *channel)
{
    uint64_t holds, rate = 0;

    if (channel->squeezer == NULL)
        return 0;
    holds = squeezer_holds(channel->squeezer);
    if (channel->options.bandwidth != NULL)
        rate = bucket_rate(channel->options.bandwidth);
    return rate == 0 || holds < rate / 10 ? holds : rate / 10;
}

static uint64_t
may_queue(const struct session_channel *channel)
{
    return channel_may_queue(&channel->machine,
                             pace_window(&channel->pace) + ahead(channel));
}

/*
 * With a limit no more is read than may be sent, or compressed until then: what
 * waits here comes on top of the downtime.  Last words are few, and there is
 * nobody any more who would wait with them.
 */
static uint64_t
may_read(const struct session_channel *channel)
{
    const struct channel_out *out = &channel->machine.out;
    uint64_t may = may_queue(channel);
    uint64_t unsent = out->queued - out->sent, send, wait_us;

    if (channel->failing && !channel->local_failed)
        return 0;
    if (may == 0 || channel->local_failed)
        return may;
    send = may_send(channel, &wait_us);
    if (send == UINT64_MAX)
        return may;
    send += ahead(channel);
    if (send <= unsent)
        return 0;
    return may < send - unsent ? may : send - unsent;
}

/* A window that is nearly full is not filled in small pieces. */
static bool
wants_local_read(const struct session_channel *channel)
{
    uint64_t may = may_read(channel);

    return may > 0 &&
           (may_queue(channel) >= READ_MIN_BYTES ||
            channel->machine.out.queued == channel->machine.out.acked);
}

/* Return whether there may be more. */
static bool
read_local_once(struct session_channel *channel)
{
    size_t want = (size_t)may_read(channel);
    struct iovec iov[2];
    size_t asked = 0;
    int count;
    ssize_t n;

    ring_reserve(&channel->out, want, 2 * (size_t)channel->options.window);
    count = ring_room_iov(&channel->out, iov);
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > want - asked)
            iov[i].iov_len = want - asked;
        asked += iov[i].iov_len;
    }
    if (asked == 0)
        return false;
    n = transport_readv(channel->local, iov, count);
    if (n > 0) {
        tail_keep(&channel->out_tail, iov, count, (size_t)n);
        ring_filled(&channel->out, (size_t)n);
        channel_queue(&channel->machine, (uint64_t)n);
        return (size_t)n == asked;
    }
    if (n == 0) {
        channel->local_first = !channel->machine.in.has_final;
        channel_end(&channel->machine);
    } else if (errno != EAGAIN) {
        channel->local_failed = true;
    }
    return false;
}

/* Nobody is there for what has come. */
static void
drop(struct session_channel *channel)
{
    channel_delivered(&channel->machine, delivery_drop(&channel->in));
    if (channel_fin_due(&channel->machine))
        channel_fin_delivered(&channel->machine);
}

static void
deliver(struct session_channel *channel)
{
    ssize_t n;

    if (channel->dropping)
        drop(channel);
    if (channel->local == NULL || channel->local_failed)
        return;
    if (delivery_held(&channel->in) > 0 && !channel->local_blocked) {
        n = delivery_write(&channel->in, channel->local);
        if (n < 0 && errno != EAGAIN) {
            channel->local_failed = true;
            return;
        }
        if (n > 0)
            channel_delivered(&channel->machine, (uint64_t)n);
        channel->local_blocked = delivery_held(&channel->in) > 0;
    }
    if (channel_fin_due(&channel->machine)) {
        if (transport_shutdown_write(channel->local) != 0)
            channel->local_failed = true;
        else
            channel_fin_delivered(&channel->machine);
    }
}

/* What a failed local stream said last still counts. */
static void
read_last_words(struct session_channel *channel)
{
    while (!channel->machine.out.ended && may_read(channel) > 0)
        if (!read_local_once(channel))
            break;
}

static void
lose_local(struct session_channel *channel)
{
    channel->local_lost = true;
    read_last_words(channel);
    if (!channel->machine.out.ended)
        channel_end(&channel->machine);
}

/* There is no way on; what else the peer says does not count. */
static void
break_off(struct session_channel *channel, enum reason reason)
{
    channel->deaf = true;
    channel->broken = reason;
}

/* errno says why, or is 0; what the transport knows goes with it. */
static void
lose_net(struct session_channel *channel)
{
    channel->lost = closed_by_peer;
    if (errno == 0)
        return;
    snprintf(channel->why, sizeof channel->why, "%s",
             transport_why(channel->net));
    channel->lost = channel->why;
}

/*
 * Return whether the limit is what QEMU waits for.  Its socket may have filled
 * again since it was read empty: nobody is told of that while nothing is read.
 */
static bool
is_held_back(const struct session_channel *channel)
{
    uint64_t wait_us;

    return may_send(channel, &wait_us) == 0 &&
           (!channel->local_drained ||
            (channel->local != NULL && transport_unread(channel->local) > 0));
}

/* An acknowledgement has come, after ${acked}: how busy was the link? */
static void
look_at_link(struct session_channel *channel, uint64_t acked)
{
    const struct channel_out *out = &channel->machine.out;
    uint64_t window = pace_window(&channel->pace), now = now_us(channel);
    struct compression_look look = { .acked = out->acked,
                                     .flight = out->sent - out->acked };

    if (channel->squeezer == NULL || !squeezer_due(channel->squeezer, now))
        return;
    look.full = out->queued - acked >= window / 4 * 3;
    look.unsent = transport_unsent(channel->net);
    if (is_held_back(channel)) {
        look.full = true; /* the limit is our link */
        look.unsent = look.flight;
    }
    squeezer_look(channel->squeezer, now, &look);
}

/* Payload may go on without being copied, as long as nothing holds it up. */
static bool
may_splice(struct session_channel *channel)
{
    return channel->local != NULL && !channel->local_failed &&
           !channel->local_blocked && delivery_splices(&channel->in);
}

/* Return whether there may be more. */
static bool
splice_payload(struct session_channel *channel, enum frame_read *result)
{
    size_t wanted = channel->machine.in.expected - COPIED_BYTES;
    ssize_t n;

    if (!may_splice(channel)) { /* small frames were ahead of it */
        deliver(channel);
        return true;
    }
    n = delivery_splice(&channel->in, channel->net, wanted);
    if (n > 0) {
        channel_heard(&channel->machine, loop_now_ms(channel->options.loop));
        channel_payload(&channel->machine, (uint32_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINVAL)) {
        errno = n < 0 ? errno : 0;
        *result = FRAME_READ_LOST;
        return false;
    }
    wanted -= n > 0 ? (size_t)n : 0;
    deliver(channel); /* what was ahead, at least */
    return wanted == 0;
}

static enum frame_read
read_frames(struct session_channel *channel, enum reason *reason)
{
    enum frame_read result = FRAME_READ_SOME;
    bool more = true;

    for (int turn = 0; turn < STEP_TURNS && more; turn++) {
        uint32_t leave = may_splice(channel) ? SPLICE_BYTES : UINT32_MAX;

        result = frame_reader_step(&channel->reader, channel->net,
                                   &channel->machine, &channel->in.ring,
                                   loop_now_ms(channel->options.loop), leave,
                                   reason);
        more =
            result == FRAME_READ_SOME &&
            frame_reader_leaves(&channel->reader, &channel->machine, leave) &&
            splice_payload(channel, &result);
    }
    return result;
}

static void
read_net(struct session_channel *channel)
{
    uint64_t acked = channel->machine.out.acked;
    enum reason reason = REASON_NONE;

    switch (read_frames(channel, &reason)) {
    case FRAME_READ_SOME: break;
    case FRAME_READ_LOST: lose_net(channel); break;
    case FRAME_READ_RESET: break_off(channel, reason); break;
    case FRAME_READ_BAD:
        break_off(channel, reason);
        channel_reset(&channel->machine, reason);
        break;
    }
    if (channel->machine.out.acked >
        frame_writer_reach(&channel->writer, &channel->machine)) {
        /* It was begun, but not written yet: nobody can have it. */
        break_off(channel, REASON_BAD_ACK);
        channel_reset(&channel->machine, REASON_BAD_ACK);
    } else if (channel->machine.out.acked != acked) {
        look_at_link(channel, acked);
        ring_release(&channel->out, channel->machine.out.acked);
        pace_acked(&channel->pace, now_us(channel), channel->machine.out.acked);
    }
}

/* Payload of DATA frames that was sent, as it went. */
static uint64_t
on_the_wire(const struct session_channel *channel)
{
    struct squeezer_report packed;

    if (channel->squeezer == NULL)
        return channel->machine.out.sent;
    squeezer_report(channel->squeezer, &packed);
    return packed.wire_bytes;
}

static void
write_net(struct session_channel *channel)
{
    uint64_t sent = channel->machine.out.sent, wait_us;
    uint64_t carried = on_the_wire(channel);

    if (channel->net == NULL || channel->lost != NULL)
        return;
    channel_allow(&channel->machine, may_send(channel, &wait_us));
    if (frame_writer_step(&channel->writer, channel->net, &channel->machine,
                          &channel->out) != 0)
        lose_net(channel);
    if (channel->machine.out.sent == sent)
        return;
    pace_sent(&channel->pace, now_us(channel), channel->machine.out.sent);
    if (channel->options.bandwidth != NULL)
        bucket_spend(channel->options.bandwidth, &channel->user,
                     now_us(channel), on_the_wire(channel) - carried);
}

static void
close_net(struct session_channel *channel, bool in_order)
{
    timer_stop(channel->timer);
    timer_stop(channel->ack_timer);
    timer_stop(channel->turn);
    if (in_order)
        transport_free(channel->net);
    else
        transport_abort(channel->net);
    channel->net = NULL;
    channel_detach(&channel->machine);
}

/* What the bandwidth holds back goes on by itself. */
static void
await_turn(struct session_channel *channel)
{
    uint64_t wait_us = 0;

    if (channel->options.bandwidth == NULL || channel->net == NULL ||
        timer_pending(channel->turn))
        return;
    if (may_send(channel, &wait_us) == 0)
        timer_start(channel->turn, (wait_us + 999) / 1000);
    else if (channel_held(&channel->machine) && !channel->writer.blocked)
        timer_start(channel->turn, 0);
}

/* Small messages are read as they come. */
static uint32_t
awaited(const struct session_channel *channel)
{
    uint32_t bytes = frame_reader_awaits(&channel->reader, &channel->machine);

    if (bytes < AWAITED_MIN_BYTES)
        return 1;
    return bytes < AWAITED_MAX_BYTES ? bytes : AWAITED_MAX_BYTES;
}

/* The one place that says what is waited for. */
static void
rearm(struct session_channel *channel)
{
    await_turn(channel);
    if (channel->net != NULL)
        transport_await(channel->net, awaited(channel));
    if (channel->net != NULL)
        transport_want(channel->net, !channel->deaf, channel->writer.blocked);
    if (channel->local != NULL)
        transport_want(channel->local,
                       !channel->local_failed && wants_local_read(channel),
                       !channel->local_failed && channel->local_blocked);
}

/* What is read is sent on at once, so that both ends have something to do. */
static void
carry_local(struct session_channel *channel)
{
    for (int turn = 0; turn < STEP_TURNS; turn++) {
        if (channel->local == NULL || channel->local_drained ||
            channel->local_failed || !wants_local_read(channel))
            return;
        channel->local_drained = !read_local_once(channel);
        write_net(channel);
    }
}

/* Everything that can be done now without waiting. */
static void
step(struct session_channel *channel, bool net_readable)
{
    if (net_readable && channel->net != NULL && !channel->deaf)
        read_net(channel);
    deliver(channel);
    carry_local(channel);
    if (channel->local_failed && channel->options.on_local_lost != NULL &&
        !channel->local_lost)
        lose_local(channel);
    if (channel->local_lost && !channel->dropping &&
        delivery_held(&channel->in) > LEFTOVER_BYTES && !channel->failing)
        break_off(channel, channel->options.local_reason);
    if (channel->local_failed && !channel->local_lost && !channel->failing) {
        read_last_words(channel);
        channel_reset(&channel->machine, channel->options.local_reason);
    }
    write_net(channel);
    if (channel->machine.roused && !channel->roused && channel->net != NULL) {
        channel->roused = true;
        timer_start(channel->timer, channel->machine.ask_ms);
    }
    if (channel_ack_waits(&channel->machine) &&
        !timer_pending(channel->ack_timer))
        timer_start(channel->ack_timer, ACK_MS);
}

/* Draw the consequences.  Its callbacks may free the channel. */
static void
settle(struct session_channel *channel)
{
    const char *lost = channel->lost;
    enum reason broken = channel->broken;
    bool in_order = lost == closed_by_peer &&
                    frame_reader_between(&channel->reader, &channel->machine);

    channel->lost = NULL;
    channel->broken = REASON_NONE;
    if (lost != NULL)
        close_net(channel, false);
    rearm(channel);
    if (broken == REASON_NONE && channel->local_failed && !channel->local_lost)
        broken = channel->options.local_reason;
    if (broken != REASON_NONE && !channel->failing) {
        channel->failing = true;
        channel->options.on_failed(channel->options.arg, broken);
    } else if (channel->options.on_finished != NULL &&
               channel_finished(&channel->machine) &&
               frame_writer_idle(&channel->writer) && !channel->told_finished) {
        channel->told_finished = true;
        channel->options.on_finished(channel->options.arg);
    } else if (lost != NULL && !channel->failing) {
        channel->options.on_lost(channel->options.arg, lost, in_order);
    } else if (channel->local_lost && !channel->told_lost) {
        channel->told_lost = true; /* now, or with the next event */
        channel->options.on_local_lost(channel->options.arg);
    }
}

static void
on_ack_timer(void *arg)
{
    struct session_channel *channel = arg;

    channel_ack_now(&channel->machine);
    write_net(channel);
    settle(channel);
}

/* There may be something compressed to send. */
static void
on_pressed(void *arg)
{
    struct session_channel *channel = arg;

    step(channel, false);
    settle(channel);
}

static void
on_turn(void *arg)
{
    struct session_channel *channel = arg;

    step(channel, false);
    settle(channel);
}

static void
on_net_ready(void *arg, bool readable, bool writable)
{
    struct session_channel *channel = arg;

    if (writable)
        channel->writer.blocked = false;
    step(channel, readable);
    settle(channel);
}

static void
on_local_ready(void *arg, bool readable, bool writable)
{
    struct session_channel *channel = arg;

    if (readable)
        channel->local_drained = false;
    if (writable)
        channel->local_blocked = false;
    step(channel, false);
    settle(channel);
}

static void
on_timer(void *arg)
{
    struct session_channel *channel = arg;
    uint64_t now = loop_now_ms(channel->options.loop), next = now;

    /* What has arrived while we slept counts. */
    step(channel, true);
    channel->roused = false;
    if (channel->net != NULL && channel->lost == NULL) {
        if (channel_tick(&channel->machine, now, &next) == CHANNEL_DEAD)
            channel->lost = "no answer";
        else
            timer_start(channel->timer,
                        (next > now ? next - now : 0) + LATE_MS);
        write_net(channel);
    }
    settle(channel);
}

struct session_channel *
session_channel_new(const struct session_channel_options *options)
{
    struct session_channel *channel = calloc(1, sizeof *channel);

    if (channel == NULL)
        return NULL;
    if (delivery_init(&channel->in, RING_FIRST_BYTES) != 0) {
        free(channel);
        errno = ENOMEM;
        return NULL;
    }
    channel->options = *options;
    channel_init(&channel->machine, options->window);
    channel_patience(&channel->machine,
                     options->patient ? PATIENT_MS : CHANNEL_PING_MS,
                     options->number == 0 ? 0 : REST_MS);
    pace_init(&channel->pace, options->window);
    channel_hold_acks(&channel->machine, ACK_BYTES);
    channel->timer = timer_new(options->loop, on_timer, channel);
    channel->ack_timer = timer_new(options->loop, on_ack_timer, channel);
    channel->turn = timer_new(options->loop, on_turn, channel);
    if (options->compress.mode != COMPRESSION_OFF)
        channel->squeezer = squeezer_new(&(struct squeezer_options){
            .loop = options->loop,
            .number = options->number,
            .wish = options->compress,
            .on_pressed = on_pressed,
            .arg = channel,
        });
    if (channel->timer == NULL || channel->ack_timer == NULL ||
        channel->turn == NULL ||
        (options->compress.mode != COMPRESSION_OFF &&
         channel->squeezer == NULL) ||
        ring_init(&channel->out, RING_FIRST_BYTES) != 0) {
        session_channel_free(channel);
        errno = ENOMEM;
        return NULL;
    }
    return channel;
}

void
session_channel_free(struct session_channel *channel)
{
    if (channel == NULL)
        return;
    timer_free(channel->timer);
    timer_free(channel->ack_timer);
    timer_free(channel->turn);
    transport_free(channel->net);
    transport_free(channel->local);
    squeezer_free(channel->squeezer);
    frame_reader_fini(&channel->reader);
    ring_fini(&channel->out);
    delivery_fini(&channel->in);
    free(channel);
}

void
session_channel_set_local(struct session_channel *channel,
                          struct transport *local)
{
    channel->local = local;
    transport_on_ready(local, on_local_ready, channel);
    rearm(channel);
    if (delivery_held(&channel->in) > 0) {
        channel->local_blocked = true; /* delivered when the loop comes round */
        rearm(channel);
    } else if (channel_fin_due(&channel->machine)) {
        timer_start(channel->timer, 0);
    }
}

static uint8_t
own_pack_log(const struct session_channel *channel)
{
    return channel->squeezer != NULL ? channel->options.compress.pack_log
                                     : channel->options.pack_log;
}

/* Both ends have said what they do, of which the less counts. */
static void
agree_on_packing(struct session_channel *channel, uint8_t theirs)
{
    uint8_t log = own_pack_log(channel);

    if (log > theirs)
        log = theirs;
    if (channel->squeezer != NULL)
        squeezer_attach(channel->squeezer, log);
    else
        frame_reader_allow(&channel->reader, log);
}

void
session_channel_greet(struct session_channel *channel,
                      struct greeting_position *position)
{
    if (channel->net != NULL)
        close_net(channel, false);
    channel_greet(&channel->machine, position);
    position->pack_log = own_pack_log(channel);
    delivery_restart(&channel->in, channel->machine.in.delivered);
    channel->local_blocked = false;
}

bool
session_channel_accepts(const struct session_channel *channel,
                        const struct greeting_position *peer)
{
    return channel_accepts(&channel->machine, peer);
}

bool
session_channel_fresh(const struct session_channel *channel)
{
    const struct channel *machine = &channel->machine;

    return machine->in.received == 0 && !machine->in.has_final &&
           machine->out.acked == 0 && !machine->out.fin_acked;
}

enum reason
session_channel_attach(struct session_channel *channel,
                       struct transport *transport,
                       const struct greeting_position *peer, const void *early,
                       size_t early_bytes, uint64_t *replay)
{
    enum reason reason = channel_attach(
        &channel->machine, peer, loop_now_ms(channel->options.loop), replay);

    if (reason != REASON_NONE)
        return reason;
    ring_release(&channel->out, channel->machine.out.acked);
    pace_restart(&channel->pace, now_us(channel), channel->machine.out.acked);
    channel->replayed_bytes += *replay;
    channel->net = transport;
    channel->deaf = false;
    channel->told_finished = false;
    frame_reader_init(&channel->reader, early, early_bytes);
    frame_writer_init(&channel->writer, channel->squeezer);
    delivery_allow_splice(&channel->in);
    agree_on_packing(channel, peer->pack_log);
    transport_on_ready(transport, on_net_ready, channel);
    rearm(channel);
    timer_start(channel->timer, 0); /* a first look at everything */
    return REASON_NONE;
}

void
session_channel_reset(struct session_channel *channel, enum reason reason)
{
    channel->failing = true;
    channel_reset(&channel->machine, reason);
    write_net(channel);
    rearm(channel);
}

bool
session_channel_flushed(const struct session_channel *channel)
{
    return channel->net == NULL ||
           (frame_writer_idle(&channel->writer) && channel->machine.reset_sent);
}

void
session_channel_drop_local(struct session_channel *channel)
{
    if (!channel->local_lost || channel->dropping)
        return;
    channel->dropping = true;
    timer_start(channel->timer, 0);
}

void
session_channel_close_transport(struct session_channel *channel)
{
    if (channel->net != NULL)
        close_net(channel, true);
}

struct transport *
session_channel_take_local(struct session_channel *channel)
{
    struct transport *local = channel->local;

    if (local != NULL)
        transport_want(local, false, false);
    channel->local = NULL;
    return local;
}

int
session_channel_fd(const struct session_channel *channel)
{
    return channel->net != NULL ? transport_fd(channel->net) : -1;
}

bool
session_channel_connected(const struct session_channel *channel)
{
    return channel->net != NULL;
}

bool
session_channel_complete(const struct session_channel *channel)
{
    return channel_complete(&channel->machine);
}

bool
session_channel_ended(const struct session_channel *channel)
{
    return channel->machine.in.has_final && !channel->local_first;
}

bool
session_channel_local_ended(const struct session_channel *channel)
{
    return channel->machine.out.ended;
}

void
session_channel_report(const struct session_channel *channel,
                       struct session_channel_report *report)
{
    struct squeezer_report packed;

    *report = (struct session_channel_report){
        .out_bytes = channel->machine.out.acked,
        .in_bytes = channel->machine.in.delivered,
        .spliced_bytes = channel->in.spliced,
        .replayed_bytes = channel->replayed_bytes,
        .stream_bytes = channel->reader.stream_bytes,
        .wire_bytes = channel->reader.wire_bytes,
        .complete = channel_complete(&channel->machine),
    };
    if (channel->squeezer == NULL)
        return;
    squeezer_report(channel->squeezer, &packed);
    report->stream_bytes = packed.stream_bytes;
    report->wire_bytes = packed.wire_bytes;
}

enum reason
session_channel_verdict(const struct session_channel *channel, bool at_source)
{
    struct verdict_stream out = { .bytes = channel->machine.out.acked };
    struct verdict_stream in = { .bytes = channel->machine.in.delivered };
    enum reason reason;

    memcpy(out.tail, channel->out_tail.bytes, sizeof out.tail);
    memcpy(in.tail, channel->in.tail.bytes, sizeof in.tail);
    reason = at_source ? verdict_of(&out, &in) : verdict_of(&in, &out);
    if (reason == REASON_CANCELLED && channel->local_first != at_source)
        return REASON_DESTINATION_CLOSED; /* it went first */
    return reason;
}
