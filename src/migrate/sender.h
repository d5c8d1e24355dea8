/* The source: a VM leaves its QEMU. */
#ifndef MIGRATE_SENDER_H
#define MIGRATE_SENDER_H

#include "migrate/job.h"

struct sender;

/**
 * sender_new(loop, options):
 * Wait until mig-client listens, let the QEMU of ${options}->config migrate its
 * VM there, and follow that to its end.  Return NULL with errno set if there is
 * no memory.  The caller frees it with sender_free.
 */
struct sender *sender_new(struct loop *loop, const struct job_options *options);
void sender_free(struct sender *sender);

/**
 * sender_cancel(sender):
 * A person wants to stop.  The first call cancels the migration where that is
 * possible, and waits for the outcome; the next one leaves without it.
 */
void sender_cancel(struct sender *sender);

#endif
