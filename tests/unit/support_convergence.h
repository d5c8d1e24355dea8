/* A migration as the tests of wire/convergence see it, one update at a time. */
#ifndef SUPPORT_CONVERGENCE_H
#define SUPPORT_CONVERGENCE_H

#include "wire/convergence.h"

struct trial {
    struct convergence convergence;
    struct migration update; /* the next to be taken; at first "active" */
    uint64_t now_ms;
    char remark[CONVERGENCE_REMARK_MAX];
};

extern struct trial trial;

/**
 * trial_begin(options):
 * A migration with ${options} begins at 1000 ms.
 */
void trial_begin(struct convergence_options options);

/**
 * trial_status(status):
 * Set the status of the next update.
 */
void trial_status(enum migration_status status);

/**
 * trial_take(iteration, sent_mib, left_mib):
 * A second later: take an update with these numbers, and return the decision.
 */
enum convergence_decision trial_take(int64_t iteration, int64_t sent_mib,
                                     int64_t left_mib);

/**
 * trial_wait(ms):
 * Take the update as it is, after so long.
 */
enum convergence_decision trial_wait(uint64_t ms);

/**
 * trial_stall():
 * Take updates of which the last makes it stalled, and return its decision:
 * that of iteration 5, at 6000 ms.
 */
enum convergence_decision trial_stall(void);

#endif
