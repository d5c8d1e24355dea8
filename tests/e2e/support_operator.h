/*
 * An operator who knows nothing but what the programs' lines say and what the
 * two QEMUs answer, and who gives the very commands that stand in the lines.
 */
#ifndef SUPPORT_OPERATOR_H
#define SUPPORT_OPERATOR_H

#include <stdbool.h>

#include "support_move.h"

enum { OPERATOR_LINES = 12, OPERATOR_TEXT_MAX = 256 };

struct operator
{
    struct e2e *e2e;
    struct move *move;
    bool tunnel;     /* there is one, so that it is worth while to attach */
    bool recv_waits; /* for another mig-send, and nobody waits for it */
    const struct process *read[OPERATOR_LINES]; /* whose lines to read */
    struct process *typed;                      /* last */
    char done[OPERATOR_TEXT_MAX]; /* what was done: "mig-send --attach, quit" */
};

/**
 * operator_init(operator, e2e, move):
 * An operator for ${move}, of whose helpers' lines all are read.
 */
void operator_init(struct operator* operator, struct e2e * e2e,
                   struct move *move);

/**
 * operator_watch(operator):
 * Ask both QEMUs, and fail the test if the guest runs in both.
 */
void operator_watch(struct operator* operator);

/**
 * operator_follow(operator):
 * Do the first thing that a line asks for, that is possible now, and that was
 * not done yet.  A mig-send or mig-recv that is started so takes the place of
 * the one in the move.  Return whether there was such a thing.
 */
bool operator_follow(struct operator* operator);

/**
 * operator_settle(operator):
 * Watch and follow until both helpers have ended and there is nothing left to
 * do.  The test fails if that does not come about.
 */
void operator_settle(struct operator* operator);

#endif
