/* A byte stream is cut into JSON texts. */
#include "wire/splitter.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

enum { LIMIT = 64 };

static void
feed(struct splitter *splitter, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t room;
        char *to = splitter_room(splitter, &room);
        assert_non_null(to);
        size_t n = len < room ? len : room;
        memcpy(to, bytes, n);
        splitter_add(splitter, n);
        bytes += n;
        len -= n;
        if (len > 0 && n == room)
            fail_msg("more than fits before a text was taken");
    }
}

static void
feed_text(struct splitter *splitter, const char *text)
{
    feed(splitter, text, strlen(text));
}

static void
assert_next(struct splitter *splitter, const char *expected)
{
    const char *text;
    size_t len;

    assert_int_equal(splitter_next(splitter, &text, &len), SPLITTER_TEXT);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
}

static void
assert_result(struct splitter *splitter, enum splitter_result expected)
{
    const char *text;
    size_t len;

    assert_int_equal(splitter_next(splitter, &text, &len), expected);
}

static void
nothing_comes_of_no_byte(void **state)
{
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    assert_result(&splitter, SPLITTER_NONE);
    splitter_fini(&splitter);
}

static void
several_lines_in_one_read_come_out_one_by_one(void **state)
{
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    feed_text(&splitter, "{\"a\":1}\r\n{\"b\":2}\n{\"c\"");
    assert_next(&splitter, "{\"a\":1}");
    assert_next(&splitter, "{\"b\":2}");
    assert_result(&splitter, SPLITTER_NONE);
    feed_text(&splitter, ":3}\n");
    assert_next(&splitter, "{\"c\":3}");
    assert_result(&splitter, SPLITTER_NONE);
    splitter_fini(&splitter);
}

static void
a_text_may_come_byte_by_byte(void **state)
{
    static const char text[] = "{\"a\": \"}\\\"{\\\\\"}\r\n";
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        assert_result(&splitter, SPLITTER_NONE);
        feed(&splitter, text + i, 1);
    }
    assert_next(&splitter, "{\"a\": \"}\\\"{\\\\\"}");
    splitter_fini(&splitter);
}

static void
a_pretty_text_over_several_lines_is_one_text(void **state)
{
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    feed_text(&splitter, "{\r\n  \"a\": [\r\n 1\r\n ]\r\n}\r\n{}\r\n");
    assert_next(&splitter, "{\r\n  \"a\": [\r\n 1\r\n ]\r\n}");
    assert_next(&splitter, "{}");
    splitter_fini(&splitter);
}

static void
empty_lines_are_left_out(void **state)
{
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    feed_text(&splitter, "\n\r\n\n{}\n\n");
    assert_next(&splitter, "{}");
    assert_result(&splitter, SPLITTER_NONE);
    splitter_fini(&splitter);
}

static void
brackets_that_close_what_is_not_open_harm_nobody(void **state)
{
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    feed_text(&splitter, "}]}\n{}\n");
    assert_next(&splitter, "}]}");
    assert_next(&splitter, "{}");
    splitter_fini(&splitter);
}

static void
an_open_string_ends_with_its_line(void **state)
{
    struct splitter splitter;

    (void)state;
    splitter_init(&splitter, LIMIT);
    feed_text(&splitter, "{{\"never closed \\\n{}\n");
    assert_next(&splitter, "{{\"never closed \\");
    assert_next(&splitter, "{}");
    splitter_fini(&splitter);
}

/* A text of ${len} bytes, ended by ${end}. */
static void
feed_length(struct splitter *splitter, size_t len, const char *end)
{
    char bytes[2 * LIMIT];

    assert_true(len < sizeof bytes);
    memset(bytes, 'x', len);
    int end_len = snprintf(bytes + len, sizeof bytes - len, "%s", end);
    feed(splitter, bytes, len + (size_t)end_len);
}

static void
assert_length(size_t len, const char *end, enum splitter_result expected)
{
    struct splitter splitter;

    splitter_init(&splitter, LIMIT);
    feed_length(&splitter, len, end);
    assert_result(&splitter, expected);
    if (expected == SPLITTER_TOO_LONG)
        assert_result(&splitter, expected);
    splitter_fini(&splitter);
}

static void
the_limit_is_the_longest_text(void **state)
{
    (void)state;
    assert_length(1, "\n", SPLITTER_TEXT);
    assert_length(LIMIT - 1, "\r\n", SPLITTER_TEXT);
    assert_length(LIMIT, "\n", SPLITTER_TEXT);
    assert_length(LIMIT, "\r\n", SPLITTER_TEXT);
    assert_length(LIMIT + 1, "\n", SPLITTER_TOO_LONG);
}

static void
a_line_without_an_end_is_too_long_at_last(void **state)
{
    (void)state;
    assert_length(LIMIT, "", SPLITTER_NONE);
    assert_length(LIMIT + 1, "", SPLITTER_NONE);
    assert_length(LIMIT + 2, "", SPLITTER_TOO_LONG);
}

static void
a_text_of_a_mebibyte_fits_and_takes_no_more_memory(void **state)
{
    enum { MEBIBYTE = 1024 * 1024 };
    struct splitter splitter;
    const char *text;
    size_t len, room, fed = 0;

    (void)state;
    splitter_init(&splitter, MEBIBYTE);
    while (fed < MEBIBYTE + 1) {
        char *to = splitter_room(&splitter, &room);
        assert_non_null(to);
        memset(to, 'x', room);
        if (fed + room > MEBIBYTE)
            to[MEBIBYTE - fed] = '\n';
        splitter_add(&splitter, room);
        fed += room;
        if (fed <= MEBIBYTE)
            assert_result(&splitter, SPLITTER_NONE);
    }
    assert_int_equal(splitter_next(&splitter, &text, &len), SPLITTER_TEXT);
    assert_int_equal(len, MEBIBYTE);
    assert_true(splitter.capacity <= MEBIBYTE + 2);
    splitter_fini(&splitter);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_of_no_byte),
        cmocka_unit_test(several_lines_in_one_read_come_out_one_by_one),
        cmocka_unit_test(a_text_may_come_byte_by_byte),
        cmocka_unit_test(a_pretty_text_over_several_lines_is_one_text),
        cmocka_unit_test(empty_lines_are_left_out),
        cmocka_unit_test(brackets_that_close_what_is_not_open_harm_nobody),
        cmocka_unit_test(an_open_string_ends_with_its_line),
        cmocka_unit_test(the_limit_is_the_longest_text),
        cmocka_unit_test(a_line_without_an_end_is_too_long_at_last),
        cmocka_unit_test(a_text_of_a_mebibyte_fits_and_takes_no_more_memory),
    };

    return RUN_TESTS(tests);
}
