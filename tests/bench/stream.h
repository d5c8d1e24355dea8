/*
 * What the load generator sends: pseudo-random bytes that both ends can make,
 * laid out in writes as QEMU lays them out.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    STREAM_MAGIC_BYTES = 4,
    STREAM_IOV_MAX = 129,           /* pages of a multifd packet, header */
    STREAM_SLICE_MAX = 1024 * 1024, /* longest run that stream_at promises */
};

/* How QEMU writes: see stream_iov. */
enum stream_shape { STREAM_PLAIN, STREAM_MAIN, STREAM_MULTIFD, STREAM_LARGE };

struct stream {
    unsigned char *block; /* repeats for ever */
};

/**
 * stream_init(stream):
 * Make the contents.  Return 0, or -1 with errno.
 */
int stream_init(struct stream *stream);

/**
 * stream_fini(stream):
 * Release what stream_init has made.
 */
void stream_fini(struct stream *stream);

/**
 * stream_magic(main):
 * Return the STREAM_MAGIC_BYTES that QEMU's main channel begins with, or those
 * of a multifd channel.  They stand in place of the first bytes of ${stream}.
 */
const unsigned char *stream_magic(bool main);

/**
 * stream_at(stream, offset):
 * Return the bytes at ${offset} of a channel, STREAM_SLICE_MAX of them at
 * least.
 */
const unsigned char *stream_at(const struct stream *stream, uint64_t offset);

/**
 * stream_iov(stream, shape, offset, left, iov):
 * Fill ${iov}, which has room for STREAM_IOV_MAX, with one write as QEMU would
 * issue it at ${offset}, of ${left} bytes at most: 32 KiB in one piece
 * (STREAM_PLAIN), 32 pages each with a header of its own (STREAM_MAIN), one
 * header and 128 pages (STREAM_MULTIFD), or 512 KiB in one piece
 * (STREAM_LARGE).  Return the number of entries.
 */
int stream_iov(const struct stream *stream, enum stream_shape shape,
               uint64_t offset, uint64_t left, struct iovec *iov);

#endif
