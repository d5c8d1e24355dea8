/* How it stands at the source, for --status and --cancel of another mig-send.
 */
#include "migrate/report.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_state.h"

static void
on_state(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct standing standing = { .source = true,
                                 .migration = sender->job.progress.migration };

    report_say(sender->talk, &sender->job, &standing, reply);
}

void
sender_report(struct sender *sender)
{
    report_ask(&sender->job, on_state);
}
