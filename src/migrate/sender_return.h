/* mig-send comes back to a migration that began before. */
#ifndef MIGRATE_SENDER_RETURN_H
#define MIGRATE_SENDER_RETURN_H

#include "migrate/sender_state.h"

/**
 * sender_attach(sender):
 * Find out what a migration that began before has come to, and go on with it.
 */
void sender_attach(struct sender *sender);

/**
 * sender_take_runstate(sender, reply):
 * QEMU has replied to query-status, and there is a migration that began before.
 * Return whether this can be its source; if not, the job has ended.
 */
bool sender_take_runstate(struct sender *sender, const struct qmp_reply *reply);

/**
 * sender_attach_late(sender):
 * sender_attach_update(sender):
 * The timer `later`; and a fresh update, which may make sure whether postcopy
 * was ordered by the one before.  Return whether something is done about that;
 * then the update is older.
 */
void sender_attach_late(struct sender *sender);
bool sender_attach_update(struct sender *sender);

/**
 * sender_attaches(sender):
 * Return whether this program goes on with a migration that began before.
 */
bool sender_attaches(const struct sender *sender);

/**
 * sender_recover(sender):
 * Have the QEMU here resume what was interrupted in postcopy, and follow it.
 */
void sender_recover(struct sender *sender);

/**
 * sender_recover_up(sender, partner):
 * sender_recover_listening(sender):
 * sender_recover_ready(sender):
 * With --recover: the tunnel has taken this program, and ${partner} is whether
 * a partner is there; it says that its QEMU waits to be resumed; mig-client
 * listens.
 */
void sender_recover_up(struct sender *sender, bool partner);
void sender_recover_listening(struct sender *sender);
void sender_recover_ready(struct sender *sender);

/**
 * sender_recover_late(sender):
 * The partner has not come, or QEMU has not begun: the time is up.
 */
void sender_recover_late(struct sender *sender);

/**
 * sender_withdraw(sender):
 * sender_withdraw_late(sender):
 * Cancel a migration that began before and that no other mig-send is at work
 * on; the timer `later`.
 */
void sender_withdraw(struct sender *sender);
void sender_withdraw_late(struct sender *sender);

/**
 * sender_withdraw_refused(sender, tell):
 * With --cancel: end if ${tell} says that it can't be.
 */
void sender_withdraw_refused(struct sender *sender, enum handover_tell tell);

/**
 * sender_has_postcopy(capabilities):
 * Return whether what query-migrate-capabilities returned, or NULL, leaves
 * postcopy possible.
 */
bool sender_has_postcopy(const json_t *capabilities);

/**
 * sender_recover_holds(sender):
 * Return whether a migration that is still interrupted is so only because QEMU
 * has not resumed it yet.  Called for each update.
 */
bool sender_recover_holds(struct sender *sender);

/**
 * sender_recover_silences(sender, tell):
 * Return whether ${tell} says what --recover is about to resolve.
 */
bool sender_recover_silences(const struct sender *sender,
                             enum handover_tell tell);

#endif
