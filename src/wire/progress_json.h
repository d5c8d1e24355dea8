/*
 * A migration as JSON, for programs: one object a line.  Each has "type"; a
 * number that QEMU does not tell is left out, and more fields may come in later
 * versions.  Sizes are bytes, rates bytes a second, times milliseconds.
 *
 * "progress", twice a second while mig-send follows a migration and its reader
 * keeps up:
 *   status                QEMU's name of it, "active" for example
 *   elapsed_ms            since mig-send began the migration
 *   percent               of memory that the destination has, up to date; may
 *                         fall when the guest writes
 *   transferred_bytes     on the wire
 *   remaining_bytes       memory that is still to send
 *   total_bytes           memory of the guest
 *   rate                  on the wire, over the last seconds
 *   stalled_ms            for how long not a byte has been sent; only if that
 *                         is some seconds
 *   dirty_rate            memory that the guest writes
 *   iteration             pass over the memory, from 1
 *   eta_ms                until the end if rates stay; only if it converges
 *   expected_downtime_ms  what stopping the guest now would cost
 *   throttle_percent      by how much auto-converge slows the guest down
 *   stuck                 true if it will not converge
 *
 * "status", whenever the status changes:
 *   status                QEMU's name of it
 *   elapsed_ms            as above
 *
 * "state", once, with --status:
 *   guest                 where it is: "here", "there", "moving" (at the
 *                         source, until the migration completes), "arrived"
 *                         (paused, waits for the source's word), "given"
 *                         (never runs at the source again by itself), "split"
 *                         (in postcopy), "interrupted" (the same, broken off),
 *                         "not-come" or "unknown"
 *   vm                    runstate of the QEMU here
 *   migration             an object with the fields of "progress"
 *   helper                whether one is at work here
 *   partner               whether one is at work at the tunnel's other end
 *   tunnel, session       the state of the tunnel, and its session's name; left
 *                         out if there is none
 *   next                  a sentence on which command goes on; or ""
 *
 * "result", once, last:
 *   result                "completed", "failed", "cancelled", "timed-out" or
 *                         "unknown"
 *   exit_status           of the program
 *   message               a sentence for people
 *   vm                    runstate in the VM's QEMU here as it was last seen,
 *                         "running", "paused" or "postmigrate" for example;
 *                         left out if it is not known
 *   elapsed_ms            as above, if the migration was begun
 *   total_time_ms, setup_time_ms, downtime_ms, transferred_bytes, iterations
 *                         as QEMU tells them, at the source only
 *   average_rate          transferred_bytes over total time without setup
 */
#ifndef WIRE_PROGRESS_JSON_H
#define WIRE_PROGRESS_JSON_H

#include <jansson.h>

#include "wire/progress.h"

/**
 * progress_json(progress):
 * progress_status_json(progress):
 * Return an object of type "progress" or "status", which the caller owns, or
 * NULL if there is no memory.
 */
json_t *progress_json(const struct progress *progress);
json_t *progress_status_json(const struct progress *progress);

struct progress_result {
    const char *result;
    int exit_status;
    const char *message;
    const char *vm;                  /* or NULL */
    const struct progress *progress; /* NULL if nothing was begun */
};

/**
 * progress_result_json(result):
 * Return an object of type "result", which the caller owns, or NULL if there
 * is no memory.
 */
json_t *progress_result_json(const struct progress_result *result);

#endif
