#include "wire/channel.h"

/*
 * Theory of operation.  All that a transport's loss costs is what was in it.
 * At each greeting both ends say up to where they have *delivered*, and go on
 * from there: the receiver forgets what it has received beyond that, the sender
 * sends it again.  So a byte is delivered once: it is delivered in order, from
 * `delivered` on, and `delivered` is what the sender goes on from.  And no byte
 * is lost: the sender keeps everything from `acked` on, and acked never passes
 * what was delivered.
 *
 * Along one transport DATA frames follow on without gap or overlap, so a
 * receiver needs no list of pieces: the next offset is the only right one.
 */

void
channel_init(struct channel *channel, uint32_t room)
{
    *channel = (struct channel){ .room = room, .allowed = UINT64_MAX };
    channel_patience(channel, CHANNEL_PING_MS, CHANNEL_PING_MS);
    channel_offer(channel, FRAME_DATA_MAX, false, 0);
}

void
channel_greet(struct channel *channel, struct greeting_position *position)
{
    struct channel_in *in = &channel->in;

    channel->attached = false;
    in->received = in->delivered;
    in->expected = 0;
    in->told = in->delivered;
    in->fin_told = in->fin_delivered;
    if (!in->fin_delivered)
        in->has_final = false; /* the peer says it again */
    *position = (struct greeting_position){
        .delivered = in->delivered,
        .fin_delivered = in->fin_delivered,
        .window = channel->room,
    };
}

bool
channel_accepts(const struct channel *channel,
                const struct greeting_position *peer)
{
    const struct channel_out *out = &channel->out;

    if (peer->delivered < out->acked || peer->delivered > out->peak)
        return false;
    if (peer->fin_delivered)
        return out->fin_peak && peer->delivered == out->queued;
    return !out->fin_acked;
}

enum reason
channel_attach(struct channel *channel, const struct greeting_position *peer,
               uint64_t now_ms, uint64_t *replay)
{
    struct channel_out *out = &channel->out;

    if (!channel_accepts(channel, peer))
        return REASON_BAD_RESUME;
    *replay = out->peak - peer->delivered;
    out->acked = peer->delivered;
    out->sent = peer->delivered;
    out->fin_acked = peer->fin_delivered;
    out->fin_sent = peer->fin_delivered;

    channel->peer_room = peer->window;
    channel->attached = true;
    channel_offer(channel, FRAME_DATA_MAX, false, 0);
    channel->reset_sent = false;
    channel->ping_due = false;
    channel->pong_due = false;
    channel->heard_ms = now_ms;
    channel->pinged_ms = now_ms;
    channel->quiet_ms = channel->ask_ms;
    channel->roused = false;
    return REASON_NONE;
}

void
channel_detach(struct channel *channel)
{
    channel->attached = false;
}

void
channel_patience(struct channel *channel, uint32_t ask_ms, uint32_t rest_ms)
{
    channel->ask_ms = ask_ms;
    channel->rest_ms = rest_ms > ask_ms ? rest_ms : ask_ms;
    channel->quiet_ms = ask_ms;
}

/* What goes on now may need the transport: know soon whether it lives. */
static void
rouse(struct channel *channel)
{
    channel->roused |= channel->quiet_ms > channel->ask_ms;
    channel->quiet_ms = channel->ask_ms;
}

void
channel_heard(struct channel *channel, uint64_t now_ms)
{
    if (channel->pinged_ms > channel->heard_ms) {
        channel->quiet_ms *= 2;
        if (channel->quiet_ms > channel->rest_ms)
            channel->quiet_ms = channel->rest_ms;
    }
    channel->heard_ms = now_ms;
}

static enum reason
take_data(struct channel *channel, const struct frame *frame)
{
    struct channel_in *in = &channel->in;

    if (in->has_final)
        return REASON_BAD_FIN;
    if (frame->offset != in->received)
        return REASON_BAD_OFFSET;
    if (frame->length > channel->room - (in->received - in->delivered))
        return REASON_BAD_WINDOW;
    in->expected = frame->length;
    rouse(channel);
    return REASON_NONE;
}

