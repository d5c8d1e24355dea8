/* What mig-send and mig-recv say to each other. */
#include "wire/partner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

static enum reason
parse(struct partner_message *message, const char *text)
{
    return partner_parse(message, text, strlen(text));
}

static void
assert_bad(const char *text)
{
    struct partner_message message;

    if (parse(&message, text) != REASON_BAD_CONTROL)
        fail_msg("taken: %s", text);
    assert_null(message.capabilities);
    assert_null(message.parameters);
    assert_null(message.body);
}

/* ${text} is taken, and said again just so. */
static void
assert_same(const char *text)
{
    struct partner_message message;
    char *again;

    if (parse(&message, text) != REASON_NONE)
        fail_msg("not taken: %s", text);
    again = partner_text(&message);
    assert_non_null(again);
    assert_string_equal(again, text);
    free(again);
    partner_fini(&message);
}

static void
each_message_is_said_as_it_was_read(void **state)
{
    (void)state;
    assert_same("{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send\","
                "\"program-version\":\"0.1.0\"}");
    assert_same("{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send\","
                "\"program-version\":\"0.1.0\","
                "\"command\":\"mig-send --qmp /run/vm1.qmp\"}");
    assert_same("{\"type\":\"facts\",\"facts\":{\"memory\":1,\"nics\":[{}]}}");
    assert_same("{\"type\":\"plan\",\"capabilities\":{\"multifd\":true},"
                "\"parameters\":{\"multifd-channels\":4,\"tls-creds\":\"\"},"
                "\"run\":false}");
    assert_same("{\"type\":\"refused\",\"why\":\"no multifd\"}");
    assert_same("{\"type\":\"progress\",\"progress\":{}}");
    assert_same("{\"type\":\"given\",\"how\":\"precopy\",\"run\":true}");
    assert_same("{\"type\":\"given\",\"how\":\"postcopy\"}");
    assert_same("{\"type\":\"kept\",\"running\":true,\"why\":\"cancelled\"}");
    assert_same("{\"type\":\"failed\",\"why\":\"Size mismatch: pc.ram\"}");
}

static void
a_statement_without_members_is_just_its_name(void **state)
{
    static const enum partner_type types[] = {
        PARTNER_PREPARED,  PARTNER_ARRIVED,       PARTNER_RUNNING,
        PARTNER_DISCARDED, PARTNER_GONE,          PARTNER_TAKE_BACK,
        PARTNER_CANCEL,    PARTNER_RELEASE_ASKED, PARTNER_BYE,
        PARTNER_LISTENING
    };

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[80];

        snprintf(text, sizeof text, "{\"type\":\"%s\"}",
                 partner_type_name(types[i]));
        assert_same(text);
    }
}

static void
what_is_not_known_is_left_to_later_versions(void **state)
{
    struct partner_message message;

    (void)state;
    assert_int_equal(parse(&message, "{\"type\":\"teleport\",\"why\":[[]]}"),
                     REASON_NONE);
    assert_int_equal(message.type, PARTNER_OTHER);
    assert_int_equal(parse(&message, "{\"type\":\"bye\",\"more\":{\"a\":1}}"),
                     REASON_NONE);
    assert_int_equal(message.type, PARTNER_BYE);
    partner_fini(&message);
}

static void
what_may_be_missing_may_be_missing(void **state)
{
    struct partner_message message;

    (void)state;
    assert_int_equal(parse(&message, "{\"type\":\"failed\"}"), REASON_NONE);
    assert_string_equal(message.why, "");
    assert_int_equal(
        parse(&message, "{\"type\":\"given\",\"how\":\"precopy\"}"),
        REASON_NONE);
    assert_int_equal(message.run, RUN_UNKNOWN);
    assert_int_equal(parse(&message, "{\"type\":\"hello\",\"version\":7}"),
                     REASON_NONE);
    assert_int_equal(message.version, 7);
    assert_string_equal(message.program, "");
}

static void
what_is_no_object_with_a_type_is_no_message(void **state)
{
    (void)state;
    assert_bad("");
    assert_bad("{");
    assert_bad("{}");
    assert_bad("[]");
    assert_bad("\"bye\"");
    assert_bad("{\"type\":1}");
    assert_bad("{\"type\":\"bye\"}x");
    assert_bad("{\"type\":\"bye\",\"type\":\"bye\"}");
    assert_bad("{\"type\":\"facts\",\"facts\":{\"a\":1,\"a\":2}}");
    assert_bad("{\"type\":\"bye\\u0000\"}");
    assert_bad("{\"type\":\"\xff\"}");
}

