/* What the files of the modelled world share. */
#ifndef SUPPORT_WORLD_PARTS_H
#define SUPPORT_WORLD_PARTS_H

#include "support_world.h"

/* What may be in a queue beside what a helper says. */
enum {
    CAME = 0x40,
    CAME_WANTED, /* to who was started with --release */
    LEFT,
    GIVEN = 0x80 /* with the handover_run added */
};

/* The rule that the move at hand broke, or NULL. */
extern const char *world_violation;

/* Put ${message} into the queue to an end. */
void world_put(struct world *world, enum end to, uint8_t message);

/* The source's QEMU has the guest again. */
void world_source_fails(struct world *world);

/* QEMU does what it was ordered. */
void world_execute(struct world *world, enum end end);

/* A helper is gone. */
void world_helper_ends(struct world *world, enum end end);

/* A helper takes an event and does what follows. */
void world_source_event(struct world *world, enum source_event event);
void world_destination_event(struct world *world, enum destination_event event);

/* A helper looks at its QEMU; it takes the next message. */
void world_look(struct world *world, enum end end);
void world_deliver(struct world *world, enum end end);

#endif
