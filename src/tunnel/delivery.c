#include "tunnel/delivery.h"

#include "io/transport.h"

int
delivery_init(struct delivery *delivery, size_t ring_bytes)
{
    *delivery = (struct delivery){ 0 };
    return ring_init(&delivery->ring, ring_bytes);
}

void
delivery_fini(struct delivery *delivery)
{
    ring_fini(&delivery->ring);
}

size_t
delivery_held(const struct delivery *delivery)
{
    return ring_length(&delivery->ring);
}

ssize_t
delivery_write(struct delivery *delivery, struct transport *local)
{
    struct ring *ring = &delivery->ring;
    struct iovec iov[2];
    int count = ring_bytes_iov(ring, ring->start, iov);
    ssize_t n = count > 0 ? transport_writev(local, iov, count) : 0;

    if (n > 0) {
        tail_keep(&delivery->tail, iov, count, (size_t)n);
        ring_release(ring, ring->start + (uint64_t)n);
    }
    return n;
}

size_t
delivery_drop(struct delivery *delivery)
{
    struct ring *ring = &delivery->ring;
    size_t bytes = ring_length(ring);

    ring_release(ring, ring->end);
    return bytes;
}

void
delivery_restart(struct delivery *delivery, uint64_t offset)
{
    ring_restart(&delivery->ring, offset);
}
