/*
 * What has come for a local stream and is not written to it yet: received bytes
 * in a pipe, which the kernel moves there and on without copying, and behind
 * these in a ring.
 */
#ifndef TUNNEL_DELIVERY_H
#define TUNNEL_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tunnel/pipe.h"
#include "tunnel/ring.h"
#include "tunnel/tail.h"

struct transport;

struct delivery {
    struct pipe pipe;
    struct ring ring; /* the reader adds to its end */
    struct tail tail; /* of what left the ring: only its end is the stream's */
    uint64_t spliced; /* bytes that came into the pipe uncopied, in all */
    bool may_splice;
};

/**
 * delivery_init(delivery, ring_bytes):
 * Begin with nothing, and a ring of ${ring_bytes}, a power of two.  Return 0,
 * or -1 with errno set.  The caller ends it with delivery_fini.
 */
int delivery_init(struct delivery *delivery, size_t ring_bytes);
void delivery_fini(struct delivery *delivery);

/**
 * delivery_allow_splice(delivery):
 * There is a new transport to read from, which may be able to splice.
 */
void delivery_allow_splice(struct delivery *delivery);

/**
 * delivery_splices(delivery):
 * Return whether delivery_splice may be called: the pipe is empty, and so is
 * the ring but for a little.
 */
bool delivery_splices(const struct delivery *delivery);

/**
 * delivery_splice(delivery, from, bytes):
 * Move what the ring has and then at most ${bytes} of ${from} to the pipe.
 * Return the bytes that came from ${from}, 0 for its end; or -1 with errno set,
 * EAGAIN if there are none now, EINVAL if ${from} can't splice or there is no
 * pipe, and then delivery_splices says no until there is a new transport.  The
 * tail does not have these bytes: the last of a stream have to come through the
 * ring.
 */
ssize_t delivery_splice(struct delivery *delivery, struct transport *from,
                        size_t bytes);

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
