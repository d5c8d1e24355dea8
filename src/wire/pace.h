/*
 * How much of a stream should be on its way: the window bounded by time.
 *
 * QEMU takes its bandwidth from how fast its own socket empties, and decides by
 * that when to stop the guest; what waits in a tunnel then comes on top of the
 * downtime.  So what is on its way should be what the path carries in about one
 * round trip, and a little more so that the path never runs dry.  On a path
 * that is fast and short a little is little: what a processor's cache still
 * holds is carried in half the time.
 */
#ifndef WIRE_PACE_H
#define WIRE_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_MIN_BYTES = 256 << 10,
    PACE_SLACK_US = 20000, /* allowed to wait on the way, */
    PACE_NEAR_BYTES =
        512 << 10, /* if that is no more than a round trip or so */
    PACE_SLOTS = 8,
};

struct pace {
    uint64_t max_bytes;
    uint64_t window;

    /* Round trip: of one byte at a time, the least in two periods. */
    bool probing;
    uint64_t probe_offset;
    uint64_t probe_us;
    uint64_t probe_flight; /* on the way with it */
    uint64_t rtt_us;       /* the least in this period; 0 for none */
    uint64_t rtt_last_us;  /* and in the one before */
    uint64_t rtt_since_us;
    uint64_t acked;
    uint64_t grown;       /* the path has room: at least so much; 0 if not */
    bool draining;        /* between two periods */
    uint64_t drain_bytes; /* the window meanwhile */

    /* Rate: the most in any of the latest slots of time. */
    uint64_t slot_us; /* when the present slot began */
    uint64_t slot_acked;
    uint64_t rates[PACE_SLOTS]; /* bytes a second */
    unsigned slot;
};

/**
 * pace_init(pace, max_bytes):
 * Begin with a window of PACE_MIN_BYTES, which will never be above
 * ${max_bytes}.
 */
void pace_init(struct pace *pace, uint64_t max_bytes);

/**
 * pace_restart(pace, now_us, acked):
 * Another path, another round trip: forget what was measured, and go on with
 * the window as it was once a round trip has been measured.  ${acked} is
 * acknowledged so far.
 */
void pace_restart(struct pace *pace, uint64_t now_us, uint64_t acked);

/**
 * pace_sent(pace, now_us, offset):
 * The stream has been sent up to ${offset}.
 */
void pace_sent(struct pace *pace, uint64_t now_us, uint64_t offset);

/**
 * pace_acked(pace, now_us, offset):
 * The stream has been acknowledged up to ${offset}.
 */
void pace_acked(struct pace *pace, uint64_t now_us, uint64_t offset);

/**
 * pace_window(pace):
 * Return how many bytes should be on their way at most.
 */
uint64_t pace_window(const struct pace *pace);

#endif
