#include "tunnel/frame_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "io/transport.h"
#include "tunnel/ring.h"
#include "wire/channel.h"
#include "wire/unpacker.h"

/* Reads in one step before other channels get their turn. */
enum { STEP_READS = 8 };

struct reading {
    struct frame_reader *reader;
    struct channel *channel;
    struct ring *ring;
    enum reason reason;
};

void
frame_reader_init(struct frame_reader *reader, const void *early, size_t bytes)
{
    frame_reader_fini(reader);
    reader->pack_log = 0;
    reader->staged = bytes;
    if (bytes > 0)
        memcpy(reader->stage, early, bytes);
}

void
frame_reader_fini(struct frame_reader *reader)
{
    unpacker_free(reader->unpacker);
    reader->unpacker = NULL;
}

void
frame_reader_allow(struct frame_reader *reader, unsigned pack_log)
{
    reader->pack_log = pack_log;
}

bool
frame_reader_between(const struct frame_reader *reader,
                     const struct channel *channel)
{
    return reader->staged == 0 && channel->in.expected == 0 &&
           unpacker_wants(reader->unpacker) == 0;
}

static void
drop_staged(struct frame_reader *reader, size_t bytes)
{
    reader->staged -= bytes;
    memmove(reader->stage, reader->stage + bytes, reader->staged);
}

/* Payload that came behind its header. */
static void
unstage_payload(struct reading *now)
{
    struct iovec iov[2];
    size_t bytes = now->reader->staged;
    size_t left;
    int count = ring_room_iov(now->ring, iov);

    if (bytes > now->channel->in.expected)
        bytes = now->channel->in.expected;
    left = bytes;
    for (int i = 0; i < count && left > 0; i++) {
        size_t n = left < iov[i].iov_len ? left : iov[i].iov_len;

        memcpy(iov[i].iov_base, now->reader->stage + (bytes - left), n);
        left -= n;
    }
    ring_filled(now->ring, bytes);
    channel_payload(now->channel, (uint32_t)bytes);
    drop_staged(now->reader, bytes);
}

/* ${bytes} more of a compressed payload, from ${from}. */
static enum frame_read
unpack(struct reading *now, const void *from, size_t bytes)
{
    struct iovec iov[2];
    int count = ring_room_iov(now->ring, iov);
    size_t made;

    now->reason =
        unpacker_take(now->reader->unpacker, from, bytes, iov, count, &made);
    now->reader->wire_bytes += bytes;
    ring_filled(now->ring, made);
    channel_payload(now->channel, (uint32_t)made);
    return now->reason == REASON_NONE ? FRAME_READ_SOME : FRAME_READ_BAD;
}

/* Compressed payload that came behind its header. */
static enum frame_read
unstage_packed(struct reading *now)
{
    size_t bytes = unpacker_wants(now->reader->unpacker);
    enum frame_read result;

    if (bytes > now->reader->staged)
        bytes = now->reader->staged;
    result = unpack(now, now->reader->stage, bytes);
    drop_staged(now->reader, bytes);
    return result;
}

/* A DATA frame has begun.  Return whether there is memory for it. */
static bool
begin_data(struct reading *now, const struct frame *frame)
{
    struct frame_reader *reader = now->reader;

    reader->stream_bytes += frame->length;
    if (!ring_reserve(now->ring, frame->length, 2 * (size_t)now->channel->room))
        return false;
    if ((frame->flags & FRAME_FLAG_PACKED) == 0) {
        reader->wire_bytes += frame->length;
        return true;
    }
    if (reader->unpacker == NULL)
        reader->unpacker = unpacker_new(reader->pack_log);
    if (reader->unpacker == NULL)
        return false;
    unpacker_begin(reader->unpacker, frame->length);
    return true;
}

static enum frame_read
take_header(struct reading *now)
{
    struct frame frame;

    now->reason = frame_parse(&frame, now->reader->stage);
    if (now->reason == REASON_NONE && frame.type == FRAME_DATA &&
        (frame.flags & FRAME_FLAG_PACKED) != 0 && now->reader->pack_log == 0)
        now->reason = REASON_BAD_FRAME; /* it was not agreed upon */
    if (now->reason != REASON_NONE)
        return FRAME_READ_BAD;
    if (frame.type == FRAME_RESET) {
        now->reason = reason_known(frame.code);
        return FRAME_READ_RESET;
    }
    now->reason = channel_take(now->channel, &frame);
    if (now->reason != REASON_NONE)
        return FRAME_READ_BAD;
    drop_staged(now->reader, FRAME_HEADER_BYTES);
    if (frame.type != FRAME_DATA || begin_data(now, &frame))
        return FRAME_READ_SOME;
    errno = ENOMEM;
    return FRAME_READ_LOST;
}

