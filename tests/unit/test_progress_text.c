/* A migration's progress in words, and as JSON. */
#include "wire/progress_text.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"
#include "wire/progress_json.h"

enum { MIB = 1024 * 1024, PAGE = 4096 };

static struct migration
running(void)
{
    struct migration migration;

    migration_parse(&migration, NULL);
    migration.status = MIGRATION_ACTIVE;
    snprintf(migration.status_name, sizeof migration.status_name, "active");
    migration.transferred_bytes = 100LL * MIB;
    migration.remaining_bytes = 50LL * MIB;
    migration.total_bytes = 200LL * MIB;
    migration.page_size_bytes = PAGE;
    migration.dirty_pages_per_s = 50LL * MIB / PAGE;
    migration.iteration = 3;
    migration.expected_downtime_ms = 1000;
    return migration;
}

static void
begin(struct progress *progress, const struct progress_options *options,
      const struct migration *migration)
{
    progress_init(progress, options, 0);
    if (migration != NULL)
        progress_take(progress, migration, 1000);
}

static const struct progress_options plain = { .downtime_limit_ms = 300 };

static void
at_100_columns_the_live_line_has_everything(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration.throttle_percent = 20;
    begin(&progress, &plain, &migration);
    progress_live_text(text, &progress, 100);
    assert_string_equal(text, "[=====>  ]   75%  100M  100M/s  50M left  ETA "
                              "1.0s  dirty 50M/s  pass 3  down 1.0s  throttle "
                              "20%");
}

static void
at_80_columns_only_the_throttling_is_left_out(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration.throttle_percent = 20;
    migration.transferred_bytes = 23LL * 1024 * MIB;
    migration.remaining_bytes = 720LL * MIB;
    migration.total_bytes = 2 * migration.remaining_bytes;
    migration.iteration = 12;
    migration.expected_downtime_ms = 310;
    begin(&progress, &plain, &migration);
    migration.transferred_bytes += 12LL * MIB;
    progress_take(&progress, &migration, 11000);
    migration.transferred_bytes += 1200LL * MIB;
    progress_take(&progress, &migration, 12000);
    progress_live_text(text, &progress, 80);
    assert_string_equal(text, "[===>    ]  50% 24G 1.2G/s 720M left ETA 626ms "
                              "dirty 50M/s pass 12 down 310ms");
}

static void
a_standstill_takes_the_place_of_the_rate(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    begin(&progress, &plain, &migration);
    progress_take(&progress, &migration, 60999);
    progress_plain_text(text, &progress);
    assert_non_null(strstr(text, "100 MiB sent, stalled 59 s, 50.0 MiB"));
    progress_take(&progress, &migration, 61000);
    progress_plain_text(text, &progress);
    assert_non_null(strstr(text, "100 MiB sent, stalled 1m 00s, 50.0 MiB"));
    begin(&progress, &plain, &migration);
    progress_take(&progress, &migration, 13999);
    progress_live_text(text, &progress, 60);
    assert_string_equal(
        text, "[=====>  ]  75% 100M stalled 12s 50M left dirty 50M/s");
    progress_plain_text(text, &progress);
    assert_non_null(strstr(text, "100 MiB sent, stalled 12 s, 50.0 MiB"));
}

static void
the_live_line_fits_every_width(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    begin(&progress, &plain, &migration);
    for (unsigned width = 0; width < 1000; width++) {
        progress_live_text(text, &progress, width);
        assert_true(strlen(text) == 0 || strlen(text) < width);
        if (width >= 10)
            assert_non_null(strstr(text, "75%"));
        assert_int_equal(text[0] == '[', width >= 60);
    }
    progress_live_text(text, &progress, 40);
    assert_string_equal(text, " 75% 100M 100M/s 50M left ETA 1.0s");
}

static void
the_bar_is_empty_at_first_and_full_at_the_end(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration.remaining_bytes = migration.total_bytes;
    begin(&progress, &plain, &migration);
    progress_live_text(text, &progress, 200);
    assert_ptr_equal(strstr(text, "[        ]"), text);
    migration.status = MIGRATION_COMPLETED;
    begin(&progress, &plain, &migration);
    progress_live_text(text, &progress, 200);
    assert_ptr_equal(strstr(text, "[========]"), text);
}

