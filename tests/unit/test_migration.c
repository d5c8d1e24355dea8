/* What query-migrate tells, by QEMUs of any version. */
#include "wire/migration.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

static void
parse(struct migration *migration, const char *text)
{
    json_t *reply = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(reply);
    migration_parse(migration, reply);
    json_decref(reply);
}

static void
an_active_source_tells_everything(void **state)
{
    struct migration migration;

    (void)state;
    parse(&migration,
          "{\"expected-downtime\": 300, \"status\": \"active\", "
          "\"setup-time\": 4, \"total-time\": 501, "
          "\"cpu-throttle-percentage\": 20, \"ram\": {\"total\": 67641344, "
          "\"dirty-sync-count\": 1, \"page-size\": 4096, \"remaining\": "
          "290816, \"mbps\": 8.07, \"transferred\": 504328, \"duplicate\": "
          "16356, \"dirty-pages-rate\": 7, \"normal-bytes\": 356352}}");
    assert_int_equal(migration.status, MIGRATION_ACTIVE);
    assert_string_equal(migration.status_name, "active");
    assert_int_equal(migration.total_time_ms, 501);
    assert_int_equal(migration.setup_time_ms, 4);
    assert_int_equal(migration.downtime_ms, MIGRATION_ABSENT);
    assert_int_equal(migration.expected_downtime_ms, 300);
    assert_int_equal(migration.throttle_percent, 20);
    assert_int_equal(migration.transferred_bytes, 504328);
    assert_int_equal(migration.remaining_bytes, 290816);
    assert_int_equal(migration.total_bytes, 67641344);
    assert_int_equal(migration.normal_bytes, 356352);
    assert_int_equal(migration.zero_pages, 16356);
    assert_int_equal(migration.page_size_bytes, 4096);
    assert_int_equal(migration.dirty_pages_per_s, 7);
    assert_int_equal(migration.iteration, 1);
    assert_int_equal(migration.mbits_per_s, 8);
}

static void
nothing_is_no_migration(void **state)
{
    static const char *const nothing[] = { "{}", "null", "[]", "7",
                                           "{\"ram\": 7, \"status\": 7}" };
    struct migration migration;

    (void)state;
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        parse(&migration, nothing[i]);
        assert_int_equal(migration.status, MIGRATION_NONE);
        assert_string_equal(migration.status_name, "none");
        assert_int_equal(migration.transferred_bytes, MIGRATION_ABSENT);
        assert_string_equal(migration.error, "");
        assert_string_equal(migration.blocked, "");
    }
    migration_parse(&migration, NULL);
    assert_int_equal(migration.status, MIGRATION_NONE);
}

static void
every_status_is_known_by_its_name(void **state)
{
    static const char *const names[] = {
#define NAME(name, text) [MIGRATION_##name] = (text),
        MIGRATION_STATUSES(NAME)
#undef NAME
    };
    struct migration migration;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *reply = json_pack("{s:s}", "status", names[i]);
        migration_parse(&migration, reply);
        assert_int_equal(migration.status, i);
        assert_string_equal(migration.status_name, names[i]);
        json_decref(reply);
    }
}

static void
an_unknown_status_keeps_its_name_and_counts_as_running(void **state)
{
    struct migration migration;

    (void)state;
    parse(&migration, "{\"status\": \"teleporting\"}");
    assert_int_equal(migration.status, MIGRATION_UNKNOWN);
    assert_string_equal(migration.status_name, "teleporting");
    assert_false(migration_is_over(migration.status));
    assert_false(migration_is_idle(migration.status));
    assert_false(migration_is_postcopy(&migration));
    parse(&migration, "{\"status\": \"postcopy-something-new\"}");
    assert_int_equal(migration.status, MIGRATION_UNKNOWN);
    assert_true(migration_is_postcopy(&migration));
}

static void
three_statuses_are_the_end(void **state)
{
    (void)state;
    for (int i = 0; i <= MIGRATION_UNKNOWN; i++) {
        enum migration_status status = (enum migration_status)i;
        bool over = status == MIGRATION_COMPLETED ||
                    status == MIGRATION_FAILED || status == MIGRATION_CANCELLED;
        assert_int_equal(migration_is_over(status), over);
        assert_int_equal(migration_is_idle(status),
                         over || status == MIGRATION_NONE);
    }
}

