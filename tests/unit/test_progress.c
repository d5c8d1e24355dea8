/* How a migration comes along, in numbers. */
#include "wire/progress.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

static const int64_t MIB = 1 << 20, PAGE = 4096;

static const struct progress_options options = { .downtime_limit_ms = 300 };

/* A migration of 100 MiB with so much sent and left. */
static struct migration
sample(int64_t sent_mib, int64_t left_mib)
{
    struct migration migration;

    migration_parse(&migration, NULL);
    migration.status = MIGRATION_ACTIVE;
    snprintf(migration.status_name, sizeof migration.status_name, "active");
    migration.transferred_bytes = sent_mib * MIB;
    migration.remaining_bytes = left_mib * MIB;
    migration.total_bytes = 100LL * MIB;
    migration.page_size_bytes = PAGE;
    return migration;
}

static void
take(struct progress *progress, uint64_t now_ms, struct migration migration)
{
    progress_take(progress, &migration, now_ms);
}

static struct progress_view
view_of(const struct progress *progress)
{
    struct progress_view view;

    progress_view(progress, &view);
    return view;
}

static void
nothing_can_be_told_at_first(void **state)
{
    struct progress progress;
    struct progress_view view;

    (void)state;
    progress_init(&progress, &options, 5000);
    view = view_of(&progress);
    assert_int_equal(view.elapsed_ms, 0);
    assert_int_equal(view.percent_tenths, PROGRESS_ABSENT);
    assert_int_equal(view.rate, PROGRESS_ABSENT);
    assert_int_equal(view.dirty_rate, PROGRESS_ABSENT);
    assert_int_equal(view.eta_ms, PROGRESS_ABSENT);
    assert_int_equal(view.iteration, PROGRESS_ABSENT);
    assert_false(view.stuck);
}

static void
rates_and_eta_come_from_two_samples(void **state)
{
    struct progress progress;
    struct progress_view view;
    struct migration migration = sample(20, 80);

    (void)state;
    progress_init(&progress, &options, 5000);
    migration.dirty_pages_per_s = 10LL * MIB / PAGE;
    take(&progress, 6000, migration);
    view = view_of(&progress);
    assert_int_equal(view.elapsed_ms, 1000);
    assert_int_equal(view.percent_tenths, 200);
    assert_int_equal(view.rate, 20 * MIB);
    assert_int_equal(view.dirty_rate, 10 * MIB);
    assert_int_equal(view.eta_ms, 8000);
}

static void
a_rate_is_that_of_the_last_seconds(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &options, 0);
    for (int i = 1; i <= 40; i++)
        take(&progress, (uint64_t)i * 500, sample(i, 80));
    take(&progress, 23000, sample(70, 30));
    assert_int_equal(view_of(&progress).rate, 10 * MIB);
}

static void
a_long_silence_still_gives_a_rate(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, sample(10, 80));
    take(&progress, 21000, sample(30, 80));
    assert_int_equal(view_of(&progress).rate, MIB);
}

static void
samples_too_close_together_are_left_out(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, sample(10, 80));
    take(&progress, 1199, sample(20, 70));
    assert_int_equal(view_of(&progress).rate, 10 * MIB);
    assert_int_equal(view_of(&progress).remaining_bytes, 70 * MIB);
    take(&progress, 1200, sample(20, 70));
    assert_true(view_of(&progress).rate > 10 * MIB);
}

static void
a_count_that_falls_begins_anew(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, sample(50, 50));
    take(&progress, 2000, sample(10, 90));
    assert_int_equal(view_of(&progress).rate, PROGRESS_ABSENT);
    take(&progress, 3000, sample(11, 89));
    assert_int_equal(view_of(&progress).rate, MIB);
}

static void
qemus_own_rate_stands_in_where_there_is_no_other(void **state)
{
    struct progress progress;
    struct migration migration = sample(10, 90);

    (void)state;
    migration.mbits_per_s = 8;
    progress_init(&progress, &options, 0);
    take(&progress, 100, migration);
    assert_int_equal(view_of(&progress).rate, 1000000);
    migration.mbits_per_s = INT64_MAX;
    take(&progress, 150, migration);
    assert_int_equal(view_of(&progress).rate, PROGRESS_ABSENT);
}

/* QEMU's own rate stays as it was, but nothing moves. */
static void
a_standstill_has_no_rate_but_a_time(void **state)
{
    struct progress progress;
    struct migration migration = sample(10, 90);

    (void)state;
    migration.mbits_per_s = 1000;
    progress_init(&progress, &options, 0);
    for (int i = 1; i <= 7; i++)
        take(&progress, (uint64_t)i * 500, migration);
    assert_int_equal(view_of(&progress).stalled_ms, 3000);
    assert_int_equal(view_of(&progress).rate, 0);
    take(&progress, 12500, migration);
    assert_int_equal(view_of(&progress).stalled_ms, 12000);
    assert_int_equal(view_of(&progress).rate, 0);
    assert_int_equal(view_of(&progress).eta_ms, PROGRESS_ABSENT);
    migration.transferred_bytes++;
    take(&progress, 13000, migration);
    assert_int_equal(view_of(&progress).stalled_ms, PROGRESS_ABSENT);
}

