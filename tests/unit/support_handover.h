/* Both machines of a handover, and what they answered last. */
#ifndef SUPPORT_HANDOVER_H
#define SUPPORT_HANDOVER_H

#include "wire/handover.h"

struct pair {
    struct handover_source source;
    struct handover_destination destination;
    struct handover_acts acts;
};

/* Both helpers are there, and QEMU migrates. */
void pair_moving(struct pair *pair);

/* The same, and then: the source's QEMU says completed; the guest has arrived
 * too; it runs there.  Each is known at both ends. */
void pair_completed(struct pair *pair);
void pair_given(struct pair *pair);
void pair_running(struct pair *pair);

/* In postcopy, each end knowing it of its own QEMU, and of the other. */
void pair_split(struct pair *pair);

/* A helper dies, the other end sees it leave, and a new one finds its QEMU in
 * ${event}.  What it answers is kept in pair->acts. */
void pair_attach_source(struct pair *pair, enum source_event event);
void pair_attach_destination(struct pair *pair, enum destination_event event);

/* The link between the helpers is lost, or is back. */
void pair_part(struct pair *pair);
void pair_meet(struct pair *pair);

/* The machine takes ${event}, and must answer just this. */
void at_source(struct pair *pair, enum source_event event,
               enum handover_order order, enum handover_say say,
               enum handover_tell tell);
void at_destination(struct pair *pair, enum destination_event event,
                    enum handover_order order, enum handover_say say,
                    enum handover_tell tell);

#define AT_SOURCE(event, order, say, tell) \
    at_source(&pair, SOURCE_##event, ORDER_##order, SAY_##say, TELL_##tell)
#define AT_DESTINATION(event, order, say, tell)                          \
    at_destination(&pair, DESTINATION_##event, ORDER_##order, SAY_##say, \
                   TELL_##tell)

/* The answer kept was, apart from its end, just this. */
void answered(const struct pair *pair, enum handover_order order,
              enum handover_say say, enum handover_tell tell);

/* The answer kept was an end, with ${status}; or it was none. */
void ended(const struct pair *pair, enum exit_status status);
void goes_on(const struct pair *pair);

#endif
