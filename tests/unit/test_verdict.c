/* How a migration ended, by the last bytes of its main channel. */
#include "wire/verdict.h"

#include <string.h>

#include "support_test.h"

/* A stream of ${bytes}, the last of which are ${tail}. */
static struct verdict_stream
ending(uint64_t bytes, const char *tail, size_t length)
{
    struct verdict_stream stream = { .bytes = bytes };

    memcpy(stream.tail + sizeof stream.tail - length, tail, length);
    return stream;
}

static const struct verdict_stream nothing;

static void
a_return_path_says_it_itself(void **state)
{
    const struct verdict_stream there = ending(1000, "????????", 8);
    struct verdict_stream back = ending(8, "\0\1\0\4\0\0\0\0", 8);

    (void)state;
    assert_int_equal(verdict_of(&there, &back), REASON_NONE);
    back.bytes = 5000;
    assert_int_equal(verdict_of(&there, &back), REASON_NONE);
    for (size_t i = 4; i < 8; i++) {
        back.tail[i] = 1;
        assert_int_equal(verdict_of(&there, &back), REASON_DESTINATION_CLOSED);
        back.tail[i] = 0xff;
        assert_int_equal(verdict_of(&there, &back), REASON_DESTINATION_CLOSED);
        back.tail[i] = 0;
    }
}

static void
the_return_path_counts_for_more_than_the_stream(void **state)
{
    const struct verdict_stream back = ending(8, "\0\1\0\4\0\0\0\0", 8);
    const struct verdict_stream failed = ending(8, "\0\1\0\4\0\0\0\1", 8);
    const struct verdict_stream whole = ending(1000, "}", 1);

    (void)state;
    assert_int_equal(verdict_of(&nothing, &back), REASON_NONE);
    assert_int_equal(verdict_of(&whole, &failed), REASON_DESTINATION_CLOSED);
}

static void
a_return_path_without_its_end_was_cut_off(void **state)
{
    const struct verdict_stream there = ending(1000, "}", 1);
    static const char *const tails[] = {
        "\0\2\0\4\0\0\0\0", "\0\1\0\5\0\0\0\0", "\1\1\0\4\0\0\0\0",
        "\0\1\1\4\0\0\0\0", "\1\0\4\0\0\0\0\0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        const struct verdict_stream back = ending(100, tails[i], 8);

        assert_int_equal(verdict_of(&there, &back), REASON_CANCELLED);
    }
}

static void
a_return_path_shorter_than_its_end_was_cut_off(void **state)
{
    const struct verdict_stream there = ending(1000, "}", 1);
    struct verdict_stream back = ending(7, "\0\1\0\4\0\0\0\0", 8);

    (void)state;
    assert_int_equal(verdict_of(&there, &back), REASON_CANCELLED);
    back.bytes = 1;
    assert_int_equal(verdict_of(&there, &back), REASON_CANCELLED);
}

static void
without_a_return_path_the_stream_ends_with_its_description(void **state)
{
    struct verdict_stream there = ending(1000, "\"}]}", 4);

    (void)state;
    assert_int_equal(verdict_of(&there, &nothing), REASON_NONE);
    there = ending(1000, "\0", 1);
    assert_int_equal(verdict_of(&there, &nothing), REASON_NONE);
}

static void
a_stream_that_ends_in_the_middle_was_cancelled(void **state)
{
    (void)state;
    for (int last = 1; last < 256; last++) {
        struct verdict_stream there = ending(1000, "........", 8);

        there.tail[7] = (unsigned char)last;
        assert_int_equal(verdict_of(&there, &nothing),
                         last == '}' ? REASON_NONE : REASON_CANCELLED);
    }
}

static void
nothing_at_all_was_cancelled(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(&nothing, &nothing), REASON_CANCELLED);
}

static void
a_stream_of_one_byte_is_judged_by_it(void **state)
{
    struct verdict_stream there = ending(1, "}", 1);

    (void)state;
    assert_int_equal(verdict_of(&there, &nothing), REASON_NONE);
    there = ending(1, "Q", 1);
    assert_int_equal(verdict_of(&there, &nothing), REASON_CANCELLED);
}

static void
a_return_path_shows_itself_in_its_first_bytes(void **state)
{
    unsigned char head[VERDICT_HEAD_BYTES] = { 0, 0, 0, 4 };

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        head[1] = (unsigned char)type;
        assert_int_equal(verdict_is_return_path(head), type >= 1 && type <= 16);
    }
    head[1] = 1;
    head[0] = 1;
    assert_false(verdict_is_return_path(head));
    head[0] = 0;
    head[2] = 1;
    assert_false(verdict_is_return_path(head));
    assert_false(verdict_is_return_path((const unsigned char *)"QEVM"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_return_path_says_it_itself),
        cmocka_unit_test(the_return_path_counts_for_more_than_the_stream),
        cmocka_unit_test(a_return_path_without_its_end_was_cut_off),
        cmocka_unit_test(a_return_path_shorter_than_its_end_was_cut_off),
        cmocka_unit_test(
            without_a_return_path_the_stream_ends_with_its_description),
        cmocka_unit_test(a_stream_that_ends_in_the_middle_was_cancelled),
        cmocka_unit_test(nothing_at_all_was_cancelled),
        cmocka_unit_test(a_stream_of_one_byte_is_judged_by_it),
        cmocka_unit_test(a_return_path_shows_itself_in_its_first_bytes),
    };

    return RUN_TESTS(tests);
}
