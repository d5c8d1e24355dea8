/* The lines between a helper and the tunnel. */
#include "wire/control_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

#define VIEW "\"session\":\"3f2a1b2c\",\"state\":\"ready\",\"partner\":true"

static struct helper_line
helper(const char *text)
{
    struct helper_line line;

    if (helper_line_parse(&line, text, strlen(text)) != REASON_NONE)
        fail_msg("refused: %s", text);
    return line;
}

static struct tunnel_line
tunnel(const char *text)
{
    struct tunnel_line line;

    if (tunnel_line_parse(&line, text, strlen(text)) != REASON_NONE)
        fail_msg("refused: %s", text);
    return line;
}

static void
assert_bad_helper(const char *text)
{
    struct helper_line line;

    if (helper_line_parse(&line, text, strlen(text)) != REASON_BAD_CONTROL)
        fail_msg("taken: %s", text);
}

static void
assert_bad_tunnel(const char *text)
{
    struct tunnel_line line;

    if (tunnel_line_parse(&line, text, strlen(text)) != REASON_BAD_CONTROL)
        fail_msg("taken: %s", text);
}

static void
assert_helper_says(const struct helper_line *line, const char *expected)
{
    char *text = helper_line_text(line);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void
assert_tunnel_says(const struct tunnel_line *line, const char *expected)
{
    char *text = tunnel_line_text(line);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void
a_helper_says_who_it_is(void **state)
{
    static const char driver[] =
        "{\"type\":\"hello\",\"version\":1,\"program\":"
        "\"mig-send 0.1.0\",\"role\":\"driver\"}\n";
    static const char observer[] =
        "{\"type\":\"hello\",\"version\":1,\"program\":"
        "\"mig-recv 0.1.0\",\"role\":\"observer\"}\n";
    struct helper_line line = helper(driver);

    (void)state;
    assert_int_equal(line.type, LINE_HELLO);
    assert_int_equal(line.version, 1);
    assert_int_equal(line.role, HELPER_DRIVER);
    assert_string_equal(line.program, "mig-send 0.1.0");
    assert_helper_says(&line, driver);
    line = helper(observer);
    assert_int_equal(line.role, HELPER_OBSERVER);
    assert_helper_says(&line, observer);
}

static void
a_hello_of_another_version_is_only_that(void **state)
{
    struct helper_line line = helper("{\"type\":\"hello\",\"version\":2}");
    struct tunnel_line answer = tunnel("{\"type\":\"hello\",\"version\":65535,"
                                       "\"program\":7,\"state\":null}");

    (void)state;
    assert_int_equal(line.type, LINE_HELLO);
    assert_int_equal(line.version, 2);
    assert_int_equal(answer.type, LINE_HELLO);
    assert_int_equal(answer.version, 65535);
}

static void
a_hello_without_its_members_is_refused(void **state)
{
    (void)state;
    assert_bad_helper("{\"type\":\"hello\"}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":0}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":-1}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":65536}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":1.0}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":\"1\"}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":1,\"program\":\"x\"}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":1,\"role\":\"driver\"}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":1,\"program\":\"x\","
                      "\"role\":\"judge\"}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":1,\"program\":\"x\","
                      "\"role\":1}");
    assert_bad_helper("{\"type\":\"hello\",\"version\":1,\"program\":null,"
                      "\"role\":\"driver\"}");
    assert_bad_tunnel("{\"type\":\"hello\"," VIEW ",\"program\":\"x\"}");
    assert_bad_tunnel("{\"type\":\"hello\",\"version\":1," VIEW "}");
    assert_bad_tunnel("{\"type\":\"hello\",\"version\":1,\"program\":\"x\"}");
}

static void
a_program_has_64_bytes_at_most(void **state)
{
    struct helper_line line;
    char name[CONTROL_PROGRAM_MAX + 2], text[256];

    (void)state;
    for (int over = 0; over < 2; over++) {
        size_t length = (size_t)CONTROL_PROGRAM_MAX + (size_t)over;
        enum reason reason;

        memset(name, 'x', length);
        name[length] = '\0';
        snprintf(text, sizeof text,
                 "{\"type\":\"hello\",\"version\":1,\"role\":\"driver\","
                 "\"program\":\"%s\"}",
                 name);
        reason = helper_line_parse(&line, text, strlen(text));
        assert_int_equal(reason, over ? REASON_BAD_CONTROL : REASON_NONE);
    }
}

