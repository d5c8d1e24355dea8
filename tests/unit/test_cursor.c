/* Numbers in network byte order, within bounds. */
#include "wire/cursor.h"

#include <stdbool.h>
#include <string.h>

#include "support_test.h"

static void
numbers_are_written_in_network_byte_order(void **state)
{
    static const unsigned char expected[] = { 0x01, 0x02, 0x03, 0x04, 0x05,
                                              0x06, 0x07, 0x08, 0x09, 0x0a,
                                              0x0b, 0x0c, 0x0d, 0x0e, 0x0f };
    unsigned char bytes[sizeof expected];
    struct cursor cursor;

    (void)state;
    cursor_init(&cursor, bytes, sizeof bytes);
    cursor_put_u8(&cursor, 0x01);
    cursor_put_u16(&cursor, 0x0203);
    cursor_put_u32(&cursor, 0x04050607);
    cursor_put_u64(&cursor, 0x08090a0b0c0d0e0f);
    assert_false(cursor.overrun);
    assert_int_equal(cursor.at, sizeof bytes);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void
what_was_written_is_read_again(void **state)
{
    unsigned char bytes[18], text[3];
    struct cursor cursor;

    (void)state;
    cursor_init(&cursor, bytes, sizeof bytes);
    cursor_put(&cursor, "abc", 3);
    cursor_put_u8(&cursor, UINT8_MAX);
    cursor_put_u16(&cursor, UINT16_MAX - 1);
    cursor_put_u32(&cursor, UINT32_MAX - 2);
    cursor_put_u64(&cursor, UINT64_MAX - 3);
    assert_false(cursor.overrun);

    cursor_init(&cursor, bytes, sizeof bytes);
    cursor_get(&cursor, text, sizeof text);
    assert_memory_equal(text, "abc", 3);
    assert_int_equal(cursor_get_u8(&cursor), UINT8_MAX);
    assert_int_equal(cursor_get_u16(&cursor), UINT16_MAX - 1);
    assert_int_equal(cursor_get_u32(&cursor), UINT32_MAX - 2);
    assert_true(cursor_get_u64(&cursor) == UINT64_MAX - 3);
    assert_false(cursor.overrun);
}

/* Read ${length} bytes of a cursor as a number of that size. */
static uint64_t
get(struct cursor *cursor, size_t length)
{
    switch (length) {
    case 1: return cursor_get_u8(cursor);
    case 2: return cursor_get_u16(cursor);
    case 4: return cursor_get_u32(cursor);
    default: return cursor_get_u64(cursor);
    }
}

static void
put(struct cursor *cursor, size_t length)
{
    switch (length) {
    case 1: cursor_put_u8(cursor, 0); break;
    case 2: cursor_put_u16(cursor, 0); break;
    case 4: cursor_put_u32(cursor, 0); break;
    default: cursor_put_u64(cursor, 0);
    }
}

static void
a_number_that_does_not_fit_reads_as_0_and_is_remembered(void **state)
{
    static const unsigned char ones[9] = { 255, 255, 255, 255, 255,
                                           255, 255, 255, 255 };

    (void)state;
    for (size_t size = 1; size <= 8; size *= 2) {
        for (size_t length = 0; length <= size + 1; length++) {
            unsigned char bytes[sizeof ones];
            struct cursor cursor;
            bool fits = length >= size;

            memcpy(bytes, ones, sizeof bytes);
            cursor_init(&cursor, bytes, length);
            assert_true((get(&cursor, size) != 0) == fits);
            assert_int_equal(cursor.overrun, !fits);
            assert_int_equal(cursor.at, fits ? size : 0);
        }
    }
}

static void
a_number_that_does_not_fit_is_not_written(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 8; size *= 2) {
        for (size_t length = 0; length <= size + 1; length++) {
            unsigned char bytes[9];
            struct cursor cursor;
            bool fits = length >= size;

            memset(bytes, 255, sizeof bytes);
            cursor_init(&cursor, bytes, length);
            put(&cursor, size);
            assert_int_equal(cursor.overrun, !fits);
            for (size_t i = 0; i < sizeof bytes; i++)
                assert_int_equal(bytes[i], fits && i < size ? 0 : 255);
        }
    }
}

static void
bytes_that_do_not_fit_read_as_zeros_and_are_not_written(void **state)
{
    unsigned char bytes[4] = { 1, 2, 3, 4 }, out[4] = { 9, 9, 9, 9 };
    struct cursor cursor;

    (void)state;
    cursor_init(&cursor, bytes, 3);
    cursor_get(&cursor, out, 4);
    assert_true(cursor.overrun);
    assert_memory_equal(out, "\0\0\0\0", 4);

    cursor_init(&cursor, bytes, 3);
    cursor_put(&cursor, "abcd", 4);
    assert_true(cursor.overrun);
    assert_memory_equal(bytes, "\1\2\3\4", 4);

    cursor_init(&cursor, bytes, 3);
    cursor_put(&cursor, "abc", 3);
    assert_false(cursor.overrun);
    assert_memory_equal(bytes, "abc\4", 4);
}

static void
nothing_is_read_or_written_after_an_overrun(void **state)
{
    unsigned char bytes[4] = { 1, 2, 3, 4 }, out = 9;
    struct cursor cursor;

    (void)state;
    cursor_init(&cursor, bytes, sizeof bytes);
    assert_int_equal(cursor_get_u64(&cursor), 0);
    assert_int_equal(cursor_get_u8(&cursor), 0);
    cursor_get(&cursor, &out, 1);
    assert_int_equal(out, 0);
    cursor_put_u8(&cursor, 7);
    cursor_put(&cursor, "x", 1);
    assert_true(cursor.overrun);
    assert_memory_equal(bytes, "\1\2\3\4", 4);
}

static void
no_bytes_fit_everywhere(void **state)
{
    unsigned char bytes[1] = { 5 };
    struct cursor cursor;

    (void)state;
    cursor_init(&cursor, bytes, 0);
    cursor_get(&cursor, bytes, 0);
    cursor_put(&cursor, bytes, 0);
    assert_false(cursor.overrun);
    assert_int_equal(bytes[0], 5);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_in_network_byte_order),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(
            a_number_that_does_not_fit_reads_as_0_and_is_remembered),
        cmocka_unit_test(a_number_that_does_not_fit_is_not_written),
        cmocka_unit_test(
            bytes_that_do_not_fit_read_as_zeros_and_are_not_written),
        cmocka_unit_test(nothing_is_read_or_written_after_an_overrun),
        cmocka_unit_test(no_bytes_fit_everywhere),
    };

    return RUN_TESTS(tests);
}
