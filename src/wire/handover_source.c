/*
 * The source's half of the handover: one function for each event, which names
 * every state.
 *
 *   state      what is proved                              what it says
 *   BEFORE     nothing                                     -
 *   MOVING     the guest is here, and may be for good      -
 *   SWITCHING  the same, migrate-start-postcopy was sent   -
 *   CANCELLING the same, and it is to stay                 -
 *   SPLIT      QEMU says postcopy                          -
 *   GIVEN      it never runs here again by itself          given
 *   TAKING     the same; the destination may have it       take-back
 *   RETURNING  it never ran there, and never will          -
 *   KEPT       it is here                                  kept
 *   DEAD       nothing: it may have run on before the end  gone
 *   BLIND      nothing                                     -
 *
 * From KEPT no way leads back to `cont`, so what is heard after a release can't
 * start a second guest.
 *
 * QEMU before 10.2 says postcopy-active before it has sent the device state,
 * and may still fail and run on.  That the destination has arrived proves that
 * all of it was sent; QEMU is asked once more, and only then is the guest
 * given.
 */
#include "wire/handover_state.h"

static enum exit_status
kept_status(const struct handover_source *source)
{
    if (source->two)
        return STATUS_UNKNOWN; /* whatever was wanted: look at both */
    return source->cancelled ? STATUS_CANCELLED : STATUS_FAILED;
}

/* What is said again whenever the partner comes. */
static struct handover_acts
say_again(const struct handover_source *source)
{
    switch (source->state) {
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
    case SOURCE_RETURNING:
    case SOURCE_BLIND: return acts_nothing();
    case SOURCE_GIVEN: return acts_say(SAY_GIVEN);
    case SOURCE_TAKING: return acts_say(SAY_TAKE_BACK);
    case SOURCE_KEPT: return acts_say(SAY_KEPT);
    case SOURCE_DEAD: return acts_say(SAY_GONE);
    }
    return acts_nothing();
}

static struct handover_acts
done(void)
{
    struct handover_acts acts = acts_finish(STATUS_DONE);

    acts.say = SAY_BYE;
    return acts;
}

struct handover_acts
source_keep(struct handover_source *source)
{
    source->state = SOURCE_KEPT;
    return (struct handover_acts){ .say = SAY_KEPT,
                                   .finish = source->heard == HEARD_EMPTY,
                                   .status = kept_status(source) };
}

/* The destination never runs it, as it said or as the operator says. */
static struct handover_acts
take(struct handover_source *source)
{
    if (source->dead)
        return acts_tell(TELL_GUEST_LOST);
    if (source->run == RUN_NO)
        return source_keep(source);
    source->state = SOURCE_RETURNING;
    return acts_order(ORDER_CONT);
}

/* Given: what the destination said before or says now. */
struct handover_acts
source_settle(struct handover_source *source)
{
    switch (source->heard) {
    case HEARD_NOTHING:
    case HEARD_ARRIVED:
        return acts_tell(source->partner ? TELL_NOTHING : TELL_SEE_DESTINATION);
    case HEARD_RUNNING: return source->whole ? done() : acts_nothing();
    case HEARD_EMPTY:
        if (!source->whole)
            return acts_tell(TELL_GUEST_LOST);
        if (source->run == RUN_UNKNOWN && !source->dead)
            return acts_tell(TELL_TAKE_BACK);
        return take(source);
    case HEARD_GONE:
        return acts_tell(source->whole ? TELL_DESTINATION_GONE
                                       : TELL_GUEST_LOST);
    }
    return acts_nothing();
}

struct handover_acts
source_give(struct handover_source *source)
{
    bool late = source->state == SOURCE_CANCELLING;
    struct handover_acts acts;

    source->state = SOURCE_GIVEN;
    acts = source_settle(source);
    if (source->state == SOURCE_GIVEN && acts.say == SAY_NOTHING)
        acts.say = SAY_GIVEN;
    if (late && acts.tell == TELL_NOTHING)
        acts.tell = TELL_CANCEL_TOO_LATE;
    return acts;
}

