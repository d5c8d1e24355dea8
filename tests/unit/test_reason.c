/* Reasons: their numbers and their words. */
#include "wire/reason.h"

#include <string.h>

#include "support_test.h"

/* As PROTOCOL.md has them: they never change. */
static const struct {
    uint16_t number;
    enum reason reason;
    const char *text;
} reasons[] = {
    { 0, REASON_NONE, "completed" },
    { 1, REASON_VERSION, "no protocol version in common" },
    { 2, REASON_NAME, "the VM name is missing or not valid there" },
    { 3, REASON_BUSY, "another session is being served" },
    { 4, REASON_UNKNOWN, "the session is not known there" },
    { 5, REASON_ORDER, "the channel is not the next one" },
    { 6, REASON_LIMIT, "too many channels or sessions" },
    { 7, REASON_TLS_NEEDED,
      "the server takes TLS only: give this end credentials, too" },
    { 8, REASON_TLS_ABSENT, "the server has no TLS: give it credentials, too" },
    { 9, REASON_IDENTITY, "the session belongs to another identity" },
    { 16, REASON_CANCELLED, "cancelled by source" },
    { 17, REASON_DESTINATION_CLOSED, "destination closed" },
    { 18, REASON_LOST, "transport lost for longer than resume-timeout" },
    { 19, REASON_PROTOCOL, "protocol error" },
    { 20, REASON_STOPPED, "stopped" },
    { 21, REASON_NOT_READY, "the destination's QEMU can't be reached" },
    { 32, REASON_BAD_FRAME, "protocol error: not a frame" },
    { 33, REASON_BAD_LENGTH, "protocol error: length out of bounds" },
    { 34, REASON_BAD_OFFSET, "protocol error: offset does not follow on" },
    { 35, REASON_BAD_WINDOW, "protocol error: beyond the window" },
    { 36, REASON_BAD_ACK, "protocol error: ACK of what was not sent" },
    { 37, REASON_BAD_FIN, "protocol error: data after the end" },
    { 38, REASON_BAD_RESUME, "protocol error: resume of what was not sent" },
    { 39, REASON_BAD_CONTROL, "protocol error: bad control message" },
    { 40, REASON_BAD_PACKED, "protocol error: compressed data is corrupt" },
    { 41, REASON_BAD_UNPACKED,
      "protocol error: compressed data of another length than it says" },
};
enum { REASONS = sizeof reasons / sizeof *reasons };

static void
each_reason_has_its_number_and_its_words(void **state)
{
    (void)state;
    for (int i = 0; i < REASONS; i++) {
        assert_int_equal(reasons[i].reason, reasons[i].number);
        assert_string_equal(reason_text(reasons[i].reason), reasons[i].text);
    }
}

static void
no_two_reasons_have_the_same_words(void **state)
{
    (void)state;
    for (int i = 0; i < REASONS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(reason_text(reasons[i].reason),
                                    reason_text(reasons[j].reason));
}

static void
a_number_that_is_no_reason_counts_as_a_protocol_error(void **state)
{
    int known = 0;

    (void)state;
    for (unsigned number = 0; number <= UINT16_MAX; number++) {
        if (known < REASONS && reasons[known].number == number)
            assert_int_equal(reason_known((uint16_t)number),
                             reasons[known++].reason);
        else
            assert_int_equal(reason_known((uint16_t)number), REASON_PROTOCOL);
    }
    assert_int_equal(known, REASONS);
}

static void
a_number_that_is_no_reason_has_words_too(void **state)
{
    (void)state;
    assert_string_equal(reason_text((enum reason)10), "unknown reason");
    assert_string_equal(reason_text((enum reason)42), "unknown reason");
    assert_string_equal(reason_text((enum reason)UINT16_MAX), "unknown reason");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_has_its_number_and_its_words),
        cmocka_unit_test(no_two_reasons_have_the_same_words),
        cmocka_unit_test(a_number_that_is_no_reason_counts_as_a_protocol_error),
        cmocka_unit_test(a_number_that_is_no_reason_has_words_too),
    };

    return RUN_TESTS(tests);
}
