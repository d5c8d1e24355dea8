/* What the source's end of a migration means. */
#include "wire/send_outcome.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

static void
assert_outcome(const struct send_facts *facts, enum exit_status status,
               const char *part)
{
    char text[SEND_OUTCOME_TEXT_MAX];

    assert_int_equal(send_outcome(facts, text), status);
    if (strstr(text, part) == NULL)
        fail_msg("%s", text);
}

static struct migration
ended(enum migration_status status, const char *error)
{
    struct migration migration = { .status = status };

    snprintf(migration.status_name, sizeof migration.status_name, "%s",
             status == MIGRATION_FAILED ? "failed" : "cancelled");
    snprintf(migration.error, sizeof migration.error, "%s", error);
    return migration;
}

static void
a_failure_is_told_with_its_cause_and_where_the_vm_is(void **state)
{
    struct migration migration = ended(MIGRATION_FAILED, "no luck");
    struct send_facts facts = { .migration = &migration,
                                .runstate = "running",
                                .was_running = true,
                                .runs = true };

    (void)state;
    assert_outcome(&facts, STATUS_FAILED, "failed: no luck; the VM runs on");
    migration.error[0] = '\0';
    assert_outcome(&facts, STATUS_FAILED, "QEMU gives no reason");
}

static void
a_cancel_is_no_failure_even_if_qemu_calls_it_one(void **state)
{
    struct migration migration = ended(MIGRATION_FAILED, "RP: something");
    struct send_facts facts = { .migration = &migration,
                                .runstate = "running",
                                .was_running = true,
                                .runs = true,
                                .cancelled = true };

    (void)state;
    assert_outcome(&facts, STATUS_CANCELLED, "cancelled; the VM runs on");
    facts.timed_out = true;
    assert_outcome(&facts, STATUS_TIMED_OUT, "time was up; the VM runs on");
}

static void
a_cancel_by_somebody_else_is_named(void **state)
{
    struct migration migration = ended(MIGRATION_CANCELLED, "");
    struct send_facts facts = { .migration = &migration,
                                .runstate = "running",
                                .was_running = true,
                                .runs = true };

    (void)state;
    assert_outcome(&facts, STATUS_CANCELLED, "somebody else");
}

static void
a_failure_in_the_switchover_leaves_the_outcome_open(void **state)
{
    struct migration migration = ended(MIGRATION_FAILED, "");
    struct send_facts facts = { .migration = &migration,
                                .runstate = "running",
                                .was_running = true,
                                .runs = true,
                                .switching = true };

    (void)state;
    assert_outcome(&facts, STATUS_UNKNOWN, "destination may have it as well");
    facts.cancelled = true;
    assert_outcome(&facts, STATUS_UNKNOWN, "destination may have it as well");
}

static void
a_failure_in_the_switchover_with_proof_is_a_failure(void **state)
{
    struct migration migration =
        ended(MIGRATION_FAILED, "Unable to write to socket: Broken pipe");
    struct send_facts facts = { .migration = &migration,
                                .runstate = "running",
                                .was_running = true,
                                .runs = true,
                                .switching = true };

    (void)state;
    assert_outcome(&facts, STATUS_FAILED, "the VM runs on");
}

static void
assert_paused(struct qmp_version version, const char *runstate, bool saw_device,
              const char *error, enum exit_status status)
{
    struct migration migration = ended(MIGRATION_FAILED, error);
    struct send_facts facts = { .migration = &migration,
                                .runstate = runstate,
                                .version = version,
                                .saw_device = saw_device };

    assert_outcome(&facts, status,
                   status == STATUS_UNKNOWN ? "perhaps during the switchover"
                                            : "as before");
    facts.cancelled = true;
    assert_outcome(&facts, status == STATUS_UNKNOWN ? status : STATUS_CANCELLED,
                   "");
}

static void
a_vm_that_did_not_run_may_be_at_the_destination_unless_there_is_proof(
    void **state)
{
    static const struct qmp_version none = { 0, 0, 0 }, v7 = { 7, 2, 22 },
                                    v8_0 = { 8, 0, 9 }, v8_1 = { 8, 1, 0 },
                                    v9 = { 9, 2, 0 }, v10 = { 10, 0, 0 };
    const char broken[] = "Unable to write to socket: Broken pipe";

    (void)state;
    assert_paused(v7, "paused", false, "", STATUS_FAILED);
    assert_paused(v7, "postmigrate", false, "", STATUS_UNKNOWN);
    assert_paused(v7, "finish-migrate", false, "", STATUS_UNKNOWN);
    assert_paused(v7, "postmigrate", false, broken, STATUS_FAILED);
    assert_paused(v7, "", false, "", STATUS_UNKNOWN);
    assert_paused(v8_0, "paused", false, "", STATUS_FAILED);
    assert_paused(v8_1, "paused", false, "", STATUS_UNKNOWN);
    assert_paused(v8_1, "paused", false, broken, STATUS_FAILED);
    assert_paused(v9, "paused", true, "", STATUS_UNKNOWN);
    assert_paused(v10, "paused", true, "", STATUS_UNKNOWN);
    assert_paused(v10, "paused", false, "", STATUS_FAILED);
    assert_paused(none, "paused", false, "", STATUS_UNKNOWN);
}

static void
the_whereabouts_fit_the_runstate(void **state)
{
    (void)state;
    assert_non_null(strstr(send_whereabouts("running", true), "runs on here"));
    assert_non_null(strstr(send_whereabouts("paused", false), "as before"));
    assert_non_null(strstr(send_whereabouts("paused", true), "cont starts it"));
    assert_non_null(strstr(send_whereabouts("", true), "query-status"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_with_its_cause_and_where_the_vm_is),
        cmocka_unit_test(a_cancel_is_no_failure_even_if_qemu_calls_it_one),
        cmocka_unit_test(a_cancel_by_somebody_else_is_named),
        cmocka_unit_test(a_failure_in_the_switchover_leaves_the_outcome_open),
        cmocka_unit_test(a_failure_in_the_switchover_with_proof_is_a_failure),
        cmocka_unit_test(
            a_vm_that_did_not_run_may_be_at_the_destination_unless_there_is_proof),
        cmocka_unit_test(the_whereabouts_fit_the_runstate),
    };

    return RUN_TESTS(tests);
}
