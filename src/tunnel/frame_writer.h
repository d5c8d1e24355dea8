/*
 * Writes the frames that a channel machine has to send, payload straight from
 * the ring that keeps it.
 */
#ifndef TUNNEL_FRAME_WRITER_H
#define TUNNEL_FRAME_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

struct channel;
struct ring;
struct squeezer;
struct transport;

enum { FRAME_WRITER_HEADERS = 8 };

struct frame_writer {
    unsigned char head[FRAME_WRITER_HEADERS * FRAME_HEADER_BYTES];
    size_t head_at; /* what of it is written */
    size_t head_bytes;
    uint64_t data_offset; /* the payload behind the last header */
    size_t data_left;
    const unsigned char *packed; /* it, if it is not from the ring */
    bool pressed;                /* it is the squeezer's piece */
    bool blocked;                /* the transport had no room */
    struct squeezer *squeezer;   /* NULL: nothing is compressed */
};

/**
 * frame_writer_init(writer, squeezer):
 * Begin with a new transport.  ${squeezer} may compress what goes over it, and
 * outlives the writer; NULL for none.
 */
void frame_writer_init(struct frame_writer *writer, struct squeezer *squeezer);

/**
 * frame_writer_step(writer, transport, channel, ring):
 * Write until there is nothing to send, or no room, within a bound that keeps
 * other channels going.  Return 0, or -1 with errno set when the transport has
 * failed.
 */
int frame_writer_step(struct frame_writer *writer, struct transport *transport,
                      struct channel *channel, struct ring *ring);

/**
 * frame_writer_reach(writer, channel):
 * Return the offset up to which the peer can have ${channel}'s stream.  A
 * compressed frame counts as a whole when it was begun: how much can be made of
 * a part of it is not known, and none of its bytes are in the ring any more.
 */
uint64_t frame_writer_reach(const struct frame_writer *writer,
                            const struct channel *channel);

/**
 * frame_writer_idle(writer):
 * Return whether all frames that were begun are written.
 */
bool frame_writer_idle(const struct frame_writer *writer);

#endif
