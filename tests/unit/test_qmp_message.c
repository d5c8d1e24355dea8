/* What QEMU says on its QMP socket, and what it is told. */
#include "wire/qmp_message.h"

#include <stdlib.h>
#include <string.h>

#include "support_test.h"

static void
parse(struct qmp_message *message, const char *text)
{
    const char *why = qmp_message_parse(message, text, strlen(text));

    if (why != NULL)
        fail_msg("%s: %s", text, why);
}

static void
a_greeting_tells_the_version(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message,
          "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, "
          "\"major\": 7}, \"package\": \"Debian\"}, \"capabilities\": "
          "[\"oob\"]}}");
    assert_int_equal(message.kind, QMP_GREETING);
    assert_int_equal(message.version.major, 7);
    assert_int_equal(message.version.minor, 2);
    assert_int_equal(message.version.micro, 22);
    qmp_message_fini(&message);
}

static void
a_greeting_without_a_sane_version_is_one_too(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"QMP\": 1}");
    assert_int_equal(message.kind, QMP_GREETING);
    assert_int_equal(message.version.major, 0);
    qmp_message_fini(&message);
    parse(&message, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 1e300, "
                    "\"minor\": -1, \"micro\": \"x\"}}}}");
    assert_int_equal(message.version.major, 0);
    assert_int_equal(message.version.minor, 0);
    assert_int_equal(message.version.micro, 0);
    qmp_message_fini(&message);
}

static void
a_reply_has_its_value_and_its_id(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"return\": {\"a\": 1}, \"id\": \"mig-3\"}");
    assert_int_equal(message.kind, QMP_RETURN);
    assert_string_equal(message.id, "mig-3");
    assert_int_equal(json_integer_value(json_object_get(message.data, "a")), 1);
    qmp_message_fini(&message);
}

static void
an_id_that_is_no_text_is_not_ours(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"return\": {}, \"id\": 3}");
    assert_null(message.id);
    qmp_message_fini(&message);
    parse(&message, "{\"return\": {}}");
    assert_null(message.id);
    qmp_message_fini(&message);
}

static void
an_error_has_class_and_text(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"id\": \"1\", \"error\": {\"class\": "
                    "\"CommandNotFound\", \"desc\": \"no such thing\"}}");
    assert_int_equal(message.kind, QMP_ERROR);
    assert_string_equal(message.id, "1");
    assert_string_equal(message.error_class, "CommandNotFound");
    assert_string_equal(message.error_desc, "no such thing");
    qmp_message_fini(&message);
}

static void
an_error_without_words_still_has_some(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"error\": {\"class\": 7}}");
    assert_string_equal(message.error_class, "GenericError");
    assert_string_equal(message.error_desc, "no reason given");
    qmp_message_fini(&message);
    parse(&message, "{\"error\": null}");
    assert_string_equal(message.error_class, "GenericError");
    qmp_message_fini(&message);
}

static void
an_event_has_a_name_and_maybe_data(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"timestamp\": {\"seconds\": 1}, \"event\": "
                    "\"MIGRATION\", \"data\": {\"status\": \"active\"}}");
    assert_int_equal(message.kind, QMP_EVENT);
    assert_string_equal(message.event, "MIGRATION");
    assert_non_null(message.data);
    qmp_message_fini(&message);
    parse(&message, "{\"event\": \"STOP\"}");
    assert_null(message.data);
    qmp_message_fini(&message);
}

static void
a_number_above_63_bits_does_not_lose_the_message(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"id\": \"1\", \"return\": {\"max\": "
                    "18446744073709551615, \"small\": 2}}");
    assert_true(json_is_real(json_object_get(message.data, "max")));
    assert_true(json_number_value(json_object_get(message.data, "small")) == 2);
    qmp_message_fini(&message);
}

static void
a_nul_in_a_text_does_not_lose_the_message(void **state)
{
    struct qmp_message message;

    (void)state;
    parse(&message, "{\"return\": \"a\\u0000b\"}");
    assert_int_equal(message.kind, QMP_RETURN);
    qmp_message_fini(&message);
}

static void
what_is_no_message_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "{",
        "null",
        "7",
        "[1,2]",
        "{}",
        "{\"event\":7}",
        "{\"id\":\"1\"}",
        "{\"a\":1e999}",
    };
    struct qmp_message message;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(
            qmp_message_parse(&message, wrong[i], strlen(wrong[i])));
}

static void
a_command_is_one_line(void **state)
{
    json_t *arguments = json_pack("{s:s}", "uri", "unix:/a\nb");
    char *text = qmp_command_text("migrate", arguments, "mig-1");
    json_t *back;

    (void)state;
    assert_non_null(text);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    back = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(back, "execute")),
                        "migrate");
    assert_string_equal(json_string_value(json_object_get(back, "id")),
                        "mig-1");
    assert_true(json_equal(json_object_get(back, "arguments"), arguments));
    json_decref(back);
    json_decref(arguments);
    free(text);
}

static void
a_command_without_arguments_has_none(void **state)
{
    char *text = qmp_command_text("query-status", NULL, "1");

    (void)state;
    assert_string_equal(text, "{\"execute\":\"query-status\",\"id\":\"1\"}\n");
    free(text);
}

static void
a_command_that_is_no_utf_8_is_none(void **state)
{
    (void)state;
    assert_null(qmp_command_text("\xff", NULL, "1"));
}

static void
a_text_is_cut_between_characters(void **state)
{
    char buf[4];

    (void)state;
    json_text_copy(buf, sizeof buf, "abc");
    assert_string_equal(buf, "abc");
    json_text_copy(buf, sizeof buf, "abcd");
    assert_string_equal(buf, "abc");
    json_text_copy(buf, sizeof buf, "ab\xc3\xa9");
    assert_string_equal(buf, "ab");
    json_text_copy(buf, sizeof buf, "\xf0\x9f\x98\x80");
    assert_string_equal(buf, "");
    json_text_copy(buf, 1, "abc");
    assert_string_equal(buf, "");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_tells_the_version),
        cmocka_unit_test(a_greeting_without_a_sane_version_is_one_too),
        cmocka_unit_test(a_reply_has_its_value_and_its_id),
        cmocka_unit_test(an_id_that_is_no_text_is_not_ours),
        cmocka_unit_test(an_error_has_class_and_text),
        cmocka_unit_test(an_error_without_words_still_has_some),
        cmocka_unit_test(an_event_has_a_name_and_maybe_data),
        cmocka_unit_test(a_number_above_63_bits_does_not_lose_the_message),
        cmocka_unit_test(a_nul_in_a_text_does_not_lose_the_message),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_command_is_one_line),
        cmocka_unit_test(a_command_without_arguments_has_none),
        cmocka_unit_test(a_command_that_is_no_utf_8_is_none),
        cmocka_unit_test(a_text_is_cut_between_characters),
    };

    return RUN_TESTS(tests);
}
