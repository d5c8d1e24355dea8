/* The window on a simulated path of a given rate and round trip. */
#include "wire/pace.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

enum {
    LINE_STEPS = 10000, /* of the simulation, on the way */
    MBIT = 1000000 / 8, /* bytes a second */
    MS = 1000,          /* microseconds */
    SECOND = 1000 * MS,
};
#define NO_CAP ((uint64_t)1 << 40)

/*
 * A path carries rate bytes a second; what is sent faster waits before it.  An
 * ACK is there a round trip after the byte has gone in.  All times are in
 * microseconds.
 */
struct sim {
    struct pace pace;
    uint64_t rate;
    uint64_t rtt;
    uint64_t step;
    uint64_t now;
    uint64_t sent;
    uint64_t acked;
    double waiting;
    double arrived;
    double line[LINE_STEPS]; /* to be acknowledged at this step, modulo */
    size_t at;
    bool held;      /* the destination takes nothing */
    uint64_t least; /* windows, since sim_watch */
    uint64_t most;
    uint64_t least_kept; /* but for drains */
    double most_waiting;
    double carried;
};

static struct sim *
sim_new(uint64_t rate, uint64_t rtt, uint64_t cap)
{
    struct sim *sim = calloc(1, sizeof *sim);

    assert_non_null(sim);
    sim->rate = rate;
    sim->rtt = rtt;
    sim->step = rtt / 8 > MS ? MS : rtt / 8;
    if (sim->step < 50)
        sim->step = 50;
    pace_init(&sim->pace, cap);
    pace_restart(&sim->pace, 0, 0);
    return sim;
}

static void
sim_watch(struct sim *sim)
{
    sim->least = UINT64_MAX;
    sim->least_kept = UINT64_MAX;
    sim->most = 0;
    sim->most_waiting = 0;
    sim->carried = 0;
}

static void
sim_acknowledge(struct sim *sim)
{
    size_t lag = (size_t)(sim->rtt / sim->step);
    size_t from = (sim->at + LINE_STEPS - (lag > 0 ? lag : 1)) % LINE_STEPS;

    sim->arrived += sim->line[from];
    sim->line[from] = 0;
    if (sim->held || (uint64_t)sim->arrived <= sim->acked)
        return;
    sim->acked = (uint64_t)sim->arrived;
    pace_acked(&sim->pace, sim->now, sim->acked);
}

static void
sim_step(struct sim *sim, bool busy)
{
    uint64_t window, flight;
    double goes;

    sim->now += sim->step;
    sim->at = (sim->at + 1) % LINE_STEPS;
    sim_acknowledge(sim);
    window = pace_window(&sim->pace);
    flight = sim->sent - sim->acked;
    if (busy && flight < window) {
        sim->sent += window - flight;
        sim->waiting += (double)(window - flight);
        pace_sent(&sim->pace, sim->now, sim->sent);
    }
    goes = (double)sim->rate * (double)sim->step / SECOND;
    if (goes > sim->waiting)
        goes = sim->waiting;
    sim->waiting -= goes;
    sim->line[sim->at] = goes;
    sim->carried += goes;
    if (window < sim->least)
        sim->least = window;
    if (sim->pace.window < sim->least_kept)
        sim->least_kept = sim->pace.window;
    if (window > sim->most)
        sim->most = window;
    if (sim->waiting > sim->most_waiting)
        sim->most_waiting = sim->waiting;
}

static void
sim_run(struct sim *sim, uint64_t us, bool busy)
{
    for (uint64_t end = sim->now + us; sim->now < end;)
        sim_step(sim, busy);
}

/*
 * What the window should be.  It never is below PACE_MIN_BYTES, and on a slow
 * path that many bytes take longer than a round trip.
 */
static uint64_t
ideal(const struct sim *sim)
{
    uint64_t least_us = (uint64_t)PACE_MIN_BYTES * SECOND / sim->rate;
    uint64_t near_us = (uint64_t)PACE_NEAR_BYTES * SECOND / sim->rate;
    uint64_t rtt = sim->rtt > least_us ? sim->rtt : least_us;
    uint64_t slack = rtt > near_us ? rtt : near_us;

    if (slack > PACE_SLACK_US)
        slack = PACE_SLACK_US;
    return sim->rate * (rtt + slack) / SECOND;
}

