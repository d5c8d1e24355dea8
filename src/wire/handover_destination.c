/*
 * The destination's half of the handover: one function for each event, which
 * names every state.
 *
 *   state      what is proved                               what it says
 *   BEFORE     nothing                                      -
 *   PREPARED   it has not come                              prepared
 *   ARRIVED    it is here, and has never run here           arrived
 *   STARTING   `cont` was sent: it may run                  -
 *   TAKEN      it is ours: it runs, or was paused before    running
 *   QUITTING   it has not run, and `quit` was sent          -
 *   EMPTY      it will never run here                       failed, discarded
 *   DEAD       QEMU is gone; it may have run                gone
 *   BLIND      nothing                                      -
 *
 * `cont` is sent in ARRIVED only, for one of two reasons: the source gave the
 * guest, or the operator released it.  `quit` is never sent after `cont`.
 */
#include "wire/handover_state.h"

static struct handover_acts
say_again(const struct handover_destination *destination)
{
    switch (destination->state) {
    case DESTINATION_BEFORE:
    case DESTINATION_STARTING:
    case DESTINATION_QUITTING:
    case DESTINATION_BLIND: return acts_nothing();
    case DESTINATION_PREPARED: return acts_say(SAY_PREPARED);
    case DESTINATION_ARRIVED: return acts_say(SAY_ARRIVED);
    case DESTINATION_TAKEN: return acts_say(SAY_RUNNING);
    case DESTINATION_EMPTY:
        return acts_say(destination->discarded ? SAY_DISCARDED : SAY_FAILED);
    case DESTINATION_DEAD: return acts_say(SAY_GONE);
    }
    return acts_nothing();
}

static struct handover_acts
quit(struct handover_destination *destination)
{
    destination->state = DESTINATION_QUITTING;
    destination->discarded = true;
    return acts_order(ORDER_QUIT);
}

/* It is ours from here on: there is no way back. */
static struct handover_acts
take(struct handover_destination *destination)
{
    if (destination->run == RUN_NO) {
        destination->state = DESTINATION_TAKEN;
        return acts_say(SAY_RUNNING);
    }
    destination->state = DESTINATION_STARTING;
    return acts_order(ORDER_CONT);
}

/* What the operator is told while it is here and waits. */
static enum handover_tell
waits_for(const struct handover_destination *destination)
{
    if (destination->broken)
        return TELL_RECOVER;
    switch (destination->heard) {
    case WORD_GIVEN: return TELL_RUN_UNKNOWN;
    case WORD_GONE: return TELL_SOURCE_GONE;
    case WORD_KEPT:
    case WORD_WANTED:
    case WORD_NONE: break;
    }
    return destination->partner ? TELL_NOTHING : TELL_SEE_SOURCE;
}

struct handover_acts
destination_decide(struct handover_destination *destination)
{
    if (destination->heard == WORD_KEPT ||
        (destination->heard == WORD_WANTED && destination->whole))
        return quit(destination);
    if (destination->heard == WORD_GIVEN && !destination->broken &&
        destination->run != RUN_UNKNOWN)
        return take(destination);
    return acts_tell(waits_for(destination));
}

