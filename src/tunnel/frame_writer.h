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
struct transport;

enum { FRAME_WRITER_HEADERS = 8 };

struct frame_writer {
    unsigned char head[FRAME_WRITER_HEADERS * FRAME_HEADER_BYTES];
    size_t head_at; /* what of it is written */
    size_t head_bytes;
    uint64_t data_offset; /* the payload behind the last header */
    size_t data_left;
    bool blocked; /* the transport had no room */
};

/**
 * frame_writer_init(writer):
 * Begin with a new transport.
 */
void frame_writer_init(struct frame_writer *writer);

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
 * Return the offset up to which ${channel}'s stream has been written to the
 * transport, at least in part of a frame.
 */
uint64_t frame_writer_reach(const struct frame_writer *writer,
                            const struct channel *channel);

/**
 * frame_writer_idle(writer):
 * Return whether all frames that were begun are written.
 */
bool frame_writer_idle(const struct frame_writer *writer);

#endif