static void
assert_about(uint64_t is, uint64_t should, const struct sim *sim)
{
    if (is < should / 10 * 9 || is > should / 10 * 12)
        fail_msg("%llu in place of %llu at %llu Mbit/s and %llu us",
                 (unsigned long long)is, (unsigned long long)should,
                 (unsigned long long)(sim->rate / MBIT),
                 (unsigned long long)sim->rtt);
}

static void
assert_settled(const struct sim *sim)
{
    assert_about(sim->most, ideal(sim), sim);
    assert_about(pace_window(&sim->pace), ideal(sim), sim);
}

static const uint64_t rates[] = { 1 * MBIT, 10 * MBIT, 100 * MBIT, 1000 * MBIT,
                                  (uint64_t)10000 * MBIT };
static const uint64_t rtts[] = { 100, 1 * MS, 10 * MS, 50 * MS, 200 * MS };
enum {
    RATES = sizeof rates / sizeof *rates,
    RTTS = sizeof rtts / sizeof *rtts,
};

static void
on_any_path_the_window_comes_to_a_round_trip_and_the_slack(void **state)
{
    (void)state;
    for (int i = 0; i < RATES; i++) {
        for (int j = 0; j < RTTS; j++) {
            struct sim *sim = sim_new(rates[i], rtts[j], NO_CAP);

            sim_run(sim, 24 * SECOND, true);
            sim_watch(sim);
            sim_run(sim, 4 * SECOND, true);
            assert_settled(sim);
            free(sim);
        }
    }
}

static void
a_path_kept_full_for_minutes_gets_no_longer_queue(void **state)
{
    (void)state;
    for (int i = 2; i < RATES; i++) {
        struct sim *sim = sim_new(rates[i], 10 * MS, NO_CAP);
        double most;

        sim_run(sim, 20 * SECOND, true);
        sim_watch(sim);
        sim_run(sim, 20 * SECOND, true);
        most = sim->most_waiting;
        sim_run(sim, 180 * SECOND, true);
        sim_watch(sim);
        sim_run(sim, 20 * SECOND, true);
        assert_settled(sim);
        assert_true(sim->most_waiting <= most * 1.05);
        free(sim);
    }
}

static void
the_path_is_kept_busy(void **state)
{
    static const uint64_t round_trips[] = { 100, 10 * MS, 200 * MS, 400 * MS };

    (void)state;
    for (size_t i = 0; i < sizeof round_trips / sizeof *round_trips; i++) {
        struct sim *sim = sim_new(1000 * MBIT, round_trips[i], NO_CAP);

        sim_run(sim, 20 * SECOND, true);
        sim_watch(sim);
        sim_run(sim, 20 * SECOND, true);
        assert_true(sim->carried > 0.95 * 20 * 1000 * MBIT);
        assert_about(sim->least_kept, ideal(sim), sim);
        free(sim);
    }
}

static void
a_fast_and_long_path_is_full_within_4_s(void **state)
{
    struct sim *sim = sim_new(1000 * MBIT, 200 * MS, NO_CAP);

    (void)state;
    sim_run(sim, 4 * SECOND, true);
    assert_about(pace_window(&sim->pace), ideal(sim), sim);
    free(sim);
}

static void
the_window_stays_between_its_bounds(void **state)
{
    static const uint64_t caps[] = { PACE_MIN_BYTES, PACE_MIN_BYTES + 1,
                                     1 << 20, 64 << 20 };

    (void)state;
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        for (int i = 0; i < RATES; i++) {
            struct sim *sim = sim_new(rates[i], 50 * MS, caps[c]);

            sim_watch(sim);
            sim_run(sim, 12 * SECOND, true);
            assert_true(sim->least >= PACE_MIN_BYTES);
            assert_true(sim->most <= caps[c]);
            free(sim);
        }
    }
}

static void
a_fast_path_reaches_the_cap(void **state)
{
    struct sim *sim = sim_new((uint64_t)10000 * MBIT, 50 * MS, 8 << 20);

    (void)state;
    sim_run(sim, 3 * SECOND, true);
    assert_int_equal(sim->pace.window, 8 << 20);
    free(sim);
}