static void
where_nothing_is_known_the_status_is_shown(void **state)
{
    struct progress progress;
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    begin(&progress, &plain, NULL);
    progress_live_text(text, &progress, 80);
    assert_string_equal(text, "none");
    progress_plain_text(text, &progress);
    assert_string_equal(text, "none");
}

static void
the_plain_line_has_everything(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    begin(&progress, &plain, &migration);
    progress_plain_text(text, &progress);
    assert_string_equal(text, "75.0%, 100 MiB sent, 100 MiB/s, 50.0 MiB left, "
                              "ETA 1.0 s, dirty 50.0 MiB/s, iteration 3, "
                              "downtime 1.0 s");
}

static void
largest_numbers_fit(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration.transferred_bytes = INT64_MAX;
    migration.remaining_bytes = INT64_MAX;
    migration.total_bytes = INT64_MAX;
    migration.iteration = INT64_MAX;
    migration.expected_downtime_ms = INT64_MAX;
    migration.throttle_percent = INT64_MAX;
    migration.downtime_ms = INT64_MAX;
    migration.total_time_ms = INT64_MAX;
    begin(&progress, &plain, &migration);
    progress_live_text(text, &progress, 4000);
    progress_plain_text(text, &progress);
    progress_stuck_text(text, &progress);
    progress_report_text(text, &progress);
    assert_true(strlen(text) < sizeof text);
}

static void
assert_help(const struct progress_options *options, int64_t downtime_ms,
            const char *expected)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];
    const char *help;

    migration.expected_downtime_ms = downtime_ms;
    begin(&progress, options, &migration);
    progress_stuck_text(text, &progress);
    help = strstr(text, "what would help: ");
    assert_non_null(help);
    assert_string_equal(help + strlen("what would help: "), expected);
}

static void
the_options_that_would_help_are_named(void **state)
{
    struct progress_options options = { .downtime_limit_ms = 300 };

    (void)state;
    assert_help(&options, 1000,
                "--multifd 4 (more than one connection), or --auto-converge "
                "(slows the guest down), or --postcopy (the VM moves first, "
                "its memory follows), or --downtime-limit 1100 (it would end "
                "now)");
    options.postcopy = true;
    options.max_bandwidth = 100ULL * MIB;
    assert_help(&options, MIGRATION_ABSENT,
                "a higher --max-bandwidth (now 100 MiB/s), or --auto-converge "
                "(slows the guest down)");
    options.max_bandwidth = 200ULL * MIB;
    options.auto_converge = true;
    options.multifd = true;
    assert_help(&options, MIGRATION_ABSENT, "a higher --downtime-limit");
    assert_help(&options, 2000, "--downtime-limit 2200 (it would end now)");
}

static void
a_stuck_migration_is_told_with_its_rates(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration.throttle_percent = 30;
    begin(&progress, &plain, &migration);
    progress_stuck_text(text, &progress);
    assert_ptr_equal(strstr(text, "will not converge: the guest dirties 50.0 "
                                  "MiB/s and the link carries 100 MiB/s; the "
                                  "guest is slowed down by 30% so far; "),
                     text);
    begin(&progress, &plain, NULL);
    progress_stuck_text(text, &progress);
    assert_non_null(strstr(text, "dirties 0 B/s"));
}

static void
the_report_has_what_it_took(void **state)
{
    struct progress progress;
    struct migration migration = running();
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration.status = MIGRATION_COMPLETED;
    migration.total_time_ms = 2004;
    migration.setup_time_ms = 4;
    migration.downtime_ms = 35;
    begin(&progress, &plain, &migration);
    progress_report_text(text, &progress);
    assert_string_equal(text, "total time 2.0 s, downtime 35 ms, 100 MiB sent, "
                              "50.0 MiB/s on average, 3 iterations");
    assert_int_equal(progress_average_rate(&progress), 50 * MIB);
}

static void
a_report_without_numbers_has_the_time_at_least(void **state)
{
    struct progress progress;
    struct migration migration;
    char text[PROGRESS_TEXT_MAX];

    (void)state;
    migration_parse(&migration, NULL);
    begin(&progress, &plain, &migration);
    progress_report_text(text, &progress);
    assert_string_equal(text, "total time 1.0 s");
    assert_int_equal(progress_average_rate(&progress), PROGRESS_ABSENT);
    migration.total_time_ms = 4;
    migration.setup_time_ms = 4;
    migration.transferred_bytes = 1;
    begin(&progress, &plain, &migration);
    assert_int_equal(progress_average_rate(&progress), PROGRESS_ABSENT);
}

