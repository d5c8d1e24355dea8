/* What the files of the receiver share; see receiver.c. */
#ifndef MIGRATE_RECEIVER_STATE_H
#define MIGRATE_RECEIVER_STATE_H

#include "migrate/marks.h"
#include "migrate/partner_talk.h"
#include "migrate/receiver.h"
#include "wire/handover.h"

struct doorbell;
struct gather;
struct teller;
struct timer;

/* What --recover is about to do; see receiver_recover.c. */
enum receiver_recover {
    RECOVER_NOTHING,  /* there is nothing to recover, or it has begun to move */
    RECOVER_ORDERED,  /* QEMU was told to listen anew */
    RECOVER_LISTENING /* it does, and has not been resumed yet */
};

struct receiver {
    struct job job;
    struct job_options options; /* as they were given */
    struct timer *again;
    pid_t qemu;    /* its process id; 0 if it is not known for certain */
    bool waits;    /* it did so before we came */
    bool listened; /* it was seen to, at our path */
    bool arrived;  /* QEMU said so */
    bool stays;    /* it was told not to exit when the migration fails */
    bool failed;   /* and it has failed, without a partner: it is to quit */
    unsigned tries;

    /* With a partner; see receiver_meet.c. */
    struct partner_talk *talk;
    bool together;      /* there is a tunnel to a partner */
    struct timer *seek; /* looks for the tunnel again, with --control */
    bool sought;        /* and has said so */
    struct gather *gather;
    json_t *facts;               /* of the QEMU here */
    struct settings settings;    /* as the plan has them */
    enum handover_run run;       /* as the plan has it */
    bool preparing;              /* a plan is being carried out */
    bool unwanted;               /* it was withdrawn meanwhile */
    char id[PARTNER_ID_MAX + 1]; /* of the migration: by a mark, or as the plan
                                    has it; "" if it is not known */
    struct marks marks;          /* of earlier ones, in QEMU */
    char mark[MARK_NAME_MAX];    /* of the plan, in QEMU; or "" */

    /* See receiver_handover.c. */
    struct handover_destination handover;
    struct teller *teller;
    struct doorbell *doorbell;          /* for --release, where no tunnel is */
    char command[HANDOVER_COMMAND_MAX]; /* how this program is called */
    struct timer *leave; /* when it is time to end without a word */
    int leave_for;       /* the situation that it was started for */
    bool ran;            /* RESUME was seen, or a mark of an earlier one */
    bool announced;      /* that it runs, to the network */
    bool looking;        /* query-status is under way */
    bool deaf;           /* the connection to QEMU has ended */
    bool releasing;      /* --release: as soon as the partner is known */
    bool interrupted;    /* a person wants to stop */
    bool instructed;     /* only a person can go on */
    enum receiver_recover recover;
    bool recovers;         /* QEMU was told to listen anew, once a program */
    struct progress there; /* how far the source is, as it says */
    char why[PARTNER_WHY_MAX]; /* why the migration has failed here */
    char their_why[PARTNER_WHY_MAX];
};

#define USUAL_CAUSES                                                          \
    "QEMU says why on its own stderr. Usually: the source cancelled or "      \
    "failed, "                                                                \
    "the connection broke, or machine type, memory size, devices or multifd " \
    "differ from the source's"

/**
 * receiver_on_runstate(owner, reply):
 * QEMU has replied to query-status after the VM has arrived, without a partner.
 */
void receiver_on_runstate(void *owner, const struct qmp_reply *reply);

/**
 * receiver_on_end(owner, end, why):
 * receiver_on_again(arg):
 * The job's on_end; the timer `again`.  Both get the receiver.
 */
void receiver_on_end(void *owner, enum qmp_end end, const char *why);
void receiver_on_again(void *arg);

/**
 * receiver_unix_path(receiver):
 * Return where QEMU is to listen.
 */
const char *receiver_unix_path(const struct receiver *receiver);

/**
 * receiver_follow(receiver):
 * QEMU waits: follow the migration.
 */
void receiver_follow(struct receiver *receiver);

/**
 * receiver_incoming(receiver):
 * Let QEMU wait for the VM, or follow what it does already.
 */
void receiver_incoming(struct receiver *receiver);

/**
 * receiver_cause(migration):
 * Return why ${migration}, which has failed in a QEMU that lives, has.
 */
const char *receiver_cause(const struct migration *migration);

/**
 * receiver_failed(receiver):
 * receiver_report_failed(receiver):
 * The migration has failed, without a partner, and QEMU lives: tell it to quit
 * if it would have exited otherwise, and end; just end.
 */
void receiver_failed(struct receiver *receiver);
void receiver_report_failed(struct receiver *receiver);

/**
 * receiver_meet(receiver):
 * Look for the partner; alone, go on as without.  If there is one, wait for its
 * plan and carry it out.
 */