static void
requests_are_three(void **state)
{
    static const struct {
        enum helper_request request;
        const char *text;
    } cases[] = {
        { REQUEST_STATUS, "{\"type\":\"request\",\"request\":\"status\"}\n" },
        { REQUEST_CANCEL, "{\"type\":\"request\",\"request\":\"cancel\"}\n" },
        { REQUEST_RELEASE, "{\"type\":\"request\",\"request\":\"release\"}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct helper_line line = helper(cases[i].text);
        const struct tunnel_line other = tunnel(cases[i].text);

        assert_int_equal(line.type, LINE_REQUEST);
        assert_int_equal(line.request, cases[i].request);
        assert_int_equal(other.type, LINE_REQUEST);
        assert_int_equal(other.request, cases[i].request);
        assert_helper_says(&line, cases[i].text);
        assert_tunnel_says(&other, cases[i].text);
    }
    assert_bad_helper("{\"type\":\"request\"}");
    assert_bad_helper("{\"type\":\"request\",\"request\":1}");
    assert_bad_tunnel("{\"type\":\"request\",\"request\":null}");
}

static void
what_is_not_known_is_left_to_later_versions(void **state)
{
    (void)state;
    assert_int_equal(helper("{\"type\":\"later\"}").type, LINE_OTHER);
    assert_int_equal(helper("{\"type\":\"other\"}").type, LINE_OTHER);
    assert_int_equal(tunnel("{\"type\":\"later\",\"a\":[{}]}").type,
                     LINE_OTHER);
    assert_int_equal(
        helper("{\"type\":\"request\",\"request\":\"dance\"}").type,
        LINE_OTHER);
    assert_int_equal(
        tunnel("{\"type\":\"request\",\"request\":\"dance\"}").type,
        LINE_OTHER);
    assert_int_equal(helper("{\"type\":\"request\",\"request\":\"status\","
                            "\"more\":1}")
                         .type,
                     LINE_REQUEST);
}

/* What only the tunnel says is nothing from a helper. */
static void
a_helper_is_no_tunnel(void **state)
{
    (void)state;
    assert_int_equal(helper("{\"type\":\"state\"," VIEW "}").type, LINE_OTHER);
    assert_int_equal(helper("{\"type\":\"refused\",\"why\":\"x\"}").type,
                     LINE_OTHER);
}

static void
a_helpers_message_is_an_object(void **state)
{
    static const char text[] =
        "{\"type\":\"message\",\"message\":{\"b\":[1,null],\"a\":{}}}\n";
    struct helper_line line = helper(text);

    (void)state;
    assert_int_equal(line.type, LINE_MESSAGE);
    assert_helper_says(&line, text);
    json_decref(line.message);
    assert_bad_helper("{\"type\":\"message\"}");
    assert_bad_helper("{\"type\":\"message\",\"message\":[]}");
    assert_bad_helper("{\"type\":\"message\",\"message\":null}");
    assert_bad_helper("{\"type\":\"message\",\"message\":\"{}\"}");
}

static void
a_message_says_where_it_is_from(void **state)
{
    static const char partner[] = "{\"type\":\"message\",\"from\":\"partner\","
                                  "\"message\":{\"a\":1}}\n";
    static const char here[] = "{\"type\":\"message\",\"from\":\"here\","
                               "\"message\":{}}\n";
    struct tunnel_line line = tunnel(partner);

    (void)state;
    assert_int_equal(line.type, LINE_MESSAGE);
    assert_int_equal(line.from, FROM_PARTNER);
    assert_tunnel_says(&line, partner);
    json_decref(line.message);
    line = tunnel(here);
    assert_int_equal(line.from, FROM_HERE);
    assert_tunnel_says(&line, here);
    json_decref(line.message);
    assert_bad_tunnel("{\"type\":\"message\",\"message\":{}}");
    assert_bad_tunnel("{\"type\":\"message\",\"message\":{},\"from\":1}");
    assert_bad_tunnel("{\"type\":\"message\",\"message\":{},\"from\":\"us\"}");
    assert_bad_tunnel("{\"type\":\"message\",\"from\":\"here\"}");
    assert_bad_tunnel("{\"type\":\"message\",\"message\":1,\"from\":\"here\"}");
}

static void
the_tunnel_says_who_it_is_and_how_it_stands(void **state)
{
    static const char text[] =
        "{\"type\":\"hello\",\"state\":\"ready\",\"session\":\"3f2a1b2c\","
        "\"partner\":true,\"version\":1,\"program\":\"mig-client 0.1.0\"}\n";
    struct tunnel_line line = tunnel(text);

    (void)state;
    assert_int_equal(line.type, LINE_HELLO);
    assert_int_equal(line.version, 1);
    assert_string_equal(line.program, "mig-client 0.1.0");
    assert_string_equal(line.view.session, "3f2a1b2c");
    assert_int_equal(line.view.state, TUNNEL_READY);
    assert_true(line.view.partner);
    assert_tunnel_says(&line, text);
}

static void
every_state_has_a_word(void **state)
{
    (void)state;
    for (int i = TUNNEL_JOINING; i <= TUNNEL_UNKNOWN; i++) {
        struct tunnel_line line = { .type = LINE_STATE,
                                    .view.state = (enum tunnel_state)i };
        char expected[128];

        snprintf(expected, sizeof expected,
                 "{\"type\":\"state\",\"state\":\"%s\",\"session\":null,"
                 "\"partner\":false}\n",
                 tunnel_state_name((enum tunnel_state)i));
        assert_tunnel_says(&line, expected);
        line = tunnel(expected);
        assert_int_equal(line.type, LINE_STATE);
        assert_int_equal(line.view.state, i);
        assert_string_equal(line.view.session, "");
        assert_false(line.view.partner);
    }
    assert_int_equal(tunnel("{\"type\":\"state\",\"state\":\"resting\","
                            "\"session\":\"a\",\"partner\":true}")
                         .view.state,
                     TUNNEL_UNKNOWN);
}

static void
a_state_without_its_members_is_refused(void **state)
{
    (void)state;
    assert_bad_tunnel("{\"type\":\"state\"}");
    assert_bad_tunnel(
        "{\"type\":\"state\",\"session\":null,\"state\":\"ready\"}");
    assert_bad_tunnel(
        "{\"type\":\"state\",\"session\":null,\"state\":\"ready\","
        "\"partner\":1}");
    assert_bad_tunnel("{\"type\":\"state\",\"session\":null,\"state\":1,"
                      "\"partner\":true}");
    assert_bad_tunnel("{\"type\":\"state\",\"state\":\"ready\","
                      "\"partner\":true}");
    assert_bad_tunnel("{\"type\":\"state\",\"session\":7,\"state\":\"ready\","
                      "\"partner\":true}");
    assert_bad_tunnel("{\"type\":\"state\",\"session\":\"0123456789abcdef0\","
                      "\"state\":\"ready\",\"partner\":true}");
}

static void
a_bandwidth_is_a_whole_number_from_0_on(void **state)
{
    static const char *const bad[] = { "", ",\"rate\":-1", ",\"rate\":\"1\"",
                                       ",\"rate\":1.5", ",\"rate\":null" };
    const struct helper_line ask = { .type = LINE_BANDWIDTH, .rate = 7 };
    const struct tunnel_line answer = { .type = LINE_BANDWIDTH,
                                        .rate = INT64_MAX };
    char text[64];

    (void)state;
    assert_helper_says(&ask, "{\"type\":\"bandwidth\",\"rate\":7}\n");
    assert_tunnel_says(&answer, "{\"type\":\"bandwidth\","
                                "\"rate\":9223372036854775807}\n");
    assert_int_equal(helper("{\"type\":\"bandwidth\",\"rate\":0}").rate, 0);
    assert_int_equal(helper("{\"type\":\"bandwidth\",\"rate\":9}").rate, 9);
    assert_int_equal(tunnel("{\"type\":\"bandwidth\",\"rate\":9}").rate, 9);
    assert_int_equal(tunnel("{\"type\":\"bandwidth\",\"rate\":9}").type,
                     LINE_BANDWIDTH);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{\"type\":\"bandwidth\"%s}", bad[i]);
        assert_bad_helper(text);
        assert_bad_tunnel(text);
    }
}