static void
assert_json(json_t *object, const char *expected)
{
    json_t *wanted = json_loads(expected, 0, NULL);

    assert_non_null(wanted);
    if (!json_equal(object, wanted))
        fail_msg("%s", json_dumps(object, JSON_SORT_KEYS));
    json_decref(wanted);
    json_decref(object);
}

static void
progress_is_an_object_with_every_number(void **state)
{
    struct progress progress;
    struct migration migration = running();

    (void)state;
    migration.throttle_percent = 20;
    begin(&progress, &plain, &migration);
    assert_json(
        progress_json(&progress),
        "{\"type\": \"progress\", \"status\": \"active\", \"elapsed_ms\": "
        "1000, \"percent\": 75.0, \"transferred_bytes\": 104857600, "
        "\"remaining_bytes\": 52428800, \"total_bytes\": 209715200, \"rate\": "
        "104857600, \"dirty_rate\": 52428800, \"iteration\": 3, \"eta_ms\": "
        "1000, \"expected_downtime_ms\": 1000, \"throttle_percent\": 20, "
        "\"stuck\": false}");
}

static void
what_is_not_known_is_left_out(void **state)
{
    struct progress progress;

    (void)state;
    begin(&progress, &plain, NULL);
    assert_json(progress_json(&progress),
                "{\"type\": \"progress\", \"status\": \"none\", "
                "\"elapsed_ms\": 0, \"stuck\": false}");
    assert_json(progress_status_json(&progress),
                "{\"type\": \"status\", \"status\": \"none\", "
                "\"elapsed_ms\": 0}");
}

static void
the_result_has_the_totals(void **state)
{
    struct progress progress;
    struct migration migration = running();
    struct progress_result result = { .result = "completed",
                                      .exit_status = 0,
                                      .message = "it went well",
                                      .vm = "postmigrate",
                                      .progress = &progress };

    (void)state;
    migration.total_time_ms = 2004;
    migration.setup_time_ms = 4;
    migration.downtime_ms = 35;
    begin(&progress, &plain, &migration);
    assert_json(progress_result_json(&result),
                "{\"type\": \"result\", \"result\": \"completed\", "
                "\"exit_status\": 0, \"message\": \"it went well\", \"vm\": "
                "\"postmigrate\", \"elapsed_ms\": 1000, \"total_time_ms\": "
                "2004, \"setup_time_ms\": 4, \"downtime_ms\": 35, "
                "\"transferred_bytes\": 104857600, \"iterations\": 3, "
                "\"average_rate\": 52428800}");
}

static void
a_result_of_nothing_has_no_totals(void **state)
{
    struct progress_result result = { .result = "failed",
                                      .exit_status = 1,
                                      .message = "\xff is no UTF-8" };

    (void)state;
    assert_json(progress_result_json(&result),
                "{\"type\": \"result\", \"result\": \"failed\", "
                "\"exit_status\": 1}");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_100_columns_the_live_line_has_everything),
        cmocka_unit_test(at_80_columns_only_the_throttling_is_left_out),
        cmocka_unit_test(a_standstill_takes_the_place_of_the_rate),
        cmocka_unit_test(the_live_line_fits_every_width),
        cmocka_unit_test(the_bar_is_empty_at_first_and_full_at_the_end),
        cmocka_unit_test(where_nothing_is_known_the_status_is_shown),
        cmocka_unit_test(the_plain_line_has_everything),
        cmocka_unit_test(largest_numbers_fit),
        cmocka_unit_test(the_options_that_would_help_are_named),
        cmocka_unit_test(a_stuck_migration_is_told_with_its_rates),
        cmocka_unit_test(the_report_has_what_it_took),
        cmocka_unit_test(a_report_without_numbers_has_the_time_at_least),
        cmocka_unit_test(progress_is_an_object_with_every_number),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(the_result_has_the_totals),
        cmocka_unit_test(a_result_of_nothing_has_no_totals),
    };

    return RUN_TESTS(tests);
}