static void
a_member_of_another_kind_is_refused(void **state)
{
    (void)state;
    assert_bad("{\"type\":\"hello\"}");
    assert_bad("{\"type\":\"hello\",\"version\":0}");
    assert_bad("{\"type\":\"hello\",\"version\":65536}");
    assert_bad("{\"type\":\"hello\",\"version\":\"1\"}");
    assert_bad("{\"type\":\"hello\",\"version\":1,\"program\":{}}");
    assert_bad("{\"type\":\"facts\"}");
    assert_bad("{\"type\":\"facts\",\"facts\":[]}");
    assert_bad("{\"type\":\"progress\",\"facts\":{}}");
    assert_bad("{\"type\":\"given\"}");
    assert_bad("{\"type\":\"given\",\"how\":\"by hand\"}");
    assert_bad("{\"type\":\"given\",\"how\":\"precopy\",\"run\":1}");
    assert_bad("{\"type\":\"kept\"}");
    assert_bad("{\"type\":\"kept\",\"running\":null}");
    assert_bad("{\"type\":\"kept\",\"running\":true,\"why\":1}");
    assert_bad("{\"type\":\"failed\",\"why\":[]}");
    assert_bad("{\"type\":\"refused\",\"why\":null}");
}

static void
a_plan_has_names_and_values_that_qemu_can_have(void **state)
{
    (void)state;
    assert_bad("{\"type\":\"plan\",\"capabilities\":{}}");
    assert_bad("{\"type\":\"plan\",\"parameters\":{}}");
    assert_bad("{\"type\":\"plan\",\"capabilities\":{\"a\":1},"
               "\"parameters\":{}}");
    assert_bad("{\"type\":\"plan\",\"capabilities\":{},"
               "\"parameters\":{\"a\":[]}}");
    assert_bad("{\"type\":\"plan\",\"capabilities\":{},"
               "\"parameters\":{\"a\":null}}");
    assert_bad("{\"type\":\"plan\",\"capabilities\":{\"a b\":true},"
               "\"parameters\":{}}");
    assert_bad("{\"type\":\"plan\",\"capabilities\":{\"\":true},"
               "\"parameters\":{}}");
    assert_bad("{\"type\":\"plan\",\"capabilities\":{},\"parameters\":{},"
               "\"run\":\"yes\"}");
}

static struct partner_message
plan_of(int settings, const char *name, const char *value)
{
    struct partner_message plan = { .type = PARTNER_PLAN,
                                    .capabilities = json_object(),
                                    .parameters = json_object() };
    char number[16];

    for (int i = 0; i < settings; i++) {
        snprintf(number, sizeof number, "c%d", i);
        json_object_set_new(plan.capabilities, number, json_true());
    }
    json_object_set_new(plan.parameters, name, json_string(value));
    return plan;
}

static enum reason
passes(struct partner_message plan)
{
    struct partner_message read;
    char *text = partner_text(&plan);
    enum reason reason;

    assert_non_null(text);
    reason = parse(&read, text);
    if (reason == REASON_NONE)
        partner_fini(&read);
    free(text);
    partner_fini(&plan);
    return reason;
}

static void
a_plan_is_bounded(void **state)
{
    char value[PARTNER_VALUE_MAX + 2], name[PARTNER_NAME_MAX + 2];

    (void)state;
    memset(value, 'v', sizeof value);
    memset(name, 'n', sizeof name);
    value[sizeof value - 1] = name[sizeof name - 1] = '\0';
    assert_int_equal(passes(plan_of(PARTNER_SETTINGS_MAX, "a", "")),
                     REASON_NONE);
    assert_int_equal(passes(plan_of(PARTNER_SETTINGS_MAX + 1, "a", "")),
                     REASON_BAD_CONTROL);
    assert_int_equal(passes(plan_of(0, "a", value + 1)), REASON_NONE);
    assert_int_equal(passes(plan_of(0, "a", value)), REASON_BAD_CONTROL);
    assert_int_equal(passes(plan_of(0, name + 1, "")), REASON_NONE);
    assert_int_equal(passes(plan_of(0, name, "")), REASON_BAD_CONTROL);
}

static void
a_long_text_is_cut(void **state)
{
    struct partner_message failed;
    char text[PARTNER_WHY_MAX + 100];
    int length;

    (void)state;
    for (int more = -1; more <= 1; more++) {
        int whole = PARTNER_WHY_MAX - 1 + more;

        length = snprintf(text, sizeof text,
                          "{\"type\":\"failed\",\"why\":\"%0*d\"}", whole, 0);
        assert_int_equal(partner_parse(&failed, text, (size_t)length),
                         REASON_NONE);
        assert_int_equal(strlen(failed.why),
                         whole < PARTNER_WHY_MAX ? whole : PARTNER_WHY_MAX - 1);
    }
}

static void
a_text_can_do_nothing_to_a_terminal(void **state)
{
    struct partner_message message;

    (void)state;
    assert_int_equal(
        parse(&message, "{\"type\":\"failed\",\"why\":\"a\\u001b[2J\\n\\u007f"
                        "\\u0085\\u2028\\u202e\\u2066\\u200f\xc3\xa4\xe2\x82"
                        "\xac\"}"),
        REASON_NONE);
    assert_string_equal(message.why, "a?[2J????"
                                     "????????????"
                                     "\xc3\xa4\xe2\x82\xac");
    assert_int_equal(parse(&message, "{\"type\":\"facts\",\"facts\":{\"a\":"
                                     "[{\"b\":\"\\u001b]0;x\\u0007\"}]}}"),
                     REASON_NONE);
    assert_string_equal(
        json_string_value(json_object_get(
            json_array_get(json_object_get(message.body, "a"), 0), "b")),
        "?]0;x?");
    partner_fini(&message);
    assert_bad("{\"type\":\"facts\",\"facts\":{\"a\\u001b\":1}}");
    assert_bad("{\"type\":\"facts\",\"facts\":{\"a\":[{\"\\u202e\":1}]}}");
}

