/*
 * A relay carries one channel in raw mode: a QEMU's connection on one side, a
 * TCP connection on the other, bytes as they are, both ways.
 */
#ifndef TUNNEL_RELAY_H
#define TUNNEL_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bucket;
struct loop;
struct relay;
struct transport;

enum side { SIDE_QEMU, SIDE_NET };
enum { SIDES = 2 };

enum relay_end {
    RELAY_OPEN,      /* not ended yet */
    RELAY_CLEAN,     /* both directions ended, every byte handed over */
    RELAY_NET_LOST,  /* the TCP connection broke off */
    RELAY_QEMU_LOST, /* QEMU closed its end with bytes still on the way */
    RELAY_TORN_DOWN, /* relay_break */
};

struct relay_report {
    enum relay_end end;
    int error;             /* errno behind NET_LOST and QEMU_LOST, */
    const char *why;       /* and what it means, as long as the relay lives */
    bool refused;          /* what came by TCP is a mig-server's refusal */
    uint64_t bytes[SIDES]; /* delivered that came from this side */
    uint64_t ms;           /* from the start to the end, or to now */
};

struct relay_options {
    struct loop *loop;
    struct transport *sides[SIDES];
    const void *early;        /* bytes that were read from SIDE_NET already */
    size_t early_bytes;       /* at most 4096 */
    struct bucket *bandwidth; /* of what goes out; NULL: no limit */

    /**
     * on_end(arg):
     * The relay has ended, with a relay_report that says how.  The callback
     * may free the relay.  Not called after relay_break.
     */
    void (*on_end)(void *arg);

    /**
     * on_qemu_lost(arg):
     * QEMU has broken off its connection.  That counts as its end, and nothing
     * is read for it any more: the owner judges by another channel, and calls
     * relay_drop_qemu or ends this one.  Told once.  NULL where that is
     * RELAY_QEMU_LOST.
     */
    void (*on_qemu_lost)(void *arg);
    void *arg;
};

/**
 * relay_new(options):
 * Relay between the two transports, which belong to the relay from now on,
 * also if this fails.  Return NULL with errno set if there is no memory.  No
 * callback is made before this function returns.
 *
 * A relay that ends badly has reset its TCP connection, so that the far end
 * knows at once; QEMU's connection stays open and silent until relay_free,
 * because it is for the caller to say when a QEMU may see a failure.
 */
struct relay *relay_new(const struct relay_options *options);
void relay_free(struct relay *relay);

/**
 * relay_break(relay):
 * End a relay that has not ended.
 */
void relay_break(struct relay *relay);

/**
 * relay_lost_qemu(relay):
 * Return whether on_qemu_lost was called.
 */
bool relay_lost_qemu(const struct relay *relay);

/**
 * relay_left(relay):
 * Return how many bytes have come for a QEMU that is lost, as far as they are
 * known here: those in the kernel's buffer included, but not what TLS holds.
 */
size_t relay_left(const struct relay *relay);

/**
 * relay_drop_qemu(relay):
 * QEMU is lost, if it is, and nobody needs what has come for it, or comes yet.
 */
void relay_drop_qemu(struct relay *relay);

/**
 * relay_confirms(relay, source):
 * Judge a main channel that ended cleanly, by what came back to its ${source}
 * side.  Return false if that was a return path, but without the word that the
 * destination's QEMU has the VM: then the migration was cancelled, or failed.
 * Without a return path nothing can be told.
 */
bool relay_confirms(const struct relay *relay, enum side source);

/**
 * relay_qemu_hung_up(relay):
 * Return whether QEMU has closed its connection.
 */
bool relay_qemu_hung_up(const struct relay *relay);

/**
 * relay_report(relay, report):
 * Fill in ${report}.
 */
void relay_report(const struct relay *relay, struct relay_report *report);

#endif
