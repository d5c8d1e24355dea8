/* What is done about a migration that does not end. */
#include <stdio.h>
#include <string.h>

#include "support_convergence.h"
#include "support_test.h"

enum { TIMEOUT_MS = 60000, BEGUN_MS = 1000 };

static struct convergence_options
on_timeout(enum convergence_timeout action)
{
    return (struct convergence_options){ .timeout_ms = TIMEOUT_MS,
                                         .on_timeout = action,
                                         .postcopy = true };
}

static struct convergence_options
after(enum convergence_after when, uint64_t number)
{
    return (struct convergence_options){ .after = when,
                                         .after_number = number,
                                         .postcopy = true };
}

/* Take the update at so many milliseconds after the beginning. */
static enum convergence_decision
at(uint64_t ms)
{
    return trial_wait(BEGUN_MS + ms - trial.now_ms);
}

static void
assert_remark(const char *remark)
{
    assert_string_equal(trial.remark, remark);
}

static void
refuse(enum convergence_decision decision)
{
    convergence_refused(&trial.convergence, decision);
}

/* Nothing comes any more, for a long time. */
static void
assert_quiet(void)
{
    for (int i = 0; i < 20; i++) {
        assert_int_equal(trial_wait(TIMEOUT_MS), CONVERGENCE_NOTHING);
        assert_remark("");
    }
}

static void
postcopy_starts_when_so_many_passes_are_done(void **state)
{
    (void)state;
    trial_begin(after(AFTER_PASSES, 2));
    assert_int_equal(trial_take(1, 100, 50), CONVERGENCE_NOTHING);
    assert_int_equal(trial_take(2, 200, 20), CONVERGENCE_NOTHING);
    assert_int_equal(trial_take(3, 230, 10), CONVERGENCE_POSTCOPY);
    assert_remark("starting postcopy after 2 passes");
    assert_quiet();
    trial_begin(after(AFTER_PASSES, 1));
    assert_int_equal(trial_wait(1), CONVERGENCE_NOTHING);
    assert_int_equal(trial_take(5, 100, 50), CONVERGENCE_POSTCOPY);
    assert_remark("starting postcopy after 1 pass");
}

static void
postcopy_starts_when_so_much_time_has_passed(void **state)
{
    (void)state;
    trial_begin(after(AFTER_MS, 30000));
    assert_int_equal(at(29999), CONVERGENCE_NOTHING);
    assert_int_equal(at(30000), CONVERGENCE_POSTCOPY);
    assert_remark("starting postcopy after 30.0 s");
    assert_quiet();
}

static void
postcopy_starts_when_it_is_stalled(void **state)
{
    (void)state;
    trial_begin(after(AFTER_STALLED, 0));
    assert_int_equal(trial_stall(), CONVERGENCE_POSTCOPY);
    assert_remark("stalled: remaining has not fallen for 3 iterations; the "
                  "guest dirties 100 MiB/s, the link carries 100 MiB/s; "
                  "starting postcopy");
    assert_quiet();
}

static void
postcopy_starts_only_where_both_have_it(void **state)
{
    struct convergence_options options = after(AFTER_MS, 1);

    (void)state;
    options.postcopy = false;
    trial_begin(options);
    assert_quiet();
    options = after(AFTER_NEVER, 0);
    trial_begin(options);
    assert_int_equal(trial_stall(), CONVERGENCE_NOTHING);
    assert_quiet();
}

static void
postcopy_waits_until_the_migration_is_active(void **state)
{
    static const enum migration_status others[] = {
        MIGRATION_NONE,          MIGRATION_SETUP,      MIGRATION_WAIT_UNPLUG,
        MIGRATION_DEVICE,        MIGRATION_CANCELLING, MIGRATION_COMPLETED,
        MIGRATION_PRE_SWITCHOVER
    };

    (void)state;
    trial_begin(after(AFTER_MS, 1));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        trial_status(others[i]);
        assert_quiet();
    }
    trial_status(MIGRATION_ACTIVE);
    assert_int_equal(trial_wait(1), CONVERGENCE_POSTCOPY);
}

static void
a_stall_is_not_told_when_postcopy_is_on_its_way(void **state)
{
    (void)state;
    trial_begin(after(AFTER_PASSES, 1));
    trial_take(1, 100, 50);
    assert_int_equal(trial_take(2, 200, 50), CONVERGENCE_POSTCOPY);
    for (int64_t i = 3; i < 8; i++) {
        assert_int_equal(trial_take(i, 100 * i, 50), CONVERGENCE_NOTHING);
        assert_remark("");
    }
}