static enum reason
take_fin(struct channel *channel, const struct frame *frame)
{
    struct channel_in *in = &channel->in;

    if (in->has_final)
        return REASON_BAD_FIN;
    if (frame->offset != in->received)
        return REASON_BAD_OFFSET;
    in->has_final = true;
    in->final = frame->offset;
    rouse(channel);
    return REASON_NONE;
}

static enum reason
take_ack(struct channel *channel, const struct frame *frame)
{
    struct channel_out *out = &channel->out;
    bool fin = (frame->flags & FRAME_FLAG_FIN) != 0;

    if (frame->offset < out->acked || frame->offset > out->sent)
        return REASON_BAD_ACK;
    if (fin ? !out->fin_sent || frame->offset != out->queued : out->fin_acked)
        return REASON_BAD_ACK;
    out->acked = frame->offset;
    out->fin_acked = fin;
    rouse(channel);
    return REASON_NONE;
}

enum reason
channel_take(struct channel *channel, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_DATA: return take_data(channel, frame);
    case FRAME_FIN: return take_fin(channel, frame);
    case FRAME_ACK: return take_ack(channel, frame);
    case FRAME_PING:
        channel->pong_due = true;
        channel->pong_offset = frame->offset;
        return REASON_NONE;
    case FRAME_PONG:
    case FRAME_RESET: return REASON_NONE;
    }
    return REASON_BAD_FRAME;
}

void
channel_payload(struct channel *channel, uint32_t bytes)
{
    channel->in.received += bytes;
    channel->in.expected -= bytes;
}

void
channel_delivered(struct channel *channel, uint64_t bytes)
{
    channel->in.delivered += bytes;
}

bool
channel_fin_due(const struct channel *channel)
{
    const struct channel_in *in = &channel->in;

    return in->has_final && in->delivered == in->final && !in->fin_delivered;
}

void
channel_fin_delivered(struct channel *channel)
{
    channel->in.fin_delivered = true;
}

uint64_t
channel_may_queue(const struct channel *channel, uint64_t window)
{
    const struct channel_out *out = &channel->out;
    uint64_t waiting = out->queued - out->acked;

    if (window > channel->peer_room)
        window = channel->peer_room;
    if (out->ended || waiting >= window)
        return 0;
    return window - waiting;
}

void
channel_queue(struct channel *channel, uint64_t bytes)
{
    channel->out.queued += bytes;
    rouse(channel);
}

void
channel_end(struct channel *channel)
{
    channel->out.ended = true;
    rouse(channel);
}

void
channel_reset(struct channel *channel, enum reason reason)
{
    if (channel->reset == REASON_NONE)
        channel->reset = reason;
}

void
channel_offer(struct channel *channel, uint32_t bytes, bool all, uint8_t flags)
{
    channel->offer = bytes;
    channel->offer_all = all;
    channel->offer_flags = flags;
}

/* Return how much of the stream waits that the peer has room for. */
static uint64_t
may_send(const struct channel *channel)
{
    const struct channel_out *out = &channel->out;
    uint64_t waiting = out->queued - out->sent;
    uint64_t room = out->acked + channel->peer_room - out->sent;

    return waiting < room ? waiting : room;
}

void
channel_allow(struct channel *channel, uint64_t bytes)
{
    channel->allowed = bytes;
}

bool
channel_held(const struct channel *channel)
{
    return channel->attached && !channel->reset_sent && channel->allowed == 0 &&
           may_send(channel) > 0;
}

static bool
next_data(struct channel *channel, struct frame *frame)
{
    struct channel_out *out = &channel->out;
    uint64_t length = may_send(channel);

    if (length > channel->offer)
        length = channel->offer;
    if (length == 0 || (channel->offer_all && length < channel->offer))
        return false;
    if (length > channel->allowed && !channel->offer_all)
        length = channel->allowed;
    if (channel->allowed == 0)
        return false;
    if (channel->allowed != UINT64_MAX)
        channel->allowed -=
            length < channel->allowed ? length : channel->allowed;
    *frame = (struct frame){ .type = FRAME_DATA,
                             .flags = channel->offer_flags,
                             .length = (uint32_t)length,
                             .offset = out->sent };
    out->sent += length;
    if (out->peak < out->sent)
        out->peak = out->sent;
    return true;
}

