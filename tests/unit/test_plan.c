/* From what the operator asks for to what each QEMU is given. */
#include "wire/plan.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"
#include "wire/facts.h"

static const char usual[] =
    "{\"version\": \"10.1.0\", \"capabilities\": {"
    "  \"multifd\": false, \"postcopy-ram\": false, \"events\": false,"
    "  \"postcopy-preempt\": false, \"return-path\": false, \"xbzrle\": false,"
    "  \"auto-converge\": false, \"late-block-activate\": false,"
    "  \"validate-uuid\": false},"
    " \"parameters\": {\"multifd-channels\": 2, \"max-bandwidth\": 134217728,"
    "  \"multifd-compression\": \"none\", \"downtime-limit\": 300,"
    "  \"max-postcopy-bandwidth\": 0, \"cpu-throttle-initial\": 25,"
    "  \"cpu-throttle-increment\": 15, \"max-cpu-throttle\": 90}}";

static json_t *facts[2];
static struct settings given;
static struct plan_options options;
static struct plan plan;
static struct preflight preflight;
static char why[PLAN_WHY_MAX];

static int
set_up(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        facts[side] = json_loads(usual, 0, NULL);
        assert_non_null(facts[side]);
    }
    given.count = 0;
    options = (struct plan_options){ .given = &given };
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++)
        json_decref(facts[side]);
    return 0;
}

static void
give(enum setting_kind kind, const char *text)
{
    assert_null(settings_parse(&given, kind, text));
}

/* Set a fact of one side; NULL takes it away. */
static void
set_fact(enum preflight_side side, const char *list, const char *name,
         json_t *value)
{
    json_t *object = json_object_get(facts[side], list);

    if (value != NULL)
        json_object_set_new(object, name, value);
    else
        json_object_del(object, name);
}

static void
make(void)
{
    assert_null(facts_check(facts[0]));
    assert_null(facts_check(facts[1]));
    if (plan_make(&plan, &options, facts[0], facts[1], &preflight, why) != 0)
        fail_msg("%s", why);
    assert_string_equal(why, "");
}

static void
assert_refused(const char *part)
{
    assert_int_equal(
        plan_make(&plan, &options, facts[0], facts[1], &preflight, why), -1);
    if (strstr(why, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, why);
}

/* The settings as one text: "name=value name=value". */
static void
assert_settings(const struct settings *settings, const char *expected)
{
    char text[2048] = "";
    size_t used = 0;

    for (size_t i = 0; i < settings->count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s",
                                 i > 0 ? " " : "", settings->list[i].name,
                                 settings->list[i].value);
    assert_string_equal(text, expected);
}

static const char *
capability(enum preflight_side side, const char *name)
{
    const char *value =
        settings_get(&plan.side[side], SETTING_CAPABILITY, name);

    return value != NULL ? value : "";
}

static const char *
parameter(enum preflight_side side, const char *name)
{
    const char *value = settings_get(&plan.side[side], SETTING_PARAMETER, name);

    return value != NULL ? value : "";
}

static void
without_options_each_side_gets_what_it_needs(void **state)
{
    (void)state;
    make();
    assert_settings(&plan.side[PREFLIGHT_SOURCE],
                    "return-path=on events=on multifd=off postcopy-ram=off "
                    "postcopy-preempt=off xbzrle=off auto-converge=off "
                    "max-bandwidth=0");
    assert_settings(&plan.side[PREFLIGHT_DESTINATION],
                    "events=on multifd=off postcopy-ram=off "
                    "postcopy-preempt=off late-block-activate=on");
    assert_int_equal(plan.slow_down.count, 0);
}

static void
what_both_need_goes_to_both(void **state)
{
    (void)state;
    options.multifd = 4;
    options.compression = "zstd";
    options.postcopy = true;
    options.preempt = true;
    options.postcopy_bandwidth = 1000;
    options.auto_converge = true;
    options.max_bandwidth = 2000;
    options.downtime_limit_ms = 500;
    make();
    assert_settings(&plan.side[PREFLIGHT_SOURCE],
                    "return-path=on events=on multifd=on postcopy-ram=on "
                    "postcopy-preempt=on xbzrle=off auto-converge=on "
                    "multifd-channels=4 multifd-compression=zstd "
                    "max-postcopy-bandwidth=1000 max-bandwidth=2000 "
                    "downtime-limit=500");
    assert_settings(&plan.side[PREFLIGHT_DESTINATION],
                    "events=on multifd=on postcopy-ram=on postcopy-preempt=on "
                    "late-block-activate=on multifd-channels=4 "
                    "multifd-compression=zstd");
}

static void
xbzrle_is_the_source_s(void **state)
{
    (void)state;
    options.xbzrle = true;
    make();
    assert_string_equal(capability(PREFLIGHT_SOURCE, "xbzrle"), "on");
    assert_string_equal(capability(PREFLIGHT_DESTINATION, "xbzrle"), "");
}

static void
what_is_given_by_name_counts_more_than_a_default(void **state)
{
    (void)state;
    give(SETTING_PARAMETER, "max-bandwidth=7");
    give(SETTING_CAPABILITY, "late-block-activate=off");
    give(SETTING_CAPABILITY, "postcopy-ram=on");
    give(SETTING_CAPABILITY, "validate-uuid=on");
    give(SETTING_PARAMETER, "announce-max=9");
    make();
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "max-bandwidth"), "7");
    assert_string_equal(
        capability(PREFLIGHT_DESTINATION, "late-block-activate"), "off");
    assert_string_equal(capability(PREFLIGHT_DESTINATION, "postcopy-ram"),
                        "on");
    assert_string_equal(capability(PREFLIGHT_SOURCE, "validate-uuid"), "on");
    assert_string_equal(capability(PREFLIGHT_DESTINATION, "validate-uuid"), "");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "announce-max"), "");
    assert_string_equal(parameter(PREFLIGHT_DESTINATION, "announce-max"), "9");
}

