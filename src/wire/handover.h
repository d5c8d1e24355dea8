/*
 * Handover: who may run the guest.  Two pure machines, the source's (for
 * mig-send) and the destination's (for mig-recv); DESIGN.md, "Handover", has
 * the table of what may go wrong.
 *
 * A machine is told what is so (its own QEMU's state, what the partner said,
 * what the operator wants) and answers with what is to be done.  At no time may
 * both QEMUs run the guest, which stands on this:
 *
 *   The destination's QEMU arrives paused and runs only after `cont`.
 *   The source's QEMU, once it says "completed", never runs again by itself.
 *   Until then it may, and nothing can prevent it.
 *
 * So the destination's machine sends `cont` only when the source's machine has
 * *given* the guest, and the source's takes it back only when the destination's
 * QEMU is gone without having run it.
 *
 * Messages are statements: after each attachment the last one is said again,
 * so a lost one is made good, and hearing one twice does no harm.
 */
#ifndef WIRE_HANDOVER_H
#define WIRE_HANDOVER_H

#include <stdbool.h>

#include "base/exit_status.h"

/* Whether the guest ran when its migration began, so that it is to run again.
 */
enum handover_run { RUN_UNKNOWN, RUN_YES, RUN_NO };

/* What to say to the partner. */
enum handover_say {
    SAY_NOTHING,
    SAY_GIVEN,         /* source: the guest is yours, with its run */
    SAY_KEPT,          /* source: it is here and stays here */
    SAY_GONE,          /* either: my QEMU is gone, and I can't say more */
    SAY_TAKE_BACK,     /* source: I want the guest that I gave back */
    SAY_PREPARED,      /* destination: my QEMU waits for it */
    SAY_ARRIVED,       /* destination: it is here and has not run */
    SAY_RUNNING,       /* destination: I have taken it; it runs if it is to */
    SAY_FAILED,        /* destination: it will never run here, QEMU failed */
    SAY_DISCARDED,     /* destination: the same, QEMU has quit as I told it */
    SAY_RELEASE_ASKED, /* destination: may I run it? */
    SAY_CANCEL,        /* destination: the operator here wants it cancelled */
    SAY_BYE,           /* source: I know that it runs there */
};

/* What to tell the own QEMU. */
enum handover_order {
    ORDER_NOTHING,
    ORDER_ASK,            /* its status: the next event about it must be
                             younger than this */
    ORDER_START_POSTCOPY, /* source: migrate-start-postcopy */
    ORDER_CANCEL,         /* source: migrate_cancel */
    ORDER_CONT,
    ORDER_QUIT, /* destination */
};

/*
 * What to tell the operator.  Those to TELL_LAST_INSTRUCTION say which command
 * resolves it; handover_tell_text has the words.
 */
enum handover_tell {
    TELL_NOTHING,
    TELL_SEE_DESTINATION,  /* source: given, and nobody is heard there */
    TELL_DESTINATION_GONE, /* source: given, and QEMU is gone there */
    TELL_TAKE_BACK,        /* source: given, and it will never run there */
    TELL_SEE_SOURCE,       /* destination: arrived, and nobody is heard there */
    TELL_SOURCE_GONE,      /* destination: arrived, and QEMU is gone there */
    TELL_RUN_UNKNOWN,      /* destination: given, but did it run before? */
    TELL_RECOVER,          /* either: interrupted in postcopy */
    TELL_ATTACH,           /* either: the own QEMU can't be heard */
    TELL_TWO_GUESTS,       /* either: both have it, only one may run */
    TELL_LAST_INSTRUCTION = TELL_TWO_GUESTS,
    TELL_GUEST_LOST, /* either: in postcopy, and one half of it is gone */
    TELL_SOURCE_DIED,
    TELL_RUNS_BY_HAND,      /* somebody else has continued it here */
    TELL_DESTINATION_DIED,  /* QEMU has ended after the guest was started */
    TELL_CANCEL_TOO_LATE,   /* refused: */
    TELL_CANCEL_POSTCOPY,   /* it is, or may soon be, in postcopy */
    TELL_CANCEL_AT_SOURCE,  /* nobody is heard there */
    TELL_NOT_GIVEN,         /* nothing to release: the source has the guest */
    TELL_NOT_ARRIVED,       /* nothing to release: it has not come */
    TELL_RUNS_THERE,        /* can't be taken back */
    TELL_RELEASE_POSTCOPY,  /* can't be taken back */
    TELL_WAIT_FOR_SOURCE,   /* it will say whether it has given the guest */
    TELL_NOTHING_TO_RELEASE /* the QEMU here is gone, or is going */
};

