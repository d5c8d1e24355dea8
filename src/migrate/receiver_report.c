/* How it stands at the destination, for --status and --cancel of another
 * mig-recv.  The numbers are the source's, which knows them. */
#include <string.h>

#include "migrate/receiver_state.h"
#include "migrate/report.h"

static void
on_state(void *owner, const struct qmp_reply *reply)
{
    struct receiver *receiver = owner;
    const struct migration *here = &receiver->job.progress.migration;
    struct standing standing = { .migration = receiver->there.migration,
                                 .fresh = receiver->handover.state ==
                                          DESTINATION_ARRIVED };

    standing.migration.status = here->status;
    memcpy(standing.migration.status_name, here->status_name,
           sizeof here->status_name);
    report_say(receiver->talk, &receiver->job, &standing, reply);
}

void
receiver_report(struct receiver *receiver)
{
    report_ask(&receiver->job, on_state);
}
