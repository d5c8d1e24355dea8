#include "tunnel/flow.h"

#include <errno.h>

#include "io/transport.h"

enum {
    /* Below this much room a read would be small and a wake-up dear. */
    READ_ROOM_BYTES = 64 << 10,

    /* Times that one step fills the ring before others get their turn. */
    STEP_TURNS = 8,

    /* What moves fewer bytes than this has no need of a pipe. */
    BULK_BYTES = 1 << 20,
};

int
flow_init(struct flow *flow, struct transport *from, struct transport *to,
          size_t ring_bytes)
{
    *flow = (struct flow){
        .from = from, .to = to, .state = FLOW_OPEN, .may_read = UINT64_MAX
    };
    pipe_init(&flow->pipe);
    return ring_init(&flow->ring, ring_bytes);
}

void
flow_fini(struct flow *flow)
{
    ring_fini(&flow->ring);
    pipe_fini(&flow->pipe);
}

void
flow_allow_splice(struct flow *flow)
{
    flow->may_splice = true;
}

void
flow_allow(struct flow *flow, uint64_t bytes)
{
    flow->may_read = bytes;
}

bool
flow_empty(const struct flow *flow)
{
    return ring_length(&flow->ring) == 0 && flow->pipe.held == 0;
}

/* The ring and the pipe are never in use at the same time. */
static bool
is_bulk(struct flow *flow)
{
    if (!flow->may_splice || flow_delivered(flow) < BULK_BYTES ||
        !flow_empty(flow))
        return false;
    flow->may_splice = pipe_open(&flow->pipe); /* it is asked for but once */
    return flow->may_splice;
}

static void
flow_fail(struct flow *flow, enum flow_state state)
{
    flow->state = state;
    flow->error = errno;
    flow->blocked = false;
}

/* What a read has come to.  Return whether there may be more. */
static bool
take_result(struct flow *flow, ssize_t n, size_t room)
{
    if (n > 0)
        return (size_t)n == room;
    if (n == 0)
        flow->state = FLOW_EOF;
    else if (errno != EAGAIN)
        flow_fail(flow, FLOW_READ_FAILED);
    return false;
}

/* Cut the ${count} pieces to ${most} bytes in all.  Return how many are left.
 */
static size_t
bound(struct iovec *iov, int count, uint64_t most)
{
    size_t room = 0;

    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > most - room)
            iov[i].iov_len = (size_t)(most - room);
        room += iov[i].iov_len;
    }
    return room;
}

static bool
fill_ring(struct flow *flow)
{
    struct iovec iov[2];
    int count = ring_room_iov(&flow->ring, iov);
    size_t room = bound(iov, count, flow->may_read);
    ssize_t n;

    if (room == 0)
        return false;
    n = transport_readv(flow->from, iov, count);
    if (n > 0)
        ring_filled(&flow->ring, (size_t)n);
    if (n > 0 && flow->may_read != UINT64_MAX)
        flow->may_read -= (uint64_t)n;
    return take_result(flow, n, room);
}

static bool
fill_pipe(struct flow *flow)
{
    struct pipe *pipe = &flow->pipe;
    ssize_t n = transport_splice_in(flow->from, pipe->fds[1], pipe->size);

    if (n < 0 && errno == EINVAL) {
        flow->may_splice = false;
        pipe_fini(pipe);
        return true; /* to the ring, then */
    }
    if (n > 0)
        pipe->held = (size_t)n;
    take_result(flow, n, pipe->size);

    /* It may have been full of slots long before it was full of bytes. */
    return n > 0 && (size_t)n >= pipe->size / 4;
}

/* Read once.  Return whether there may be more. */
static bool
fill(struct flow *flow)
{
    return is_bulk(flow) ? fill_pipe(flow) : fill_ring(flow);
}

/* What a write has come to. */
static void
give_result(struct flow *flow, ssize_t n)
{
    if (n < 0 && errno != EAGAIN)
        flow_fail(flow, FLOW_WRITE_FAILED);
    else
        flow->blocked = !flow_empty(flow);
}

static void
drain_pipe(struct flow *flow)
{
    struct pipe *pipe = &flow->pipe;
    ssize_t n = transport_splice_out(flow->to, pipe->fds[0], pipe->held);

    if (n > 0) {
        pipe->held -= (size_t)n;
        flow->spliced += (uint64_t)n;
    }
    give_result(flow, n);
}

static void
drain_ring(struct flow *flow)
{
    struct iovec iov[2];
    int count = ring_bytes_iov(&flow->ring, flow->ring.start, iov);
    ssize_t n = transport_writev(flow->to, iov, count);

    if (n > 0) {
        tail_keep(&flow->tail, iov, count, (size_t)n);
        ring_release(&flow->ring, flow->ring.start + (uint64_t)n);
    }
    give_result(flow, n);
}

/* Write once: what the socket does not take at once it has no room for. */
static void
drain(struct flow *flow)
{
    if (flow->blocked || flow_empty(flow))
        return;
    if (flow->drops)
        ring_release(&flow->ring, flow->ring.start + ring_length(&flow->ring));
    else if (flow->pipe.held > 0)
        drain_pipe(flow);
    else
        drain_ring(flow);
}

/* TLS has to write something for that, which may find no room. */
static void
pass_on_eof(struct flow *flow)
{
    if (flow->drops || transport_shutdown_write(flow->to) == 0)
        flow->state = FLOW_ENDED;
    else if (errno == EAGAIN)
        flow->blocked = true;
    else
        flow_fail(flow, FLOW_WRITE_FAILED);
}

void
flow_hold(struct flow *flow)
{
    flow->state = FLOW_HELD;
    flow->blocked = false;
}

size_t
flow_held(const struct flow *flow)
{
    return ring_length(&flow->ring) + flow->pipe.held;
}

void
flow_drop(struct flow *flow)
{
    flow->drops = true;
    flow->may_splice = false;
    pipe_fini(&flow->pipe);
    flow->blocked = false;
    flow->state = FLOW_OPEN; /* what was read of its end is read again */
}

void
flow_give_up(struct flow *flow)
{
    if (flow->state == FLOW_READ_FAILED)
        flow->state = FLOW_EOF;
}

void
flow_step(struct flow *flow, bool readable)
{
    if (flow->state == FLOW_ENDED || flow->state == FLOW_WRITE_FAILED ||
        flow->state == FLOW_HELD)
        return;
    drain(flow);
    for (int turn = 0; turn < STEP_TURNS; turn++) {
        if (!readable || !flow_wants_read(flow))
            break;
        readable = fill(flow);
        drain(flow);
    }
    if (flow->state == FLOW_EOF && flow_empty(flow) && !flow->blocked)
        pass_on_eof(flow);
}

void
flow_unblock(struct flow *flow)
{
    flow->blocked = false;
}

bool
flow_wants_read(const struct flow *flow)
{
    if (flow->state != FLOW_OPEN || flow->may_read == 0)
        return false;
    return !flow->blocked ||
           (flow->pipe.held == 0 && ring_room(&flow->ring) >= READ_ROOM_BYTES);
}

bool
flow_wants_write(const struct flow *flow)
{
    return flow->blocked;
}

uint64_t
flow_delivered(const struct flow *flow)
{
    return flow->ring.start + flow->spliced;
}
