/* What the files of the sender share; see sender.c for its states. */
#ifndef MIGRATE_SENDER_STATE_H
#define MIGRATE_SENDER_STATE_H

#include "migrate/partner_talk.h"
#include "migrate/sender.h"
#include "wire/convergence.h"
#include "wire/handover.h"
#include "wire/plan.h"

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

/* What --recover is about to do; see sender_recover.c. */
enum sender_recover {
    RECOVER_NOTHING, /* there is nothing to recover, or it has begun to move */
    RECOVER_FINDING, /* the partner, and mig-client's socket */
    RECOVER_ORDERED  /* QEMU was told to resume, and has not begun */
};

/* Of which migration the QEMU here is the source; see sender_mark.c. */
enum sender_mark {
    SENDER_MARK_UNKNOWN, /* it was not asked, or can have no mark */
    SENDER_MARK_NONE,    /* of none that has a partner */
    SENDER_MARK_FOUND
};

struct sender {
    struct job job;
    struct job_options options; /* as they were given */
    enum sender_state state;
    enum sender_recover recover;
    struct listen_wait *wait; /* for mig-client */
    void (*checked)(struct sender *sender);
    struct timer *resume;  /* asks whether the VM runs again */
    uint64_t deadline_ms;  /* when it should, after a failure */
    struct timer *silence; /* once it is to end: looks whether QEMU speaks */
    int64_t looked_bytes;  /* what had been sent at the look before */
    bool unsure;           /* postcopy may have been ordered by another one */
    bool unsure_asked;     /* QEMU, for the second look at that */
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

    /* See sender_policy.c. */
    bool paused;       /* the VM, by us: it is to run where it ends */
    bool switching;    /* alone: postcopy was ordered, and not refused */
    bool can_postcopy; /* it is on, and was not refused */
    struct convergence convergence;
    struct timer *policy;   /* when time alone may decide something */
    uint64_t stuck_said_ms; /* 0 if it was not */
    struct plan plan;       /* see sender_plan.c */

    /* With a partner; see sender_meet.c. */
    struct partner_talk *talk;
    struct gather *gather;
    json_t *facts;       /* of the QEMU here */
    json_t *their_facts; /* of the partner's */
    bool together;       /* there is a tunnel to a partner */
    bool applied;
    bool planned;           /* the partner may act on the plan */
    bool prepared;          /* its QEMU waits */
    struct timer *seek;     /* looks for the tunnel, or whether it is ready */
    uint64_t ready_by_ms;   /* when it has to be; 0 before it is asked */
    struct timer *patience; /* for the partner, before it begins */

    /* See sender_mark.c. */
    enum sender_mark mark;
    char mark_id[PARTNER_ID_MAX + 1]; /* if one was found */
    bool marking;                     /* before the plan is told */
    void (*marked)(struct sender *sender);

    /* See sender_handover.c. */
    struct handover_source handover;
    struct teller *teller;
    struct timer *later; /* for --recover and --cancel */

    /* See sender_cont.c. */
    struct timer *cont_again;
    void (*on_cont)(struct sender *sender, const char *error);
    unsigned cont_tries;

    unsigned exit_looks;                /* of the timer exit */
    struct doorbell *doorbell;          /* for --release, where no tunnel is */
    char command[HANDOVER_COMMAND_MAX]; /* how this program is called */
    struct timer *leave;   /* when it is time to end without a word */
    int leave_for;         /* the situation that it was started for */
    pid_t qemu;            /* its process, if that is known for certain */
    struct timer *exit;    /* looks whether the process has exited */
    bool instructed;       /* only a person can go on */
    bool deaf;             /* QEMU can't be asked any more */
    bool handed;           /* QEMU was seen to be completed */
    bool counted;          /* and its last numbers have come */
    bool releasing;        /* --release: as soon as the partner is known */
    bool finishing;        /* the last numbers are waited for, */
    struct timer *numbers; /* but no longer than this */
    uint64_t progress_ms;  /* when the partner was told of it last */
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
 * sender_want_cancel(sender):
 * Cancel the migration where that is possible, and go on to the outcome.
 */
void sender_want_cancel(struct sender *sender);

/**
 * sender_policy_begin(sender):
 * sender_policy_attach(sender, capabilities):
 * The migration begins now; or it began before, with what
 * query-migrate-capabilities returns.
 */
void sender_policy_begin(struct sender *sender);
void sender_policy_attach(struct sender *sender, const json_t *capabilities);

/**
 * sender_policy_update(sender):
 * There are new numbers in job->progress.  Return whether something is done
 * about them; then they are older than that.  May end the job.
 */
bool sender_policy_update(struct sender *sender);

/**
 * sender_on_policy(arg):
 * The timer `policy`; ${arg} is the sender.
 */
void sender_on_policy(void *arg);

/**
 * sender_on_postcopy(arg, reply):
 * QEMU has replied to migrate-start-postcopy; ${arg} is the sender.
 */
void sender_on_postcopy(void *arg, const struct qmp_reply *reply);

/**
 * sender_unpause(sender):
 * The VM has not moved: continue it if it was paused for that.  Return whether
 * that was begun; sender_on_final_status comes again then.
 */
bool sender_unpause(struct sender *sender);

/**
 * sender_stop(sender, status):
 * Cancel the migration, unless it is too late, and end with ${status} then.
 * Return whether it is being cancelled by now, or may be.
 */
bool sender_stop(struct sender *sender, enum exit_status status);

#endif
