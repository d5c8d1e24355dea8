/* What a tunnel's two ends cost while nothing moves. */
#ifndef SUPPORT_BURDEN_H
#define SUPPORT_BURDEN_H

#include "support_proc.h"

struct move;
struct tunnel;

/* What both ends use up or hold. */
struct burden {
    struct proc_usage client;
    struct proc_usage server;
};

/**
 * burden_read(tunnel, burden):
 * Fill in ${burden}.
 */
void burden_read(const struct tunnel *tunnel, struct burden *burden);

/**
 * burden_assert_quiet(tunnel, seconds):
 * Check that both ends sleep for as long as ${seconds}, but for a timer.
 */
void burden_assert_quiet(const struct tunnel *tunnel, unsigned seconds);

/**
 * burden_assert_bounded(tunnel, before):
 * Check that neither end has taken much more memory than it had at ${before}.
 */
void burden_assert_bounded(const struct tunnel *tunnel,
                           const struct burden *before);

/**
 * burden_assert_fds_back(process, before):
 * Wait until the process has no more descriptors than it had.
 */
void burden_assert_fds_back(const struct process *process,
                            const struct proc_usage *before);

/**
 * burden_stall_reader(move):
 * Stop the destination's QEMU, and wait until that has come to the source.
 */
void burden_stall_reader(struct move *move);

#endif
