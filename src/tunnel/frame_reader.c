#include "tunnel/frame_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "io/transport.h"
#include "tunnel/ring.h"
#include "wire/channel.h"

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
    reader->staged = bytes;
    if (bytes > 0)
        memcpy(reader->stage, early, bytes);
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

static enum frame_read
take_header(struct reading *now)
{
    struct frame frame;

    now->reason = frame_parse(&frame, now->reader->stage);
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
    if (frame.type != FRAME_DATA ||
        ring_reserve(now->ring, frame.length, 2 * (size_t)now->channel->room))
        return FRAME_READ_SOME;
    errno = ENOMEM;
    return FRAME_READ_LOST;
}

static enum frame_read
take_staged(struct reading *now)
{
    for (;;) {
        enum frame_read result;

        if (now->channel->in.expected > 0 && now->reader->staged > 0)
            unstage_payload(now);
        if (now->reader->staged < FRAME_HEADER_BYTES)
            return FRAME_READ_SOME;
        result = take_header(now);
        if (result != FRAME_READ_SOME)
            return result;
    }
}

/* The rest of the payload to its place, and what follows onto the stage. */
static int
places(struct reading *now, struct iovec iov[3], size_t *payload)
{
    struct frame_reader *reader = now->reader;
    size_t left = now->channel->in.expected;
    int count = 0, used = 0;

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
    ring_filled(now->ring, payload);
    channel_payload(now->channel, (uint32_t)payload);
    now->reader->staged += (size_t)n - payload;
    return take_staged(now);
}

enum frame_read
frame_reader_step(struct frame_reader *reader, struct transport *transport,
                  struct channel *channel, struct ring *ring, uint64_t now_ms,
                  enum reason *reason)
{
    struct reading now = { reader, channel, ring, REASON_NONE };
    enum frame_read result = take_staged(&now);
    bool more = true;

    for (int i = 0; i < STEP_READS && more && result == FRAME_READ_SOME; i++)
        result = read_once(&now, transport, now_ms, &more);
    *reason = now.reason;
    return result;
}
