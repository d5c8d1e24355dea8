/* Capabilities and parameters, from words to what a certain QEMU wants. */
#include "wire/settings.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

static void
assert_json(json_t *value, const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);

    assert_non_null(wanted);
    assert_non_null(value);
    if (!json_equal(value, wanted))
        fail_msg("%s, not %s", json_dumps(value, JSON_SORT_KEYS), expected);
    json_decref(wanted);
    json_decref(value);
}

static void
add(struct settings *settings, enum setting_kind kind, const char *text)
{
    assert_null(settings_parse(settings, kind, text));
}

static void
the_last_word_on_a_name_counts(void **state)
{
    struct settings settings = { .count = 0 };

    (void)state;
    add(&settings, SETTING_CAPABILITY, "multifd=yes");
    add(&settings, SETTING_PARAMETER, "multifd=4");
    add(&settings, SETTING_CAPABILITY, "multifd=off");
    assert_int_equal(settings.count, 2);
    assert_string_equal(settings_get(&settings, SETTING_CAPABILITY, "multifd"),
                        "off");
    assert_string_equal(settings_get(&settings, SETTING_PARAMETER, "multifd"),
                        "4");
    assert_null(settings_get(&settings, SETTING_PARAMETER, "other"));
}

static void
a_default_gives_way_to_what_was_asked_for(void **state)
{
    static const struct setting events = { SETTING_CAPABILITY, true, "events",
                                           "on" };
    struct settings settings = { .count = 0 };

    (void)state;
    add(&settings, SETTING_CAPABILITY, "events=off");
    settings_default(&settings, &events);
    assert_string_equal(settings_get(&settings, SETTING_CAPABILITY, "events"),
                        "off");
    settings.count = 0;
    settings_default(&settings, &events);
    assert_string_equal(settings_get(&settings, SETTING_CAPABILITY, "events"),
                        "on");
}

static void
what_is_no_setting_is_refused(void **state)
{
    struct settings settings = { .count = 0 };
    char text[400];

    (void)state;
    assert_non_null(settings_parse(&settings, SETTING_CAPABILITY, "multifd"));
    assert_non_null(settings_parse(&settings, SETTING_CAPABILITY, "=on"));
    assert_non_null(settings_parse(&settings, SETTING_CAPABILITY, "a=maybe"));
    assert_non_null(settings_parse(&settings, SETTING_PARAMETER, "a"));
    memset(text, 'x', sizeof text);
    memcpy(text + 64, "=1", 3);
    assert_non_null(settings_parse(&settings, SETTING_PARAMETER, text));
    memcpy(text + 63, "=1", 3);
    assert_null(settings_parse(&settings, SETTING_PARAMETER, text));
    memset(text, 'x', sizeof text);
    text[1] = '=';
    text[2 + 256] = '\0';
    assert_non_null(settings_parse(&settings, SETTING_PARAMETER, text));
    text[2 + 255] = '\0';
    assert_null(settings_parse(&settings, SETTING_PARAMETER, text));
}

static void
there_is_room_for_64_settings(void **state)
{
    struct settings settings = { .count = 0 };
    char text[16];

    (void)state;
    for (int i = 0; i < SETTINGS_MAX; i++) {
        snprintf(text, sizeof text, "p%d=1", i);
        add(&settings, SETTING_PARAMETER, text);
    }
    assert_non_null(settings_parse(&settings, SETTING_PARAMETER, "more=1"));
    add(&settings, SETTING_PARAMETER, "p0=2");
}

static void
capabilities_become_a_list(void **state)
{
    struct settings settings = { .count = 0 };
    char why[SETTING_WHY_MAX];

    (void)state;
    add(&settings, SETTING_CAPABILITY, "events=on");
    add(&settings, SETTING_PARAMETER, "x=1");
    add(&settings, SETTING_CAPABILITY, "xbzrle=off");
    assert_json(settings_capabilities(&settings, NULL, why),
                "{\"capabilities\": [{\"capability\": \"events\", \"state\": "
                "true}, {\"capability\": \"xbzrle\", \"state\": false}]}");
}

static void
a_capability_that_this_qemu_lacks_is_named_unless_it_is_optional(void **state)
{
    static const struct setting multifd = { SETTING_CAPABILITY, true, "multifd",
                                            "off" };
    json_t *known =
        json_pack("[{s:s, s:b}]", "capability", "events", "state", 0);
    struct settings settings = { .count = 0 };
    char why[SETTING_WHY_MAX] = "";

    (void)state;
    add(&settings, SETTING_CAPABILITY, "events=on");
    settings_default(&settings, &multifd);
    assert_json(settings_capabilities(&settings, known, why),
                "{\"capabilities\": [{\"capability\": \"events\", \"state\": "
                "true}]}");
    add(&settings, SETTING_CAPABILITY, "nonsense=off");
    assert_null(settings_capabilities(&settings, known, why));
    assert_non_null(strstr(why, "'nonsense'"));
    json_decref(known);
}

