/* The channel machine, where its owner offers what DATA frames may have. */
#include "support_test.h"
#include "wire/channel.h"

enum { ROOM = 1000, PEER_ROOM = 500, NOW_MS = 10000 };

static void
begin(struct channel *channel, uint64_t queued)
{
    const struct greeting_position peer = { .window = PEER_ROOM };
    struct greeting_position own;
    uint64_t replay;

    channel_init(channel, ROOM);
    channel_greet(channel, &own);
    assert_int_equal(channel_attach(channel, &peer, NOW_MS, &replay),
                     REASON_NONE);
    channel_queue(channel, queued);
}

static void
assert_next(struct channel *channel, enum frame_type type, uint64_t offset,
            uint32_t length, uint8_t flags)
{
    struct frame frame;

    assert_true(channel_next(channel, &frame));
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.offset, offset);
    assert_int_equal(frame.length, length);
    assert_int_equal(frame.flags, flags);
}

static void
assert_nothing_next(struct channel *channel)
{
    struct frame frame;

    assert_false(channel_next(channel, &frame));
}

static void
a_frame_has_what_is_offered_and_no_more(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel, 100);
    channel_offer(&channel, 30, false, 0);
    assert_next(&channel, FRAME_DATA, 0, 30, 0);
    channel_offer(&channel, 30, true, FRAME_FLAG_PACKED);
    assert_next(&channel, FRAME_DATA, 30, 30, FRAME_FLAG_PACKED);
    channel_offer(&channel, 1000, false, 0);
    assert_next(&channel, FRAME_DATA, 60, 40, 0);
    assert_nothing_next(&channel);
}

static void
a_whole_offer_waits_for_room_at_the_peer(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel, PEER_ROOM + 10);
    channel_offer(&channel, PEER_ROOM - 9, false, 0);
    assert_next(&channel, FRAME_DATA, 0, PEER_ROOM - 9, 0);
    channel_offer(&channel, 10, true, FRAME_FLAG_PACKED);
    assert_nothing_next(&channel);
    assert_int_equal(channel_take(&channel, &(struct frame){ .type = FRAME_ACK,
                                                             .offset = 1 }),
                     REASON_NONE);
    assert_next(&channel, FRAME_DATA, PEER_ROOM - 9, 10, FRAME_FLAG_PACKED);
}

static void
a_whole_offer_goes_as_long_as_anything_is_allowed(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel, 100);
    channel_allow(&channel, 40);
    channel_offer(&channel, 30, true, FRAME_FLAG_PACKED);
    assert_next(&channel, FRAME_DATA, 0, 30, FRAME_FLAG_PACKED);
    assert_next(&channel, FRAME_DATA, 30, 30, FRAME_FLAG_PACKED);
    assert_true(channel_held(&channel));
    assert_nothing_next(&channel);
    channel_allow(&channel, 5);
    channel_offer(&channel, 30, false, 0);
    assert_next(&channel, FRAME_DATA, 60, 5, 0);
    assert_nothing_next(&channel);
}

static void
what_is_held_back_holds_back_the_end_and_nothing_else(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel, 10);
    channel_end(&channel);
    channel_reset(&channel, REASON_CANCELLED);
    channel_offer(&channel, 0, false, 0);
    assert_nothing_next(&channel);
    assert_int_equal(channel_take(&channel, &(struct frame){ .type = FRAME_PING,
                                                             .offset = 7 }),
                     REASON_NONE);
    assert_next(&channel, FRAME_PONG, 7, 0, 0);
    assert_nothing_next(&channel);
    channel_offer(&channel, 10, true, FRAME_FLAG_PACKED);
    assert_next(&channel, FRAME_DATA, 0, 10, FRAME_FLAG_PACKED);
    channel_offer(&channel, 0, false, 0);
    assert_next(&channel, FRAME_FIN, 10, 0, 0);
    assert_next(&channel, FRAME_RESET, 0, 0, 0);
}

static void
another_transport_begins_without_an_offer(void **state)
{
    const struct greeting_position peer = { .window = PEER_ROOM };
    struct greeting_position own;
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel, 10);
    channel_offer(&channel, 4, true, FRAME_FLAG_PACKED);
    assert_next(&channel, FRAME_DATA, 0, 4, FRAME_FLAG_PACKED);
    channel_greet(&channel, &own);
    assert_int_equal(channel_attach(&channel, &peer, NOW_MS, &replay),
                     REASON_NONE);
    assert_int_equal(replay, 4);
    assert_next(&channel, FRAME_DATA, 0, 10, 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_has_what_is_offered_and_no_more),
        cmocka_unit_test(a_whole_offer_waits_for_room_at_the_peer),
        cmocka_unit_test(a_whole_offer_goes_as_long_as_anything_is_allowed),
        cmocka_unit_test(what_is_held_back_holds_back_the_end_and_nothing_else),
        cmocka_unit_test(another_transport_begins_without_an_offer),
    };

    return RUN_TESTS(tests);
}
