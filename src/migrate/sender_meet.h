/* Before a migration: the partner is met, and the plan is made with it or
 * without. */
#ifndef MIGRATE_SENDER_MEET_H
#define MIGRATE_SENDER_MEET_H

#include "migrate/sender_state.h"

/**
 * sender_meet(sender):
 * Look for the partner; alone, go on as without.  If there is one, agree on the
 * migration with it, and begin.
 */
void sender_meet(struct sender *sender);

/**
 * sender_mark(sender, marked):
 * Let the QEMU here have a mark of the talk's migration, and none of earlier
 * ones, then call ${marked}.  A QEMU that takes none is done without.
 */
void sender_mark(struct sender *sender, void (*marked)(struct sender *sender));

/**
 * sender_find_mark(sender, found):
 * Look for the mark that an earlier mig-send has set, then call ${found}.
 */
void sender_find_mark(struct sender *sender,
                      void (*found)(struct sender *sender));

/**
 * sender_adopt(sender):
 * From now on the talk is about the migration whose mark was found; if the QEMU
 * here can have none, about the partner's.
 */
void sender_adopt(struct sender *sender);

/**
 * sender_knows_partner(sender):
 * Return whether the partner, which has just greeted, may be one of the same
 * migration.  If not, a line says so.
 */
bool sender_knows_partner(struct sender *sender);

/**
 * sender_sees_tunnel(sender):
 * Return whether a tunnel has come up by now that leads to a partner, while
 * this program was about to work alone.
 */
bool sender_sees_tunnel(const struct sender *sender);

/**
 * sender_compare(sender):
 * If both QEMUs' facts are known: compare them, make the plan, and go on with
 * it.  May end the job.
 */
void sender_compare(struct sender *sender);

/**
 * sender_report(sender):
 * Say how it stands, for somebody who asks on this host.
 */
void sender_report(struct sender *sender);

/**
 * sender_plan(sender):
 * The settings of this side are set: tell the partner its own.
 */
void sender_plan(struct sender *sender);

/**
 * sender_plan_alone(sender):
 * Make the plan without a partner, and give QEMU its settings.
 */
void sender_plan_alone(struct sender *sender);

/**
 * sender_plan_slow_down(sender):
 * For a migration that began before: find out from the facts how the guest is
 * to be slowed down when --on-timeout says so.
 */
void sender_plan_slow_down(struct sender *sender);

/**
 * sender_talk_open(sender):
 * Attach to the tunnel.  Return whether that could be begun; if not, the job
 * has ended.
 */
bool sender_talk_open(struct sender *sender);

/**
 * sender_on_seek(arg):
 * The timer of this name; ${arg} is the sender.
 */
void sender_on_seek(void *arg);

#endif