static enum frame_read
take_staged(struct reading *now)
{
    for (;;) {
        bool packed = unpacker_wants(now->reader->unpacker) > 0;
        enum frame_read result;

        if (!packed && now->channel->in.expected > 0 && now->reader->staged > 0)
            unstage_payload(now);
        if (now->reader->staged < (packed ? 1 : FRAME_HEADER_BYTES))
            return FRAME_READ_SOME;
        result = packed ? unstage_packed(now) : take_header(now);
        if (result != FRAME_READ_SOME)
            return result;
    }
}

/*
 * The rest of the payload to its place, which for a compressed one is the
 * unpacker's buffer, and what follows onto the stage.
 */
static int
places(struct reading *now, struct iovec iov[3], size_t *payload)
{
    struct frame_reader *reader = now->reader;
    size_t left = unpacker_wants(reader->unpacker);
    int count = 0, used = 0;

    if (left > 0) {
        if (left > UNPACKER_BUFFER_BYTES)
            left = UNPACKER_BUFFER_BYTES;
        *payload = left;
        iov[0] = (struct iovec){ unpacker_buffer(reader->unpacker), left };
        if (left < unpacker_wants(reader->unpacker))
            return 1;
        iov[1] = (struct iovec){ reader->stage + reader->staged,
                                 sizeof reader->stage - reader->staged };
        return 2;
    }
    left = now->channel->in.expected;
    *payload = left;
    if (left > 0)
        count = ring_room_iov(now->ring, iov);
    for (; used < count && left > 0; used++) {
        if (iov[used].iov_len > left)
            iov[used].iov_len = left;
        left -= iov[used].iov_len;
    }
    iov[used].iov_base = reader->stage + reader->staged;
    iov[used].iov_len = sizeof reader->stage - reader->staged;
    return used + 1;
}

/* Read once.  *${more}: the transport may have more. */
static enum frame_read
read_once(struct reading *now, struct transport *transport, uint64_t now_ms,
          bool *more)
{
    struct iovec iov[3];
    enum frame_read result;
    size_t payload, asked = 0;
    int count = places(now, iov, &payload);
    ssize_t n = transport_readv(transport, iov, count);

    *more = false;
    if (n < 0 && errno == EAGAIN)
        return FRAME_READ_SOME;
    if (n <= 0) {
        errno = n < 0 ? errno : 0;
        return FRAME_READ_LOST;
    }
    channel_heard(now->channel, now_ms);
    for (int i = 0; i < count; i++)
        asked += iov[i].iov_len;
    *more = (size_t)n == asked;
    if ((size_t)n < payload)
        payload = (size_t)n;
    now->reader->staged += (size_t)n - payload;
    if (unpacker_wants(now->reader->unpacker) > 0) {
        result = unpack(now, unpacker_buffer(now->reader->unpacker), payload);
        return result == FRAME_READ_SOME ? take_staged(now) : result;
    }
    ring_filled(now->ring, payload);
    channel_payload(now->channel, (uint32_t)payload);
    return take_staged(now);
}

bool
frame_reader_leaves(const struct frame_reader *reader,
                    const struct channel *channel, uint32_t least_bytes)
{
    return channel->in.expected >= least_bytes && reader->staged == 0 &&
           unpacker_wants(reader->unpacker) == 0;
}

uint32_t
frame_reader_awaits(const struct frame_reader *reader,
                    const struct channel *channel)
{
    size_t packed = unpacker_wants(reader->unpacker);
    size_t wanted = packed > 0 ? packed : channel->in.expected;

    if (wanted == 0)
        wanted = FRAME_HEADER_BYTES;
    return wanted > reader->staged ? (uint32_t)(wanted - reader->staged) : 1;
}

enum frame_read
frame_reader_step(struct frame_reader *reader, struct transport *transport,
                  struct channel *channel, struct ring *ring, uint64_t now_ms,
                  uint32_t leave, enum reason *reason)
{
    struct reading now = { reader, channel, ring, REASON_NONE };
    enum frame_read result = take_staged(&now);
    bool more = true;

    for (int i = 0; i < STEP_READS && more && result == FRAME_READ_SOME &&
                    !frame_reader_leaves(reader, channel, leave);
         i++)
        result = read_once(&now, transport, now_ms, &more);
    *reason = now.reason;
    return result;
}
