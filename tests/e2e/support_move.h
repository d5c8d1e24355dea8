/* One guest on its way from one QEMU to another through a tunnel. */
#ifndef SUPPORT_MOVE_H
#define SUPPORT_MOVE_H

#include "support_case.h"
#include "support_guest.h"
#include "support_tunnel.h"

struct process;
struct vm;

struct move {
    struct vm *source;
    struct vm *destination;
    struct process *send;
    struct process *recv;
    struct tunnel tunnel;
};

/**
 * move_prepare(e2e, move, guest):
 * Start a source that runs ${guest} and a destination where it will arrive
 * paused.  The tunnel between them and the helpers are not started.
 */
void move_prepare(struct e2e *e2e, struct move *move,
                  const struct guest *guest);

/**
 * move_start(e2e, move, recv_args, send_args):
 * Start mig-recv and mig-send with these further arguments; either list may be
 * NULL.
 */
void move_start(struct e2e *e2e, struct move *move,
                const char *const *recv_args, const char *const *send_args);

/**
 * move_start_slowly(e2e, move):
 * Start mig-recv, and mig-send at a bandwidth at which the calm guest takes
 * 8 s.  Return when a quarter of its memory has been sent.
 */
void move_start_slowly(struct e2e *e2e, struct move *move);

/**
 * move_hurry(move):
 * Lift the bandwidth limit of a migration under way.
 */
void move_hurry(struct move *move);

/**
 * move_hurry_postcopy(move):
 * The same for one in postcopy.
 */
void move_hurry_postcopy(struct move *move);

/**
 * move_finish(e2e, move):
 * Wait until both helpers say that the guest has arrived, and check that it
 * has (move_check_arrival).
 */
void move_finish(struct e2e *e2e, struct move *move);

/**
 * move_check_arrival(e2e, source, destination):
 * Check that a guest that has arrived paused is whole: its memory is what it
 * was, and once continued it goes on where it stopped at the source.
 */
void move_check_arrival(struct e2e *e2e, struct vm *source,
                        struct vm *destination);

/**
 * move_assert_failed(move, since_ms):
 * Check that mig-send, soon, and mig-recv say that the migration has failed,
 * and that the guest runs on at the source.  ${since_ms} (wait_now_ms) is when
 * it was made to fail.
 */
void move_assert_failed(struct move *move, uint64_t since_ms);

/**
 * move_again(e2e, move):
 * Move the guest to a new destination through the tunnel as it is now, and
 * check that it arrives whole.
 */
void move_again(struct e2e *e2e, struct move *move);

#endif
