/* The guest: its image, with what it shall do (guest/guest.S). */
#ifndef SUPPORT_GUEST_H
#define SUPPORT_GUEST_H

#include <stdbool.h>

#include "support_case.h"

struct guest {
    unsigned fill_mib;    /* memory is filled up to here; 16 or more */
    unsigned window_mib;  /* size of the part that is dirtied for ever */
    unsigned round_pages; /* pages of it that are dirtied in each round */
    unsigned round_ticks; /* 1/100 s slept after each round; 0 never sleeps */
    bool soft;            /* what it fills memory with can be compressed */
};

/* 6 MiB/s in a window of 16 MiB: any link of ours is faster, but every pass
 * finds something to send. */
extern const struct guest guest_calm;

/* 100 MiB/s in a window of 32 MiB: does not converge at a lower bandwidth. */
extern const struct guest guest_busy;

/* The calm guest in half of the memory, for what is done many times. */
extern const struct guest guest_small;

/**
 * guest_write_image(e2e, guest, path):
 * Write the disk image of ${guest} to a new file of the test's folder, and its
 * name into ${path}.  A ${guest}->fill_mib of 0 stands for 64.
 */
void guest_write_image(struct e2e *e2e, const struct guest *guest,
                       char path[CASE_PATH_MAX]);

#endif
