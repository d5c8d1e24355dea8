#include "tunnel/frame_writer.h"

#include <errno.h>

#include "io/transport.h"
#include "tunnel/press.h"
#include "tunnel/ring.h"
#include "tunnel/squeezer.h"
#include "wire/channel.h"

/* Writes in one step before other channels get their turn. */
enum { STEP_WRITES = 16 };

void
frame_writer_init(struct frame_writer *writer, struct squeezer *squeezer)
{
    writer->head_at = 0;
    writer->head_bytes = 0;
    writer->data_left = 0;
    writer->packed = NULL;
    writer->pressed = false;
    writer->blocked = false;
    writer->squeezer = squeezer;
}

bool
frame_writer_idle(const struct frame_writer *writer)
{
    return writer->head_at == writer->head_bytes && writer->data_left == 0;
}

/* The next frame is a DATA frame, of ${piece} if that is not NULL. */
static void
begin_data(struct frame_writer *writer, const struct frame *frame,
           const struct pressed *piece)
{
    writer->data_offset = frame->offset;
    writer->data_left = frame->length;
    writer->pressed = piece != NULL;
    writer->packed = piece != NULL ? piece->payload : NULL;
    if (writer->packed != NULL)
        writer->data_left = piece->payload_bytes;
    if (writer->squeezer != NULL)
        squeezer_count(writer->squeezer, frame->length, writer->data_left);
}

/* Collect headers up to the first one with a payload. */
static void
collect(struct frame_writer *writer, struct channel *channel,
        const struct ring *ring)
{
    const struct pressed *piece = NULL;
    struct frame frame;

    writer->head_at = 0;
    writer->head_bytes = 0;
    while (writer->head_bytes < sizeof writer->head && writer->data_left == 0) {
        if (writer->squeezer != NULL)
            piece = squeezer_feed(writer->squeezer, channel, ring);
        if (!channel_next(channel, &frame))
            return;
        frame_encode(&frame, writer->head + writer->head_bytes);
        writer->head_bytes += FRAME_HEADER_BYTES;
        if (frame.type == FRAME_DATA)
            begin_data(writer, &frame, piece);
    }
}

static int
pieces(struct frame_writer *writer, const struct ring *ring,
       struct iovec iov[3])
{
    size_t left = writer->data_left;
    int used = 0, count;

    if (writer->head_at < writer->head_bytes)
        iov[used++] = (struct iovec){ writer->head + writer->head_at,
                                      writer->head_bytes - writer->head_at };
    if (left == 0)
        return used;
    if (writer->packed != NULL) {
        iov[used++] = (struct iovec){ (void *)writer->packed, left };
        return used;
    }
    count = used + ring_bytes_iov(ring, writer->data_offset, iov + used);
    for (; used < count && left > 0; used++) {
        if (iov[used].iov_len > left)
            iov[used].iov_len = left;
        left -= iov[used].iov_len;
    }
    return used;
}

static void
written(struct frame_writer *writer, size_t bytes)
{
    size_t head = writer->head_bytes - writer->head_at;

    if (head > bytes)
        head = bytes;
    writer->head_at += head;
    writer->data_offset += bytes - head;
    writer->data_left -= bytes - head;
    if (writer->packed != NULL)
        writer->packed += bytes - head;
    if (writer->pressed && writer->data_left == 0) {
        squeezer_pop(writer->squeezer);
        writer->pressed = false;
        writer->packed = NULL;
    }
}

int
frame_writer_step(struct frame_writer *writer, struct transport *transport,
                  struct channel *channel, struct ring *ring)
{
    struct iovec iov[3];

    for (int i = 0; i < STEP_WRITES && !writer->blocked; i++) {
        ssize_t n;

        if (frame_writer_idle(writer))
            collect(writer, channel, ring);
        if (frame_writer_idle(writer))
            return 0;
        n = transport_writev(transport, iov, pieces(writer, ring, iov));
        if (n < 0 && errno != EAGAIN)
            return -1;
        if (n > 0)
            written(writer, (size_t)n);
        writer->blocked = !frame_writer_idle(writer);
    }
    writer->blocked = true; /* to come back after the others */
    return 0;
}

uint64_t
frame_writer_reach(const struct frame_writer *writer,
                   const struct channel *channel)
{
    if (writer->data_left == 0 || writer->packed != NULL)
        return channel->out.sent;
    return writer->data_offset;
}
