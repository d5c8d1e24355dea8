#include "tunnel/delivery.h"

#include <errno.h>
#include <sys/uio.h>

#include "io/transport.h"

/* What goes with spliced bytes by being copied: a page of the pipe or two. */
enum { AHEAD_BYTES = 8 << 10 };

int
delivery_init(struct delivery *delivery, size_t ring_bytes)
{
    *delivery = (struct delivery){ .may_splice = false };
    pipe_init(&delivery->pipe);
    return ring_init(&delivery->ring, ring_bytes);
}

void
delivery_fini(struct delivery *delivery)
{
    ring_fini(&delivery->ring);
    pipe_fini(&delivery->pipe);
}

void
delivery_allow_splice(struct delivery *delivery)
{
    delivery->may_splice = true;
}

bool
delivery_splices(const struct delivery *delivery)
{
    return delivery->may_splice && delivery->pipe.held == 0 &&
           ring_length(&delivery->ring) <= AHEAD_BYTES;
}

/* The ring's bytes go first.  Return whether all of them are in the pipe. */
static bool
move_ahead(struct delivery *delivery)
{
    struct ring *ring = &delivery->ring;
    struct iovec iov[2];
    int count = ring_bytes_iov(ring, ring->start, iov);
    ssize_t n = count > 0 ? writev(delivery->pipe.fds[1], iov, count) : 0;

    if (n > 0) {
        tail_keep(&delivery->tail, iov, count, (size_t)n);
        ring_release(ring, ring->start + (uint64_t)n);
        delivery->pipe.held += (size_t)n;
    }
    return ring_length(ring) == 0;
}

ssize_t
delivery_splice(struct delivery *delivery, struct transport *from, size_t bytes)
{
    struct pipe *pipe = &delivery->pipe;
    struct ring *ring = &delivery->ring;
    ssize_t n;

    if (!pipe_open(pipe)) {
        delivery->may_splice = false;
        errno = EINVAL;
        return -1;
    }
    if (!move_ahead(delivery)) {
        errno = EAGAIN;
        return -1;
    }
    n = transport_splice_in(from, pipe->fds[1], bytes);
    if (n > 0) {
        pipe->held += (size_t)n;
        delivery->spliced += (uint64_t)n;
        ring_restart(ring, ring->end + (uint64_t)n);
    } else if (n < 0 && errno == EINVAL) {
        delivery->may_splice = false;
    }
    return n;
}

size_t
delivery_held(const struct delivery *delivery)
{
    return delivery->pipe.held + ring_length(&delivery->ring);
}

static ssize_t
write_pipe(struct delivery *delivery, struct transport *local)
{
    struct pipe *pipe = &delivery->pipe;
    ssize_t n = transport_splice_out(local, pipe->fds[0], pipe->held);

    if (n > 0)
        pipe->held -= (size_t)n;
    return n;
}

static ssize_t
write_ring(struct delivery *delivery, struct transport *local)
{
    struct ring *ring = &delivery->ring;
    struct iovec iov[2];
    int count = ring_bytes_iov(ring, ring->start, iov);
    ssize_t n = transport_writev(local, iov, count);

    if (n > 0) {
        tail_keep(&delivery->tail, iov, count, (size_t)n);
        ring_release(ring, ring->start + (uint64_t)n);
    }
    return n;
}

ssize_t
delivery_write(struct delivery *delivery, struct transport *local)
{
    ssize_t piped = 0, n;

    if (delivery->pipe.held > 0) {
        piped = write_pipe(delivery, local);
        if (piped < 0 || delivery->pipe.held > 0)
            return piped;
    }
    if (ring_length(&delivery->ring) == 0)
        return piped;
    n = write_ring(delivery, local);
    if (n < 0)
        return piped > 0 ? piped : -1; /* an error stays */
    return piped + n;
}

/* What is in a pipe goes with it; the next one is made when it is needed. */
static void
empty_pipe(struct pipe *pipe)
{
    if (pipe->held > 0)
        pipe_fini(pipe);
}

size_t
delivery_drop(struct delivery *delivery)
{
    struct ring *ring = &delivery->ring;
    size_t bytes = delivery_held(delivery);

    ring_release(ring, ring->end);
    empty_pipe(&delivery->pipe);
    return bytes;
}

void
delivery_restart(struct delivery *delivery, uint64_t offset)
{
    empty_pipe(&delivery->pipe);
    ring_restart(&delivery->ring, offset);
}
