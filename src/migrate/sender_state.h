/* What the files of the sender share; see sender.c for its states. */
#ifndef MIGRATE_SENDER_STATE_H
#define MIGRATE_SENDER_STATE_H

#include "migrate/partner_talk.h"
#include "migrate/sender.h"
#include "wire/handover.h"

struct doorbell;
struct gather;
struct listen_wait;
struct teller;
struct timer;

enum sender_state {
    SENDER_CHECKING,
    SENDER_MEETING,
    SENDER_PLANNING,
    SENDER_WAITING,
    SENDER_APPLYING,
    SENDER_CHECKING_AGAIN,
    SENDER_MIGRATING,
    SENDER_CONCLUDING
};

struct sender {
    struct job job;
    struct job_options options; /* as they were given */
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

    /* With a partner; see sender_meet.c. */
    struct partner_talk *talk;
    bool together; /* there is a tunnel to a partner */
    struct gather *gather;
    json_t *facts;            /* of the QEMU here */
    json_t *their_facts;      /* of the partner's */
    struct settings settings; /* those for this side */
    bool applied;
    bool planned;           /* the partner may act on the plan */
    bool prepared;          /* its QEMU waits */
    struct timer *seek;     /* looks for the tunnel, or whether it is ready */
    uint64_t ready_by_ms;   /* when it has to be; 0 before it is asked */
    struct timer *patience; /* for the partner, before it begins */

    /* See sender_handover.c. */
    struct handover_source handover;
    struct teller *teller;
    struct doorbell *doorbell;          /* for --release, where no tunnel is */
    char command[HANDOVER_COMMAND_MAX]; /* how this program is called */
    struct timer *leave; /* when it is time to end without a word */
    int leave_for;       /* the situation that it was started for */
    pid_t qemu;          /* its process, if that is known for certain */
    struct timer *exit;  /* looks whether the process has exited */
    unsigned exit_looks;
    bool instructed;      /* only a person can go on */
    bool deaf;            /* QEMU can't be asked any more */
    bool handed;          /* QEMU was seen to be completed */
    bool counted;         /* and its last numbers have come */
    bool finishing;       /* the last numbers are waited for */
    bool releasing;       /* --release: as soon as the partner is known */
    uint64_t progress_ms; /* when the partner was told of it last */
    char their_why[PARTNER_WHY_MAX];
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
 * Wait for mig-client, then give QEMU the settings, or, with a partner, begin.
 * If it does not come, or somebody else may have put its socket there, the job
 * ends.
 */
void sender_wait(struct sender *sender);

/**
 * sender_on_listening(sender):
 * Somebody listens where mig-client should: begin, alone or together; or, where
 * it can't be the tunnel that leads to the partner, wait on.
 */
void sender_on_listening(struct sender *sender);

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

/**
 * sender_begin(sender):
 * Check once more, and let QEMU migrate.
 */
void sender_begin(struct sender *sender);

/**
 * sender_migrate(sender):
 * Let QEMU migrate.
 */
void sender_migrate(struct sender *sender);

/**
 * sender_on_status(owner):
 * sender_on_update(owner, whole):
 * The job's hooks of these names; ${owner} is the sender.
 */
void sender_on_status(void *owner);
void sender_on_update(void *owner, bool whole);

/**
 * sender_on_final_status(owner, reply):
 * QEMU has replied to query-status after a migration that has not completed.
 */
void sender_on_final_status(void *owner, const struct qmp_reply *reply);

/**
 * sender_follow(sender):
 * QEMU migrates: follow it.
 */
void sender_follow(struct sender *sender);

/**
 * sender_report_success(sender):
 * The end: the VM has moved.
 */
void sender_report_success(struct sender *sender);

/**
 * sender_meet(sender):
 * Look for the partner; alone, go on as without.  If there is one, agree on the
 * migration with it, and begin.
 */
void sender_meet(struct sender *sender);

/**
 * sender_sees_tunnel(sender):
 * Return whether a tunnel has come up by now that leads to a partner, while
 * this program was about to work alone.
 */
bool sender_sees_tunnel(const struct sender *sender);

/**
 * sender_attach(sender):
 * Find out what a migration that began before has come to, and go on with it.
 */
void sender_attach(struct sender *sender);

/**
 * sender_plan(sender):
 * The settings of this side are set: tell the partner its own.
 */
void sender_plan(struct sender *sender);

/**
 * sender_talk_open(sender):
 * Attach to the tunnel.  Return whether that could be begun; if not, the job
 * ends.
 */
bool sender_talk_open(struct sender *sender);

/**
 * sender_step(sender, event):
 * Take ${event} into the handover's machine, and do what it answers.  May end
 * the job.
 */
void sender_step(struct sender *sender, enum source_event event);

/**
 * sender_finish(sender):
 * The guest runs at the destination, and all numbers are known: end.
 */
void sender_finish(struct sender *sender);

/**
 * sender_partner_says(sender, message):
 * The same with a statement of the partner's.
 */
void sender_partner_says(struct sender *sender,
                         const struct partner_message *message);

/**
 * sender_handover_update(sender, whole):
 * The job's on_update, with a partner.
 */
void sender_handover_update(struct sender *sender, bool whole);

/**
 * sender_handover_kept(sender):
 * The migration has failed or was cancelled, and the runstate is known.
 */
void sender_handover_kept(struct sender *sender);

/**
 * sender_handover_lost(sender):
 * The connection to QEMU has ended: find out whether QEMU has.
 */
void sender_handover_lost(struct sender *sender);

/**
 * sender_handover_told(arg, tell):
 * The teller's on_told; ${arg} is the sender.
 */
void sender_handover_told(void *arg, enum handover_tell tell);

/**
 * sender_on_leave(arg):
 * sender_on_exit(arg):
 * sender_on_seek(arg):
 * The timers of these names; ${arg} is the sender.
 */
void sender_on_leave(void *arg);
void sender_on_exit(void *arg);
void sender_on_seek(void *arg);

#endif
