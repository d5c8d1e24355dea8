/*
 * How mig-recv --release and mig-send --release reach the program that waits on
 * this host already.  A QMP monitor serves one client at a time, so the one
 * that waits keeps the other out, and without a tunnel there is no control
 * socket by which it could be asked.
 *
 * The one that waits listens on an abstract Unix socket (unix(7)) named after
 * the QMP monitor.  To connect to it is to ask, for this user and root alone;
 * the answer is one byte, the exit status.  Who asks believes nobody else
 * either, since any user may have taken the name first.
 */
#ifndef MIGRATE_DOORBELL_H
#define MIGRATE_DOORBELL_H

#include "base/exit_status.h"
#include "wire/qmp_target.h"

struct doorbell;
struct loop;
struct ring;

/**
 * doorbell_new(loop, target, on_ring, arg):
 * Listen for those who want the guest of the QEMU at ${target} to be released,
 * and call ${on_ring}(${arg}) for each.  Return NULL with errno set if that
 * can't be, as when another program has the name.  The caller frees it with
 * doorbell_free, but not in ${on_ring}.
 */
struct doorbell *doorbell_new(struct loop *loop,
                              const struct qmp_target *target,
                              void (*on_ring)(void *arg), void *arg);
void doorbell_free(struct doorbell *doorbell);

/**
 * doorbell_answer(doorbell, status):
 * Tell all who have rung what came of it.  ${doorbell} may be NULL.
 */
void doorbell_answer(struct doorbell *doorbell, enum exit_status status);

/**
 * ring_new(loop, target, on_answer, arg):
 * Ask the program that waits for the guest of the QEMU at ${target} to release
 * it, and call ${on_answer}(${arg}) once, from the loop, with its answer:
 * STATUS_UNKNOWN if it ends without one, or there is none within 15 s.  The
 * callback may free the ring.  Return NULL if nobody waits, or can be asked.
 * The caller frees it with ring_free.
 */
struct ring *ring_new(struct loop *loop, const struct qmp_target *target,
                      void (*on_answer)(void *arg, enum exit_status status),
                      void *arg);
void ring_free(struct ring *ring);

#endif
