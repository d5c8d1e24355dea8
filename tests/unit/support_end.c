#include "support_end.h"

#include <string.h>

static const unsigned char session[SESSION_ID_BYTES] = "model's session";
enum { CHANNEL = 7 };

static void
require(struct model_end *end, bool holds, const char *rule)
{
    if (!holds && end->broken == NULL)
        end->broken = rule;
}

void
end_init(struct model_end *end, enum side side, uint32_t room,
         uint32_t peer_room, uint64_t total)
{
    *end = (struct model_end){ .side = side, .total = total };
    channel_init(&end->channel, room);
    store_init(&end->out, peer_room);
    store_init(&end->in, room);
}

void
end_fini(struct model_end *end)
{
    store_fini(&end->out);
    store_fini(&end->in);
}

bool
end_queue(struct model_end *end, size_t most, uint64_t window)
{
    unsigned char bytes[END_STEP_MAX];
    uint64_t left = end->total - end->out.end;
    uint64_t may = channel_may_queue(&end->channel, window);

    if (end->channel.out.ended)
        return false;
    if (left == 0) {
        channel_end(&end->channel);
        return true;
    }
    if (may > left)
        may = left;
    if (may > most)
        may = most;
    if (may == 0)
        return false;
    stream_fill(end->side, end->out.end, bytes, may);
    require(end, store_put(&end->out, bytes, may), "more queued than fits");
    channel_queue(&end->channel, may);
    return true;
}

bool
end_deliver(struct model_end *end, size_t most)
{
    unsigned char bytes[END_STEP_MAX];
    uint64_t kept = end->in.end - end->in.start;

    if (kept > most)
        kept = most;
    if (kept > 0) {
        require(end, store_get(&end->in, end->in.start, bytes, kept),
                "delivers what it has not");
        require(end, stream_matches(!end->side, end->got, bytes, kept),
                "QEMU got a wrong byte");
        require(end, !end->got_end, "QEMU got a byte after the end");
        end->in.start += kept;
        end->got += kept;
        channel_delivered(&end->channel, kept);
        return true;
    }
    if (!channel_fin_due(&end->channel))
        return false;
    end->got_end = true;
    channel_fin_delivered(&end->channel);
    return true;
}

static void
send_greeting(struct model_end *end, struct path *path, size_t bytes)
{
    end->path = path;
    end->head_at = 0;
    end->head_bytes = bytes;
    end->payload_left = 0;
    end->header_bytes = 0;
    end->greeted_bytes = 0;
    end->closed = false;
}

/* Greet, and forget what is received and not delivered. */
static void
leave(struct model_end *end, struct greeting_position *position)
{
    channel_greet(&end->channel, position);
    end->in.end = end->in.start;
}

void
end_drop(struct model_end *end)
{
    if (end->path == NULL)
        return;
    end->path->open[end->side] = false;
    end->path = NULL;
    end->greeting = false;
    end->closed = false;
    channel_detach(&end->channel);
}

void
end_dial(struct model_end *client, struct path *path)
{
    struct client_greeting greeting = {
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .resume = client->channel.out.peak > 0,
        .channel = CHANNEL,
        .name = "vm",
    };

    memcpy(greeting.session, session, sizeof session);
    leave(client, &greeting.position);
    client_greeting_encode(&greeting, client->head);
    send_greeting(client, path, GREETING_CLIENT_BYTES);
    client->greeting = true;
}

static void
attach(struct model_end *end, const struct greeting_position *peer,
       uint64_t now_ms)
{
    struct channel_out *out = &end->channel.out;
    uint64_t replay = UINT64_MAX, peak = out->peak;

    require(end,
            channel_attach(&end->channel, peer, now_ms, &replay) == REASON_NONE,
            "an honest peer is refused");
    require(end, replay == peak - peer->delivered, "replay is miscounted");
    require(end, replay <= end->out.size, "replays more than it keeps");
    end->out.start = out->acked;
    end->fresh = true;
}