static struct handover_acts
on_left(struct handover_source *source)
{
    source->partner = false;
    switch (source->state) {
    case SOURCE_GIVEN: return source_settle(source);
    case SOURCE_TAKING: return acts_tell(TELL_SEE_DESTINATION);
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
    case SOURCE_RETURNING:
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

static struct handover_acts
on_arrived(struct handover_source *source)
{
    source->heard = HEARD_ARRIVED;
    switch (source->state) {
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT: return acts_order(ORDER_ASK);
    case SOURCE_BEFORE:
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
on_running(struct handover_source *source)
{
    struct handover_acts acts;

    source->heard = HEARD_RUNNING;
    switch (source->state) {
    case SOURCE_GIVEN: return source_settle(source);
    case SOURCE_TAKING:
        acts = done();
        acts.tell = TELL_RUNS_THERE;
        return acts;
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT: return acts_order(ORDER_ASK); /* released by hand */
    case SOURCE_DEAD: return done();
    case SOURCE_RETURNING:
    case SOURCE_KEPT: return acts_tell(TELL_TWO_GUESTS);
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* It will never run there: failed or discarded. */
static struct handover_acts
on_empty(struct handover_source *source)
{
    source->heard = HEARD_EMPTY;
    source->two = false;
    switch (source->state) {
    case SOURCE_GIVEN: return source_settle(source);
    case SOURCE_TAKING: return take(source);
    case SOURCE_KEPT: return acts_finish(kept_status(source));
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT: return acts_order(ORDER_ASK); /* it will fail */
    case SOURCE_DEAD: return acts_tell(TELL_GUEST_LOST);
    case SOURCE_BEFORE:
    case SOURCE_RETURNING:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* It may have run there: to go back to what it was is for a person to say. */
static struct handover_acts
on_heard_gone(struct handover_source *source)
{
    if (source->heard != HEARD_RUNNING && source->heard != HEARD_EMPTY)
        source->heard = HEARD_GONE;
    source->two = false;
    switch (source->state) {
    case SOURCE_GIVEN: return source_settle(source);
    case SOURCE_TAKING: return take(source); /* who has said so */
    case SOURCE_KEPT: return acts_finish(kept_status(source));
    case SOURCE_DEAD: return acts_tell(TELL_GUEST_LOST);
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT: return acts_order(ORDER_ASK);
    case SOURCE_BEFORE:
    case SOURCE_RETURNING:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* The wish is granted only after a look that is younger, because migrate_cancel
 * in postcopy loses the guest. */
static struct handover_acts
on_cancel(struct handover_source *source)
{
    switch (source->state) {
    case SOURCE_BEFORE:
        source->cancelled = true;
        source->state = SOURCE_KEPT;
        return (struct handover_acts){ .say = SAY_KEPT,
                                       .finish = true,
                                       .status = STATUS_CANCELLED };
    case SOURCE_MOVING:
    case SOURCE_CANCELLING:
        source->cancelled = true;
        source->state = SOURCE_CANCELLING;
        return acts_order(ORDER_ASK);
    case SOURCE_SWITCHING:
    case SOURCE_SPLIT: return acts_tell(TELL_CANCEL_POSTCOPY);
    case SOURCE_GIVEN:
    case SOURCE_TAKING:
        return acts_tell(source->whole ? TELL_CANCEL_TOO_LATE
                                       : TELL_CANCEL_POSTCOPY);
    case SOURCE_RETURNING:
    case SOURCE_KEPT:
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_nothing();
    }
    return acts_nothing();
}

/* The partner's wish: what stands against it is said to the partner. */
static struct handover_acts
on_heard_cancel(struct handover_source *source)
{
    struct handover_acts acts = on_cancel(source);

    if (acts.say == SAY_NOTHING)
        acts.say = say_again(source).say;
    acts.tell = TELL_NOTHING;
    return acts;
}

static struct handover_acts
ask_back(struct handover_source *source)
{
    if (source->dead || !source->whole)
        return acts_tell(source->dead ? TELL_NOTHING_TO_RELEASE
                                      : TELL_RELEASE_POSTCOPY);
    if (source->partner && source->heard == HEARD_RUNNING)
        return acts_tell(TELL_RUNS_THERE);
    if (!source->partner || source->heard == HEARD_EMPTY ||
        source->heard == HEARD_GONE)
        return take(source);
    source->state = SOURCE_TAKING;
    return acts_say(SAY_TAKE_BACK);
}

static struct handover_acts
on_release(struct handover_source *source)
{
    switch (source->state) {
    case SOURCE_GIVEN:
    case SOURCE_TAKING: return ask_back(source);
    case SOURCE_SPLIT: return acts_tell(TELL_RELEASE_POSTCOPY);
    case SOURCE_BEFORE:
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_KEPT: return acts_tell(TELL_NOT_GIVEN);
    case SOURCE_RETURNING: return acts_nothing();
    case SOURCE_DEAD:
    case SOURCE_BLIND: return acts_tell(TELL_NOTHING_TO_RELEASE);
    }
    return acts_nothing();
}

static struct handover_acts
on_came_wanted(struct handover_source *source)
{
    struct handover_acts acts;

    source->partner = true;
    acts = on_release(source);
    if (acts.say == SAY_NOTHING)
        acts.say = say_again(source).say;
    return acts;
}

static struct handover_acts
on_leave(struct handover_source *source)
{
    struct handover_acts acts = acts_finish(STATUS_UNKNOWN);

    switch (source->state) {
    case SOURCE_BEFORE: acts.status = STATUS_CANCELLED; break;
    case SOURCE_KEPT: acts.status = kept_status(source); break;
    case SOURCE_GIVEN:
    case SOURCE_TAKING:
        if (source->heard == HEARD_RUNNING && source->whole)
            return done();
        acts.tell = TELL_SEE_DESTINATION;
        break;
    case SOURCE_MOVING:
    case SOURCE_SWITCHING:
    case SOURCE_CANCELLING:
    case SOURCE_SPLIT:
    case SOURCE_RETURNING:
    case SOURCE_BLIND: acts.tell = TELL_ATTACH; break;
    case SOURCE_DEAD:
        acts.tell = source->heard == HEARD_EMPTY || source->heard == HEARD_GONE
                        ? TELL_GUEST_LOST
                        : TELL_SOURCE_DIED;
        break;
    }
    return acts;
}

static struct handover_acts
on_begin(struct handover_source *source)
{
    if (source->state == SOURCE_BEFORE)
        source->state = SOURCE_MOVING;
    return acts_nothing();
}

/* Where it may have been ordered already, by the program before this one, a
 * second order does no harm. */
static struct handover_acts
on_want_postcopy(struct handover_source *source)
{
    if (source->state != SOURCE_MOVING && source->state != SOURCE_SWITCHING)
        return acts_nothing();
    source->state = SOURCE_SWITCHING;
    return acts_order(ORDER_START_POSTCOPY);
}

void
handover_source_init(struct handover_source *source, enum handover_run run)
{
    *source = (struct handover_source){ .run = run };
}

static struct handover_acts
step(struct handover_source *source, enum source_event event)
{
    switch (event) {
    case SOURCE_QEMU_MOVING:
    case SOURCE_QEMU_MAY_SPLIT:
    case SOURCE_QEMU_POSTCOPY:
    case SOURCE_QEMU_BROKEN:
    case SOURCE_QEMU_COMPLETED:
    case SOURCE_QEMU_RUNS:
    case SOURCE_QEMU_KEPT:
    case SOURCE_QEMU_GONE:
    case SOURCE_QEMU_LOST:
    case SOURCE_QEMU_REFUSED: return source_qemu_step(source, event);
    case SOURCE_CAME: source->partner = true; return say_again(source);
    case SOURCE_CAME_WANTED: return on_came_wanted(source);
    case SOURCE_LEFT: return on_left(source);
    case SOURCE_HEARD_ARRIVED: return on_arrived(source);
    case SOURCE_HEARD_RUNNING: return on_running(source);
    case SOURCE_HEARD_EMPTY: return on_empty(source);
    case SOURCE_HEARD_GONE: return on_heard_gone(source);
    case SOURCE_HEARD_CANCEL: return on_heard_cancel(source);
    case SOURCE_HEARD_RELEASE_ASKED: return say_again(source);
    case SOURCE_BEGIN: return on_begin(source);
    case SOURCE_POSTCOPY: return on_want_postcopy(source);
    case SOURCE_CANCEL: return on_cancel(source);
    case SOURCE_RELEASE: return on_release(source);
    case SOURCE_LEAVE: return on_leave(source);
    case SOURCE_EVENTS: break;
    }
    return acts_nothing();
}

struct handover_acts
handover_source_step(struct handover_source *source, enum source_event event)
{
    struct handover_acts acts = step(source, event);

    if (acts.tell == TELL_TWO_GUESTS &&
        (source->state == SOURCE_KEPT || source->state == SOURCE_RETURNING))
        source->two = true;
    return acts;
}
