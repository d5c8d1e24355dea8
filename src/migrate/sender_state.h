/* What the files of the sender share; see sender.c for its states. */
#ifndef MIGRATE_SENDER_STATE_H
#define MIGRATE_SENDER_STATE_H

#include "migrate/sender.h"

struct listen_wait;
struct timer;

enum sender_state {
    SENDER_CHECKING,
    SENDER_WAITING,
    SENDER_APPLYING,
    SENDER_MIGRATING,
    SENDER_CONCLUDING
};

struct sender {
    struct job job;
    enum sender_state state;
    struct listen_wait *wait; /* for mig-client */
    struct timer *resume;     /* asks whether the VM runs again */
    uint64_t deadline_ms;     /* when it should, after a failure */
    bool was_running;
    bool switching;        /* the VM was stopped for the switchover */
    enum exit_status wish; /* why to cancel; STATUS_DONE: do not */
    bool cancelling;       /* migrate_cancel was sent */
    bool interrupted;      /* a person asked for it */
    unsigned recounts;     /* looks at numbers that were not filled in yet */
};

/**
 * sender_check(sender):
 * Look whether the VM can leave, and wait for mig-client; then give QEMU the
 * settings.  If it can't, the job ends.
 */
void sender_check(struct sender *sender);

#endif