void receiver_meet(struct receiver *receiver);

/**
 * receiver_take_settings(receiver, plan, why):
 * Take the settings of ${plan}, and those that were given here.  Return whether
 * they agree; if not, write one line into ${why}.
 */
bool receiver_take_settings(struct receiver *receiver,
                            const struct partner_message *plan,
                            char why[PARTNER_WHY_MAX]);

/**
 * receiver_prepare(receiver):
 * The plan's settings are set: let QEMU wait for a VM that arrives paused.
 */
void receiver_prepare(struct receiver *receiver);

/**
 * receiver_refuse(receiver, why):
 * The plan can't be carried out: tell the partner, and wait for another one.
 */
void receiver_refuse(struct receiver *receiver, const char *why);

/**
 * receiver_prepared(receiver):
 * QEMU waits for the VM: the handover begins.
 */
void receiver_prepared(struct receiver *receiver);

/**
 * receiver_attach(receiver):
 * Find out what a migration that began before has come to, and go on with it.
 */
void receiver_attach(struct receiver *receiver);

/**
 * receiver_recover(receiver):
 * Have the QEMU here listen once more for what was interrupted in postcopy, and
 * follow it.
 */
void receiver_recover(struct receiver *receiver);

/**
 * receiver_recover_order(receiver):
 * QEMU has been looked at, and it is interrupted.
 */
void receiver_recover_order(struct receiver *receiver);

/**
 * receiver_recover_say(receiver):
 * Tell the partner, if it is there, that QEMU waits to be resumed, if it does.
 */
void receiver_recover_say(struct receiver *receiver);

/**
 * receiver_recover_holds(receiver):
 * Return whether a migration that is still interrupted is so only because it
 * has not been resumed yet.  Called for each update.
 */
bool receiver_recover_holds(struct receiver *receiver);

/**
 * receiver_report(receiver):
 * Say how it stands, for somebody who asks on this host.
 */
void receiver_report(struct receiver *receiver);

/**
 * receiver_attaches(receiver):
 * Return whether this program goes on with a migration that began before.
 */
bool receiver_attaches(const struct receiver *receiver);

/**
 * receiver_explain(receiver):
 * QEMU does not wait for a VM, and this program was called to receive one: say
 * why not, and what to do, and end.
 */
void receiver_explain(struct receiver *receiver);

/**
 * receiver_know_partner(receiver):
 * Attach to the tunnel, once QEMU has been looked at.
 */
void receiver_know_partner(struct receiver *receiver);

/**
 * receiver_talk_open(receiver):
 * Attach to the tunnel.  Return whether that could be begun; if not, the job
 * has ended.
 */
bool receiver_talk_open(struct receiver *receiver);

/**
 * receiver_mark(receiver, what):
 * Leave a mark in QEMU for a later mig-recv.
 */
void receiver_mark(struct receiver *receiver, const char *what);

/**
 * receiver_unmark(receiver, on_reply):
 * The plan comes to nothing: take its mark out of QEMU, and call ${on_reply}
 * when that is done.  Return false, and don't call it, if there is none.
 */
bool receiver_unmark(struct receiver *receiver,
                     void (*on_reply)(void *owner,
                                      const struct qmp_reply *reply));

/**
 * receiver_step(receiver, event):
 * Take ${event} into the handover's machine, and do what it answers.  May end
 * the job.
 */
void receiver_step(struct receiver *receiver, enum destination_event event);

/**
 * receiver_partner_says(receiver, message):
 * The same with a statement of the partner's.
 */
void receiver_partner_says(struct receiver *receiver,
                           const struct partner_message *message);

/**
 * receiver_watch_leave(receiver):
 * Where it stands may have changed: start or stop the timer `leave`.
 */
void receiver_watch_leave(struct receiver *receiver);

/**
 * receiver_obey(receiver, order):
 * Tell QEMU what the machine has ordered.
 */
void receiver_obey(struct receiver *receiver, enum handover_order order);

/**
 * receiver_handover_update(receiver, whole):
 * The job's on_update, with a partner.
 */
void receiver_handover_update(struct receiver *receiver, bool whole);

/**
 * receiver_handover_event(receiver, name, data):
 * QEMU sent this event, with a partner.
 */
void receiver_handover_event(struct receiver *receiver, const char *name,
                             const json_t *data);

/**
 * receiver_look(receiver):
 * Ask QEMU for its runstate, now that the migration's status has changed.
 */
void receiver_look(struct receiver *receiver);

/**
 * receiver_handover_told(arg, tell):
 * receiver_on_leave(arg):
 * receiver_on_seek(arg):
 * The teller's on_told; the timers of these names.  ${arg} is the receiver.
 */
void receiver_handover_told(void *arg, enum handover_tell tell);
void receiver_on_leave(void *arg);
void receiver_on_seek(void *arg);

#endif