static void
answer(struct model_end *server, struct path *path, bool stale,
       const struct client_greeting *client, uint64_t now_ms)
{
    struct server_greeting greeting = { .version = greeting_version(client),
                                        .channel = client->channel };
    uint64_t replay;

    require(server,
            greeting.version == 1 && client->channel == CHANNEL &&
                memcmp(client->session, session, sizeof session) == 0 &&
                strcmp(client->name, "vm") == 0,
            "the greeting has changed on its way");
    end_drop(server);
    leave(server, &greeting.position);
    if (stale && channel_attach(&server->channel, &client->position, now_ms,
                                &replay) != REASON_NONE) {
        path->open[SERVER] = false;
        return;
    }
    attach(server, &client->position, now_ms);
    server_greeting_encode(&greeting, server->head);
    send_greeting(server, path, GREETING_SERVER_BYTES);
}

bool
end_accept(struct model_end *server, struct path *path, bool stale, size_t most,
           uint64_t now_ms)
{
    struct client_greeting greeting;
    size_t want = sizeof path->greeting - path->greeting_bytes, n, used;
    enum greeting_progress progress;

    n = path_read(path, SERVER, path->greeting + path->greeting_bytes,
                  want < most ? want : most);
    path->greeting_bytes += n;
    if (n == 0)
        return false;
    progress = client_greeting_parse(&greeting, path->greeting,
                                     path->greeting_bytes, &used);
    require(server, progress != GREETING_FOREIGN, "the client seems foreign");
    if (progress == GREETING_DONE)
        answer(server, path, stale, &greeting, now_ms);
    return true;
}

/* The client reads the server's greeting. */
static bool
receive_greeting(struct model_end *client, size_t most, uint64_t now_ms)
{
    struct server_greeting greeting;
    size_t want = sizeof client->greeted - client->greeted_bytes, n, used;
    enum greeting_progress progress;

    n = path_read(client->path, CLIENT, client->greeted + client->greeted_bytes,
                  want < most ? want : most);
    client->greeted_bytes += n;
    progress = server_greeting_parse(&greeting, client->greeted,
                                     client->greeted_bytes, &used);
    require(client, progress != GREETING_FOREIGN, "the server seems foreign");
    if (progress == GREETING_DONE) {
        require(client,
                greeting.reason == REASON_NONE && greeting.version == 1 &&
                    greeting.channel == CHANNEL,
                "the client is refused");
        client->greeting = false;
        attach(client, &greeting.position, now_ms);
    }
    return n > 0;
}

/*
 * What is next, with one of the offers that an owner who compresses makes, by
 * ${most}: hold data back for a moment, or a piece as a whole.
 */
static bool
next_frame(struct model_end *end, size_t most, struct frame *frame)
{
    struct channel *channel = &end->channel;
    const struct channel_out *out = &channel->out;
    uint64_t piece = 1 + most % 50;

    if (most % 4 == 1) {
        channel_offer(channel, 0, false, 0);
        if (channel_next(channel, frame)) {
            require(end, frame->type != FRAME_DATA, "sends what is held back");
            require(end, frame->type != FRAME_FIN || out->sent == out->queued,
                    "ends before what is held back");
            return true;
        }
    }
    channel_offer(channel, FRAME_DATA_MAX, false, 0);
    if (most % 2 == 1 && out->queued - out->sent >= piece &&
        out->acked + channel->peer_room - out->sent >= piece)
        channel_offer(channel, (uint32_t)piece, true, FRAME_FLAG_PACKED);
    return channel_next(channel, frame);
}

/* Encode what is next.  Return false if there is nothing. */
static bool
begin_frame(struct model_end *end, size_t most)
{
    struct frame frame;

    if (!next_frame(end, most, &frame))
        return false;
    frame_encode(&frame, end->head);
    end->head_at = 0;
    end->head_bytes = FRAME_HEADER_BYTES;
    end->payload_at = frame.offset;
    end->payload_left = frame.length;
    return true;
}

static size_t
send_piece(struct model_end *end, size_t most)
{
    unsigned char bytes[END_STEP_MAX];
    const unsigned char *from = end->head + end->head_at;
    size_t length = end->head_bytes - end->head_at;
    bool head = length > 0;

    if (!head) {
        length =
            end->payload_left < sizeof bytes ? end->payload_left : sizeof bytes;
        from = bytes;
        require(end, store_get(&end->out, end->payload_at, bytes, length),
                "sends what it does not keep");
    }
    if (length > most)
        length = most;
    length = path_write(end->path, !end->side, from, length);
    if (head) {
        end->head_at += length;
    } else {
        end->payload_at += length;
        end->payload_left -= length;
    }
    return length;
}