static void
numbers_of_the_wrong_kind_are_not_told(void **state)
{
    struct migration migration;

    (void)state;
    parse(&migration,
          "{\"total-time\": -5, \"setup-time\": \"4\", \"downtime\": 1.9, "
          "\"expected-downtime\": 1e30, \"cpu-throttle-percentage\": -0.5}");
    assert_int_equal(migration.total_time_ms, MIGRATION_ABSENT);
    assert_int_equal(migration.setup_time_ms, MIGRATION_ABSENT);
    assert_int_equal(migration.downtime_ms, 1);
    assert_int_equal(migration.expected_downtime_ms, INT64_MAX);
    assert_int_equal(migration.throttle_percent, MIGRATION_ABSENT);
}

static void
blocked_reasons_are_joined(void **state)
{
    struct migration migration;

    (void)state;
    parse(&migration, "{\"blocked\": true, \"blocked-reasons\": [\"one\", 7, "
                      "\"two\"]}");
    assert_string_equal(migration.blocked, "one; two");
    parse(&migration, "{\"blocked\": true}");
    assert_string_equal(migration.blocked, "QEMU gives no reason");
    parse(&migration, "{\"blocked\": false, \"blocked-reasons\": []}");
    assert_string_equal(migration.blocked, "");
}

static void
more_blocked_reasons_than_fit_are_cut(void **state)
{
    struct migration migration;
    json_t *reasons = json_array();
    json_t *reply;

    (void)state;
    for (int i = 0; i < 100; i++)
        json_array_append_new(reasons, json_string("nineteen bytes long"));
    reply = json_pack("{s:o}", "blocked-reasons", reasons);
    migration_parse(&migration, reply);
    json_decref(reply);
    assert_true(strlen(migration.blocked) < sizeof migration.blocked);
    assert_true(strlen(migration.blocked) > sizeof migration.blocked - 24);
}

static void
a_destination_tells_where_it_listens(void **state)
{
    struct migration migration;

    (void)state;
    parse(&migration, "{\"socket-address\": [{\"path\": \"/run/mig\", "
                      "\"type\": \"unix\"}]}");
    assert_string_equal(migration.socket_path, "/run/mig");
    assert_int_equal(migration.status, MIGRATION_NONE);
    parse(&migration, "{\"socket-address\": [{\"host\": \"::\", \"type\": "
                      "\"inet\"}]}");
    assert_string_equal(migration.socket_path, "");
}

static void
a_newer_reply_keeps_the_numbers_that_it_lacks(void **state)
{
    struct migration migration, newer;

    (void)state;
    parse(&migration, "{\"status\": \"active\", \"total-time\": 5, \"ram\": "
                      "{\"transferred\": 10, \"remaining\": 20}}");
    parse(&newer, "{\"status\": \"failed\", \"error-desc\": \"broken\", "
                  "\"ram\": {\"remaining\": 0}}");
    migration_merge(&migration, &newer);
    assert_int_equal(migration.status, MIGRATION_FAILED);
    assert_string_equal(migration.status_name, "failed");
    assert_string_equal(migration.error, "broken");
    assert_int_equal(migration.total_time_ms, 5);
    assert_int_equal(migration.transferred_bytes, 10);
    assert_int_equal(migration.remaining_bytes, 0);
    parse(&newer, "{\"status\": \"failed\"}");
    migration_merge(&migration, &newer);
    assert_string_equal(migration.error, "broken");
}

static void
some_failures_prove_that_the_destination_has_no_vm(void **state)
{
    static const char *const proofs[] = {
        "Unable to write to socket: Broken pipe",
        "RP: Sibling indicated error 1",
        "Failed to connect to '/x': No such file or directory",
    };
    struct migration migration = { .status = MIGRATION_FAILED };

    (void)state;
    assert_false(migration_destination_failed(&migration));
    snprintf(migration.error, sizeof migration.error, "something new");
    assert_false(migration_destination_failed(&migration));
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        snprintf(migration.error, sizeof migration.error, "%s", proofs[i]);
        assert_true(migration_destination_failed(&migration));
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_active_source_tells_everything),
        cmocka_unit_test(nothing_is_no_migration),
        cmocka_unit_test(every_status_is_known_by_its_name),
        cmocka_unit_test(
            an_unknown_status_keeps_its_name_and_counts_as_running),
        cmocka_unit_test(three_statuses_are_the_end),
        cmocka_unit_test(numbers_of_the_wrong_kind_are_not_told),
        cmocka_unit_test(blocked_reasons_are_joined),
        cmocka_unit_test(more_blocked_reasons_than_fit_are_cut),
        cmocka_unit_test(a_destination_tells_where_it_listens),
        cmocka_unit_test(a_newer_reply_keeps_the_numbers_that_it_lacks),
        cmocka_unit_test(some_failures_prove_that_the_destination_has_no_vm),
    };

    return RUN_TESTS(tests);
}
