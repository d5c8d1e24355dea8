/* The destination's half of the handover: what its own QEMU is found to be in.
 */
#include "wire/handover_state.h"

static struct handover_acts
on_waiting(struct handover_destination *destination)
{
    switch (destination->state) {
    case DESTINATION_BEFORE:
        destination->state = DESTINATION_PREPARED;
        return acts_say(SAY_PREPARED);
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN:
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* It is here and paused, whole or in postcopy, or as a broken postcopy. */
static struct handover_acts
on_here(struct handover_destination *destination, bool whole, bool broken)
{
    bool mended = destination->broken && !broken;
    bool completed = whole && !destination->whole;

    struct handover_acts acts;

    destination->whole = destination->whole || whole;
    destination->broken = broken;
    switch (destination->state) {
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED:
        destination->state = DESTINATION_ARRIVED;
        acts = destination_decide(destination);
        if (destination->state == DESTINATION_ARRIVED)
            acts.say = SAY_ARRIVED;
        return acts;
    case DESTINATION_ARRIVED:
        if (mended || broken || completed)
            return destination_decide(destination);
        return acts_nothing();
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN:
        return acts_tell(broken ? TELL_RECOVER : TELL_NOTHING);
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_runs(struct handover_destination *destination)
{
    struct handover_acts acts = acts_say(SAY_RUNNING);

    switch (destination->state) {
    case DESTINATION_STARTING:
    case DESTINATION_BEFORE: break; /* an earlier program has seen to it */
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
        if (destination->heard != WORD_GIVEN)
            acts.tell = TELL_RUNS_BY_HAND;
        break;
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY: /* somebody else's `cont` came first */
        acts.tell = TELL_RUNS_BY_HAND;
        break;
    case DESTINATION_TAKEN:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND:
    default: return acts_nothing();
    }
    destination->state = DESTINATION_TAKEN;
    if (destination->heard == WORD_KEPT) {
        destination->twice = true;
        acts.tell = TELL_TWO_GUESTS;
    }
    return acts;
}

/* QEMU from 9.1 stays up when it has failed; before it had the guest whole it
 * can never run it. */
static struct handover_acts
on_failed(struct handover_destination *destination)
{
    switch (destination->state) {
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
        destination->state = DESTINATION_EMPTY;
        return (struct handover_acts){ .say = SAY_FAILED, .order = ORDER_QUIT };
    case DESTINATION_STARTING:
    case DESTINATION_TAKEN:
        if (destination->lost)
            return acts_nothing();
        destination->lost = true;
        return acts_tell(TELL_GUEST_LOST);
    case DESTINATION_QUITTING:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_gone(struct handover_destination *destination)
{
    struct handover_acts acts = { .say = destination->discarded ? SAY_DISCARDED
                                                                : SAY_FAILED };

    switch (destination->state) {
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
    case DESTINATION_QUITTING:
        destination->state = DESTINATION_EMPTY;
        return acts;
    case DESTINATION_BEFORE: /* what was before is not known */
    case DESTINATION_STARTING:
        destination->state = DESTINATION_DEAD;
        acts.say = SAY_GONE;
        acts.tell = TELL_DESTINATION_DIED;
        return acts;
    case DESTINATION_TAKEN: return acts_tell(TELL_DESTINATION_DIED);
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_lost(struct handover_destination *destination)
{
    struct handover_acts acts = acts_finish(STATUS_UNKNOWN);

    switch (destination->state) {
    case DESTINATION_BEFORE:
    case DESTINATION_PREPARED:
    case DESTINATION_ARRIVED:
    case DESTINATION_STARTING:
    case DESTINATION_QUITTING: break;
    case DESTINATION_TAKEN:
    case DESTINATION_EMPTY:
    case DESTINATION_DEAD:
    case DESTINATION_BLIND:
    default: return acts_nothing();
    }
    destination->state = DESTINATION_BLIND;
    acts.tell = TELL_ATTACH;
    return acts;
}

struct handover_acts
destination_qemu_step(struct handover_destination *destination,
                      enum destination_event event)
{
    switch ((unsigned)event) {
    case DESTINATION_QEMU_WAITING: return on_waiting(destination);
    case DESTINATION_QEMU_ARRIVED: return on_here(destination, true, false);
    case DESTINATION_QEMU_POSTCOPY: return on_here(destination, false, false);
    case DESTINATION_QEMU_BROKEN: return on_here(destination, false, true);
    case DESTINATION_QEMU_RUNS: return on_runs(destination);
    case DESTINATION_QEMU_FAILED: return on_failed(destination);
    case DESTINATION_QEMU_GONE: return on_gone(destination);
    case DESTINATION_QEMU_LOST: return on_lost(destination);
    }
    return acts_nothing();
}