static void
nesting_is_bounded(void **state)
{
    char text[200];

    (void)state;
    for (int more = 0; more < 2; more++) {
        int depth = PARTNER_DEPTH_MAX - 1 + more;
        struct partner_message message;
        char inner[2 * PARTNER_DEPTH_MAX + 1];

        memset(inner, '[', (size_t)depth);
        memset(inner + depth, ']', (size_t)depth);
        inner[2 * depth] = '\0';
        snprintf(text, sizeof text, "{\"type\":\"facts\",\"facts\":{\"a\":%s}}",
                 inner);
        if (more == 0) {
            assert_int_equal(parse(&message, text), REASON_NONE);
            partner_fini(&message);
        } else {
            assert_bad(text);
        }
    }
}

/* A progress message whose text has ${length} bytes. */
static char *
progress_of(size_t length)
{
    static const char head[] = "{\"type\":\"progress\",\"progress\":{\"a\":\"";
    static const char tail[] = "\"}}";
    char *text = malloc(length + 1);

    memset(text, 'x', length);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + length + 1 - sizeof tail, tail, sizeof tail);
    return text;
}

static void
a_message_fits_into_a_control_message(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        char *text = progress_of((size_t)(PARTNER_TEXT_MAX + more));

        if (more <= 0)
            assert_same(text);
        else
            assert_bad(text);
        free(text);
    }
}

static void
what_is_too_long_is_not_said(void **state)
{
    struct partner_message message = { .type = PARTNER_PROGRESS };
    char *text = progress_of(PARTNER_TEXT_MAX + 1);
    json_t *root = json_loads(text, 0, NULL);

    (void)state;
    message.body = json_incref(json_object_get(root, "progress"));
    assert_null(partner_text(&message));
    partner_fini(&message);
    assert_null(partner_text(&message)); /* nor what is missing */
    json_decref(root);
    free(text);
}

static void
an_object_is_taken_and_left_as_it_is(void **state)
{
    json_t *object =
        json_pack("{s:s, s:{s:s}}", "type", "facts", "facts", "name", "a\033");
    json_t *copy = json_deep_copy(object);
    struct partner_message message;

    (void)state;
    assert_int_equal(partner_take(&message, object), REASON_NONE);
    assert_true(json_equal(object, copy));
    assert_string_equal(
        json_string_value(json_object_get(message.body, "name")), "a?");
    partner_fini(&message);
    json_decref(object);
    json_decref(copy);
    assert_int_equal(partner_take(&message, NULL), REASON_BAD_CONTROL);
}

static void
a_text_that_is_no_utf8_is_not_said(void **state)
{
    const struct partner_message message = { .type = PARTNER_FAILED,
                                             .why = "\xff" };

    (void)state;
    assert_null(partner_text(&message));
}

/* A person will paste it into a shell. */
static void
command_that_a_shell_would_understand_otherwise_is_left_out(void **state)
{
    static const char *const commands[] = {
        "mig-recv",
        "mig-send --qmp /q; rm -rf /",
        "mig-send --qmp $(id)",
        "mig-send --qmp `id`",
        "mig-send --qmp /q | sh",
        "mig-send --qmp /q > /etc/passwd",
        "mig-send --qmp '/q'",
        "mig-send --qmp \\\"/q\\\"",
        "mig-send --qmp /q\\nid",
        "mig-sender --qmp /q",
        "true",
        "",
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct partner_message message;

        snprintf(text, sizeof text,
                 "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send\","
                 "\"command\":\"%s\"}",
                 commands[i]);
        assert_int_equal(parse(&message, text), REASON_NONE);
        if (message.command[0] != '\0')
            fail_msg("taken: %s", message.command);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_is_said_as_it_was_read),
        cmocka_unit_test(
            command_that_a_shell_would_understand_otherwise_is_left_out),
        cmocka_unit_test(a_statement_without_members_is_just_its_name),
        cmocka_unit_test(what_is_not_known_is_left_to_later_versions),
        cmocka_unit_test(what_may_be_missing_may_be_missing),
        cmocka_unit_test(what_is_no_object_with_a_type_is_no_message),
        cmocka_unit_test(a_member_of_another_kind_is_refused),
        cmocka_unit_test(a_plan_has_names_and_values_that_qemu_can_have),
        cmocka_unit_test(a_plan_is_bounded),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_text_can_do_nothing_to_a_terminal),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_message_fits_into_a_control_message),
        cmocka_unit_test(what_is_too_long_is_not_said),
        cmocka_unit_test(an_object_is_taken_and_left_as_it_is),
        cmocka_unit_test(a_text_that_is_no_utf8_is_not_said),
    };

    return RUN_TESTS(tests);
}