static void
a_cap_below_the_least_window_counts(void **state)
{
    static const uint64_t caps[] = { 1, 4096, PACE_MIN_BYTES - 1 };

    (void)state;
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        struct sim *sim = sim_new(1000 * MBIT, 10 * MS, caps[c]);

        sim_watch(sim);
        sim_run(sim, 8 * SECOND, true);
        assert_int_equal(sim->least, caps[c]);
        assert_int_equal(sim->most, caps[c]);
        free(sim);
    }
}

static void
after_idling_the_window_is_right_again_within_2_s(void **state)
{
    static const uint64_t idle[] = { 100 * MS, SECOND, 7 * SECOND,
                                     60 * SECOND };

    (void)state;
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        struct sim *sim = sim_new(1000 * MBIT, 20 * MS, NO_CAP);

        sim_run(sim, 11 * SECOND, true);
        sim_run(sim, idle[i], false);
        sim_run(sim, 2 * SECOND, true);
        assert_about(sim->pace.window, ideal(sim), sim);
        free(sim);
    }
}

static void
a_rate_that_falls_is_followed_within_2_s(void **state)
{
    struct sim *sim = sim_new(1000 * MBIT, 20 * MS, NO_CAP);

    (void)state;
    sim_run(sim, 11 * SECOND, true);
    sim->rate = 200 * MBIT;
    sim_run(sim, 2 * SECOND, true);
    assert_about(sim->pace.window, ideal(sim), sim);
    free(sim);
}

static void
a_rate_that_rises_is_followed_within_2_s(void **state)
{
    struct sim *sim = sim_new(100 * MBIT, 20 * MS, NO_CAP);

    (void)state;
    sim_run(sim, 11 * SECOND, true);
    sim->rate = 1000 * MBIT;
    sim_run(sim, 2 * SECOND, true);
    assert_about(sim->pace.window, ideal(sim), sim);
    free(sim);
}

static void
a_destination_that_takes_nothing_for_a_while_costs_nothing_later(void **state)
{
    struct sim *sim = sim_new(1000 * MBIT, 20 * MS, NO_CAP);

    (void)state;
    sim_run(sim, 11 * SECOND, true);
    for (int i = 0; i < 20; i++) {
        sim->held = true;
        sim_run(sim, 300 * MS, true);
        sim->held = false;
        sim_run(sim, 700 * MS, true);
    }
    sim_run(sim, 11 * SECOND, true);
    sim_watch(sim);
    sim_run(sim, 4 * SECOND, true);
    assert_settled(sim);
    free(sim);
}

static void
a_new_path_is_measured_anew(void **state)
{
    struct sim *sim = sim_new(1000 * MBIT, 20 * MS, NO_CAP);

    (void)state;
    sim_run(sim, 4 * SECOND, true);
    pace_restart(&sim->pace, sim->now, sim->acked);
    memset(sim->line, 0, sizeof sim->line);
    sim->sent = sim->acked;
    sim->arrived = (double)sim->acked;
    sim->waiting = 0;
    sim->rate = 100 * MBIT;
    sim->rtt = 60 * MS;
    sim_run(sim, 11 * SECOND, true);
    sim_watch(sim);
    sim_run(sim, 4 * SECOND, true);
    assert_settled(sim);
    free(sim);
}

static void
a_new_path_goes_on_with_the_old_window_after_a_round_trip(void **state)
{
    struct sim *sim = sim_new(1000 * MBIT, 20 * MS, NO_CAP);
    uint64_t window;

    (void)state;
    sim_run(sim, 4 * SECOND, true);
    window = sim->pace.window;
    assert_true(window > 2 * PACE_MIN_BYTES);
    pace_restart(&sim->pace, sim->now, sim->acked);
    assert_int_equal(pace_window(&sim->pace), PACE_MIN_BYTES);
    pace_sent(&sim->pace, sim->now, sim->acked + PACE_MIN_BYTES + 1);
    pace_acked(&sim->pace, sim->now + MS, sim->acked + PACE_MIN_BYTES + 1);
    assert_int_equal(pace_window(&sim->pace), PACE_MIN_BYTES);
    pace_sent(&sim->pace, sim->now + MS, sim->acked + PACE_MIN_BYTES + 2);
    pace_acked(&sim->pace, sim->now + 2 * MS, sim->acked + PACE_MIN_BYTES + 2);
    assert_int_equal(pace_window(&sim->pace), window);
    free(sim);
}

