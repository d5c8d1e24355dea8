/*
 * The world of a handover: both machines, a model of both QEMUs, the link
 * between the helpers, and an operator who does what he is told.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/handover.h"

enum end { SOURCE, DESTINATION, ENDS };

enum source_qemu {
    SQ_IDLE,
    SQ_MOVING,
    SQ_SWITCHED, /* stopped, all is sent, the last word back is awaited */
    SQ_COMPLETED,
    SQ_FAILED, /* or cancelled: it has the guest, which runs if it did */
    SQ_EARLY,  /* says postcopy-active, and may still fall back */
    SQ_SPLIT,  /* postcopy-active for good */
    SQ_BROKEN, /* postcopy-paused */
    SQ_AGAIN,  /* continued after completed */
    SQ_GONE
};

enum destination_qemu {
    DQ_WAITING,
    DQ_ARRIVED,
    DQ_SPLIT,
    DQ_BROKEN,
    DQ_RUNS_SPLIT,
    DQ_RUNS_BROKEN,
    DQ_RUNS,
    DQ_FAILED,
    DQ_GONE
};

enum { QUEUE_MAX = 10, WORLD_BYTES = 64 };

struct world {
    struct handover_source source;
    struct handover_destination destination;
    uint8_t qemu[ENDS];
    bool alive[ENDS];      /* the helpers */
    bool finished[ENDS];   /* they ended because all was done */
    uint8_t pending[ENDS]; /* an order on its way to QEMU */
    bool link;
    uint8_t queue[ENDS][QUEUE_MAX]; /* to that end */
    uint8_t told[ENDS];             /* the last instruction to the operator */
    bool looked[ENDS];   /* he has, and may release the guest at that end */
    bool released[ENDS]; /* he has */
    uint8_t faults;      /* deaths and losses that may still come, */
    uint8_t wishes;      /* and wishes of the operator */
    bool run;            /* the guest did before it all */
    bool capable;        /* of postcopy */
    bool ordered;        /* QEMU was told to start it */
    bool sent;           /* the source's QEMU has sent all */
    bool had;            /* the destination's has had it whole */
    bool closed;         /* what was sent has arrived: no more falling back */
    bool regained;       /* the source's QEMU had the guest again after that */
    bool ran;            /* at the destination */
    bool held;           /* paused as it was, it is the destination's */
    bool back;           /* paused as it was, it is the source's again */
};

enum move_kind {
    MOVE_PROGRESS,   /* comes by itself */
    MOVE_INSTRUCTED, /* the operator does as he is told */
    MOVE_OTHER       /* a loss, a death, a wish: may come or not */
};

/* Called with each world that may follow, and what leads there. */
typedef void world_visit(void *arg, const struct world *next,
                         enum move_kind kind, const char *name);

void world_init(struct world *world, bool run, bool capable, int faults,
                int wishes);

/* Every move that can be made in ${world}. */
void world_moves(const struct world *world, world_visit *visit, void *arg);

/* The first rule that ${world} breaks, or NULL. */
const char *world_broken(const struct world *world);

/* Whether the guest is where it should be: once, and running if it ran. */
bool world_good(const struct world *world);

/* Whether QEMUs died so that nothing brings the guest back. */
bool world_lost(const struct world *world);

/* Whether the operator knows what to do. */
bool world_instructed(const struct world *world);

/* Everything that counts in ${world}, as bytes. */
void world_key(uint8_t key[WORLD_BYTES], const struct world *world);

#endif