static void
a_refusal_is_cut_where_it_is_too_long(void **state)
{
    struct tunnel_line line =
        tunnel("{\"type\":\"refused\",\"why\":\"too many helpers\"}");
    char why[CONTROL_WHY_MAX + 2], text[CONTROL_WHY_MAX + 64];

    (void)state;
    assert_int_equal(line.type, LINE_REFUSED);
    assert_string_equal(line.why, "too many helpers");
    assert_tunnel_says(&line,
                       "{\"type\":\"refused\",\"why\":\"too many helpers\"}\n");
    memset(why, 'x', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    snprintf(text, sizeof text, "{\"type\":\"refused\",\"why\":\"%s\"}", why);
    line = tunnel(text);
    assert_int_equal(strlen(line.why), CONTROL_WHY_MAX);
    assert_bad_tunnel("{\"type\":\"refused\"}");
    assert_bad_tunnel("{\"type\":\"refused\",\"why\":1}");
}

static void
what_is_no_object_with_a_type_is_no_line(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "x",
        "{",
        "{}",
        "[]",
        "17",
        "null",
        "\"hello\"",
        "{}{}",
        "{\"type\":1}",
        "{\"type\":null}",
        "{\"Type\":\"hello\"}",
        "{\"type\":\"request\",\"request\":\"status\"} x",
        "{\"type\":\"later\",\"type\":\"later\"}",
        "{\"type\":\"\xff\"}",
        "{\"type\":\"hello\\u0000\"}",
        "GET / HTTP/1.0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_bad_helper(texts[i]);
        assert_bad_tunnel(texts[i]);
    }
}