static void
the_rate_of_the_old_path_says_nothing_about_the_new_one(void **state)
{
    struct pace pace;
    uint64_t us = 0, offset = 0;

    (void)state;
    pace_init(&pace, NO_CAP);
    pace_restart(&pace, 0, 0);
    for (int i = 0; i < 50; i++) {
        pace_sent(&pace, us, offset += i == 0 ? 1 : 1 << 20);
        pace_acked(&pace, us += 10 * MS, offset);
    }
    assert_true(pace.window > 1 << 20);
    pace_restart(&pace, us, offset);
    for (int i = 0; i < 6; i++) {
        pace_sent(&pace, us, offset += 1000);
        pace_acked(&pace, us += 10 * MS, offset);
    }
    assert_int_equal(pace_window(&pace), PACE_MIN_BYTES);
}

static void
one_late_answer_to_a_drain_does_not_open_the_window(void **state)
{
    struct sim *sim = sim_new(1000 * MBIT, 200 * MS, NO_CAP);

    (void)state;
    sim_run(sim, 12 * SECOND, true);
    while (!sim->pace.draining || !sim->pace.probing)
        sim_step(sim, true);
    sim->held = true;
    sim_run(sim, 500 * MS, true);
    sim->held = false;
    sim_watch(sim);
    sim_run(sim, 2 * SECOND, true);
    assert_settled(sim);
    free(sim);
}

/* As long as a drain shows in the ACKs of a long path. */
static void
a_lower_rate_for_one_round_trip_does_not_lower_the_window(void **state)
{
    const uint64_t rtt = 800 * MS, each = 1000 * MBIT / 100;
    struct pace pace;
    uint64_t us = 0, acked = 0;

    (void)state;
    pace_init(&pace, NO_CAP);
    pace_restart(&pace, 0, 0);
    pace_sent(&pace, 0, 1);
    for (us = rtt; us < 3 * SECOND; us += 10 * MS)
        pace_acked(&pace, us, acked += each);
    for (uint64_t end = us + rtt; us < end; us += 10 * MS)
        pace_acked(&pace, us, acked += each / 4 * 3);
    assert_int_equal(pace.rtt_us, rtt);
    assert_true(pace.window >= 1000 * MBIT / SECOND * (rtt + PACE_SLACK_US));
}

static void
an_ack_in_the_same_microsecond_is_no_division_by_0(void **state)
{
    struct pace pace;

    (void)state;
    pace_init(&pace, NO_CAP);
    pace_restart(&pace, 5, 0);
    pace_sent(&pace, 5, 1000);
    pace_acked(&pace, 5, 1000);
    assert_int_equal(pace.rtt_us, 1);
    assert_int_equal(pace_window(&pace), PACE_MIN_BYTES);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            on_any_path_the_window_comes_to_a_round_trip_and_the_slack),
        cmocka_unit_test(a_path_kept_full_for_minutes_gets_no_longer_queue),
        cmocka_unit_test(the_path_is_kept_busy),
        cmocka_unit_test(a_fast_and_long_path_is_full_within_4_s),
        cmocka_unit_test(the_window_stays_between_its_bounds),
        cmocka_unit_test(a_fast_path_reaches_the_cap),
        cmocka_unit_test(a_cap_below_the_least_window_counts),
        cmocka_unit_test(after_idling_the_window_is_right_again_within_2_s),
        cmocka_unit_test(a_rate_that_falls_is_followed_within_2_s),
        cmocka_unit_test(a_rate_that_rises_is_followed_within_2_s),
        cmocka_unit_test(
            a_destination_that_takes_nothing_for_a_while_costs_nothing_later),
        cmocka_unit_test(a_new_path_is_measured_anew),
        cmocka_unit_test(
            a_new_path_goes_on_with_the_old_window_after_a_round_trip),
        cmocka_unit_test(
            the_rate_of_the_old_path_says_nothing_about_the_new_one),
        cmocka_unit_test(one_late_answer_to_a_drain_does_not_open_the_window),
        cmocka_unit_test(
            a_lower_rate_for_one_round_trip_does_not_lower_the_window),
        cmocka_unit_test(an_ack_in_the_same_microsecond_is_no_division_by_0),
    };

    return RUN_TESTS(tests);
}
