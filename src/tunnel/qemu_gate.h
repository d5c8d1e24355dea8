/*
 * The way to the destination's QEMU: connects to its migration socket, one
 * connection after the other, in the order in which they are asked for.
 *
 * QEMU maps connections to channels by accept order.  It dies of a connection
 * that closes while it waits, so whether it listens is looked up and never
 * tried.
 */
#ifndef TUNNEL_QEMU_GATE_H
#define TUNNEL_QEMU_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct qemu_gate;
struct transport;

struct qemu_gate_options {
    struct loop *loop;
    const char *unix_path; /* copied */
    uint64_t wait_ms;      /* for QEMU to listen, and for room in its backlog */

    /**
     * on_connected(arg, qemu, why):
     * ${qemu} is connected and the callback's; or NULL, and ${why} says why
     * not.  The callback may ask for the next one, or free the gate.
     */
    void (*on_connected)(void *arg, struct transport *qemu, const char *why);

    /**
     * still_wanted(arg):
     * Asked before QEMU's socket is touched for the first connection: NULL, or
     * why not any more.
     */
    const char *(*still_wanted)(void *arg);
    void *arg;
};

/**
 * qemu_gate_new(options):
 * Return NULL with errno set if there is no memory.  The caller frees it with
 * qemu_gate_free, which stops it.
 */
struct qemu_gate *qemu_gate_new(const struct qemu_gate_options *options);
void qemu_gate_free(struct qemu_gate *gate);

/**
 * qemu_gate_connect(gate, first):
 * Make a connection, one at a time.  If it is the ${first} of a migration, wait
 * until QEMU listens; the further ones find it as the first has left it.
 * on_connected is never called before this function returns, so that a long
 * queue costs no depth of calls.
 */
void qemu_gate_connect(struct qemu_gate *gate, bool first);

/**
 * qemu_gate_stop(gate):
 * Do not make the connection that was asked for.
 */
void qemu_gate_stop(struct qemu_gate *gate);

#endif