static void
what_a_qemu_lacks_and_can_do_without_is_left_out(void **state)
{
    static const char *const names[] = { "events", "late-block-activate",
                                         "postcopy-preempt" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        set_fact(PREFLIGHT_DESTINATION, "capabilities", names[i], NULL);
    make();
    assert_settings(&plan.side[PREFLIGHT_DESTINATION],
                    "multifd=off postcopy-ram=off");
    assert_string_equal(capability(PREFLIGHT_SOURCE, "events"), "on");
}

static void
what_nobody_knows_goes_to_the_source_and_to_whom_lists_it(void **state)
{
    (void)state;
    give(SETTING_CAPABILITY, "x-new=on");
    give(SETTING_PARAMETER, "x-size=1");
    set_fact(PREFLIGHT_SOURCE, "capabilities", "x-new", json_false());
    set_fact(PREFLIGHT_SOURCE, "parameters", "x-size", json_integer(0));
    make();
    assert_string_equal(capability(PREFLIGHT_SOURCE, "x-new"), "on");
    assert_string_equal(capability(PREFLIGHT_DESTINATION, "x-new"), "");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "x-size"), "1");
    assert_string_equal(parameter(PREFLIGHT_DESTINATION, "x-size"), "");
    set_fact(PREFLIGHT_DESTINATION, "capabilities", "x-new", json_true());
    set_fact(PREFLIGHT_DESTINATION, "parameters", "x-size", json_integer(0));
    make();
    assert_string_equal(capability(PREFLIGHT_DESTINATION, "x-new"), "on");
    assert_string_equal(parameter(PREFLIGHT_DESTINATION, "x-size"), "1");
}

static void
what_a_qemu_lacks_is_told_with_the_version_that_has_it(void **state)
{
    (void)state;
    options.postcopy = true;
    options.preempt = true;
    set_fact(PREFLIGHT_DESTINATION, "capabilities", "postcopy-preempt", NULL);
    assert_refused("postcopy-preempt: the destination's QEMU has no "
                   "postcopy-preempt=on; it needs QEMU 7.1");
    set_fact(PREFLIGHT_SOURCE, "capabilities", "postcopy-preempt", NULL);
    assert_refused("neither QEMU has postcopy-preempt=on");
    options.preempt = false;
    make();
    set_fact(PREFLIGHT_SOURCE, "capabilities", "return-path", NULL);
    assert_refused("the source's QEMU has no return-path=on; it needs QEMU "
                   "2.10");
}

static void
multifd_and_postcopy_need_10_1_at_both(void **state)
{
    (void)state;
    options.multifd = 2;
    options.postcopy = true;
    make();
    json_object_set_new(facts[PREFLIGHT_DESTINATION], "version",
                        json_string("10.0.2"));
    assert_refused("both at once need QEMU 10.1");
    options.postcopy = false;
    make();
}

static void
what_was_set_by_hand_at_one_side_is_told(void **state)
{
    (void)state;
    set_fact(PREFLIGHT_SOURCE, "capabilities", "dirty-bitmaps", json_true());
    set_fact(PREFLIGHT_DESTINATION, "capabilities", "dirty-bitmaps",
             json_false());
    assert_refused("dirty-bitmaps: both must have the same");
}