static bool
send_idle(const struct model_end *end)
{
    return end->head_at == end->head_bytes && end->payload_left == 0;
}

bool
end_send(struct model_end *end, size_t most)
{
    size_t before = most;

    if (end->path == NULL || end->closed)
        return false;
    while (most > 0) {
        size_t sent;

        if (send_idle(end) && (end->greeting || !begin_frame(end, most)))
            break;
        sent = send_piece(end, most);
        if (sent == 0)
            break;
        most -= sent;
    }
    return most != before;
}

static bool
receive_payload(struct model_end *end, size_t most)
{
    unsigned char bytes[END_STEP_MAX];
    size_t n = end->channel.in.expected;

    n = path_read(end->path, end->side, bytes, n < most ? n : most);
    require(end, store_put(&end->in, bytes, n), "received more than fits");
    channel_payload(&end->channel, (uint32_t)n);
    return n > 0;
}

static bool
receive_header(struct model_end *end, size_t most)
{
    size_t want = FRAME_HEADER_BYTES - end->header_bytes, n;
    struct frame frame;

    n = path_read(end->path, end->side, end->header + end->header_bytes,
                  want < most ? want : most);
    end->header_bytes += n;
    if (end->header_bytes < FRAME_HEADER_BYTES)
        return n > 0;
    end->header_bytes = 0;
    require(end, frame_parse(&frame, end->header) == REASON_NONE,
            "an honest peer's frame does not parse");
    require(end, channel_take(&end->channel, &frame) == REASON_NONE,
            "an honest peer's frame is refused");
    end->out.start = end->channel.out.acked;
    return true;
}

/* The transport has ended in order. */
static void
receive_end(struct model_end *end)
{
    require(end, channel_complete(&end->channel),
            "closed in order, and not complete");
    if (end->side == CLIENT) {
        end->path->to[SERVER].ended = true;
        end->done = true;
    }
    end_drop(end);
}

bool
end_receive(struct model_end *end, size_t most, uint64_t now_ms)
{
    struct pipe *pipe;
    bool some = false;

    if (end->path == NULL)
        return false;
    pipe = &end->path->to[end->side];
    if (pipe->length == 0 && pipe->ended) {
        receive_end(end);
        return true;
    }
    if (end->greeting)
        return receive_greeting(end, most, now_ms);
    for (int i = 0; i < 8 && end->broken == NULL; i++) {
        bool more = end->channel.in.expected > 0 ? receive_payload(end, most)
                                                 : receive_header(end, most);

        if (!more)
            break;
        some = true;
    }
    if (some) {
        channel_heard(&end->channel, now_ms);
        end->fresh = false;
    }
    return some;
}

bool
end_close(struct model_end *server)
{
    if (server->path == NULL || server->closed || !send_idle(server) ||
        !channel_finished(&server->channel))
        return false;
    if (!server->path->lost)
        server->path->to[CLIENT].ended = true;
    server->closed = true;
    return true;
}

void
end_check(struct model_end *end, const struct model_end *other)
{
    const struct channel_out *out = &end->channel.out;
    const struct channel_in *in = &end->channel.in;

    require(end, out->acked <= out->sent && out->sent <= out->queued,
            "not acked <= sent <= queued");
    require(end, out->sent <= out->peak && out->peak <= out->queued,
            "not sent <= peak <= queued");
    require(end, out->queued - out->acked <= other->channel.room,
            "queued beyond the peer's room");
    require(end, out->acked <= other->got, "acknowledged before delivered");
    require(end, !out->fin_acked || other->got_end,
            "the end acknowledged before delivered");
    require(end, in->delivered <= in->received, "delivered before received");
    require(end, in->received - in->delivered <= end->channel.room,
            "received beyond the room");
    require(end, in->told <= in->delivered, "told before delivered");
    require(end, in->delivered == end->got && in->received == end->in.end,
            "the machine and its owner differ");
    require(end, !channel_fin_due(&end->channel) || end->got == other->total,
            "the end is due too early");
    require(end, !end->got_end || end->got == other->total,
            "QEMU got the end too early");
    require(end,
            !channel_complete(&end->channel) ||
                (end->got_end && other->got_end && end->got == other->total &&
                 other->got == end->total),
            "complete, and not all is delivered");
}