static void
only_a_migration_under_way_can_stand_still(void **state)
{
    struct progress progress;
    struct migration migration = sample(10, 90);

    (void)state;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, migration);
    take(&progress, 3999, migration);
    assert_int_equal(view_of(&progress).stalled_ms, PROGRESS_ABSENT);
    migration.status = MIGRATION_FAILED;
    take(&progress, 9000, migration);
    assert_int_equal(view_of(&progress).stalled_ms, PROGRESS_ABSENT);
    migration = sample(10, 90);
    migration.transferred_bytes = MIGRATION_ABSENT;
    progress_init(&progress, &options, 0);
    take(&progress, 9000, migration);
    assert_int_equal(view_of(&progress).stalled_ms, PROGRESS_ABSENT);
}

static void
empty_pages_count_as_memory_that_is_done(void **state)
{
    struct progress progress;
    struct migration migration = sample(1, 50);

    (void)state;
    migration.normal_bytes = MIB;
    migration.zero_pages = 49LL * MIB / PAGE;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, migration);
    assert_int_equal(view_of(&progress).rate, MIB);
    assert_int_equal(view_of(&progress).carry_rate, 50 * MIB);
    assert_int_equal(view_of(&progress).eta_ms, 1000);
}

static void
nonsense_in_page_counts_is_survived(void **state)
{
    struct progress progress;
    struct migration migration = sample(1, 50);

    (void)state;
    migration.normal_bytes = INT64_MAX;
    migration.zero_pages = 1;
    migration.dirty_pages_per_s = INT64_MAX;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, migration);
    assert_int_equal(view_of(&progress).carry_rate, MIB);
    assert_int_equal(view_of(&progress).dirty_rate, PROGRESS_ABSENT);
    migration.zero_pages = INT64_MAX;
    take(&progress, 2000, migration);
    assert_int_equal(view_of(&progress).elapsed_ms, 2000);
}

static int64_t
percent(enum migration_status status, int64_t left, int64_t total)
{
    struct progress progress;
    struct migration migration = sample(1, 1);

    migration.status = status;
    migration.remaining_bytes = left;
    migration.total_bytes = total;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, migration);
    return view_of(&progress).percent_tenths;
}

static void
it_is_done_only_when_it_is(void **state)
{
    (void)state;
    assert_int_equal(percent(MIGRATION_ACTIVE, 0, 100), 999);
    assert_int_equal(percent(MIGRATION_COMPLETED, 0, 100), 1000);
    assert_int_equal(percent(MIGRATION_COMPLETED, 50, 100), 1000);
    assert_int_equal(percent(MIGRATION_ACTIVE, 100, 100), 0);
    assert_int_equal(percent(MIGRATION_ACTIVE, 101, 100), 0);
    assert_int_equal(percent(MIGRATION_ACTIVE, 1, 0), PROGRESS_ABSENT);
    assert_int_equal(percent(MIGRATION_ACTIVE, PROGRESS_ABSENT, 100),
                     PROGRESS_ABSENT);
    assert_int_equal(percent(MIGRATION_ACTIVE, INT64_MAX / 2, INT64_MAX), 500);
}

static void
there_is_no_eta_beyond_a_year(void **state)
{
    struct progress progress;
    struct migration migration = sample(0, 0);

    (void)state;
    progress_init(&progress, &options, 0);
    migration.transferred_bytes = 1;
    migration.remaining_bytes = 31536000;
    take(&progress, 1000, migration);
    assert_int_equal(view_of(&progress).eta_ms, PROGRESS_ABSENT);
    migration.remaining_bytes = 31535999;
    take(&progress, 1001, migration);
    assert_int_equal(view_of(&progress).eta_ms, 31535999000);
}

static void
numbers_outlive_a_reply_that_lacks_them(void **state)
{
    struct progress progress;
    struct migration failed;

    (void)state;
    migration_parse(&failed, NULL);
    failed.status = MIGRATION_FAILED;
    progress_init(&progress, &options, 0);
    take(&progress, 1000, sample(20, 80));
    take(&progress, 2000, failed);
    assert_int_equal(view_of(&progress).transferred_bytes, 20 * MIB);
    assert_int_equal(view_of(&progress).eta_ms, PROGRESS_ABSENT);
}