static bool
next_fin(struct channel *channel, struct frame *frame)
{
    struct channel_out *out = &channel->out;

    if (!out->ended || out->fin_sent || out->sent != out->queued)
        return false;
    *frame = (struct frame){ .type = FRAME_FIN, .offset = out->queued };
    out->fin_sent = true;
    out->fin_peak = true;
    return true;
}

/* Return whether there is something to acknowledge. */
static bool
ack_owed(const struct channel *channel)
{
    const struct channel_in *in = &channel->in;

    return in->told != in->delivered || in->fin_told != in->fin_delivered;
}

/* Return whether it is so little that it may wait. */
static bool
ack_held(const struct channel *channel)
{
    const struct channel_in *in = &channel->in;

    return in->delivered - in->told < channel->ack_bytes &&
           in->fin_told == in->fin_delivered && !channel->ack_now;
}

void
channel_hold_acks(struct channel *channel, uint32_t bytes)
{
    channel->ack_bytes = bytes < channel->room / 2 ? bytes : channel->room / 2;
}

bool
channel_ack_waits(const struct channel *channel)
{
    return channel->attached && ack_owed(channel) && ack_held(channel);
}

void
channel_ack_now(struct channel *channel)
{
    channel->ack_now = true;
}

static bool
next_ack(struct channel *channel, struct frame *frame)
{
    struct channel_in *in = &channel->in;

    if (!ack_owed(channel) || ack_held(channel))
        return false;
    channel->ack_now = false;
    *frame = (struct frame){ .type = FRAME_ACK,
                             .flags = in->fin_delivered ? FRAME_FLAG_FIN : 0,
                             .offset = in->delivered };
    in->told = in->delivered;
    in->fin_told = in->fin_delivered;
    return true;
}

static bool
next_pong(struct channel *channel, struct frame *frame)
{
    if (!channel->pong_due)
        return false;
    channel->pong_due = false;
    *frame =
        (struct frame){ .type = FRAME_PONG, .offset = channel->pong_offset };
    return true;
}

static bool
next_ping(struct channel *channel, struct frame *frame)
{
    if (!channel->ping_due)
        return false;
    channel->ping_due = false;
    *frame = (struct frame){ .type = FRAME_PING, .offset = channel->pinged_ms };
    return true;
}

static bool
next_reset(struct channel *channel, struct frame *frame)
{
    if (channel->reset == REASON_NONE || may_send(channel) > 0)
        return false;
    *frame =
        (struct frame){ .type = FRAME_RESET, .code = (uint16_t)channel->reset };
    channel->reset_sent = true;
    return true;
}

bool
channel_next(struct channel *channel, struct frame *frame)
{
    if (!channel->attached || channel->reset_sent)
        return false;
    return next_pong(channel, frame) || next_ack(channel, frame) ||
           next_ping(channel, frame) || next_data(channel, frame) ||
           next_fin(channel, frame) || next_reset(channel, frame);
}

enum channel_tick
channel_tick(struct channel *channel, uint64_t now_ms, uint64_t *next_ms)
{
    enum channel_tick tick = CHANNEL_QUIET;
    uint64_t dead_ms, ping_ms;

    if (channel->roused && now_ms - channel->heard_ms > channel->ask_ms)
        channel->heard_ms = now_ms - channel->ask_ms; /* nobody was asked */
    channel->roused = false;
    dead_ms = channel->heard_ms + channel->quiet_ms + CHANNEL_DEAD_MS -
              channel->ask_ms;
    ping_ms = channel->heard_ms >= channel->pinged_ms
                  ? channel->heard_ms + channel->quiet_ms
                  : channel->pinged_ms + CHANNEL_PING_MS;
    if (now_ms >= dead_ms)
        return CHANNEL_DEAD;
    if (now_ms >= ping_ms) {
        channel->pinged_ms = now_ms;
        channel->ping_due = true;
        ping_ms = now_ms + CHANNEL_PING_MS;
        tick = CHANNEL_PING;
    }
    *next_ms = ping_ms < dead_ms ? ping_ms : dead_ms;
    return tick;
}

bool
channel_complete(const struct channel *channel)
{
    return channel->out.fin_acked && channel->in.fin_delivered;
}

bool
channel_finished(const struct channel *channel)
{
    return channel_complete(channel) && channel->in.fin_told;
}
