/*
 * Reads frames from a transport: payload goes straight into a ring, headers
 * into the channel machine.
 */
#ifndef TUNNEL_FRAME_READER_H
#define TUNNEL_FRAME_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/reason.h"

struct channel;
struct ring;
struct transport;
struct unpacker;

enum { FRAME_STAGE_BYTES = 4096 };

struct frame_reader {
    unsigned char stage[FRAME_STAGE_BYTES]; /* headers, and what follows them */
    size_t staged;
    unsigned pack_log;         /* the largest window that the peer may have; 0:
                                  nothing is compressed */
    struct unpacker *unpacker; /* NULL before something is */
    uint64_t stream_bytes;     /* of DATA frames, */
    uint64_t wire_bytes;       /* and what they took; over all transports */
};

enum frame_read {
    FRAME_READ_SOME,  /* all that there was for now */
    FRAME_READ_LOST,  /* the transport ended or failed: errno, 0 for its end */
    FRAME_READ_RESET, /* the peer gave up, with *reason */
    FRAME_READ_BAD,   /* the peer broke the protocol, as *reason says */
};

/**
 * frame_reader_init(reader, early, bytes):
 * Begin with a new transport, of which the first ${bytes} bytes, at most
 * FRAME_STAGE_BYTES, have been read already.  A reader that is new is all
 * zeros; the caller ends it with frame_reader_fini.
 */
void frame_reader_init(struct frame_reader *reader, const void *early,
                       size_t bytes);
void frame_reader_fini(struct frame_reader *reader);

/**
 * frame_reader_allow(reader, pack_log):
 * Take compressed payload over this transport, with windows of up to
 * 2^${pack_log} bytes; with 0 none, as after frame_reader_init.
 */
void frame_reader_allow(struct frame_reader *reader, unsigned pack_log);

/**
 * frame_reader_between(reader, channel):
 * Return whether the last frame that was begun has come as a whole.
 */
bool frame_reader_between(const struct frame_reader *reader,
                          const struct channel *channel);

/**
 * frame_reader_leaves(reader, channel, least_bytes):
 * Return whether the next ${least_bytes} of the transport are payload as it is,
 * so that somebody else may read them, and tell the channel.
 */
bool frame_reader_leaves(const struct frame_reader *reader,
                         const struct channel *channel, uint32_t least_bytes);

/**
 * frame_reader_awaits(reader, channel):
 * Return how many bytes of the transport are needed, at least, to end the frame
 * that has begun, or to begin one: more than 0.
 */
uint32_t frame_reader_awaits(const struct frame_reader *reader,
                             const struct channel *channel);

/**
 * frame_reader_step(reader, transport, channel, ring, now_ms, leave, reason):
 * Read what there is, within a bound that keeps other channels going, but stop
 * where frame_reader_leaves says yes to ${leave} bytes.  Payload is added to
 * ${ring}, which grows up to the channel's room.
 */
enum frame_read frame_reader_step(struct frame_reader *reader,
                                  struct transport *transport,
                                  struct channel *channel, struct ring *ring,
                                  uint64_t now_ms, uint32_t leave,
                                  enum reason *reason);

#endif
