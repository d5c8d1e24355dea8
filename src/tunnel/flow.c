#include "tunnel/flow.h"

#include <errno.h>

#include "io/transport.h"

enum {
    /* Below this much room a read would be small and a wake-up dear. */
    READ_ROOM_BYTES = 64 << 10,

    /* Times that one step fills the ring before others get their turn. */
    STEP_TURNS = 8,
};

int
flow_init(struct flow *flow, struct transport *from, struct transport *to,
          size_t ring_bytes)
{
    *flow = (struct flow){ .from = from, .to = to, .state = FLOW_OPEN };
    return ring_init(&flow->ring, ring_bytes);
}

void
flow_fini(struct flow *flow)
{
    ring_fini(&flow->ring);
}

static void
flow_fail(struct flow *flow, enum flow_state state)
{
    flow->state = state;
    flow->error = errno;
    flow->blocked = false;
}

/* Read once.  Return whether there may be more: the room was filled. */
static bool
fill(struct flow *flow)
{
    struct iovec iov[2];
    size_t room = ring_room(&flow->ring);
    int count = ring_room_iov(&flow->ring, iov);
    ssize_t n;

    if (count == 0)
        return false;
    n = transport_readv(flow->from, iov, count);
    if (n > 0) {
        ring_filled(&flow->ring, (size_t)n);
        return (size_t)n == room;
    }
    if (n == 0)
        flow->state = FLOW_EOF;
    else if (errno != EAGAIN)
        flow_fail(flow, FLOW_READ_FAILED);
    return false;
}

/* Write once: what the socket does not take at once it has no room for. */
static void
drain(struct flow *flow)
{
    struct iovec iov[2];
    int count = ring_bytes_iov(&flow->ring, flow->ring.start, iov);
    ssize_t n;

    if (count == 0 || flow->blocked)
        return;
    n = transport_writev(flow->to, iov, count);
    if (n < 0 && errno != EAGAIN) {
        flow_fail(flow, FLOW_WRITE_FAILED);
        return;
    }
    if (n > 0)
        ring_release(&flow->ring, flow->ring.start + (uint64_t)n);
    flow->blocked = ring_length(&flow->ring) > 0;
}

static void
pass_on_eof(struct flow *flow)
{
    if (transport_shutdown_write(flow->to) != 0)
        flow_fail(flow, FLOW_WRITE_FAILED);
    else
        flow->state = FLOW_ENDED;
}

void
flow_step(struct flow *flow, bool readable)
{
    if (flow->state == FLOW_ENDED || flow->state == FLOW_WRITE_FAILED)
        return;
    drain(flow);
    for (int turn = 0; turn < STEP_TURNS; turn++) {
        if (!readable || !flow_wants_read(flow))
            break;
        readable = fill(flow);
        drain(flow);
    }
    if (flow->state == FLOW_EOF && ring_length(&flow->ring) == 0)
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
    return flow->state == FLOW_OPEN &&
           (!flow->blocked || ring_room(&flow->ring) >= READ_ROOM_BYTES);
}

bool
flow_wants_write(const struct flow *flow)
{
    return flow->blocked;
}

uint64_t
flow_delivered(const struct flow *flow)
{
    return flow->ring.start;
}
