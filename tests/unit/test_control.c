/* The messages of channel 0. */
#include "wire/control.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

static enum reason
parse(struct control_message *message, const char *text)
{
    return control_parse(message, text, strlen(text));
}

static void
assert_bad(const char *text)
{
    struct control_message message;

    if (parse(&message, text) != REASON_BAD_CONTROL)
        fail_msg("taken: %s", text);
}

static void
what_is_written_can_be_read(void **state)
{
    static const struct control_message messages[] = {
        { .type = CONTROL_WAITING },
        { .type = CONTROL_READY },
        { .type = CONTROL_END, .reason = REASON_NONE },
        { .type = CONTROL_END, .reason = REASON_CANCELLED },
        { .type = CONTROL_END, .reason = REASON_BAD_CONTROL },
        { .type = CONTROL_OTHER },
        { .type = CONTROL_HELPER, .attached = true },
        { .type = CONTROL_HELPER, .attached = false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        char *text = control_text(&messages[i]);
        struct control_message read;

        assert_non_null(text);
        assert_int_equal(parse(&read, text), REASON_NONE);
        assert_int_equal(read.type, messages[i].type);
        assert_int_equal(read.reason, messages[i].reason);
        assert_int_equal(read.attached, messages[i].attached);
        assert_null(read.message);
        control_message_fini(&read);
        free(text);
    }
}

static void
a_message_between_helpers_passes_as_it_is(void **state)
{
    static const char text[] =
        "{\"type\":\"message\",\"message\":{\"b\":[1,null,\"\xc3\xbc\"],"
        "\"a\":{}}}\n";
    struct control_message message;
    char *again;

    (void)state;
    assert_int_equal(parse(&message, text), REASON_NONE);
    assert_int_equal(message.type, CONTROL_MESSAGE);
    assert_int_equal(json_object_size(message.message), 2);
    again = control_text(&message);
    assert_string_equal(again, text);
    free(again);
    control_message_fini(&message);
    assert_null(message.message);
    control_message_fini(&message);
}

static void
what_helpers_say_has_its_members(void **state)
{
    (void)state;
    assert_bad("{\"type\":\"helper\"}");
    assert_bad("{\"type\":\"helper\",\"attached\":1}");
    assert_bad("{\"type\":\"helper\",\"attached\":null}");
    assert_bad("{\"type\":\"helper\",\"attached\":\"true\"}");
    assert_bad("{\"type\":\"message\"}");
    assert_bad("{\"type\":\"message\",\"message\":null}");
    assert_bad("{\"type\":\"message\",\"message\":[]}");
    assert_bad("{\"type\":\"message\",\"message\":\"{}\"}");
}

/* ${length} bytes of a message, as text. */
static struct control_message
message_of(size_t length)
{
    struct control_message message = { .type = CONTROL_MESSAGE,
                                       .message = json_object() };
    char *filler = malloc(length);

    memset(filler, 'x', length);
    json_object_set_new(message.message, "x",
                        json_stringn(filler, length - strlen("{\"x\":\"\"}")));
    free(filler);
    return message;
}

static void
a_message_is_no_longer_than_a_line_may_be(void **state)
{
    enum { AROUND = sizeof "{\"type\":\"message\",\"message\":}" - 1 };

    (void)state;
    for (size_t over = 0; over < 3; over++) {
        struct control_message message =
            message_of(CONTROL_LINE_MAX - AROUND - 1 + over);
        char *text = control_text(&message);

        if (over < 2)
            assert_int_equal(strlen(text), CONTROL_LINE_MAX + over);
        else
            assert_null(text);
        free(text);
        control_message_fini(&message);
    }
}

/* Its reader refuses them, too, so they are not said. */
static void
a_message_that_is_no_json_is_not_said(void **state)
{
    const struct control_message message = { .type = CONTROL_MESSAGE,
                                             .message = NULL };

    (void)state;
    assert_null(control_text(&message));
}

static void
a_message_is_one_line(void **state)
{
    (void)state;
    for (int reason = 0; reason <= REASON_BAD_CONTROL; reason++) {
        const struct control_message message = { .type = CONTROL_END,
                                                 .reason =
                                                     (enum reason)reason };
        char *text = control_text(&message);

        assert_non_null(text);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        free(text);
    }
}

static void
an_end_says_its_reason_in_words_too(void **state)
{
    const struct control_message message = { .type = CONTROL_END,
                                             .reason = REASON_CANCELLED };
    char *text = control_text(&message);

    (void)state;
    assert_string_equal(text, "{\"type\":\"end\",\"reason\":16,"
                              "\"text\":\"cancelled by source\"}\n");
    free(text);
}

static void
what_is_not_known_is_left_to_later_versions(void **state)
{
    struct control_message message;

    (void)state;
    assert_int_equal(parse(&message, "{\"type\":\"from the future\"}"),
                     REASON_NONE);
    assert_int_equal(message.type, CONTROL_OTHER);
    assert_int_equal(parse(&message, "{\"type\":\"ready\",\"more\":[1,{}]}"),
                     REASON_NONE);
    assert_int_equal(message.type, CONTROL_READY);
    assert_int_equal(parse(&message, "{\"type\":\"READY\"}"), REASON_NONE);
    assert_int_equal(message.type, CONTROL_OTHER);
    assert_int_equal(parse(&message, "{\"type\":\"\"}"), REASON_NONE);
    assert_int_equal(message.type, CONTROL_OTHER);
}

static void
a_reason_that_is_not_known_is_a_protocol_error(void **state)
{
    static const struct {
        int number;
        enum reason reason;
    } cases[] = { { 0, REASON_NONE },      { 16, REASON_CANCELLED },
                  { 10, REASON_PROTOCOL }, { 15, REASON_PROTOCOL },
                  { 42, REASON_PROTOCOL }, { UINT16_MAX, REASON_PROTOCOL } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct control_message message;
        char text[64];

        snprintf(text, sizeof text, "{\"type\":\"end\",\"reason\":%d}",
                 cases[i].number);
        assert_int_equal(parse(&message, text), REASON_NONE);
        assert_int_equal(message.type, CONTROL_END);
        assert_int_equal(message.reason, cases[i].reason);
    }
}

static void
an_end_needs_a_reason_that_can_be_one(void **state)
{
    (void)state;
    assert_bad("{\"type\":\"end\"}");
    assert_bad("{\"type\":\"end\",\"reason\":-1}");
    assert_bad("{\"type\":\"end\",\"reason\":65536}");
    assert_bad("{\"type\":\"end\",\"reason\":1e3}");
    assert_bad("{\"type\":\"end\",\"reason\":\"16\"}");
    assert_bad("{\"type\":\"end\",\"reason\":null}");
    assert_bad("{\"type\":\"end\",\"reason\":true}");
    assert_bad("{\"type\":\"end\",\"reason\":[0]}");
    assert_bad("{\"type\":\"end\",\"reason\":99999999999999999999}");
}

static void
what_is_no_object_with_a_type_is_no_message(void **state)
{
    (void)state;
    assert_bad("");
    assert_bad(" ");
    assert_bad("x");
    assert_bad("{");
    assert_bad("{}");
    assert_bad("{}{}");
    assert_bad("[]");
    assert_bad("\"ready\"");
    assert_bad("17");
    assert_bad("null");
    assert_bad("[\"type\",\"ready\"]");
    assert_bad("{\"type\":1}");
    assert_bad("{\"type\":null}");
    assert_bad("{\"type\":[\"ready\"]}");
    assert_bad("{\"Type\":\"ready\"}");
    assert_bad("{\"type\":\"ready\"} x");
    assert_bad("{\"type\":\"ready\",\"type\":\"ready\"}");
    assert_bad("{\"type\":\"\xff\"}");
    assert_bad("GET / HTTP/1.0");
}

static void
a_type_with_a_nul_in_it_is_not_taken_for_another(void **state)
{
    struct control_message message = { .type = CONTROL_READY };

    (void)state;
    assert_int_equal(parse(&message, "{\"type\":\"end\\u0000\",\"reason\":0}"),
                     REASON_BAD_CONTROL);
}

static void
the_length_is_what_counts_and_not_a_nul(void **state)
{
    static const char text[] = "{\"type\":\"ready\"}{";
    struct control_message message;

    (void)state;
    assert_int_equal(control_parse(&message, text, sizeof text - 2),
                     REASON_NONE);
    assert_int_equal(control_parse(&message, text, sizeof text - 1),
                     REASON_BAD_CONTROL);
    assert_int_equal(control_parse(&message, text, sizeof text - 3),
                     REASON_BAD_CONTROL);
    assert_int_equal(control_parse(&message, text, 0), REASON_BAD_CONTROL);
}

/* As deep as a line has room for. */
static void
deep_nesting_does_no_harm(void **state)
{
    char *text = malloc(CONTROL_LINE_MAX);
    struct control_message message;

    (void)state;
    memset(text, '[', CONTROL_LINE_MAX);
    assert_int_equal(control_parse(&message, text, CONTROL_LINE_MAX),
                     REASON_BAD_CONTROL);
    free(text);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(a_message_between_helpers_passes_as_it_is),
        cmocka_unit_test(what_helpers_say_has_its_members),
        cmocka_unit_test(a_message_is_no_longer_than_a_line_may_be),
        cmocka_unit_test(a_message_that_is_no_json_is_not_said),
        cmocka_unit_test(an_end_says_its_reason_in_words_too),
        cmocka_unit_test(what_is_not_known_is_left_to_later_versions),
        cmocka_unit_test(a_reason_that_is_not_known_is_a_protocol_error),
        cmocka_unit_test(an_end_needs_a_reason_that_can_be_one),
        cmocka_unit_test(what_is_no_object_with_a_type_is_no_message),
        cmocka_unit_test(a_type_with_a_nul_in_it_is_not_taken_for_another),
        cmocka_unit_test(the_length_is_what_counts_and_not_a_nul),
        cmocka_unit_test(deep_nesting_does_no_harm),
    };

    return RUN_TESTS(tests);
}
