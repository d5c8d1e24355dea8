/*
 * A ring of bytes between a reader and a writer.  Bytes are known by their
 * offset in the stream, from 0 on, so that a writer may stay behind and go
 * back: a byte is kept until it is released.
 */
#ifndef TUNNEL_RING_H
#define TUNNEL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct ring {
    unsigned char *bytes;
    size_t size;     /* a power of two */
    uint64_t origin; /* the offset that lies at bytes[0] */
    uint64_t start;  /* the offset of the oldest byte kept */
    uint64_t end;    /* the offset after the newest */
};

/**
 * ring_init(ring, size_bytes):
 * Make an empty ring of ${size_bytes}, a power of two.  Memory is used only as
 * far as bytes have filled it, and is the kernel's again with ring_fini or when
 * the ring has grown: pieces of this size would else stay with the heap. Return
 * 0, or -1 with errno set.  The caller ends it with ring_fini.
 */
int ring_init(struct ring *ring, size_t size_bytes);
void ring_fini(struct ring *ring);

/**
 * ring_reserve(ring, room_bytes, max_bytes):
 * Make the ring larger, by powers of two up to ${max_bytes}, until there is
 * room for ${room_bytes} more.  Return whether there is that much room now;
 * what is kept stays kept in any case.
 */
bool ring_reserve(struct ring *ring, size_t room_bytes, size_t max_bytes);

/**
 * ring_restart(ring, offset):
 * Forget what is kept; the next byte is the one at ${offset}.
 */
void ring_restart(struct ring *ring, uint64_t offset);

/**
 * ring_length(ring):
 * ring_room(ring):
 * Return how many bytes are kept, and how many more there is room for.
 */
size_t ring_length(const struct ring *ring);
size_t ring_room(const struct ring *ring);

/**
 * ring_room_iov(ring, iov):
 * Set ${iov} to the free room, in the order in which to fill it.  Return the
 * number of pieces: 0, 1 or 2.
 */
int ring_room_iov(const struct ring *ring, struct iovec iov[2]);

/**
 * ring_filled(ring, bytes):
 * The first ${bytes} of the free room, at most all of it, have been filled.
 */
void ring_filled(struct ring *ring, size_t bytes);

/**
 * ring_bytes_iov(ring, from, iov):
 * Set ${iov} to the bytes from the offset ${from} on, which lies between start
 * and end.  Return the number of pieces: 0, 1 or 2.
 */
int ring_bytes_iov(const struct ring *ring, uint64_t from, struct iovec iov[2]);

/**
 * ring_release(ring, upto):
 * Give up the bytes before the offset ${upto}, which lies between start and
 * end.
 */
void ring_release(struct ring *ring, uint64_t upto);

#endif