/* 10 MiB/s carried, and so much written, in a new iteration each second. */
static struct migration
hot_sample(int second, int64_t dirty_mib)
{
    struct migration migration = sample(10LL * second, 80);

    migration.iteration = second;
    migration.dirty_pages_per_s = dirty_mib * MIB / PAGE;
    return migration;
}

static void
a_guest_as_fast_as_the_link_is_stuck_after_three_iterations(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &options, 0);
    for (int i = 1; i <= 3; i++)
        take(&progress, (uint64_t)i * 1000, hot_sample(i, 9));
    assert_false(view_of(&progress).stuck);
    take(&progress, 4000, hot_sample(4, 9));
    assert_true(view_of(&progress).stuck);
    assert_int_equal(view_of(&progress).eta_ms, PROGRESS_ABSENT);
    take(&progress, 5000, hot_sample(5, 8));
    assert_false(view_of(&progress).stuck);
}

static void
one_long_iteration_is_stuck_after_ten_seconds(void **state)
{
    struct progress progress;
    struct migration migration;

    (void)state;
    progress_init(&progress, &options, 0);
    for (int i = 1; i <= 12; i++) {
        assert_false(view_of(&progress).stuck);
        migration = hot_sample(i, 20);
        migration.iteration = 2;
        take(&progress, (uint64_t)i * 1000, migration);
        if (i == 10)
            assert_false(view_of(&progress).stuck);
        if (i == 11)
            break;
    }
    assert_true(view_of(&progress).stuck);
}

static bool
is_stuck(enum migration_status status, int64_t expected_downtime_ms,
         int64_t dirty_mib)
{
    struct progress progress;

    progress_init(&progress, &options, 0);
    for (int i = 1; i <= 8; i++) {
        struct migration migration = hot_sample(i, dirty_mib);
        migration.status = status;
        migration.expected_downtime_ms = expected_downtime_ms;
        take(&progress, (uint64_t)i * 1000, migration);
    }
    return view_of(&progress).stuck;
}

static void
it_is_not_stuck_when_it_can_end_or_nothing_is_known(void **state)
{
    (void)state;
    assert_true(is_stuck(MIGRATION_ACTIVE, MIGRATION_ABSENT, 10));
    assert_true(is_stuck(MIGRATION_ACTIVE, 301, 10));
    assert_false(is_stuck(MIGRATION_ACTIVE, 300, 10));
    assert_false(is_stuck(MIGRATION_DEVICE, 301, 10));
    assert_false(is_stuck(MIGRATION_ACTIVE, 301, 0));
    assert_false(is_stuck(MIGRATION_COMPLETED, 301, 10));
}

static void
a_rate_beyond_belief_is_none(void **state)
{
    (void)state;
    assert_int_equal(progress_rate(0, 1), 0);
    assert_int_equal(progress_rate(3000, 1500), 2000);
    assert_int_equal(progress_rate(-3000, 1500), -2000);
    assert_int_equal(progress_rate(INT64_C(1) << 49, 1),
                     (INT64_C(1) << 49) * 1000);
    assert_int_equal(progress_rate(1000000000000001, 1), PROGRESS_ABSENT);
    assert_int_equal(progress_rate(INT64_MAX, 1), PROGRESS_ABSENT);
    assert_int_equal(progress_rate(-INT64_MAX, 1), PROGRESS_ABSENT);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_beyond_belief_is_none),
        cmocka_unit_test(nothing_can_be_told_at_first),
        cmocka_unit_test(rates_and_eta_come_from_two_samples),
        cmocka_unit_test(a_rate_is_that_of_the_last_seconds),
        cmocka_unit_test(a_long_silence_still_gives_a_rate),
        cmocka_unit_test(samples_too_close_together_are_left_out),
        cmocka_unit_test(a_count_that_falls_begins_anew),
        cmocka_unit_test(qemus_own_rate_stands_in_where_there_is_no_other),
        cmocka_unit_test(a_standstill_has_no_rate_but_a_time),
        cmocka_unit_test(only_a_migration_under_way_can_stand_still),
        cmocka_unit_test(empty_pages_count_as_memory_that_is_done),
        cmocka_unit_test(nonsense_in_page_counts_is_survived),
        cmocka_unit_test(it_is_done_only_when_it_is),
        cmocka_unit_test(there_is_no_eta_beyond_a_year),
        cmocka_unit_test(numbers_outlive_a_reply_that_lacks_them),
        cmocka_unit_test(
            a_guest_as_fast_as_the_link_is_stuck_after_three_iterations),
        cmocka_unit_test(one_long_iteration_is_stuck_after_ten_seconds),
        cmocka_unit_test(it_is_not_stuck_when_it_can_end_or_nothing_is_known),
    };

    return RUN_TESTS(tests);
}
