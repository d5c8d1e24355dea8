/* What a helper at work says of itself to somebody who asks on its host. */
#ifndef MIGRATE_REPORT_H
#define MIGRATE_REPORT_H

#include "wire/standing.h"

struct job;
struct partner_talk;
struct qmp_reply;

/**
 * report_ask(job, on_reply):
 * Ask ${job}'s QEMU for its runstate, and call ${on_reply} with the hooks'
 * owner; at once, with NULL, if it can't be asked.
 */
void report_ask(struct job *job,
                void (*on_reply)(void *owner, const struct qmp_reply *reply));

/**
 * report_say(talk, job, standing, reply):
 * Say ${standing}, with what ${reply}, or else ${job}, knows of the VM.
 */
void report_say(struct partner_talk *talk, const struct job *job,
                struct standing *standing, const struct qmp_reply *reply);

#endif
