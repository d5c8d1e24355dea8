#include "wire/send_outcome.h"

#include <stdio.h>
#include <string.h>

const char *
send_whereabouts(const char *runstate, bool was_running)
{
    if (runstate[0] == '\0')
        return "the VM should be here, at the source: ask its QEMU with "
               "query-status";
    if (strcmp(runstate, "running") == 0)
        return "the VM runs on here, at the source";
    if (!was_running)
        return "the VM is still here, at the source, and does not run, as "
               "before";
    return "the VM is still here, at the source, but does not run: the command "
           "cont starts it";
}

/*
 * A source that fails during the switchover lets its VM run on.  It may have
 * sent everything by then, with only the destination's last word lost, and
 * then the VM runs at the destination too.
 */
enum exit_status
send_outcome(const struct send_facts *facts, char text[SEND_OUTCOME_TEXT_MAX])
{
    const struct migration *migration = facts->migration;
    const char *where = send_whereabouts(facts->runstate, facts->was_running);
    const char *error =
        migration->error[0] != '\0' ? migration->error : "QEMU gives no reason";

    if (facts->switching && !migration_destination_failed(migration)) {
        snprintf(text, SEND_OUTCOME_TEXT_MAX,
                 "migration: %s during the switchover: %s; %s; the destination "
                 "may have it as well: if it runs there (mig-recv says so), "
                 "stop one of the two at once",
                 migration->status_name, error, where);
        return STATUS_UNKNOWN;
    }
    if (facts->cancelled) {
        snprintf(text, SEND_OUTCOME_TEXT_MAX, "migration: %s; %s",
                 facts->timed_out ? "cancelled, for its time was up"
                                  : "cancelled",
                 where);
        return facts->timed_out ? STATUS_TIMED_OUT : STATUS_CANCELLED;
    }
    if (migration->status == MIGRATION_CANCELLED) {
        snprintf(text, SEND_OUTCOME_TEXT_MAX,
                 "migration: somebody else cancelled it; %s", where);
        return STATUS_CANCELLED;
    }
    snprintf(text, SEND_OUTCOME_TEXT_MAX, "migration: failed: %s; %s", error,
             where);
    return STATUS_FAILED;
}
