/* What an operator wants when a migration takes long, from words. */
#include "wire/convergence_options.h"

#include <string.h>

#include "support_test.h"

static void
the_words_of_on_timeout_are_known(void **state)
{
    struct convergence_options options = { .timeout_ms = 1 };

    (void)state;
    assert_null(convergence_parse_timeout(&options, "cancel"));
    assert_int_equal(options.on_timeout, ON_TIMEOUT_CANCEL);
    assert_null(convergence_parse_timeout(&options, "postcopy"));
    assert_int_equal(options.on_timeout, ON_TIMEOUT_POSTCOPY);
    assert_null(convergence_parse_timeout(&options, "pause"));
    assert_int_equal(options.on_timeout, ON_TIMEOUT_PAUSE);
    assert_null(convergence_parse_timeout(&options, "auto-converge"));
    assert_int_equal(options.on_timeout, ON_TIMEOUT_AUTO_CONVERGE);
    assert_non_null(convergence_parse_timeout(&options, "auto"));
    assert_non_null(convergence_parse_timeout(&options, ""));
    assert_int_equal(options.on_timeout, ON_TIMEOUT_AUTO_CONVERGE);
}

static void
assert_after(const char *text, enum convergence_after after, uint64_t number)
{
    struct convergence_options options = { .after = AFTER_NEVER };

    if (convergence_parse_after(&options, text) != NULL)
        fail_msg("refused: %s", text);
    assert_int_equal(options.after, after);
    assert_int_equal(options.after_number, number);
}

static void
bare_digits_are_passes_and_a_unit_makes_a_time(void **state)
{
    (void)state;
    assert_after("1", AFTER_PASSES, 1);
    assert_after("30", AFTER_PASSES, 30);
    assert_after("1000000", AFTER_PASSES, 1000000);
    assert_after("30s", AFTER_MS, 30000);
    assert_after("0.5m", AFTER_MS, 30000);
    assert_after("1ms", AFTER_MS, 1);
    assert_after("168h", AFTER_MS, 604800000);
    assert_after("stalled", AFTER_STALLED, 0);
}

static void
what_is_neither_is_refused(void **state)
{
    static const char *const texts[] = {
        "",      "0", "0s",      "3.5", "-1",      "30x",
        "stall", "s", "604801s", "1 s", "1000001", "stalled1"
    };
    struct convergence_options options = { .after = AFTER_MS,
                                           .after_number = 7 };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (convergence_parse_after(&options, texts[i]) == NULL)
            fail_msg("taken: '%s'", texts[i]);
    assert_int_equal(options.after, AFTER_MS);
    assert_int_equal(options.after_number, 7);
}

static void
what_was_not_said_is_set(void **state)
{
    struct convergence_options options = { .timeout_ms = 0 };

    (void)state;
    assert_null(convergence_options_finish(&options, false, true));
    assert_int_equal(options.on_timeout, ON_TIMEOUT_CANCEL);
    assert_int_equal(options.after, AFTER_NEVER);
    assert_false(options.postcopy);
    options.on_timeout = ON_TIMEOUT_UNSET;
    assert_null(convergence_options_finish(&options, true, false));
    assert_int_equal(options.after, AFTER_STALLED);
    assert_true(options.postcopy);
    options.after = AFTER_PASSES;
    options.on_timeout = ON_TIMEOUT_UNSET;
    assert_null(convergence_options_finish(&options, true, false));
    assert_int_equal(options.after, AFTER_PASSES);
}

static void
postcopy_on_timeout_alone_switches_it_on_but_does_not_start_it(void **state)
{
    struct convergence_options options = { .timeout_ms = 1,
                                           .on_timeout = ON_TIMEOUT_POSTCOPY };

    (void)state;
    assert_null(convergence_options_finish(&options, false, false));
    assert_true(options.postcopy);
    assert_int_equal(options.after, AFTER_NEVER);
}

static void
options_that_make_no_sense_together_are_refused(void **state)
{
    struct convergence_options options = { .on_timeout = ON_TIMEOUT_PAUSE };

    (void)state;
    assert_string_equal(convergence_options_finish(&options, true, false),
                        "--on-timeout needs --timeout");
    options.timeout_ms = 1;
    assert_null(convergence_options_finish(&options, false, true));
    options.on_timeout = ON_TIMEOUT_AUTO_CONVERGE;
    assert_null(convergence_options_finish(&options, false, false));
    assert_non_null(strstr(convergence_options_finish(&options, false, true),
                           "from the start"));
    options.after = AFTER_STALLED;
    assert_string_equal(convergence_options_finish(&options, false, false),
                        "--postcopy-after needs --postcopy");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_on_timeout_are_known),
        cmocka_unit_test(bare_digits_are_passes_and_a_unit_makes_a_time),
        cmocka_unit_test(what_is_neither_is_refused),
        cmocka_unit_test(what_was_not_said_is_set),
        cmocka_unit_test(
            postcopy_on_timeout_alone_switches_it_on_but_does_not_start_it),
        cmocka_unit_test(options_that_make_no_sense_together_are_refused),
    };

    return RUN_TESTS(tests);
}
