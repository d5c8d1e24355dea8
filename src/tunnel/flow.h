/*
 * A flow carries one direction of a channel: it reads one transport into a
 * ring and writes the other from it.
 *
 *   state         reads   writes        left by
 *   OPEN          yes     yes           end of stream, an error
 *   EOF           no      what is left  the ring is empty, and the end is
 *                                       passed on
 *   ENDED         no      no
 *   READ_FAILED   no      what is left
 *   HELD          no      no            flow_drop
 *   WRITE_FAILED  no      no
 *
 * A stream that broke off stays READ_FAILED: it is never passed on as ended,
 * unless the owner says so (flow_give_up).
 */
#ifndef TUNNEL_FLOW_H
#define TUNNEL_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/pipe.h"
#include "tunnel/ring.h"
#include "tunnel/tail.h"

struct transport;

enum flow_state {
    FLOW_OPEN,
    FLOW_EOF,
    FLOW_ENDED,
    FLOW_READ_FAILED,
    FLOW_WRITE_FAILED,
    FLOW_HELD,
};

struct flow {
    struct transport *from;
    struct transport *to;
    struct ring ring;
    struct pipe pipe;  /* takes the ring's place in bulk, if */
    bool may_splice;   /* flow_allow_splice was called, and it works */
    uint64_t may_read; /* bytes, before flow_allow says so again */
    uint64_t spliced;  /* bytes that went through the pipe */
    struct tail tail;  /* of what went through the ring */
    enum flow_state state;
    bool blocked; /* the last write, or the end, found no room */
    bool drops;   /* flow_drop was called */
    int error;    /* errno of the failure */
};

/**
 * flow_init(flow, from, to, ring_bytes):
 * Carry bytes from ${from} to ${to}, which stay the caller's, through a ring
 * of ${ring_bytes}, a power of two.  Return 0, or -1 with errno set.  The
 * caller ends it with flow_fini.
 */
int flow_init(struct flow *flow, struct transport *from, struct transport *to,
              size_t ring_bytes);
void flow_fini(struct flow *flow);

/**
 * flow_allow_splice(flow):
 * Move bulk through a pipe in the kernel, where both transports can.
 */
void flow_allow_splice(struct flow *flow);

/**
 * flow_hold(flow):
 * ${flow}->to is gone.  Read no more, until flow_drop is called.
 */
void flow_hold(struct flow *flow);

/**
 * flow_held(flow):
 * Return how many bytes were read and not written.
 */
size_t flow_held(const struct flow *flow);

/**
 * flow_allow(flow, bytes):
 * Read ${bytes} at most from now on: everything unless this is called.  What is
 * not read stays with who wrote it, and does not wait here.  A flow that may
 * splice is not to be bounded.
 */
void flow_allow(struct flow *flow, uint64_t bytes);

/**
 * flow_drop(flow):
 * flow_give_up(flow):
 * ${flow}->to, or ${flow}->from, is gone, and that is no failure.  From now on
 * what was read and is read goes nowhere, or what was read is all there is.
 */
void flow_drop(struct flow *flow);
void flow_give_up(struct flow *flow);

/**
 * flow_step(flow, readable):
 * Write what can be written and, if ${readable}, read before that; in turn for
 * as long as both have something to do, up to a bound that keeps other
 * channels going.
 */
void flow_step(struct flow *flow, bool readable);

/**
 * flow_unblock(flow):
 * The transport ${flow}->to has room again.
 */
void flow_unblock(struct flow *flow);

/**
 * flow_wants_read(flow):
 * flow_wants_write(flow):
 * Return whether the flow waits for ${flow}->from to become readable, and for
 * ${flow}->to to become writable.
 */
bool flow_wants_read(const struct flow *flow);
bool flow_wants_write(const struct flow *flow);

/**
 * flow_empty(flow):
 * Return whether everything that was read has been written.
 */
bool flow_empty(const struct flow *flow);

/**
 * flow_delivered(flow):
 * Return how many bytes have been written.
 */
uint64_t flow_delivered(const struct flow *flow);

#endif
