/* Whether a migration converges, from what query-migrate tells. */
#include "wire/convergence.h"

#include <string.h>

#include "support_convergence.h"
#include "support_test.h"

static const struct convergence_options none = { .downtime_limit_ms = 300 };

static bool
is_stalled(void)
{
    return convergence_is_stalled(&trial.convergence);
}

static void
assert_remark(const char *part)
{
    if (strstr(trial.remark, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, trial.remark);
}

/* Take an iteration that has ${work_mib} to send, of which ${rest_mib} MiB were
 * left by the one before; ${into_mib} of it are sent when the update comes. */
static int64_t sum_mib, iteration;

static void
first(int64_t memory_mib)
{
    trial_begin(none);
    sum_mib = memory_mib;
    iteration = 1;
    assert_int_equal(trial_take(1, 0, memory_mib), CONVERGENCE_NOTHING);
}

static void
next(int64_t work_mib, int64_t rest_mib, int64_t into_mib)
{
    int64_t left_mib = work_mib + rest_mib - into_mib;

    sum_mib += work_mib;
    trial_take(++iteration, sum_mib - left_mib, left_mib);
}

static void
work_that_shrinks_is_not_stalled(void **state)
{
    (void)state;
    /* QEMU 7.2 with a guest that writes 39 MiB/s, at 60 MiB/s. */
    static const int64_t work_mib[] = { 125, 78, 51, 31, 20, 16, 12, 8 };

    first(209);
    for (size_t i = 0; i < sizeof work_mib / sizeof *work_mib; i++) {
        next(work_mib[i], 9, 1);
        assert_false(is_stalled());
        assert_string_equal(trial.remark, "");
    }
}

static void
a_working_set_written_over_and_over_is_stalled(void **state)
{
    (void)state;
    first(208);
    next(32, 9, 12);
    next(25, 9, 6);
    for (int i = 0; i < 2; i++) {
        next(25, 9, 8);
        assert_false(is_stalled());
        assert_string_equal(trial.remark, "");
    }
    next(25, 9, 1);
    assert_true(is_stalled());
    assert_remark("stalled: remaining has not fallen for 3 iterations");
}

static void
it_is_told_once_until_it_has_fallen_again(void **state)
{
    (void)state;
    first(100);
    for (int i = 0; i < 3; i++)
        next(100, 0, 0);
    assert_remark("stalled");
    next(100, 0, 0);
    assert_true(is_stalled());
    assert_string_equal(trial.remark, "");
    next(94, 0, 0);
    assert_false(is_stalled());
    for (int i = 0; i < 2; i++) {
        next(94, 0, 0);
        assert_string_equal(trial.remark, "");
    }
    next(94, 0, 0);
    assert_remark("stalled");
}

/* Early or late, and with one update for an iteration or many. */
static void
when_in_an_iteration_an_update_comes_does_not_matter(void **state)
{
    (void)state;
    for (int64_t seed = 0; seed < 20; seed++) {
        first(1000);
        next(200, 30, seed * 7 % 200);
        for (int64_t i = 1; i <= 3; i++) {
            assert_false(is_stalled());
            trial_take(iteration, sum_mib - 40, 40);
            trial_take(iteration, sum_mib - 31, 31);
            next(200, 30, (seed + i) * 37 % 200);
        }
        assert_true(is_stalled());
        first(1000);
        for (int64_t i = 0; i < 10; i++) {
            next(600 * (10 - i) / 10, 30, (seed + i) * 5 % 60);
            assert_false(is_stalled());
        }
    }
}

static void
less_than_a_twentieth_is_not_falling(void **state)
{
    (void)state;
    first(1000);
    next(200, 0, 0);
    next(195, 0, 0);
    next(192, 0, 0);
    next(190, 0, 0);
    assert_true(is_stalled());
    first(1000);
    next(200, 0, 0);
    next(195, 0, 0);
    next(192, 0, 0);
    next(189, 0, 0);
    assert_false(is_stalled());
}

static void
the_first_iteration_counts_as_all_of_the_memory(void **state)
{
    (void)state;
    first(100);
    next(100, 0, 0);
    next(100, 0, 0);
    assert_false(is_stalled());
    next(100, 0, 0);
    assert_true(is_stalled());
}

static void
one_who_joins_later_needs_an_iteration_more(void **state)
{
    (void)state;
    trial_begin(none);
    trial_take(7, 900, 50);
    trial_take(8, 1000, 50);
    trial_take(9, 1100, 50);
    trial_take(10, 1200, 50);
    assert_false(is_stalled());
    trial_take(11, 1300, 50);
    assert_true(is_stalled());
}

static void
iterations_between_two_updates_count_as_their_mean(void **state)
{
    (void)state;
    first(1000);
    next(100, 0, 0);
    /* Two with 50 each, then one with 100, then two with 45 each. */
    trial_take(4, 1150, 50);
    assert_false(is_stalled());
    trial_take(5, 1250, 50);
    trial_take(7, 1350, 50);
    assert_false(is_stalled());
    trial_take(9, 1440, 50);
    assert_int_equal(trial.convergence.flat, 0);
}

static void
a_guest_that_does_more_by_now_may_fall_from_there(void **state)
{
    (void)state;
    first(1000);
    next(50, 0, 0);
    next(200, 0, 0);
    next(150, 0, 0);
    next(110, 0, 0);
    assert_false(is_stalled());
    first(1000);
    next(50, 0, 0);
    next(200, 0, 0);
    next(400, 0, 0);
    next(800, 0, 0);
    assert_true(is_stalled());
    first(1000);
    next(100, 0, 0);
    next(200, 0, 0);
    next(180, 0, 0);
    next(160, 0, 0);
    assert_false(is_stalled());
    /* Half as much more is still the same. */
    first(1000);
    next(100, 0, 0);
    next(150, 0, 0);
    next(140, 0, 0);
    next(130, 0, 0);
    assert_true(is_stalled());
}

/* Neither sent as pages nor remaining afterwards: the sum shrinks. */
static void
what_xbzrle_sends_does_not_look_like_falling(void **state)
{
    (void)state;
    trial_begin(none);
    trial_take(1, 0, 1000);
    trial_take(2, 900, 200);
    for (int64_t i = 3; i < 6; i++) {
        assert_false(is_stalled());
        trial_take(i - 1, 900, 40);
        trial_take(i, 900, 200);
    }
    assert_true(is_stalled());
    trial_begin(none);
    trial_take(1, 0, 1000);
    for (int64_t i = 2; i < 8; i++) {
        trial_take(i, 900, 1000 >> i);
        assert_false(is_stalled());
    }
}

static void
a_guest_that_is_slowed_down_more_is_waited_for(void **state)
{
    (void)state;
    first(100);
    for (int64_t throttle = 20; throttle < 100; throttle += 10) {
        trial.update.throttle_percent = throttle;
        next(100, 0, 0);
        next(100, 0, 0);
        next(100, 0, 0);
        assert_false(is_stalled());
    }
    next(100, 0, 0);
    assert_true(is_stalled());
    /* It was when the first update came. */
    trial_begin(none);
    trial.update.throttle_percent = 50;
    for (int64_t i = 1; i < 5; i++)
        trial_take(i, 100 * (i - 1), 100);
    assert_true(is_stalled());
}

static void
without_its_fields_nothing_is_judged(void **state)
{
    (void)state;
    first(100);
    for (int64_t i = 2; i < 10; i++) {
        trial_take(MIGRATION_ABSENT, 100 * i, 50);
        trial.update.iteration = i;
        trial.update.remaining_bytes = MIGRATION_ABSENT;
        trial_wait(1000);
    }
    assert_false(is_stalled());
    assert_int_equal(trial.convergence.point.iteration, 1);
    trial_begin(none);
    for (int i = 0; i < 10; i++)
        trial_wait(1000);
    assert_false(trial.convergence.seen);
}

static void
only_what_is_active_is_judged(void **state)
{
    (void)state;
    first(100);
    trial_status(MIGRATION_POSTCOPY_ACTIVE);
    for (int i = 0; i < 5; i++)
        next(100, 0, 0);
    assert_false(is_stalled());
}

static void
one_that_begins_anew_is_judged_anew(void **state)
{
    (void)state;
    first(100);
    for (int i = 0; i < 3; i++)
        next(100, 0, 0);
    assert_true(is_stalled());
    trial_take(1, 0, 100);
    assert_false(is_stalled());
    assert_string_equal(trial.remark, "");
}

static void
the_rates_are_told(void **state)
{
    (void)state;
    trial_begin(none);
    trial.update.dirty_pages_per_s = 800LL * 256;
    trial.update.mbits_per_s = 9000;
    trial.update.expected_downtime_ms = 8000;
    assert_int_equal(trial_stall(), CONVERGENCE_NOTHING);
    assert_string_equal(trial.remark,
                        "stalled: remaining has not fallen for 3 iterations; "
                        "the guest dirties 800 MiB/s, the link carries "
                        "100 MiB/s; to stop the guest now would take 8.0 s, "
                        "the limit is 300 ms");
}

static void
rates_that_qemu_does_not_tell_are_worked_out(void **state)
{
    (void)state;
    trial_begin(none);
    trial.update.expected_downtime_ms = 300;
    trial_stall();
    assert_string_equal(trial.remark,
                        "stalled: remaining has not fallen for 3 iterations; "
                        "the guest dirties 100 MiB/s, the link carries "
                        "100 MiB/s");
    trial_begin((struct convergence_options){ .downtime_limit_ms = 0 });
    trial.update.expected_downtime_ms = 8000;
    trial.update.dirty_pages_per_s = 0;
    trial_stall();
    assert_remark("the guest dirties 100 MiB/s");
    assert_null(strstr(trial.remark, "limit"));
    trial_begin(none);
    trial.update.page_size_bytes = INT64_MAX;
    trial.update.dirty_pages_per_s = 3;
    trial_stall();
    assert_remark("the guest dirties 100 MiB/s");
}

static void
rates_that_nobody_knows_are_left_out(void **state)
{
    static const char words[] = "as fast as the link carries it";

    (void)state;
    trial_begin(none);
    for (int64_t i = 1; i < 6; i++) {
        trial_take(i, 0, 100);
        trial.update.page_size_bytes = MIGRATION_ABSENT;
        trial.update.dirty_pages_per_s = 1;
    }
    assert_remark(words);
    /* How much was sent is not told, so neither is what came anew. */
    trial_begin(none);
    trial.update.page_size_bytes = MIGRATION_ABSENT;
    trial.update.mbits_per_s = 800;
    for (int64_t i = 1; i < 6; i++)
        trial_take(i, 0, 100 + i);
    assert_remark(words);
    /* The sum shrinks. */
    trial_begin(none);
    trial.update.mbits_per_s = 800;
    for (int64_t i = 1; i < 6; i++)
        trial_take(i, 900, 201 - i);
    assert_remark(words);
    /* All at once. */
    trial_begin(none);
    trial_take(1, 100, 50);
    for (int64_t i = 2; i < 6; i++) {
        trial.update.iteration = i;
        trial.update.normal_bytes += 100 << 20;
        trial_wait(0);
    }
    assert_true(is_stalled());
    assert_remark(words);
    /* Nothing was sent. */
    trial_begin(none);
    trial.update.dirty_pages_per_s = 1;
    for (int64_t i = 1; i < 6; i++)
        trial_take(i, 0, 50);
    assert_remark(words);
}

static void
numbers_that_no_qemu_means_do_no_harm(void **state)
{
    (void)state;
    trial_begin(none);
    trial.update.zero_pages = 0;
    trial.update.expected_downtime_ms = INT64_MAX;
    for (int64_t i = 1; i < 8; i++) {
        trial.update.iteration = i;
        trial.update.normal_bytes = i % 2 == 0 ? INT64_MAX : 0;
        trial.update.remaining_bytes = INT64_MAX;
        trial_wait(1);
    }
    trial_begin(none);
    for (int64_t i = 1; i < 5; i++) {
        trial.update.iteration = i;
        trial.update.normal_bytes = (INT64_MAX >> 4) * i;
        trial.update.remaining_bytes = 1;
        trial_wait(1);
    }
    assert_true(is_stalled());
    assert_remark("PiB/s");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_that_shrinks_is_not_stalled),
        cmocka_unit_test(a_working_set_written_over_and_over_is_stalled),
        cmocka_unit_test(it_is_told_once_until_it_has_fallen_again),
        cmocka_unit_test(when_in_an_iteration_an_update_comes_does_not_matter),
        cmocka_unit_test(less_than_a_twentieth_is_not_falling),
        cmocka_unit_test(the_first_iteration_counts_as_all_of_the_memory),
        cmocka_unit_test(one_who_joins_later_needs_an_iteration_more),
        cmocka_unit_test(iterations_between_two_updates_count_as_their_mean),
        cmocka_unit_test(a_guest_that_does_more_by_now_may_fall_from_there),
        cmocka_unit_test(what_xbzrle_sends_does_not_look_like_falling),
        cmocka_unit_test(a_guest_that_is_slowed_down_more_is_waited_for),
        cmocka_unit_test(without_its_fields_nothing_is_judged),
        cmocka_unit_test(only_what_is_active_is_judged),
        cmocka_unit_test(one_that_begins_anew_is_judged_anew),
        cmocka_unit_test(the_rates_are_told),
        cmocka_unit_test(rates_that_qemu_does_not_tell_are_worked_out),
        cmocka_unit_test(rates_that_nobody_knows_are_left_out),
        cmocka_unit_test(numbers_that_no_qemu_means_do_no_harm),
    };

    return RUN_TESTS(tests);
}