static void
options_that_need_another_are_refused_without_it(void **state)
{
    (void)state;
    options.preempt = true;
    assert_refused("--postcopy-preempt needs --postcopy");
    options.preempt = false;
    options.postcopy_bandwidth = 1;
    assert_refused("--postcopy-bandwidth needs --postcopy");
    options.postcopy_bandwidth = 0;
    options.compression = "zlib";
    assert_refused("--multifd-compression needs --multifd");
    options.compression = "none";
    make();
    options.multifd = 1;
    options.xbzrle = true;
    assert_refused("--xbzrle and --multifd exclude each other");
    options.xbzrle = false;
    make();
}

static void
the_same_said_by_name_is_refused_too(void **state)
{
    (void)state;
    give(SETTING_CAPABILITY, "postcopy-preempt=on");
    assert_refused("needs --postcopy");
    give(SETTING_CAPABILITY, "postcopy-preempt=off");
    give(SETTING_CAPABILITY, "xbzrle=on");
    give(SETTING_CAPABILITY, "multifd=on");
    assert_refused("exclude each other");
    give(SETTING_CAPABILITY, "multifd=off");
    give(SETTING_PARAMETER, "multifd-compression=zlib");
    assert_refused("--multifd-compression needs");
}

static void
an_option_and_a_capability_may_not_contradict_each_other(void **state)
{
    static const char *const names[] = { "return-path",      "events",
                                         "multifd",          "postcopy-ram",
                                         "postcopy-preempt", "xbzrle",
                                         "auto-converge" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        given.count = 0;
        options = (struct plan_options){ .given = &given,
                                         .postcopy = true,
                                         .preempt = true,
                                         .xbzrle = true,
                                         .auto_converge = true };
        if (i == 2) {
            options.xbzrle = false;
            options.multifd = 1;
        }
        snprintf(text, sizeof text, "%s=on", names[i]);
        give(SETTING_CAPABILITY, text);
        make();
        snprintf(text, sizeof text, "%s=off", names[i]);
        give(SETTING_CAPABILITY, text);
        snprintf(text, sizeof text, "--capability %s=off contradicts ",
                 names[i]);
        assert_refused(text);
    }
    given.count = 0;
    options = (struct plan_options){ .given = &given, .slow_down_later = true };
    give(SETTING_CAPABILITY, "auto-converge=off");
    assert_refused("contradicts --on-timeout auto-converge");
    give(SETTING_CAPABILITY, "events=off");
    assert_refused("--capability events=off"); /* the first one is told */
}

static void
auto_converge_for_later_is_on_but_held_back(void **state)
{
    (void)state;
    options.slow_down_later = true;
    make();
    assert_string_equal(capability(PREFLIGHT_SOURCE, "auto-converge"), "on");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "cpu-throttle-initial"),
                        "1");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "cpu-throttle-increment"),
                        "1");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "max-cpu-throttle"), "1");
    assert_string_equal(parameter(PREFLIGHT_DESTINATION, "max-cpu-throttle"),
                        "");
    assert_settings(&plan.slow_down,
                    "cpu-throttle-initial=25 cpu-throttle-increment=15 "
                    "max-cpu-throttle=90");
    give(SETTING_PARAMETER, "cpu-throttle-increment=33");
    make();
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "cpu-throttle-increment"),
                        "1");
    assert_settings(&plan.slow_down,
                    "cpu-throttle-initial=25 cpu-throttle-increment=33 "
                    "max-cpu-throttle=90");
}

static void
what_held_it_back_is_not_taken_for_the_operator_s(void **state)
{
    (void)state;
    set_fact(PREFLIGHT_SOURCE, "parameters", "cpu-throttle-initial",
             json_integer(1));
    set_fact(PREFLIGHT_SOURCE, "parameters", "cpu-throttle-increment",
             json_integer(1));
    set_fact(PREFLIGHT_SOURCE, "parameters", "max-cpu-throttle",
             json_integer(1));
    options.slow_down_later = true;
    make();
    assert_settings(&plan.slow_down,
                    "cpu-throttle-initial=20 cpu-throttle-increment=10 "
                    "max-cpu-throttle=99");
    options.slow_down_later = false;
    options.auto_converge = true;
    give(SETTING_PARAMETER, "cpu-throttle-increment=33");
    make();
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "cpu-throttle-initial"),
                        "20");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "cpu-throttle-increment"),
                        "33");
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "max-cpu-throttle"), "99");
    assert_int_equal(plan.slow_down.count, 0);
}

