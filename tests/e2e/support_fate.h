/*
 * A migration of partners that is held at one step while one of the eight
 * processes is killed, or the link, and what becomes of the guest.
 */
#ifndef SUPPORT_FATE_H
#define SUPPORT_FATE_H

#include <stdbool.h>

#include "support_case.h"

/* What is so at each step, and how it is held there. */
enum fate_step {
    STEP_BEFORE,     /* mig-recv stands still before there is a plan */
    STEP_PREPARED,   /* "prepared" is on its way, in a link that is dead */
    STEP_ACTIVE,     /* memory moves, slowly */
    STEP_SWITCHOVER, /* all has arrived; the last word back is in that link */
    STEP_ARRIVED,    /* the source completes while mig-send stands still */
    STEP_GIVEN,      /* mig-recv stands still when it is given */
    STEP_RUNNING     /* it runs; mig-send stands still and has not heard */
};

enum fate_victim {
    VICTIM_SEND,
    VICTIM_RECV,
    VICTIM_CLIENT,
    VICTIM_SERVER,
    VICTIM_LINK,
    VICTIM_SOURCE,
    VICTIM_DESTINATION,
    VICTIM_NOBODY /* but all connections are reset */
};

enum fate_place { AT_NEITHER, AT_SOURCE, AT_DESTINATION };

struct fate {
    enum fate_victim victim;
    enum fate_step step;
    bool again;      /* when mig-send has ended, all that has is started anew */
    bool new_tunnel; /* comes when the lines have asked for something */
    bool recv_waits; /* in the end, for another mig-send */
    const char *done; /* by the operator, as the lines asked; NULL: nothing */
    enum fate_place end; /* where the guest runs then */
};

/**
 * fate_prove(e2e, fate):
 * Let it happen.  Whenever it can be asked, the guest runs in one QEMU at most;
 * in the end it runs where ${fate} says and nowhere else, no round of it was
 * lost or done twice, and the operator had to do what ${fate} says and no more.
 */
void fate_prove(struct e2e *e2e, const struct fate *fate);

#endif
