/* A guest on its way in postcopy, with partners at both ends: it needs both
 * hosts, and each test does something to one of them. */
#ifndef SUPPORT_SPLIT_H
#define SUPPORT_SPLIT_H

#include <stdbool.h>

#include "support_case.h"

struct move;
struct tunnel;

enum { SPLIT_AT_MIB = 16, SPLIT_WINDOW_MIB = 24 };

/* Arguments of mig-send: slow enough that postcopy takes 10 s. */
extern const char *const split_plain[];
extern const char *const split_preempt[];

/**
 * split_start_tunnel(e2e, tunnel):
 * Start both ends.
 */
void split_start_tunnel(struct e2e *e2e, struct tunnel *tunnel);

/**
 * split_start_slowly(e2e, move, runs, how):
 * Start a guest, which ${runs} or is paused, a tunnel, and helpers, mig-send
 * with the arguments ${how}.  Return when a quarter has been sent.
 */
void split_start_slowly(struct e2e *e2e, struct move *move, bool runs,
                        const char *const *how);

/**
 * split_start(e2e, move, runs, how):
 * The same, and switch it to postcopy.  Return when the guest, if it ${runs},
 * does so at the destination.
 */
void split_start(struct e2e *e2e, struct move *move, bool runs,
                 const char *const *how);

/**
 * split_break(move):
 * Kill both ends of the tunnel.  Return when both QEMUs say so.
 */
void split_break(struct move *move);

/**
 * split_wait_goes_on(move):
 * Wait until both QEMUs are in postcopy, and some memory more has been sent.
 */
void split_wait_goes_on(struct move *move);

/**
 * split_hurry(move):
 * Lift the limit of postcopy's bandwidth.
 */
void split_hurry(struct move *move);

#endif
