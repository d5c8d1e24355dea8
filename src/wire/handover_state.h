/* What the files of the two handover machines share. */
#ifndef WIRE_HANDOVER_STATE_H
#define WIRE_HANDOVER_STATE_H

#include "wire/handover.h"

/**
 * acts_nothing(), acts_say(what), acts_order(what), acts_tell(what):
 * acts_finish(status):
 * Return acts of which this is the only one.
 */
static inline struct handover_acts
acts_nothing(void)
{
    return (struct handover_acts){ .say = SAY_NOTHING };
}

static inline struct handover_acts
acts_say(enum handover_say what)
{
    return (struct handover_acts){ .say = what };
}

static inline struct handover_acts
acts_order(enum handover_order what)
{
    return (struct handover_acts){ .order = what };
}

static inline struct handover_acts
acts_tell(enum handover_tell what)
{
    return (struct handover_acts){ .tell = what };
}

static inline struct handover_acts
acts_finish(enum exit_status status)
{
    return (struct handover_acts){ .finish = true, .status = status };
}

/**
 * source_keep(source):
 * The guest is here and stays here: say so.
 */
struct handover_acts source_keep(struct handover_source *source);

/**
 * source_give(source):
 * The guest never runs here again by itself: say so, as far as the destination
 * has not said what makes that pointless.
 */
struct handover_acts source_give(struct handover_source *source);

/**
 * source_settle(source):
 * The guest is given: do what follows from the destination's latest word.
 */
struct handover_acts source_settle(struct handover_source *source);

/**
 * source_qemu_step(source, event):
 * destination_qemu_step(destination, event):
 * Take an ${event} about the own QEMU.
 */
struct handover_acts source_qemu_step(struct handover_source *source,
                                      enum source_event event);
struct handover_acts destination_qemu_step(
    struct handover_destination *destination, enum destination_event event);

/**
 * destination_decide(destination):
 * The guest is here, paused: do what follows from the source's latest word.
 */
struct handover_acts destination_decide(
    struct handover_destination *destination);

#endif
