/* The handover: the machine, and what it has to do with QEMU and the partner.
 */
#ifndef MIGRATE_SENDER_HANDOVER_H
#define MIGRATE_SENDER_HANDOVER_H

#include "migrate/sender_state.h"

/**
 * sender_cont(sender, on_cont):
 * Have QEMU continue the guest here, and call ${on_cont} with NULL when it has,
 * or with why it does not, if that stays so for 5 s.
 */
void sender_cont(struct sender *sender,
                 void (*on_cont)(struct sender *sender, const char *error));

/**
 * sender_cont_again(arg):
 * The timer of this name; ${arg} is the sender.
 */
void sender_cont_again(void *arg);

/**
 * sender_step(sender, event):
 * Take ${event} into the handover's machine, and do what it answers.  May end
 * the job.
 */
void sender_step(struct sender *sender, enum source_event event);

/**
 * sender_finish(sender):
 * The guest runs at the destination, and all numbers are known: end.
 */
void sender_finish(struct sender *sender);

/**
 * sender_partner_says(sender, message):
 * The same with a statement of the partner's.
 */
void sender_partner_says(struct sender *sender,
                         const struct partner_message *message);

/**
 * sender_handover_update(sender, whole):
 * The job's on_update, with a partner.
 */
void sender_handover_update(struct sender *sender, bool whole);

/**
 * sender_handover_kept(sender):
 * The migration has failed or was cancelled, and the runstate is known.
 */
void sender_handover_kept(struct sender *sender);

/**
 * sender_handover_lost(sender):
 * The connection to QEMU has ended: find out whether QEMU has.
 */
void sender_handover_lost(struct sender *sender);

/**
 * sender_handover_told(arg, tell):
 * The teller's on_told; ${arg} is the sender.
 */
void sender_handover_told(void *arg, enum handover_tell tell);

/**
 * sender_on_leave(arg):
 * sender_on_exit(arg):
 * sender_on_numbers(arg):
 * The timers of these names; ${arg} is the sender.
 */
void sender_on_leave(void *arg);
void sender_on_exit(void *arg);
void sender_on_numbers(void *arg);

#endif
