/* What the source's end of a migration means, from what is known there. */
#ifndef WIRE_SEND_OUTCOME_H
#define WIRE_SEND_OUTCOME_H

#include "base/exit_status.h"
#include "wire/migration.h"
#include "wire/qmp_message.h"

enum { SEND_OUTCOME_TEXT_MAX = 1000 };

struct send_facts {
    const struct migration *migration; /* which has failed or was cancelled */
    const char *runstate;              /* of the VM now; "" if not known */
    struct qmp_version version;        /* of the source's QEMU */
    bool was_running;                  /* the VM ran when it all began */
    bool runs;                         /* it did until now or the switchover */
    bool switching;                    /* it was stopped for the switchover */
    bool saw_device;                   /* the status "device" was seen */
    bool cancelled;                    /* we sent migrate_cancel, */
    bool timed_out;                    /* and did so because time was up */
};

/**
 * send_whereabouts(runstate, was_running):
 * Return a static clause that says where the VM is and whether it runs.
 */
const char *send_whereabouts(const char *runstate, bool was_running);

/**
 * send_may_have_switched(facts):
 * Return whether it may have come as far as the switchover, so that the
 * destination may have got everything.
 */
bool send_may_have_switched(const struct send_facts *facts);

/**
 * send_outcome(facts, text):
 * Write a line for people into ${text}, and return the exit status that says
 * the same: STATUS_UNKNOWN where the destination may have the VM as well.
 */
enum exit_status send_outcome(const struct send_facts *facts,
                              char text[SEND_OUTCOME_TEXT_MAX]);

#endif
