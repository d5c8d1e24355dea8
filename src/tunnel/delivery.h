/*
 * What has come for a local stream and is not written to it yet: received bytes
 * in a ring.
 */
#ifndef TUNNEL_DELIVERY_H
#define TUNNEL_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tunnel/ring.h"
#include "tunnel/tail.h"

struct transport;

struct delivery {
    struct ring ring; /* the reader adds to its end */
    struct tail tail; /* of what was written */
};

/**
 * delivery_init(delivery, ring_bytes):
 * Begin with nothing, and a ring of ${ring_bytes}, a power of two.  Return 0,
 * or -1 with errno set.  The caller ends it with delivery_fini.
 */
int delivery_init(struct delivery *delivery, size_t ring_bytes);
void delivery_fini(struct delivery *delivery);

/**
 * delivery_held(delivery):
 * Return how many bytes have come and are not written.
 */
size_t delivery_held(const struct delivery *delivery);

/**
 * delivery_write(delivery, local):
 * Write to ${local} what it takes at once.  Return the bytes that it took; or
 * -1 with errno set, EAGAIN if it takes none now.
 */
ssize_t delivery_write(struct delivery *delivery, struct transport *local);

/**
 * delivery_drop(delivery):
 * Nobody wants what has come.  Return how many bytes that was.
 */
size_t delivery_drop(struct delivery *delivery);

/**
 * delivery_restart(delivery, offset):
 * What has come and is not written will come again: from ${offset} on, which is
 * how much was written or dropped in all.
 */
void delivery_restart(struct delivery *delivery, uint64_t offset);

#endif