struct handover_acts {
    enum handover_say say;
    enum handover_order order;
    enum handover_tell tell;
    bool finish; /* this program has nothing left to do: end with */
    enum exit_status status;
};

enum source_event {
    /* What the own QEMU is found to be in, at the beginning and whenever it
     * is looked at. */
    SOURCE_QEMU_MOVING,    /* any status that is none of the following */
    SOURCE_QEMU_MAY_SPLIT, /* the same, for a machine that attaches where
                              postcopy-ram is on: it may have been ordered */
    SOURCE_QEMU_POSTCOPY,  /* postcopy-active, postcopy-recover */
    SOURCE_QEMU_BROKEN,    /* postcopy-paused */
    SOURCE_QEMU_COMPLETED, /* and it does not run */
    SOURCE_QEMU_RUNS,      /* completed, but it runs: continued by a command */
    SOURCE_QEMU_KEPT,      /* failed or cancelled, or, for a machine that
                              attaches, none; or it has refused `cont` */
    SOURCE_QEMU_GONE,      /* its process is proved to have ended */
    SOURCE_QEMU_LOST,      /* it can't be reached, nothing more is known */
    SOURCE_QEMU_REFUSED,   /* postcopy was not ordered: QEMU has answered
                              migrate-start-postcopy with an error, or two
                              looks, far enough apart, show precopy */

    SOURCE_CAME,        /* the partner has, or asks to hear it all again */
    SOURCE_CAME_WANTED, /* the same, and SOURCE_RELEASE: what is wanted back is
                           not given once more in between */
    SOURCE_LEFT,        /* the partner has, or it can't be reached */
    SOURCE_HEARD_ARRIVED,
    SOURCE_HEARD_RUNNING,
    SOURCE_HEARD_EMPTY, /* failed or discarded */
    SOURCE_HEARD_GONE,
    SOURCE_HEARD_CANCEL,
    SOURCE_HEARD_RELEASE_ASKED,

    SOURCE_BEGIN,    /* `migrate` is about to be sent */
    SOURCE_POSTCOPY, /* the operator, or a rule of his, wants postcopy */
    SOURCE_CANCEL,   /* the operator wants the guest to stay */
    SOURCE_RELEASE,  /* the operator wants it back; without a partner he has
                        looked at the other end */
    SOURCE_LEAVE,    /* waited for long enough: end */
    SOURCE_EVENTS
};

enum source_state {
    SOURCE_BEFORE,     /* nothing is known or begun */
    SOURCE_MOVING,     /* the guest may run here */
    SOURCE_SWITCHING,  /* the same, and postcopy was ordered: no cancelling */
    SOURCE_CANCELLING, /* the same, and it is to stay: no postcopy */
    SOURCE_SPLIT,      /* in postcopy, not given yet */
    SOURCE_GIVEN,
    SOURCE_TAKING,    /* given, and asked back */
    SOURCE_RETURNING, /* `cont` was sent here */
    SOURCE_KEPT,
    SOURCE_DEAD, /* QEMU went before the guest was given */
    SOURCE_BLIND /* QEMU can't be reached */
};

/* The partner's latest word. */
enum source_heard {
    HEARD_NOTHING,
    HEARD_ARRIVED,
    HEARD_RUNNING,
    HEARD_EMPTY,
    HEARD_GONE
};

struct handover_source {
    enum source_state state;
    enum source_heard heard;
    enum handover_run run;
    bool partner;   /* is there */
    bool whole;     /* QEMU said completed: the destination needs it no more */
    bool dead;      /* QEMU has gone since the guest was given */
    bool postcopy;  /* it was given in postcopy */
    bool cancelled; /* the operator wanted it kept */
    bool two;       /* kept, and it runs there too, as far as is known */
};