static struct handover_acts
on_left(struct handover_destination *destination)
{
    destination->partner = false;
    switch (destination->state) {
    case DESTINATION_ARRIVED: return acts_tell(waits_for(destination));
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED:
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN:
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_given(struct handover_destination *destination)
{
    destination->heard = WORD_GIVEN;
    switch (destination->state) {
    case DESTINATION_ARRIVED: return destination_decide(destination);
    case DESTINATION_TAKEN:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD: return say_again(destination);
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED: /* remembered until it is here */
    case DESTINATION_STARTING:
    case DESTINATION_QUITTING:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_kept(struct handover_destination *destination)
{
    destination->heard = WORD_KEPT;
    switch (destination->state) {
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED: return quit(destination);
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN:
        destination->twice = true;
        return acts_tell(TELL_TWO_GUESTS);
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD: return acts_finish(STATUS_FAILED);
    case DESTINATION_BEFORE:
    case DESTINATION_QUITTING:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* What was given stays given, whatever happens to that QEMU. */
static struct handover_acts
on_heard_gone(struct handover_destination *destination)
{
    if (destination->heard != WORD_GIVEN && destination->heard != WORD_WANTED)
        destination->heard = WORD_GONE;
    switch (destination->state) {
    case DESTINATION_ARRIVED: return acts_tell(waits_for(destination));
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED: /* it may be here in a moment, or fail */
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN:
    case DESTINATION_QUITTING: return acts_nothing();
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD: return acts_tell(TELL_GUEST_LOST);
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_take_back(struct handover_destination *destination)
{
    destination->heard = WORD_WANTED;
    switch (destination->state) {
    case DESTINATION_PREPARED: return quit(destination);
    case DESTINATION_ARRIVED: /* in postcopy it waits until all is here */
        return destination->whole ? quit(destination) : acts_nothing();
    case DESTINATION_TAKEN:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD: return say_again(destination);
    case DESTINATION_STARTING: /* the answer is what comes of it */
    case DESTINATION_QUITTING:
    case DESTINATION_BEFORE:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* Taken is not well: the last word must not be that it is. */
static enum exit_status
taken_status(const struct handover_destination *destination)
{
    return destination->lost || destination->twice ? STATUS_UNKNOWN
                                                   : STATUS_DONE;
}

static struct handover_acts
on_bye(const struct handover_destination *destination)
{
    switch (destination->state) {
    case DESTINATION_TAKEN: return acts_finish(taken_status(destination));
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD: return acts_finish(STATUS_FAILED);
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
    case DESTINATION_STARTING:
    case DESTINATION_QUITTING:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* The source cancels: only there it is known whether it still can. */
static struct handover_acts
on_cancel(const struct handover_destination *destination)
{
    switch (destination->state) {
    case DESTINATION_BEFORE: return acts_finish(STATUS_CANCELLED);
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
        if (destination->heard == WORD_GIVEN)
            return acts_tell(TELL_CANCEL_TOO_LATE);
        if (!destination->partner)
            return acts_tell(TELL_CANCEL_AT_SOURCE);
        return acts_say(SAY_CANCEL);
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN: return acts_tell(TELL_CANCEL_TOO_LATE);
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
release(struct handover_destination *destination)
{
    if (destination->broken)
        return acts_tell(TELL_RECOVER);
    if (destination->partner && destination->heard == WORD_NONE)
        return (struct handover_acts){ .say = SAY_RELEASE_ASKED,
                                       .tell = TELL_WAIT_FOR_SOURCE };
    return take(destination);
}

static struct handover_acts
on_release(struct handover_destination *destination)
{
    switch (destination->state) {
    case DESTINATION_ARRIVED: return release(destination);
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED: return acts_tell(TELL_NOT_ARRIVED);
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN: return acts_nothing();
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_tell(TELL_NOTHING_TO_RELEASE);
    }
    return acts_nothing();
}

static struct handover_acts
on_leave(struct handover_destination *destination)
{
    struct handover_acts acts = acts_finish(STATUS_UNKNOWN);

    switch (destination->state) {
    case DESTINATION_BEFORE: acts.status = STATUS_CANCELLED; break;
    case DESTINATION_TAKEN:
        if (destination->broken)
            acts.tell = TELL_RECOVER;
        else
            acts.status = taken_status(destination);
        break;
    case DESTINATION_EMPTY: acts.status = STATUS_FAILED; break;
    case DESTINATION_ARRIVED:
        destination->partner = false;
        acts.tell = waits_for(destination);
        break;
    case DESTINATION_PREPARED:
    case DESTINATION_STARTING:
    case DESTINATION_QUITTING:
    case DESTINATION_BLIND: acts.tell = TELL_ATTACH; break;
    case DESTINATION_DEAD: acts.tell = TELL_DESTINATION_DIED; break;
    }
    return acts;
}

void
handover_destination_init(struct handover_destination *destination,
                          enum handover_run run)
{
    *destination = (struct handover_destination){ .run = run };
}

struct handover_acts
handover_destination_step(struct handover_destination *destination,
                          enum destination_event event)
{
    switch (event) {
    case DESTINATION_QEMU_WAITING:
    case DESTINATION_QEMU_ARRIVED:
    case DESTINATION_QEMU_POSTCOPY:
    case DESTINATION_QEMU_BROKEN:
    case DESTINATION_QEMU_RUNS:
    case DESTINATION_QEMU_FAILED:
    case DESTINATION_QEMU_GONE:
    case DESTINATION_QEMU_LOST:
        return destination_qemu_step(destination, event);
    case DESTINATION_CAME:
        destination->partner = true;
        return say_again(destination);
    case DESTINATION_LEFT: return on_left(destination);
    case DESTINATION_HEARD_GIVEN: return on_given(destination);
    case DESTINATION_HEARD_KEPT: return on_kept(destination);
    case DESTINATION_HEARD_GONE: return on_heard_gone(destination);
    case DESTINATION_HEARD_TAKE_BACK: return on_take_back(destination);
    case DESTINATION_HEARD_BYE: return on_bye(destination);
    case DESTINATION_CANCEL: return on_cancel(destination);
    case DESTINATION_RELEASE: return on_release(destination);
    case DESTINATION_LEAVE: return on_leave(destination);
    case DESTINATION_EVENTS: break;
    }
    return acts_nothing();
}