static void
when_its_time_is_up_it_is_cancelled_once(void **state)
{
    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_CANCEL));
    assert_int_equal(at(TIMEOUT_MS - 1), CONVERGENCE_NOTHING);
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_CANCEL);
    assert_remark("its time is up: cancelling it");
    assert_quiet();
    trial_begin(on_timeout(ON_TIMEOUT_UNSET));
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_CANCEL);
    trial_begin((struct convergence_options){ .timeout_ms = 0 });
    assert_quiet();
}

static void
cancelling_needs_no_particular_status(void **state)
{
    static const enum migration_status running[] = {
        MIGRATION_SETUP, MIGRATION_WAIT_UNPLUG, MIGRATION_ACTIVE,
        MIGRATION_PRE_SWITCHOVER, MIGRATION_DEVICE
    };

    (void)state;
    for (size_t i = 0; i < sizeof running / sizeof *running; i++) {
        trial_begin(on_timeout(ON_TIMEOUT_CANCEL));
        trial_status(running[i]);
        assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_CANCEL);
    }
}

static void
what_is_over_or_being_cancelled_is_left_alone(void **state)
{
    static const enum migration_status over[] = {
        MIGRATION_NONE, MIGRATION_CANCELLING, MIGRATION_CANCELLED,
        MIGRATION_COMPLETED, MIGRATION_FAILED
    };

    (void)state;
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
        trial_begin(on_timeout(ON_TIMEOUT_CANCEL));
        trial_status(over[i]);
        assert_quiet();
    }
}

static void
cancelling_that_was_refused_is_tried_again_a_timeout_later(void **state)
{
    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_CANCEL));
    assert_int_equal(at(TIMEOUT_MS + 500), CONVERGENCE_CANCEL);
    refuse(CONVERGENCE_CANCEL);
    assert_int_equal(at(2 * TIMEOUT_MS + 499), CONVERGENCE_NOTHING);
    assert_int_equal(at(2 * TIMEOUT_MS + 500), CONVERGENCE_CANCEL);
    assert_remark("its time is up again: cancelling it");
    assert_quiet();
}

static void
on_timeout_starts_postcopy_and_never_cancels_then(void **state)
{
    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_POSTCOPY));
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_POSTCOPY);
    assert_remark("its time is up: starting postcopy");
    assert_quiet();
    trial_status(MIGRATION_POSTCOPY_ACTIVE);
    assert_int_equal(trial_wait(1), CONVERGENCE_NOTHING);
    assert_remark("its time is up, but in postcopy the VM needs both hosts: "
                  "it goes on");
    assert_quiet();
}

static void
in_postcopy_a_timeout_is_only_told(void **state)
{
    (void)state;
    for (int action = ON_TIMEOUT_UNSET; action <= ON_TIMEOUT_AUTO_CONVERGE;
         action++) {
        trial_begin(on_timeout((enum convergence_timeout)action));
        trial_status(MIGRATION_POSTCOPY_PAUSED);
        assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_NOTHING);
        assert_remark("its time is up, but in postcopy the VM needs both "
                      "hosts: it goes on");
        assert_quiet();
    }
    /* One that this program does not know. */
    trial_begin(on_timeout(ON_TIMEOUT_CANCEL));
    trial.update.status = MIGRATION_UNKNOWN;
    snprintf(trial.update.status_name, sizeof trial.update.status_name,
             "postcopy-new");
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_NOTHING);
    assert_quiet();
}

static void
a_rule_s_postcopy_keeps_the_timeout_from_cancelling(void **state)
{
    struct convergence_options options = on_timeout(ON_TIMEOUT_CANCEL);

    (void)state;
    options.after = AFTER_MS;
    options.after_number = TIMEOUT_MS;
    trial_begin(options);
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_POSTCOPY);
    assert_quiet();
    refuse(CONVERGENCE_POSTCOPY);
    assert_int_equal(trial_wait(1), CONVERGENCE_CANCEL);
    assert_remark("its time is up: cancelling it");
}

static void
postcopy_that_is_not_on_at_both_is_told_and_then_cancelled(void **state)
{
    struct convergence_options options = on_timeout(ON_TIMEOUT_POSTCOPY);

    (void)state;
    options.postcopy = false;
    trial_begin(options);
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_NOTHING);
    assert_remark("its time is up, but postcopy is not on at both QEMUs: it is "
                  "cancelled when as much time has passed again");
    assert_int_equal(at(2 * TIMEOUT_MS - 1), CONVERGENCE_NOTHING);
    assert_remark("");
    assert_int_equal(at(2 * TIMEOUT_MS), CONVERGENCE_CANCEL);
}

