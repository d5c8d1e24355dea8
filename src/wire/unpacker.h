/*
 * Decompresses the payload of DATA frames (PROTOCOL.md, "Compressed payload"),
 * as it comes.  Nothing of it is trusted: what it says of its length, what it
 * makes, and the memory that it takes are bounded.
 */
#ifndef WIRE_UNPACKER_H
#define WIRE_UNPACKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "wire/reason.h"

enum {
    PACKED_LENGTH_BYTES = 4,  /* before what is compressed */
    PACKED_GROWTH_MAX = 1024, /* what does not give way becomes longer */

    /* The window of a compressor, as an exponent of 2. */
    PACKED_WINDOW_LOG_MIN = 10,
    PACKED_WINDOW_LOG_MAX = 27,

    UNPACKER_BUFFER_BYTES = 64 << 10,
};

struct unpacker;

/**
 * unpacker_new(window_log):
 * Make a decompressor for windows of up to 2^${window_log} bytes.  It has so
 * much memory and 1 MiB at most beside it, which is filled as far as the
 * windows need it.  Return NULL if there is no memory.  The caller frees it
 * with unpacker_free.
 */
struct unpacker *unpacker_new(unsigned window_log);
void unpacker_free(struct unpacker *unpacker);

/**
 * unpacker_begin(unpacker, length):
 * A compressed payload follows that makes ${length} bytes, at least 1.
 */
void unpacker_begin(struct unpacker *unpacker, uint32_t length);

/**
 * unpacker_wants(unpacker):
 * Return how many bytes of the present payload must come next: 0 when it is
 * over, or ${unpacker} is NULL.
 */
size_t unpacker_wants(const struct unpacker *unpacker);

/**
 * unpacker_buffer(unpacker):
 * Return room for UNPACKER_BUFFER_BYTES, for the owner to read them into.
 */
unsigned char *unpacker_buffer(struct unpacker *unpacker);

/**
 * unpacker_take(unpacker, in, bytes, out, count, made):
 * Take ${bytes} more of the payload, at most unpacker_wants.  Set *${made} to
 * the number of bytes that were written to the ${count} pieces of ${out}, which
 * have room for all that the payload has yet to make.  Return REASON_NONE, or
 * REASON_BAD_LENGTH, REASON_BAD_PACKED or REASON_BAD_UNPACKED for a payload
 * that no peer of ours sends; then there is no going on.
 */
enum reason unpacker_take(struct unpacker *unpacker, const void *in,
                          size_t bytes, const struct iovec *out, int count,
                          size_t *made);

#endif
