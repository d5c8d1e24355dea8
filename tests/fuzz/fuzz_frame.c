/*
 * A peer's frames, into a channel machine with an owner that plays by the
 * rules: whatever comes, what the machine promises holds.
 *
 * Five bytes say what the owner does: room (2), bytes to send (2), habits (1).
 * The rest is what the peer says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 5 };

enum habit {
    HABIT_END = 1,     /* our stream ends after its bytes */
    HABIT_DELIVER = 2, /* QEMU takes what comes at once */
    HABIT_SEND = 4,    /* what we have to say goes out at once */
    HABIT_RESUME = 8,  /* half way through another transport takes over */
};

struct peer {
    struct channel channel;
    uint8_t habits;
    const uint8_t *data;
    size_t left;
};

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static void
check(const struct channel *channel)
{
    const struct channel_out *out = &channel->out;
    const struct channel_in *in = &channel->in;

    require(out->acked <= out->sent && out->sent <= out->peak &&
            out->peak <= out->queued);
    require(!out->fin_acked ||
            (out->ended && out->fin_peak && out->acked == out->queued));
    require(in->delivered <= in->received &&
            in->received - in->delivered <= channel->room);
    require(in->expected <= channel->room - (in->received - in->delivered));
    require(!in->has_final || in->received == in->final);
    require(in->told <= in->delivered);
    require(!channel_complete(channel) ||
            (out->fin_acked && in->fin_delivered));
}

static void
attach(struct channel *channel)
{
    struct greeting_position position, peer = {
        .delivered = channel->out.acked,
        .fin_delivered = channel->out.fin_acked,
        .window = 1 << 16,
    };
    uint64_t replay;

    channel_greet(channel, &position);
    require(channel_attach(channel, &peer, 0, &replay) == REASON_NONE);
    require(replay <= channel->out.queued);
}

static void
send_all(struct channel *channel)
{
    struct frame frame, parsed;
    unsigned char bytes[FRAME_HEADER_BYTES];
    uint64_t from = channel->out.sent;

    while (channel_next(channel, &frame)) {
        frame_encode(&frame, bytes);
        require(frame_parse(&parsed, bytes) == REASON_NONE);
        if (frame.type != FRAME_DATA)
            continue;
        require(frame.offset == from && frame.offset >= channel->out.acked);
        from += frame.length;
        require(from <= channel->out.queued);
    }
}

static void
deliver(struct channel *channel)
{
    channel_delivered(channel, channel->in.received - channel->in.delivered);
    if (channel_fin_due(channel))
        channel_fin_delivered(channel);
}

static bool
read_payload(struct peer *peer)
{
    uint32_t bytes = peer->channel.in.expected;

    if (bytes > peer->left)
        bytes = (uint32_t)peer->left;
    channel_payload(&peer->channel, bytes);
    peer->data += bytes;
    peer->left -= bytes;
    return peer->channel.in.expected == 0;
}

/* Return false when the transport ends. */
static bool
read_frame(struct peer *peer)
{
    struct channel before = peer->channel;
    struct frame frame;

    if (peer->left < FRAME_HEADER_BYTES ||
        frame_parse(&frame, peer->data) != REASON_NONE)
        return false;
    peer->data += FRAME_HEADER_BYTES;
    peer->left -= FRAME_HEADER_BYTES;
    if (channel_take(&peer->channel, &frame) != REASON_NONE) {
        require(memcmp(&before, &peer->channel, sizeof before) == 0);
        return false;
    }
    return read_payload(peer);
}

static void
run(struct peer *peer, size_t until)
{
    do {
        if ((peer->habits & HABIT_SEND) != 0)
            send_all(&peer->channel);
        if ((peer->habits & HABIT_DELIVER) != 0)
            deliver(&peer->channel);
        check(&peer->channel);
    } while (peer->left > until && read_frame(peer));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer peer;

    if (size < HEAD_BYTES)
        return 0;
    peer.habits = data[4];
    peer.data = data + HEAD_BYTES;
    peer.left = size - HEAD_BYTES;
    channel_init(&peer.channel, (uint32_t)data[0] << 8 | data[1]);
    attach(&peer.channel);
    channel_queue(&peer.channel, (uint64_t)data[2] << 8 | data[3]);
    if ((peer.habits & HABIT_END) != 0)
        channel_end(&peer.channel);
    run(&peer, (peer.habits & HABIT_RESUME) != 0 ? peer.left / 2 : 0);
    attach(&peer.channel);
    check(&peer.channel);
    run(&peer, 0);
    return 0;
}
