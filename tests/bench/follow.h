/* Follows a migration at both of its ends at once. */
#ifndef BENCH_FOLLOW_H
#define BENCH_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qmp_line;

enum { FOLLOW_SAMPLES_MAX = 4096 };

struct follow {
    struct qmp_line *source; /* these by the caller */
    struct qmp_line *destination;
    const char *interface; /* of the source's link, or NULL for no samples */
    bool running;          /* the guest runs, so it will at the destination */
    uint64_t timeout_ms;

    /* What was found: */
    double silent_s; /* the guest ran nowhere for so long */
    long long held_bytes[FOLLOW_SAMPLES_MAX];
    size_t samples;

    long long link_start_bytes;
    bool asked; /* the source, and it has not answered yet */
    uint64_t ask_ms;
};

/**
 * follow_start(follow):
 * Begin, before the migration does, with what the caller has set.  Return 0, or
 * -1 after a line in the log.
 */
int follow_start(struct follow *follow);

/**
 * follow_to_end(follow):
 * Wait until the source's migration has ended and, of a guest that ran, until
 * it runs at the destination.  Return 0 if it completed, or -1 after a line in
 * the log.
 */
int follow_to_end(struct follow *follow);

/**
 * follow_held(follow, most):
 * Return the median of what was held on the way, in bytes, or with ${most} the
 * highest; -1 without samples.  ${follow}'s samples are sorted.
 */
long long follow_held(struct follow *follow, bool most);

#endif
