#include "tunnel/ring.h"

#include <string.h>
#include <sys/mman.h>

int
ring_init(struct ring *ring, size_t size_bytes)
{
    void *bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *ring = (struct ring){ .bytes = NULL };
    if (bytes == MAP_FAILED)
        return -1;
    ring->bytes = bytes;
    ring->size = size_bytes;
    return 0;
}

void
ring_fini(struct ring *ring)
{
    if (ring->bytes != NULL)
        munmap(ring->bytes, ring->size);
    ring->bytes = NULL;
}

size_t
ring_length(const struct ring *ring)
{
    return (size_t)(ring->end - ring->start);
}

size_t
ring_room(const struct ring *ring)
{
    return ring->size - ring_length(ring);
}

/* The ${length} bytes from the offset ${from} on, wherever they lie. */
static int
pieces(const struct ring *ring, uint64_t from, size_t length,
       struct iovec iov[2])
{
    size_t at = (size_t)(from - ring->origin) & (ring->size - 1);
    size_t first = ring->size - at;

    if (length == 0)
        return 0;
    if (first >= length) {
        iov[0] = (struct iovec){ ring->bytes + at, length };
        return 1;
    }
    iov[0] = (struct iovec){ ring->bytes + at, first };
    iov[1] = (struct iovec){ ring->bytes, length - first };
    return 2;
}

int
ring_room_iov(const struct ring *ring, struct iovec iov[2])
{
    return pieces(ring, ring->end, ring_room(ring), iov);
}

void
ring_filled(struct ring *ring, size_t bytes)
{
    ring->end += bytes;
}

int
ring_bytes_iov(const struct ring *ring, uint64_t from, struct iovec iov[2])
{
    return pieces(ring, from, (size_t)(ring->end - from), iov);
}

void
ring_release(struct ring *ring, uint64_t upto)
{
    ring->start = upto;

    /* An empty ring starts over at its first byte, which is in the cache. */
    if (ring->start == ring->end)
        ring->origin = ring->end;
}

bool
ring_reserve(struct ring *ring, size_t room_bytes, size_t max_bytes)
{
    struct iovec iov[2];
    struct ring larger;
    size_t size = ring->size, filled = 0;
    int count;

    while (size - ring_length(ring) < room_bytes && size < max_bytes)
        size *= 2;
    if (size == ring->size || ring_init(&larger, size) != 0)
        return ring_room(ring) >= room_bytes;
    count = ring_bytes_iov(ring, ring->start, iov);
    for (int i = 0; i < count; i++) {
        memcpy(larger.bytes + filled, iov[i].iov_base, iov[i].iov_len);
        filled += iov[i].iov_len;
    }
    larger.origin = larger.start = ring->start;
    larger.end = ring->end;
    ring_fini(ring);
    *ring = larger;
    return ring_room(ring) >= room_bytes;
}

void
ring_restart(struct ring *ring, uint64_t offset)
{
    ring->origin = ring->start = ring->end = offset;
}
