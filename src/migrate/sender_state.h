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
    SENDER_CHECKING_AGAIN,
    SENDER_MIGRATING,
    SENDER_CONCLUDING
};

struct sender {
    struct job job;
    enum sender_state state;
    struct listen_wait *wait; /* for mig-client */
    void (*checked)(struct sender *sender);
    struct timer *resume;  /* asks whether the VM runs again */
    uint64_t deadline_ms;  /* when it should, after a failure */
    struct timer *silence; /* once it is to end: looks whether QEMU speaks */
    bool was_running;      /* the VM, when QEMU was told to migrate */
    bool runs;             /* as was_running, STOP and RESUME tell */
    unsigned stops;        /* STOP events that may be the switchover */
    bool saw_device;       /* the migration was in "device" */
    enum exit_status wish; /* why to cancel; STATUS_DONE: do not */
    bool cancelling;       /* migrate_cancel was sent, and not refused */
    bool cancelled;        /* it was sent at all */
    bool refused;          /* it was refused, and a line says so */
    bool interrupted;      /* a person asked for it */
    unsigned recounts;     /* looks at numbers that were not filled in yet */
};

/**
 * sender_check(sender, checked):
 * Look whether the VM can leave and whether it runs, then call ${checked}.  If
 * it can't, the job ends.
 */
void sender_check(struct sender *sender,
                  void (*checked)(struct sender *sender));

/**
 * sender_wait(sender):
 * Wait for mig-client, then give QEMU the settings.  If it does not come, or
 * somebody else may have put its socket there, the job ends.
 */
void sender_wait(struct sender *sender);

/**
 * sender_trusts_socket(sender):
 * Return whether the socket is one that the VM's memory may go to.  If not, the
 * job ends.
 */
bool sender_trusts_socket(struct sender *sender);

/**
 * sender_on_event(owner, name, data):
 * The job's on_event; ${owner} is the sender.
 */
void sender_on_event(void *owner, const char *name, const json_t *data);

#endif