static void
postcopy_that_was_refused_does_not_come_again(void **state)
{
    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_POSTCOPY));
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_POSTCOPY);
    refuse(CONVERGENCE_POSTCOPY);
    assert_int_equal(at(2 * TIMEOUT_MS - 1), CONVERGENCE_NOTHING);
    assert_int_equal(at(2 * TIMEOUT_MS), CONVERGENCE_CANCEL);
    assert_quiet();
    trial_begin(after(AFTER_MS, 1));
    assert_int_equal(at(1), CONVERGENCE_POSTCOPY);
    refuse(CONVERGENCE_POSTCOPY);
    assert_quiet();
}

static void
a_paused_guest_s_migration_is_left_to_end(void **state)
{
    struct convergence_options options = on_timeout(ON_TIMEOUT_PAUSE);

    (void)state;
    options.after = AFTER_PASSES;
    options.after_number = 3;
    trial_begin(options);
    trial_take(1, 100, 1000);
    trial.now_ms = BEGUN_MS + TIMEOUT_MS - 2000;
    trial_take(2, 200, 900);
    assert_int_equal(trial_take(2, 300, 800), CONVERGENCE_PAUSE);
    assert_remark("its time is up: pausing the guest until it has moved: "
                  "800 MiB are left, for about 8.0 s");
    trial_take(7, 900, 200);
    assert_quiet();
}

static void
how_long_a_pause_takes_may_not_be_known(void **state)
{
    static const char words[] =
        "its time is up: pausing the guest until it has moved";

    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_PAUSE));
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_PAUSE);
    assert_remark(words);
    trial_begin(on_timeout(ON_TIMEOUT_PAUSE));
    trial_take(1, 100, 50);
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_PAUSE);
    assert_remark(words);
    trial_begin(on_timeout(ON_TIMEOUT_PAUSE));
    trial_take(1, 100, 50);
    trial.update.mbits_per_s = 8;
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_PAUSE);
    assert_non_null(strstr(trial.remark, "50.0 MiB are left, for about 52"));
    trial_begin(on_timeout(ON_TIMEOUT_PAUSE));
    trial.update.mbits_per_s = 8;
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_PAUSE);
    assert_remark(words);
    /* Many years. */
    trial_begin(on_timeout(ON_TIMEOUT_PAUSE));
    trial_take(1, 100, 50);
    trial.update.remaining_bytes = INT64_MAX;
    trial.update.normal_bytes += 100;
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_PAUSE);
    assert_non_null(strstr(trial.remark, "are left, for about"));
}

static void
a_pause_that_was_refused_is_followed_by_cancelling(void **state)
{
    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_PAUSE));
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_PAUSE);
    refuse(CONVERGENCE_PAUSE);
    assert_int_equal(at(2 * TIMEOUT_MS - 1), CONVERGENCE_NOTHING);
    assert_int_equal(at(2 * TIMEOUT_MS), CONVERGENCE_CANCEL);
}

static void
auto_converge_that_does_not_help_is_followed_by_cancelling(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        trial_begin(on_timeout(ON_TIMEOUT_AUTO_CONVERGE));
        assert_int_equal(at(TIMEOUT_MS + 200), CONVERGENCE_AUTO_CONVERGE);
        assert_remark("its time is up: slowing the guest down from now on "
                      "(auto-converge)");
        if (refused)
            refuse(CONVERGENCE_AUTO_CONVERGE);
        assert_int_equal(at(2 * TIMEOUT_MS + 199), CONVERGENCE_NOTHING);
        assert_int_equal(at(2 * TIMEOUT_MS + 200), CONVERGENCE_CANCEL);
        assert_remark("its time is up again: cancelling it");
        assert_quiet();
    }
}

static void
a_timeout_waits_for_active_but_not_for_ever(void **state)
{
    static const enum convergence_decision decisions[] = {
        [ON_TIMEOUT_POSTCOPY] = CONVERGENCE_POSTCOPY,
        [ON_TIMEOUT_PAUSE] = CONVERGENCE_PAUSE,
        [ON_TIMEOUT_AUTO_CONVERGE] = CONVERGENCE_AUTO_CONVERGE,
    };

    (void)state;
    for (int action = ON_TIMEOUT_POSTCOPY; action <= ON_TIMEOUT_AUTO_CONVERGE;
         action++) {
        trial_begin(on_timeout((enum convergence_timeout)action));
        trial_status(MIGRATION_WAIT_UNPLUG);
        assert_int_equal(at(2 * TIMEOUT_MS - 1), CONVERGENCE_NOTHING);
        assert_remark("");
        trial_status(MIGRATION_ACTIVE);
        assert_int_equal(trial_wait(0), decisions[action]);
        trial_begin(on_timeout((enum convergence_timeout)action));
        trial_status(MIGRATION_WAIT_UNPLUG);
        assert_int_equal(at(2 * TIMEOUT_MS), CONVERGENCE_CANCEL);
        assert_remark("its time is up again: cancelling it");
    }
}

