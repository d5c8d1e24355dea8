/* The destination: a QEMU waits for a VM, and gets it. */
#ifndef MIGRATE_RECEIVER_H
#define MIGRATE_RECEIVER_H

#include "migrate/job.h"

struct receiver;

/**
 * receiver_new(loop, options):
 * Let the QEMU of ${options}->config wait for a VM, and follow it until it has
 * arrived.  Return NULL with errno set if there is no memory.  The caller frees
 * it with receiver_free.
 */
struct receiver *receiver_new(struct loop *loop,
                              const struct job_options *options);
void receiver_free(struct receiver *receiver);

/**
 * receiver_cancel(receiver):
 * A person wants to stop.  QEMU goes on waiting: only quitting it would end
 * that, and it is not ours.
 */
void receiver_cancel(struct receiver *receiver);

#endif