static void
a_parameter_gets_the_type_that_it_has(void **state)
{
    json_t *current = json_loads("{\"number\": 1, \"real\": 1.5, \"flag\": "
                                 "true, \"text\": \"x\", \"none\": null}",
                                 0, NULL);
    struct settings settings = { .count = 0 };
    char why[SETTING_WHY_MAX];

    (void)state;
    add(&settings, SETTING_PARAMETER, "number=64M");
    add(&settings, SETTING_PARAMETER, "real=2");
    add(&settings, SETTING_PARAMETER, "flag=off");
    add(&settings, SETTING_PARAMETER, "text=1");
    add(&settings, SETTING_PARAMETER, "none=7");
    assert_json(settings_parameters(&settings, current, why),
                "{\"number\": 67108864, \"real\": 2, \"flag\": false, "
                "\"text\": \"1\", \"none\": 7}");
    json_decref(current);
}

static void
a_parameter_of_unknown_type_gets_the_one_it_looks_like(void **state)
{
    struct settings settings = { .count = 0 };
    char why[SETTING_WHY_MAX];

    (void)state;
    add(&settings, SETTING_PARAMETER, "a=12");
    add(&settings, SETTING_PARAMETER, "b=on");
    add(&settings, SETTING_PARAMETER, "c=zstd");
    add(&settings, SETTING_CAPABILITY, "d=on");
    add(&settings, SETTING_PARAMETER, "e=");
    assert_json(settings_parameters(&settings, NULL, why),
                "{\"a\": 12, \"b\": true, \"c\": \"zstd\", \"e\": \"\"}");
}

static void
assert_wrong_parameter(const char *text, const char *expected)
{
    json_t *current =
        json_pack("{s:i, s:b, s:s}", "number", 1, "flag", 1, "text", "x");
    struct settings settings = { .count = 0 };
    char why[SETTING_WHY_MAX] = "";

    add(&settings, SETTING_PARAMETER, text);
    assert_null(settings_parameters(&settings, current, why));
    if (strstr(why, expected) == NULL)
        fail_msg("%s: %s", text, why);
    json_decref(current);
}

static void
a_parameter_of_the_wrong_type_is_named(void **state)
{
    (void)state;
    assert_wrong_parameter("number=fast",
                           "'number': expected a number, not 'fast'");
    assert_wrong_parameter("flag=2", "'flag': expected on or off");
    assert_wrong_parameter("text=\xff", "'text': expected a text");
    assert_wrong_parameter("new=\xff", "'new': expected a text");
}

static void
what_was_set_is_looked_for_afterwards(void **state)
{
    json_t *set = json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability",
                            "multifd", "state", 1);
    json_t *good =
        json_pack("[{s:s, s:b}]", "capability", "multifd", "state", 1);
    json_t *bad =
        json_pack("[{s:s, s:b}]", "capability", "multifd", "state", 0);
    json_t *none = json_array();
    char why[SETTING_WHY_MAX] = "";

    (void)state;
    assert_true(settings_confirm_capabilities(set, good, why));
    assert_true(settings_confirm_capabilities(set, none, why));
    assert_true(settings_confirm_capabilities(set, NULL, why));
    assert_false(settings_confirm_capabilities(set, bad, why));
    assert_non_null(strstr(why, "'multifd'"));
    json_decref(set);
    json_decref(good);
    json_decref(bad);
    json_decref(none);
}

static void
a_parameter_that_has_not_changed_is_named(void **state)
{
    json_t *set = json_pack("{s:i, s:s}", "a", 4, "b", "zstd");
    json_t *same = json_pack("{s:f, s:s, s:i}", "a", 4.0, "b", "zstd", "c", 1);
    json_t *part = json_pack("{s:s}", "b", "zstd");
    json_t *number = json_pack("{s:i}", "a", 2);
    json_t *huge = json_pack("{s:f}", "a", 1e19);
    json_t *text = json_pack("{s:s}", "b", "none");
    char why[SETTING_WHY_MAX] = "";

    (void)state;
    assert_true(settings_confirm_parameters(set, same, why));
    assert_true(settings_confirm_parameters(set, part, why));
    assert_false(settings_confirm_parameters(set, number, why));
    assert_non_null(strstr(why, "'a'"));
    assert_false(settings_confirm_parameters(set, huge, why));
    assert_false(settings_confirm_parameters(set, text, why));
    assert_non_null(strstr(why, "'b'"));
    json_decref(set);
    json_decref(same);
    json_decref(part);
    json_decref(number);
    json_decref(huge);
    json_decref(text);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_word_on_a_name_counts),
        cmocka_unit_test(a_default_gives_way_to_what_was_asked_for),
        cmocka_unit_test(what_is_no_setting_is_refused),
        cmocka_unit_test(there_is_room_for_64_settings),
        cmocka_unit_test(capabilities_become_a_list),
        cmocka_unit_test(
            a_capability_that_this_qemu_lacks_is_named_unless_it_is_optional),
        cmocka_unit_test(a_parameter_gets_the_type_that_it_has),
        cmocka_unit_test(
            a_parameter_of_unknown_type_gets_the_one_it_looks_like),
        cmocka_unit_test(a_parameter_of_the_wrong_type_is_named),
        cmocka_unit_test(what_was_set_is_looked_for_afterwards),
        cmocka_unit_test(a_parameter_that_has_not_changed_is_named),
    };

    return RUN_TESTS(tests);
}
