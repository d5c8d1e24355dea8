/* The source's half of the handover: what its own QEMU is found to be in. */
#include "wire/handover_state.h"

static struct handover_acts
on_moving(struct handover_source *source)
{
    switch (source->state) {
    case SOURCE_BEFORE: source->state = SOURCE_MOVING; return acts_nothing();
    case SOURCE_CANCELLING: return acts_order(ORDER_CANCEL);
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
        return acts_tell(source->heard == HEARD_RUNNING ? TELL_TWO_GUESTS
                                                        : TELL_NOTHING);
    case SOURCE_SPLIT:
    case SOURCE_GIVEN:
    case SOURCE_TAKING:
    case SOURCE_RETURNING:
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_may_split(struct handover_source *source)
{
    if (source->state != SOURCE_BEFORE)
        return on_moving(source);
    source->state = SOURCE_SWITCHING;
    return acts_nothing();
}

static struct handover_acts
on_postcopy(struct handover_source *source)
{
    struct handover_acts acts = acts_nothing();

    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
        if (source->state == SOURCE_CANCELLING)
            acts.tell = TELL_CANCEL_POSTCOPY;
        if (source->heard != HEARD_NOTHING)
            acts.order = ORDER_ASK;
        source->state = SOURCE_SPLIT;
        source->postcopy = true;
        return acts;
    case SOURCE_SPLIT:
        if (source->heard == HEARD_ARRIVED || source->heard == HEARD_RUNNING)
            return source_give(source);
        return acts_tell(source->heard == HEARD_NOTHING ? TELL_NOTHING
                                                        : TELL_GUEST_LOST);
    case SOURCE_GIVEN:
    case SOURCE_TAKING:
    case SOURCE_RETURNING:
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* Only a QEMU that has sent the device state gets here: it is a proof. */
static struct handover_acts
on_broken(struct handover_source *source)
{
    struct handover_acts acts;

    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
        source->postcopy = true;
        acts = source_give(source);
        break;
    case SOURCE_GIVEN: acts = source_settle(source); break;
    case SOURCE_TAKING:
    case SOURCE_RETURNING:
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND:
    default: return acts_nothing();
    }
    if (acts.tell != TELL_GUEST_LOST)
        acts.tell = TELL_RECOVER;
    return acts;
}

static struct handover_acts
on_completed(struct handover_source *source)
{
    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT: source->whole = true; return source_give(source);
    case SOURCE_GIVEN:
        if (source->whole)
            return acts_nothing();
        source->whole = true;
        return source_settle(source);
    case SOURCE_TAKING:
    case SOURCE_RETURNING: /* `cont` is on its way */
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* It runs though it had completed: by our own `cont`, or somebody else's. */
static struct handover_acts
on_runs(struct handover_source *source)
{
    struct handover_acts acts;

    switch (source->state) {
    case SOURCE_RETURNING: acts = source_keep(source); break;
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
    case SOURCE_GIVEN:
    case SOURCE_TAKING:
        acts = source_keep(source);
        acts.tell = TELL_RUNS_BY_HAND;
        break;
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND:
    default: return acts_nothing();
    }
    if (source->heard == HEARD_RUNNING)
        acts.tell = TELL_TWO_GUESTS;
    return acts;
}

/* A guest that was given and is back all the same is a second one: there are
 * QEMUs that run on when the very end of a postcopy fails. */
static struct handover_acts
on_kept(struct handover_source *source)
{
    struct handover_acts acts;

    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
        acts = source_keep(source);
        if (source->heard == HEARD_RUNNING)
            acts.tell = TELL_TWO_GUESTS;
        return acts;
    case SOURCE_GIVEN:
    case SOURCE_TAKING: return acts_tell(TELL_TWO_GUESTS);
    case SOURCE_RETURNING: return source_keep(source); /* `cont` was refused */
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_gone(struct handover_source *source)
{
    struct handover_acts acts = acts_say(SAY_GONE);

    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING: acts.tell = TELL_SOURCE_DIED; break;
    case SOURCE_SPLIT:
    case SOURCE_RETURNING: acts.tell = TELL_GUEST_LOST; break;
    case SOURCE_TAKING: /* it can't be taken back: let it run there */
        source->state = SOURCE_GIVEN;
        source->dead = true;
        return acts_say(SAY_GIVEN);
    case SOURCE_GIVEN:
        source->dead = true;
        return acts_tell(source->whole ? TELL_NOTHING : TELL_GUEST_LOST);
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND:
    default: return acts_nothing();
    }
    source->state = SOURCE_DEAD;
    return acts;
}

static struct handover_acts
on_lost(struct handover_source *source)
{
    struct handover_acts acts = acts_finish(STATUS_UNKNOWN);

    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
    case SOURCE_TAKING:
    case SOURCE_RETURNING: break;
    case SOURCE_GIVEN:
        if (source->whole)
            return acts_nothing();
        break;
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND:
    default: return acts_nothing();
    }
    source->state = SOURCE_BLIND;
    acts.tell = TELL_ATTACH;
    return acts;
}

/* Then it never was: QEMU takes a second order as it took the first. */
static struct handover_acts
on_refused(struct handover_source *source)
{
    if (source->state == SOURCE_SWITCHING)
        source->state = SOURCE_MOVING;
    return acts_nothing();
}

struct handover_acts
source_qemu_step(struct handover_source *source, enum source_event event)
{
    switch ((unsigned)event) {
    case SOURCE_QEMU_MOVING: return on_moving(source);
    case SOURCE_QEMU_MAY_SPLIT: return on_may_split(source);
    case SOURCE_QEMU_POSTCOPY: return on_postcopy(source);
    case SOURCE_QEMU_BROKEN: return on_broken(source);
    case SOURCE_QEMU_COMPLETED: return on_completed(source);
    case SOURCE_QEMU_RUNS: return on_runs(source);
    case SOURCE_QEMU_KEPT: return on_kept(source);
    case SOURCE_QEMU_GONE: return on_gone(source);
    case SOURCE_QEMU_LOST: return on_lost(source);
    case SOURCE_QEMU_REFUSED: return on_refused(source);
    }
    return acts_nothing();
}