static void
throttles_that_qemu_does_not_tell_are_its_defaults(void **state)
{
    (void)state;
    options.slow_down_later = true;
    set_fact(PREFLIGHT_SOURCE, "parameters", "max-cpu-throttle",
             json_string("1"));
    make();
    assert_settings(&plan.slow_down,
                    "cpu-throttle-initial=25 cpu-throttle-increment=15 "
                    "max-cpu-throttle=99");
    json_object_del(facts[PREFLIGHT_SOURCE], "parameters");
    make();
    assert_settings(&plan.slow_down,
                    "cpu-throttle-initial=20 cpu-throttle-increment=10 "
                    "max-cpu-throttle=99");
    options.slow_down_later = false;
    make();
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "max-cpu-throttle"), "");
}

static void
a_compression_that_was_left_behind_is_switched_off(void **state)
{
    (void)state;
    options.multifd = 2;
    make();
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "multifd-compression"), "");
    options.multifd = 0;
    set_fact(PREFLIGHT_SOURCE, "parameters", "multifd-compression",
             json_string("zstd"));
    make();
    assert_string_equal(parameter(PREFLIGHT_SOURCE, "multifd-compression"), "");
    options.multifd = 2;
    make();
    for (unsigned side = 0; side < 2; side++)
        assert_string_equal(parameter(side, "multifd-compression"), "none");
    options.compression = "zstd";
    make();
    for (unsigned side = 0; side < 2; side++)
        assert_string_equal(parameter(side, "multifd-compression"), "zstd");
    options.compression = NULL;
    set_fact(PREFLIGHT_SOURCE, "parameters", "multifd-compression", NULL);
    set_fact(PREFLIGHT_DESTINATION, "parameters", "multifd-compression",
             json_string("zlib"));
    make();
    assert_string_equal(parameter(PREFLIGHT_DESTINATION, "multifd-compression"),
                        "none");
}

/* A default that is not set for want of room could lose the VM. */
static void
more_than_there_is_room_for_is_refused(void **state)
{
    enum { DEFAULTS = 9, FOR_LATER = 4 };

    (void)state;
    options.slow_down_later = true;
    options.multifd = 0;
    for (int i = 0; i < SETTINGS_MAX; i++) {
        char text[32];
        bool fits = i + DEFAULTS + FOR_LATER <= SETTINGS_MAX;
        if (fits)
            make();
        else
            assert_refused("too many");
        if (fits)
            assert_string_equal(capability(PREFLIGHT_SOURCE, "return-path"),
                                "on");
        snprintf(text, sizeof text, "x-%d=1", i);
        give(SETTING_PARAMETER, text);
    }
}

static void
wishes_are_checked_before_any_qemu_is_known(void **state)
{
    struct settings wanted;

    (void)state;
    options.multifd = 3;
    assert_int_equal(plan_wish(&wanted, &options, why), 0);
    assert_settings(&wanted,
                    "return-path=on events=on multifd=on postcopy-ram=off "
                    "postcopy-preempt=off xbzrle=off auto-converge=off "
                    "late-block-activate=on multifd-channels=3 "
                    "max-bandwidth=0");
    options.xbzrle = true;
    assert_int_equal(plan_wish(&wanted, &options, why), -1);
    assert_string_equal(why, "--xbzrle and --multifd exclude each other");
}

static void
compressions_have_their_words(void **state)
{
    (void)state;
    assert_null(plan_compression("none"));
    assert_null(plan_compression("zlib"));
    assert_null(plan_compression("zstd"));
    assert_non_null(plan_compression("gzip"));
    assert_non_null(plan_compression(""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(without_options_each_side_gets_what_it_needs),
        TEST(what_both_need_goes_to_both),
        TEST(xbzrle_is_the_source_s),
        TEST(what_is_given_by_name_counts_more_than_a_default),
        TEST(what_a_qemu_lacks_and_can_do_without_is_left_out),
        TEST(what_nobody_knows_goes_to_the_source_and_to_whom_lists_it),
        TEST(what_a_qemu_lacks_is_told_with_the_version_that_has_it),
        TEST(multifd_and_postcopy_need_10_1_at_both),
        TEST(what_was_set_by_hand_at_one_side_is_told),
        TEST(options_that_need_another_are_refused_without_it),
        TEST(the_same_said_by_name_is_refused_too),
        TEST(an_option_and_a_capability_may_not_contradict_each_other),
        TEST(auto_converge_for_later_is_on_but_held_back),
        TEST(what_held_it_back_is_not_taken_for_the_operator_s),
        TEST(throttles_that_qemu_does_not_tell_are_its_defaults),
        TEST(a_compression_that_was_left_behind_is_switched_off),
        TEST(more_than_there_is_room_for_is_refused),
        TEST(wishes_are_checked_before_any_qemu_is_known),
        TEST(compressions_have_their_words),
    };

    return RUN_TESTS(tests);
}
