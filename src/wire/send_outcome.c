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
 * A VM that runs is stopped for the switchover, which no client can miss.  With
 * one that does not run there is nothing to stop, and only these tell:
 *
 *   QEMU before 8.1   the runstate is finish-migrate in the switchover, and
 *                     postmigrate ever after, even if it fails
 *   QEMU from 10.0    the status is "device" before the last bytes
 */
bool
send_may_have_switched(const struct send_facts *facts)
{
    bool known = facts->version.major > 0 && facts->runstate[0] != '\0';

    if (facts->switching || strcmp(facts->runstate, "finish-migrate") == 0 ||
        strcmp(facts->runstate, "postmigrate") == 0)
        return true;
    if (facts->runs)
        return false;
    if (qmp_version_at_least(&facts->version, 10, 0))
        return facts->saw_device;
    return !known || qmp_version_at_least(&facts->version, 8, 1);
}

/*
 * A source that fails during the switchover lets its VM run on.  It may have
 * sent everything by then, with only the destination's last word lost, and
 * then the destination has the VM too.
 */
enum exit_status
send_outcome(const struct send_facts *facts, char text[SEND_OUTCOME_TEXT_MAX])
{
    const struct migration *migration = facts->migration;
    const char *where = send_whereabouts(facts->runstate, facts->was_running);
    const char *error =
        migration->error[0] != '\0' ? migration->error : "QEMU gives no reason";

    if (send_may_have_switched(facts) &&
        !migration_destination_failed(migration)) {
        snprintf(text, SEND_OUTCOME_TEXT_MAX,
                 "migration: %s%s: %s; %s; the destination may have it as "
                 "well: if it does (mig-recv says so), only one of the two may "
                 "run: quit the destination's QEMU",
                 migration->status_name,
                 facts->switching ? " during the switchover"
                                  : ", perhaps during the switchover",
                 error, where);
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