static void
a_stall_and_a_timeout_are_told_in_one_line(void **state)
{
    struct convergence_options options = on_timeout(ON_TIMEOUT_PAUSE);

    (void)state;
    options.timeout_ms = 5000;
    options.downtime_limit_ms = 2000 * 1000;
    trial_begin(options);
    trial.update.expected_downtime_ms = INT64_MAX;
    assert_int_equal(trial_stall(), CONVERGENCE_PAUSE);
    assert_non_null(strstr(trial.remark, "the limit is 33m 20s; its time is "
                                         "up: pausing the guest"));
    assert_true(strlen(trial.remark) < CONVERGENCE_REMARK_MAX - 1);
}

static void
nothing_needs_to_be_refused(void **state)
{
    (void)state;
    trial_begin(on_timeout(ON_TIMEOUT_CANCEL));
    refuse(CONVERGENCE_NOTHING);
    assert_int_equal(at(TIMEOUT_MS), CONVERGENCE_CANCEL);
}

/* Whatever comes: each decision once, and none after postcopy or a cancel. */
static void
any_sequence_keeps_to_the_rules(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct convergence_options options =
            on_timeout((enum convergence_timeout)(round % 5));
        unsigned seen[5] = { 0 };
        options.after = (enum convergence_after)(round / 5 % 4);
        options.after_number = options.after == AFTER_MS ? 90000 : 4;
        options.postcopy = round % 3 != 0;
        trial_begin(options);
        for (int i = 0; i < 60; i++) {
            enum convergence_decision decision;
            seed = seed * 1664525 + 1013904223;
            trial_status((enum migration_status)(
                (seed >> 8) % 4 != 0 ? MIGRATION_ACTIVE
                                     : (seed >> 16) % MIGRATION_UNKNOWN));
            trial.now_ms += (seed >> 20) % 8000;
            decision = trial_take(1 + i / 2, 10 * i, 5);
            if (decision == CONVERGENCE_NOTHING)
                continue;
            assert_int_equal(seen[CONVERGENCE_POSTCOPY], 0);
            assert_int_equal(seen[CONVERGENCE_CANCEL], 0);
            assert_int_equal(seen[CONVERGENCE_PAUSE], 0);
            assert_int_equal(seen[decision]++, 0);
            assert_false(decision == CONVERGENCE_POSTCOPY && !options.postcopy);
            assert_true(trial.remark[0] != '\0');
        }
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(postcopy_starts_when_so_many_passes_are_done),
        cmocka_unit_test(postcopy_starts_when_so_much_time_has_passed),
        cmocka_unit_test(postcopy_starts_when_it_is_stalled),
        cmocka_unit_test(postcopy_starts_only_where_both_have_it),
        cmocka_unit_test(postcopy_waits_until_the_migration_is_active),
        cmocka_unit_test(a_stall_is_not_told_when_postcopy_is_on_its_way),
        cmocka_unit_test(when_its_time_is_up_it_is_cancelled_once),
        cmocka_unit_test(cancelling_needs_no_particular_status),
        cmocka_unit_test(what_is_over_or_being_cancelled_is_left_alone),
        cmocka_unit_test(
            cancelling_that_was_refused_is_tried_again_a_timeout_later),
        cmocka_unit_test(on_timeout_starts_postcopy_and_never_cancels_then),
        cmocka_unit_test(in_postcopy_a_timeout_is_only_told),
        cmocka_unit_test(a_rule_s_postcopy_keeps_the_timeout_from_cancelling),
        cmocka_unit_test(
            postcopy_that_is_not_on_at_both_is_told_and_then_cancelled),
        cmocka_unit_test(postcopy_that_was_refused_does_not_come_again),
        cmocka_unit_test(a_paused_guest_s_migration_is_left_to_end),
        cmocka_unit_test(how_long_a_pause_takes_may_not_be_known),
        cmocka_unit_test(a_pause_that_was_refused_is_followed_by_cancelling),
        cmocka_unit_test(
            auto_converge_that_does_not_help_is_followed_by_cancelling),
        cmocka_unit_test(a_timeout_waits_for_active_but_not_for_ever),
        cmocka_unit_test(a_stall_and_a_timeout_are_told_in_one_line),
        cmocka_unit_test(nothing_needs_to_be_refused),
        cmocka_unit_test(any_sequence_keeps_to_the_rules),
    };

    return RUN_TESTS(tests);
}
