/* Frame headers. */
#include "wire/frame.h"

#include <stdbool.h>
#include <string.h>

#include "support_test.h"

static enum reason
parse(struct frame frame)
{
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct frame parsed;

    frame_encode(&frame, bytes);
    return frame_parse(&parsed, bytes);
}

static void
a_header_is_laid_out_as_the_protocol_says(void **state)
{
    static const unsigned char expected[FRAME_HEADER_BYTES] = {
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    };
    const struct frame frame = { .type = FRAME_DATA,
                                 .flags = 2,
                                 .code = 0x0304,
                                 .length = 0x05060708,
                                 .offset = 0x090a0b0c0d0e0f10 };
    unsigned char bytes[FRAME_HEADER_BYTES];

    (void)state;
    frame_encode(&frame, bytes);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void
each_type_of_frame_comes_back_as_it_was(void **state)
{
    static const struct frame frames[] = {
        { FRAME_DATA, 0, 0, 1, 0 },
        { FRAME_DATA, 0, 0, FRAME_DATA_MAX, UINT64_MAX },
        { FRAME_DATA, FRAME_FLAG_PACKED, 0, 1, 0 },
        { FRAME_DATA, FRAME_FLAG_PACKED, 0, FRAME_DATA_MAX, 1 },
        { FRAME_ACK, 0, 0, 0, 1 },
        { FRAME_ACK, FRAME_FLAG_FIN, 0, 0, UINT64_MAX - 1 },
        { FRAME_FIN, 0, 0, 0, 0 },
        { FRAME_RESET, 0, REASON_CANCELLED, 0, 0 },
        { FRAME_RESET, 0, UINT16_MAX, 0, 0 },
        { FRAME_PING, 0, 0, 0, 77 },
        { FRAME_PONG, 0, 0, 0, 78 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        unsigned char bytes[FRAME_HEADER_BYTES];
        struct frame frame;

        memset(&frame, 255, sizeof frame);
        frame_encode(&frames[i], bytes);
        assert_int_equal(frame_parse(&frame, bytes), REASON_NONE);
        assert_int_equal(frame.type, frames[i].type);
        assert_int_equal(frame.flags, frames[i].flags);
        assert_int_equal(frame.code, frames[i].code);
        assert_int_equal(frame.length, frames[i].length);
        assert_true(frame.offset == frames[i].offset);
    }
}

static void
a_type_that_is_none_is_no_frame(void **state)
{
    (void)state;
    for (int type = 0; type <= UINT8_MAX; type++) {
        enum reason expected = REASON_BAD_FRAME;

        if (type >= FRAME_DATA && type <= FRAME_PONG)
            expected = type == FRAME_DATA ? REASON_BAD_LENGTH : REASON_NONE;
        assert_int_equal(
            parse((struct frame){ .type = (enum frame_type)type,
                                  .code = type == FRAME_RESET ? 1 : 0 }),
            expected);
    }
}

static void
only_data_and_an_ack_have_a_flag_and_only_one(void **state)
{
    (void)state;
    for (int type = FRAME_DATA; type <= FRAME_PONG; type++) {
        for (int flags = 0; flags <= UINT8_MAX; flags++) {
            bool flag = type == FRAME_ACK || type == FRAME_DATA;
            bool good = flags == 0 || (flag && flags == 1);

            assert_int_equal(
                parse((struct frame){ .type = (enum frame_type)type,
                                      .flags = (uint8_t)flags,
                                      .code = type == FRAME_RESET ? 1 : 0,
                                      .length = type == FRAME_DATA ? 1 : 0 }),
                good ? REASON_NONE : REASON_BAD_FRAME);
        }
    }
}

static void
a_reset_has_a_reason_and_nothing_else_has(void **state)
{
    (void)state;
    for (int type = FRAME_DATA; type <= FRAME_PONG; type++) {
        for (uint16_t code = 0; code <= 2; code++)
            assert_int_equal(
                parse((struct frame){ .type = (enum frame_type)type,
                                      .code = code,
                                      .length = type == FRAME_DATA ? 1 : 0 }),
                (type == FRAME_RESET) == (code != 0) ? REASON_NONE
                                                     : REASON_BAD_FRAME);
    }
}

static void
data_has_between_1_byte_and_the_most(void **state)
{
    static const struct {
        uint32_t length;
        enum reason reason;
    } cases[] = {
        { 0, REASON_BAD_LENGTH },
        { 1, REASON_NONE },
        { FRAME_DATA_MAX - 1, REASON_NONE },
        { FRAME_DATA_MAX, REASON_NONE },
        { FRAME_DATA_MAX + 1, REASON_BAD_LENGTH },
        { UINT32_MAX, REASON_BAD_LENGTH },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(parse((struct frame){ .type = FRAME_DATA,
                                               .length = cases[i].length }),
                         cases[i].reason);
}

static void
what_is_not_data_has_no_length(void **state)
{
    (void)state;
    for (int type = FRAME_ACK; type <= FRAME_PONG; type++)
        assert_int_equal(
            parse((struct frame){ .type = (enum frame_type)type,
                                  .code = type == FRAME_RESET ? 1 : 0,
                                  .length = 1 }),
            REASON_BAD_LENGTH);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_laid_out_as_the_protocol_says),
        cmocka_unit_test(each_type_of_frame_comes_back_as_it_was),
        cmocka_unit_test(a_type_that_is_none_is_no_frame),
        cmocka_unit_test(only_data_and_an_ack_have_a_flag_and_only_one),
        cmocka_unit_test(a_reset_has_a_reason_and_nothing_else_has),
        cmocka_unit_test(data_has_between_1_byte_and_the_most),
        cmocka_unit_test(what_is_not_data_has_no_length),
    };

    return RUN_TESTS(tests);
}