enum destination_event {
    DESTINATION_QEMU_WAITING, /* migrate-incoming done, `stop` too; or coming */
    DESTINATION_QEMU_ARRIVED, /* completed and paused, and has never run */
    DESTINATION_QEMU_POSTCOPY, /* postcopy-active, paused, and has never run */
    DESTINATION_QEMU_BROKEN,   /* postcopy-paused, and has never run */
    DESTINATION_QEMU_RUNS,     /* runs, or has run, in whatever status */
    DESTINATION_QEMU_FAILED,   /* the status is failed; it lives */
    DESTINATION_QEMU_GONE,     /* its process is proved to have ended */
    DESTINATION_QEMU_LOST,     /* it can't be reached, nothing more is known */

    DESTINATION_CAME,
    DESTINATION_LEFT,
    DESTINATION_HEARD_GIVEN, /* handover_destination.run is set before */
    DESTINATION_HEARD_KEPT,
    DESTINATION_HEARD_GONE,
    DESTINATION_HEARD_TAKE_BACK,
    DESTINATION_HEARD_BYE,

    DESTINATION_CANCEL,  /* the operator wants the guest to stay there */
    DESTINATION_RELEASE, /* the operator wants it to run here; without a partner
                            he has looked at the other end */
    DESTINATION_LEAVE,
    DESTINATION_EVENTS
};

enum destination_state {
    DESTINATION_BEFORE,
    DESTINATION_PREPARED,
    DESTINATION_ARRIVED,  /* paused, waits for the source's word */
    DESTINATION_STARTING, /* `cont` was sent: it may run */
    DESTINATION_TAKEN,    /* it runs; or it was paused, and is ours */
    DESTINATION_QUITTING, /* `quit` was sent; it has not run */
    DESTINATION_EMPTY,    /* QEMU is gone, and it never ran */
    DESTINATION_DEAD,     /* QEMU is gone, and it may have run */
    DESTINATION_BLIND     /* QEMU can't be reached */
};

/* The source's latest word. */
enum destination_heard {
    WORD_NONE,
    WORD_GIVEN,
    WORD_KEPT,
    WORD_GONE,
    WORD_WANTED, /* given, but wanted back */
};

struct handover_destination {
    enum destination_state state;
    enum destination_heard heard;
    enum handover_run run;
    bool partner;   /* is there */
    bool whole;     /* QEMU said completed: it needs the source no more */
    bool broken;    /* postcopy-paused */
    bool discarded; /* it is we who told QEMU to quit */
    bool lost;      /* it was taken, and QEMU failed before it was whole */
    bool twice;     /* it was taken, and the source has it, too */
};

/**
 * handover_source_init(source, run):
 * handover_destination_init(destination, run):
 * Begin with a guest of which ${run} is known.  The first event is
 * SOURCE_BEGIN, or DESTINATION_QEMU_WAITING; for a program that attaches to
 * what is under way already, what its QEMU is in, and then SOURCE_CAME or
 * DESTINATION_CAME if the partner is there.  What a machine tells before that
 * is known need not be shown.
 */
void handover_source_init(struct handover_source *source,
                          enum handover_run run);
void handover_destination_init(struct handover_destination *destination,
                               enum handover_run run);

/**
 * handover_source_step(source, event):
 * handover_destination_step(destination, event):
 * Take ${event} and return what to do.  Any event may come in any state.  The
 * order to QEMU is sent before anything is said.
 */
struct handover_acts handover_source_step(struct handover_source *source,
                                          enum source_event event);
struct handover_acts handover_destination_step(
    struct handover_destination *destination, enum destination_event event);

enum { HANDOVER_COMMAND_MAX = 512, HANDOVER_TEXT_MAX = 2048 };

/* How the two programs are called for this guest, at most HANDOVER_COMMAND_MAX
 * bytes each: "mig-send --qmp /run/vm1.qmp". */
struct handover_commands {
    const char *send;
    const char *recv;
};

/**
 * handover_tell_text(buf, tell, commands):
 * Write ${tell} in words into ${buf}: what is known, and which command resolves
 * it, in double quotes and whole, made from ${commands}; "" for TELL_NOTHING.
 * Return ${buf}.
 */
const char *handover_tell_text(char buf[HANDOVER_TEXT_MAX],
                               enum handover_tell tell,
                               const struct handover_commands *commands);

#endif