static void
what_can_not_be_said_is_not(void **state)
{
    struct helper_line line = { .type = LINE_OTHER };
    struct tunnel_line answer = { .type = LINE_OTHER };

    (void)state;
    assert_null(helper_line_text(&line));
    assert_null(tunnel_line_text(&answer));
    line = (struct helper_line){ .type = LINE_HELLO, .program = "\xff" };
    assert_null(helper_line_text(&line));
    answer = (struct tunnel_line){ .type = LINE_HELLO, .program = "\xff" };
    assert_null(tunnel_line_text(&answer));
    answer = (struct tunnel_line){ .type = LINE_REFUSED, .why = "\xff" };
    assert_null(tunnel_line_text(&answer));
}

/* An object that has ${length} bytes as text. */
static json_t *
object_of(size_t length)
{
    char *filler = malloc(length);
    json_t *object = json_object();

    memset(filler, 'x', length);
    json_object_set_new(object, "x",
                        json_stringn(filler, length - strlen("{\"x\":\"\"}")));
    free(filler);
    return object;
}

static void
a_message_has_60_kib_at_most(void **state)
{
    json_t *most = object_of(CONTROL_MESSAGE_MAX);
    json_t *more = object_of(CONTROL_MESSAGE_MAX + 1);
    json_t *list = json_array();
    struct tunnel_line line = { .type = LINE_MESSAGE, .message = most };
    char *text = tunnel_line_text(&line);

    (void)state;
    assert_true(control_message_fits(most));
    assert_false(control_message_fits(more));
    assert_false(control_message_fits(list));
    assert_false(control_message_fits(NULL));
    assert_non_null(text); /* with all that is around it */
    free(text);
    json_decref(most);
    json_decref(more);
    json_decref(list);
}

static void
a_line_has_64_kib_at_most(void **state)
{
    enum { AROUND = sizeof "{\"type\":\"message\",\"message\":}" - 1 };

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct helper_line line = {
            .type = LINE_MESSAGE,
            .message = object_of(CONTROL_LINE_MAX - AROUND + over),
        };
        char *text = helper_line_text(&line);

        if (over == 0)
            assert_int_equal(strlen(text), CONTROL_LINE_MAX + 1);
        else
            assert_null(text);
        free(text);
        json_decref(line.message);
    }
}

static void
the_control_socket_is_beside_the_migration_socket(void **state)
{
    char path[CONTROL_PATH_MAX], unix_path[CONTROL_PATH_MAX];

    (void)state;
    assert_true(control_path(path, "/run/vm.sock"));
    assert_string_equal(path, "/run/vm.sock.ctl");
    memset(unix_path, 'x', sizeof unix_path);
    unix_path[CONTROL_PATH_MAX - 5] = '\0';
    assert_true(control_path(path, unix_path));
    assert_int_equal(strlen(path), CONTROL_PATH_MAX - 1);
    unix_path[CONTROL_PATH_MAX - 5] = 'x';
    unix_path[CONTROL_PATH_MAX - 4] = '\0';
    assert_false(control_path(path, unix_path));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_helper_says_who_it_is),
        cmocka_unit_test(a_hello_of_another_version_is_only_that),
        cmocka_unit_test(a_hello_without_its_members_is_refused),
        cmocka_unit_test(a_program_has_64_bytes_at_most),
        cmocka_unit_test(requests_are_three),
        cmocka_unit_test(what_is_not_known_is_left_to_later_versions),
        cmocka_unit_test(a_helper_is_no_tunnel),
        cmocka_unit_test(a_helpers_message_is_an_object),
        cmocka_unit_test(a_message_says_where_it_is_from),
        cmocka_unit_test(the_tunnel_says_who_it_is_and_how_it_stands),
        cmocka_unit_test(every_state_has_a_word),
        cmocka_unit_test(a_state_without_its_members_is_refused),
        cmocka_unit_test(a_bandwidth_is_a_whole_number_from_0_on),
        cmocka_unit_test(a_refusal_is_cut_where_it_is_too_long),
        cmocka_unit_test(what_is_no_object_with_a_type_is_no_line),
        cmocka_unit_test(what_can_not_be_said_is_not),
        cmocka_unit_test(a_message_has_60_kib_at_most),
        cmocka_unit_test(a_line_has_64_kib_at_most),
        cmocka_unit_test(the_control_socket_is_beside_the_migration_socket),
    };

    return RUN_TESTS(tests);
}
