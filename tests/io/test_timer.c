/* Timers, and the loop that they are on. */
#include "io/timer.h"

#include <signal.h>
#include <stdlib.h>

#include "io/loop.h"
#include "support_stage.h"
#include "support_test.h"

/* The loop's clock is coarse: a timer may be so much early. */
enum { EARLY_MS = 20 };

/* A timer and what became of it. */
struct alarm {
    struct timer *timer;
    unsigned fired;
    uint64_t fired_ms;
    uint64_t again_ms; /* start it anew when it fires */
    bool frees;
};

static void
on_timer(void *arg)
{
    struct alarm *alarm = arg;

    alarm->fired++;
    alarm->fired_ms = stage_now_ms();
    if (alarm->again_ms > 0)
        timer_start(alarm->timer, alarm->again_ms);
    if (alarm->frees) {
        timer_free(alarm->timer);
        alarm->timer = NULL;
    }
}

static void
alarm_open(struct alarm *alarm, struct stage *stage)
{
    *alarm = (struct alarm){ 0 };
    alarm->timer = timer_new(stage->loop, on_timer, alarm);
    assert_non_null(alarm->timer);
}

static void
a_new_timer_does_not_run(void **state)
{
    struct stage stage;
    struct alarm alarm;

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    assert_false(timer_pending(alarm.timer));
    assert_int_equal(stage_turns_in(&stage, 20), 0);
    assert_int_equal(alarm.fired, 0);
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
a_timer_fires_once_and_not_before_its_time(void **state)
{
    struct stage stage;
    struct alarm alarm;
    uint64_t start = stage_now_ms();

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    timer_start(alarm.timer, 100);
    assert_true(timer_pending(alarm.timer));
    STAGE_UNTIL(&stage, alarm.fired > 0);
    assert_true(alarm.fired_ms + EARLY_MS >= start + 100);
    assert_false(timer_pending(alarm.timer));
    assert_int_equal(stage_turns_in(&stage, 100), 0);
    assert_int_equal(alarm.fired, 1);
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
a_timer_of_no_time_fires_from_the_loop(void **state)
{
    struct stage stage;
    struct alarm alarm;

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    timer_start(alarm.timer, 0);
    assert_int_equal(alarm.fired, 0);
    STAGE_UNTIL(&stage, alarm.fired > 0);
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
timers_fire_in_the_order_of_their_times(void **state)
{
    struct stage stage;
    struct alarm early, late;

    (void)state;
    stage_open(&stage);
    alarm_open(&early, &stage);
    alarm_open(&late, &stage);
    timer_start(late.timer, 1000);
    timer_start(early.timer, 10);
    STAGE_UNTIL(&stage, early.fired > 0);
    assert_int_equal(late.fired, 0);
    timer_free(early.timer);
    timer_free(late.timer);
    stage_close(&stage);
}

static void
a_timer_that_runs_is_started_anew(void **state)
{
    struct stage stage;
    struct alarm alarm;

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    timer_start(alarm.timer, 20000);
    timer_start(alarm.timer, 10);
    STAGE_UNTIL(&stage, alarm.fired > 0);
    timer_start(alarm.timer, 10);
    timer_start(alarm.timer, 20000);
    stage_turns_in(&stage, 50);
    assert_int_equal(alarm.fired, 1);
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
a_stopped_timer_does_not_fire(void **state)
{
    struct stage stage;
    struct alarm alarm;

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    timer_start(alarm.timer, 10);
    timer_stop(alarm.timer);
    assert_false(timer_pending(alarm.timer));
    timer_stop(alarm.timer);
    assert_int_equal(stage_turns_in(&stage, 50), 0);
    assert_int_equal(alarm.fired, 0);
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
a_timer_may_be_started_in_its_callback(void **state)
{
    struct stage stage;
    struct alarm alarm;

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    alarm.again_ms = 1;
    timer_start(alarm.timer, 0);
    STAGE_UNTIL(&stage, alarm.fired == 5);
    assert_true(timer_pending(alarm.timer));
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
a_timer_may_be_freed_in_its_callback(void **state)
{
    struct stage stage;
    struct alarm alarm;

    (void)state;
    stage_open(&stage);
    alarm_open(&alarm, &stage);
    alarm.frees = true;
    timer_start(alarm.timer, 0);
    STAGE_UNTIL(&stage, alarm.timer == NULL);
    timer_free(alarm.timer);
    stage_close(&stage);
}

static void
stop_loop(void *arg)
{
    loop_stop(arg);
}

static void
a_loop_runs_until_it_is_stopped_even_with_nothing_on_it(void **state)
{
    struct loop *loop = loop_new();
    struct timer *timer = timer_new(loop, stop_loop, loop);

    (void)state;
    timer_start(timer, 20);
    assert_int_equal(loop_run(loop), 0);
    assert_false(timer_pending(timer));
    timer_free(timer);
    loop_free(loop);
}

static void
take_signal(void *arg, int signo)
{
    *(int *)arg = signo;
}

static void
signals_arrive_from_the_loop(void **state)
{
    struct stage stage;
    int seen = 0;

    (void)state;
    stage_open(&stage);
    assert_int_equal(loop_on_signals(stage.loop, take_signal, &seen), 0);
    raise(SIGTERM);
    assert_int_equal(seen, 0);
    STAGE_UNTIL(&stage, seen == SIGTERM);
    raise(SIGINT);
    STAGE_UNTIL(&stage, seen == SIGINT);
    raise(SIGPIPE);
    assert_int_equal(seen, SIGINT);
    stage_close(&stage);
}

static void
the_clock_of_the_loop_is_the_monotonic_one(void **state)
{
    struct stage stage;
    uint64_t before = stage_now_ms(), now;

    (void)state;
    stage_open(&stage);
    now = loop_now_ms(stage.loop);
    assert_true(before <= now && now <= stage_now_ms());
    stage_close(&stage);
}

static void
nothing_may_be_freed(void **state)
{
    (void)state;
    timer_free(NULL);
    loop_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_timer_does_not_run),
        cmocka_unit_test(a_timer_fires_once_and_not_before_its_time),
        cmocka_unit_test(a_timer_of_no_time_fires_from_the_loop),
        cmocka_unit_test(timers_fire_in_the_order_of_their_times),
        cmocka_unit_test(a_timer_that_runs_is_started_anew),
        cmocka_unit_test(a_stopped_timer_does_not_fire),
        cmocka_unit_test(a_timer_may_be_started_in_its_callback),
        cmocka_unit_test(a_timer_may_be_freed_in_its_callback),
        cmocka_unit_test(
            a_loop_runs_until_it_is_stopped_even_with_nothing_on_it),
        cmocka_unit_test(signals_arrive_from_the_loop),
        cmocka_unit_test(the_clock_of_the_loop_is_the_monotonic_one),
        cmocka_unit_test(nothing_may_be_freed),
    };

    return RUN_TESTS(tests);
}
