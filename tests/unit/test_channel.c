/* The channel machine, one rule at a time.  test_model.c has them together. */
#include "wire/channel.h"

#include <string.h>

#include "support_test.h"

enum { ROOM = 1000, PEER_ROOM = 500, NOW_MS = 10000 };

static const struct greeting_position fresh_peer = { .window = PEER_ROOM };

/* A channel that has just been attached for the first time. */
static void
begin(struct channel *channel)
{
    struct greeting_position position;
    uint64_t replay;

    channel_init(channel, ROOM);
    channel_greet(channel, &position);
    assert_int_equal(channel_attach(channel, &fresh_peer, NOW_MS, &replay),
                     REASON_NONE);
    assert_int_equal(replay, 0);
}

static enum reason
resume(struct channel *channel, uint64_t delivered, bool fin_delivered,
       uint64_t *replay)
{
    struct greeting_position position, peer = { .delivered = delivered,
                                                .fin_delivered = fin_delivered,
                                                .window = PEER_ROOM };

    channel_greet(channel, &position);
    return channel_attach(channel, &peer, NOW_MS, replay);
}

static enum reason
take(struct channel *channel, enum frame_type type, uint64_t offset,
     uint32_t length)
{
    return channel_take(
        channel,
        &(struct frame){ .type = type, .offset = offset, .length = length });
}

static enum reason
take_ack(struct channel *channel, uint64_t offset, bool fin)
{
    return channel_take(channel,
                        &(struct frame){ .type = FRAME_ACK,
                                         .flags = fin ? FRAME_FLAG_FIN : 0,
                                         .offset = offset });
}

/* Expect that next comes such a frame. */
static void
assert_next(struct channel *channel, enum frame_type type, uint64_t offset,
            uint32_t length)
{
    struct frame frame;

    assert_true(channel_next(channel, &frame));
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.offset, offset);
    assert_int_equal(frame.length, length);
}

static void
assert_nothing_next(struct channel *channel)
{
    struct frame frame;

    assert_false(channel_next(channel, &frame));
}

static void
take_data(struct channel *channel, uint64_t offset, uint32_t length)
{
    assert_int_equal(take(channel, FRAME_DATA, offset, length), REASON_NONE);
    channel_payload(channel, length);
}

static void
send_all(struct channel *channel, uint32_t bytes)
{
    channel_queue(channel, bytes);
    assert_next(channel, FRAME_DATA, channel->out.queued - bytes, bytes);
}

static void
nothing_is_sent_or_read_before_there_is_a_transport(void **state)
{
    struct channel channel;

    (void)state;
    channel_init(&channel, ROOM);
    assert_int_equal(channel_may_queue(&channel, UINT64_MAX), 0);
    channel_end(&channel);
    assert_nothing_next(&channel);
}

static void
a_greeting_says_what_is_delivered_and_how_much_room_there_is(void **state)
{
    struct channel channel;
    struct greeting_position position;

    (void)state;
    begin(&channel);
    take_data(&channel, 0, 30);
    channel_delivered(&channel, 20);
    channel_greet(&channel, &position);
    assert_int_equal(position.delivered, 20);
    assert_false(position.fin_delivered);
    assert_int_equal(position.window, ROOM);
    assert_int_equal(channel.in.received, 20);
    assert_nothing_next(&channel);
}

static void
a_greeting_says_that_the_end_is_delivered(void **state)
{
    struct channel channel;
    struct greeting_position position;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_NONE);
    channel_fin_delivered(&channel);
    channel_greet(&channel, &position);
    assert_true(position.fin_delivered);
}

static void
a_greeting_counts_as_an_ack(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    take_data(&channel, 0, 30);
    channel_delivered(&channel, 30);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_nothing_next(&channel);
    channel_detach(&channel);
    assert_int_equal(take(&channel, FRAME_FIN, 30, 0), REASON_NONE);
    channel_fin_delivered(&channel);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_nothing_next(&channel);
}

static void
what_was_not_delivered_is_sent_again(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    send_all(&channel, 100);
    channel_queue(&channel, 50);
    assert_int_equal(resume(&channel, 40, false, &replay), REASON_NONE);
    assert_int_equal(replay, 60);
    assert_int_equal(channel.out.acked, 40);
    assert_next(&channel, FRAME_DATA, 40, 110);
    assert_nothing_next(&channel);
}

static void
a_peer_may_stand_anywhere_between_acked_and_sent(void **state)
{
    static const struct {
        uint64_t delivered;
        enum reason reason;
    } cases[] = {
        { 0, REASON_BAD_RESUME },   { 9, REASON_BAD_RESUME },
        { 10, REASON_NONE },        { 11, REASON_NONE },
        { 99, REASON_NONE },        { 100, REASON_NONE },
        { 101, REASON_BAD_RESUME }, { UINT64_MAX, REASON_BAD_RESUME }
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct channel channel;
        uint64_t replay;

        begin(&channel);
        send_all(&channel, 100);
        channel_queue(&channel, 1);
        assert_int_equal(take_ack(&channel, 10, false), REASON_NONE);
        assert_int_equal(resume(&channel, cases[i].delivered, false, &replay),
                         cases[i].reason);
        assert_int_equal(channel.attached, cases[i].reason == REASON_NONE);
    }
}

static void
a_peer_may_have_what_only_an_earlier_transport_carried(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    send_all(&channel, 100);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_int_equal(replay, 100);
    assert_int_equal(resume(&channel, 100, false, &replay), REASON_NONE);
    assert_int_equal(replay, 0);
}

static void
a_refused_peer_changes_nothing(void **state)
{
    struct channel channel, before;
    struct greeting_position position, peer = { .delivered = 101 };
    uint64_t replay = 7;

    (void)state;
    begin(&channel);
    send_all(&channel, 100);
    channel_greet(&channel, &position);
    before = channel;
    assert_int_equal(channel_attach(&channel, &peer, NOW_MS, &replay),
                     REASON_BAD_RESUME);
    assert_memory_equal(&channel, &before, sizeof channel);
    assert_int_equal(replay, 7);
}

static void
a_peer_has_the_end_only_if_it_was_sent_and_all_before_it(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    send_all(&channel, 100);
    assert_int_equal(resume(&channel, 100, true, &replay), REASON_BAD_RESUME);
    channel_end(&channel);
    assert_int_equal(resume(&channel, 100, true, &replay), REASON_BAD_RESUME);
    assert_int_equal(resume(&channel, 100, false, &replay), REASON_NONE);
    assert_next(&channel, FRAME_FIN, 100, 0);
    assert_int_equal(resume(&channel, 99, true, &replay), REASON_BAD_RESUME);
    assert_int_equal(resume(&channel, 100, true, &replay), REASON_NONE);
    assert_true(channel.out.fin_acked);
    assert_nothing_next(&channel);
}

static void
a_peer_that_had_the_end_cannot_take_that_back(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    channel_end(&channel);
    assert_next(&channel, FRAME_FIN, 0, 0);
    assert_int_equal(take_ack(&channel, 0, true), REASON_NONE);
    assert_int_equal(take_ack(&channel, 0, false), REASON_BAD_ACK);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_BAD_RESUME);
    assert_int_equal(resume(&channel, 0, true, &replay), REASON_NONE);
}

static void
an_end_that_was_lost_is_sent_again(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    channel_end(&channel);
    for (int i = 0; i < 3; i++) {
        assert_next(&channel, FRAME_FIN, 0, 0);
        assert_nothing_next(&channel);
        assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    }
}

static void
data_follows_on_without_gap_or_overlap(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_DATA, 1, 1), REASON_BAD_OFFSET);
    take_data(&channel, 0, 10);
    assert_int_equal(take(&channel, FRAME_DATA, 9, 1), REASON_BAD_OFFSET);
    assert_int_equal(take(&channel, FRAME_DATA, 11, 1), REASON_BAD_OFFSET);
    assert_int_equal(take(&channel, FRAME_DATA, UINT64_MAX, 1),
                     REASON_BAD_OFFSET);
    assert_int_equal(take(&channel, FRAME_DATA, 10, 1), REASON_NONE);
}

static void
data_keeps_to_the_room_that_is_left(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_DATA, 0, ROOM + 1),
                     REASON_BAD_WINDOW);
    take_data(&channel, 0, ROOM - 1);
    assert_int_equal(take(&channel, FRAME_DATA, ROOM - 1, 2),
                     REASON_BAD_WINDOW);
    take_data(&channel, ROOM - 1, 1);
    assert_int_equal(take(&channel, FRAME_DATA, ROOM, 1), REASON_BAD_WINDOW);
    channel_delivered(&channel, 1);
    take_data(&channel, ROOM, 1);
    channel_delivered(&channel, ROOM);
    assert_int_equal(take(&channel, FRAME_DATA, ROOM + 1, UINT32_MAX),
                     REASON_BAD_WINDOW);
    take_data(&channel, ROOM + 1, ROOM);
}

static void
a_payload_may_come_in_pieces(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_DATA, 0, 10), REASON_NONE);
    assert_int_equal(channel.in.expected, 10);
    channel_payload(&channel, 4);
    assert_int_equal(channel.in.expected, 6);
    channel_delivered(&channel, 4);
    assert_next(&channel, FRAME_ACK, 4, 0);
    channel_payload(&channel, 6);
    assert_int_equal(channel.in.expected, 0);
    assert_int_equal(channel.in.received, 10);
}

static void
a_payload_cut_off_is_forgotten_with_its_transport(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_DATA, 0, 10), REASON_NONE);
    channel_payload(&channel, 4);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_int_equal(channel.in.expected, 0);
    take_data(&channel, 0, 10);
}

static void
an_end_comes_where_the_data_ends(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    take_data(&channel, 0, 10);
    assert_int_equal(take(&channel, FRAME_FIN, 9, 0), REASON_BAD_OFFSET);
    assert_int_equal(take(&channel, FRAME_FIN, 11, 0), REASON_BAD_OFFSET);
    assert_int_equal(take(&channel, FRAME_FIN, 10, 0), REASON_NONE);
}

static void
nothing_comes_after_the_end(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_NONE);
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_BAD_FIN);
    assert_int_equal(take(&channel, FRAME_DATA, 0, 1), REASON_BAD_FIN);
    channel_fin_delivered(&channel);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_BAD_FIN);
    assert_int_equal(take(&channel, FRAME_DATA, 0, 1), REASON_BAD_FIN);
}

static void
an_end_that_was_not_delivered_comes_again(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    take_data(&channel, 0, 10);
    assert_int_equal(take(&channel, FRAME_FIN, 10, 0), REASON_NONE);
    channel_delivered(&channel, 5);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    take_data(&channel, 5, 5);
    assert_int_equal(take(&channel, FRAME_FIN, 10, 0), REASON_NONE);
}

static void
the_end_is_due_when_all_before_it_is_delivered(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    take_data(&channel, 0, 2);
    channel_delivered(&channel, 1);
    assert_false(channel_fin_due(&channel));
    assert_int_equal(take(&channel, FRAME_FIN, 2, 0), REASON_NONE);
    assert_false(channel_fin_due(&channel));
    channel_delivered(&channel, 1);
    assert_true(channel_fin_due(&channel));
    channel_fin_delivered(&channel);
    assert_false(channel_fin_due(&channel));
}

static void
an_ack_lies_between_the_last_one_and_what_was_sent(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    send_all(&channel, 100);
    channel_queue(&channel, 1);
    assert_int_equal(take_ack(&channel, 101, false), REASON_BAD_ACK);
    assert_int_equal(take_ack(&channel, UINT64_MAX, false), REASON_BAD_ACK);
    assert_int_equal(take_ack(&channel, 50, false), REASON_NONE);
    assert_int_equal(channel.out.acked, 50);
    assert_int_equal(take_ack(&channel, 50, false), REASON_NONE);
    assert_int_equal(take_ack(&channel, 49, false), REASON_BAD_ACK);
    assert_int_equal(channel.out.acked, 50);
    assert_int_equal(take_ack(&channel, 100, false), REASON_NONE);
}

static void
an_ack_of_what_was_not_sent_again_yet_is_refused(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    send_all(&channel, 100);
    assert_int_equal(resume(&channel, 10, false, &replay), REASON_NONE);
    assert_int_equal(take_ack(&channel, 11, false), REASON_BAD_ACK);
    assert_next(&channel, FRAME_DATA, 10, 90);
    assert_int_equal(take_ack(&channel, 100, false), REASON_NONE);
}

static void
an_ack_of_the_end_needs_the_end_and_all_before_it(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    send_all(&channel, 10);
    assert_int_equal(take_ack(&channel, 10, true), REASON_BAD_ACK);
    channel_end(&channel);
    assert_int_equal(take_ack(&channel, 10, true), REASON_BAD_ACK);
    assert_next(&channel, FRAME_FIN, 10, 0);
    assert_int_equal(take_ack(&channel, 9, true), REASON_BAD_ACK);
    assert_false(channel.out.fin_acked);
    assert_int_equal(take_ack(&channel, 10, false), REASON_NONE);
    assert_int_equal(take_ack(&channel, 10, true), REASON_NONE);
    assert_true(channel.out.fin_acked);
    assert_int_equal(take_ack(&channel, 10, true), REASON_NONE);
}

static void
an_ack_is_sent_for_what_is_delivered_only(void **state)
{
    struct channel channel;
    struct frame frame;

    (void)state;
    begin(&channel);
    take_data(&channel, 0, 10);
    assert_nothing_next(&channel);
    channel_delivered(&channel, 6);
    assert_next(&channel, FRAME_ACK, 6, 0);
    assert_nothing_next(&channel);
    channel_delivered(&channel, 4);
    assert_int_equal(take(&channel, FRAME_FIN, 10, 0), REASON_NONE);
    assert_true(channel_next(&channel, &frame));
    assert_int_equal(frame.flags, 0);
    assert_nothing_next(&channel);
    channel_fin_delivered(&channel);
    assert_true(channel_next(&channel, &frame));
    assert_int_equal(frame.type, FRAME_ACK);
    assert_int_equal(frame.flags, FRAME_FLAG_FIN);
    assert_int_equal(frame.offset, 10);
    assert_nothing_next(&channel);
}

static void
no_more_is_queued_than_the_peer_and_the_window_have_room_for(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_int_equal(channel_may_queue(&channel, UINT64_MAX), PEER_ROOM);
    assert_int_equal(channel_may_queue(&channel, PEER_ROOM + 1), PEER_ROOM);
    assert_int_equal(channel_may_queue(&channel, PEER_ROOM - 1), PEER_ROOM - 1);
    assert_int_equal(channel_may_queue(&channel, 0), 0);
    send_all(&channel, 100);
    assert_int_equal(channel_may_queue(&channel, 101), 1);
    assert_int_equal(channel_may_queue(&channel, 100), 0);
    assert_int_equal(channel_may_queue(&channel, 99), 0);
    assert_int_equal(take_ack(&channel, 1, false), REASON_NONE);
    assert_int_equal(channel_may_queue(&channel, 100), 1);
    channel_end(&channel);
    assert_int_equal(channel_may_queue(&channel, UINT64_MAX), 0);
}

static void
queueing_goes_on_while_there_is_no_transport(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_detach(&channel);
    assert_int_equal(channel_may_queue(&channel, UINT64_MAX), PEER_ROOM);
    channel_queue(&channel, 10);
    assert_nothing_next(&channel);
}

static void
no_more_is_sent_than_a_peer_with_less_room_can_take(void **state)
{
    struct channel channel;
    struct greeting_position position, peer = { .window = 100 };
    uint64_t replay;

    (void)state;
    begin(&channel);
    send_all(&channel, 300);
    channel_end(&channel);
    channel_greet(&channel, &position);
    assert_int_equal(channel_attach(&channel, &peer, NOW_MS, &replay),
                     REASON_NONE);
    assert_next(&channel, FRAME_DATA, 0, 100);
    assert_nothing_next(&channel); /* nor the end, before its time */
    assert_int_equal(take_ack(&channel, 1, false), REASON_NONE);
    assert_next(&channel, FRAME_DATA, 100, 1);
    assert_int_equal(take_ack(&channel, 101, false), REASON_NONE);
    assert_next(&channel, FRAME_DATA, 101, 100);
}

static void
a_frame_is_at_most_as_long_as_one_may_be(void **state)
{
    struct channel channel;
    struct greeting_position position, peer = { .window = 3 * FRAME_DATA_MAX };
    uint64_t replay;

    (void)state;
    channel_init(&channel, ROOM);
    channel_greet(&channel, &position);
    assert_int_equal(channel_attach(&channel, &peer, NOW_MS, &replay),
                     REASON_NONE);
    channel_queue(&channel, 2 * FRAME_DATA_MAX + 1);
    assert_next(&channel, FRAME_DATA, 0, FRAME_DATA_MAX);
    assert_next(&channel, FRAME_DATA, FRAME_DATA_MAX, FRAME_DATA_MAX);
    assert_next(&channel, FRAME_DATA, 2 * FRAME_DATA_MAX, 1);
    assert_nothing_next(&channel);
}

static void
what_is_short_goes_before_data_and_the_end_after_it(void **state)
{
    struct channel channel;
    uint64_t next_ms;

    (void)state;
    begin(&channel);
    channel_queue(&channel, 10);
    channel_end(&channel);
    channel_reset(&channel, REASON_CANCELLED);
    take_data(&channel, 0, 5);
    channel_delivered(&channel, 5);
    assert_int_equal(take(&channel, FRAME_PING, 77, 0), REASON_NONE);
    assert_int_equal(channel_tick(&channel, NOW_MS + CHANNEL_PING_MS, &next_ms),
                     CHANNEL_PING);
    assert_next(&channel, FRAME_PONG, 77, 0);
    assert_next(&channel, FRAME_ACK, 5, 0);
    assert_next(&channel, FRAME_PING, NOW_MS + CHANNEL_PING_MS, 0);
    assert_next(&channel, FRAME_DATA, 0, 10);
    assert_next(&channel, FRAME_FIN, 10, 0);
    assert_next(&channel, FRAME_RESET, 0, 0);
    assert_nothing_next(&channel);
}

static void
the_latest_ping_is_answered_once(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    for (uint64_t i = 1; i <= 1000; i++)
        assert_int_equal(take(&channel, FRAME_PING, i, 0), REASON_NONE);
    assert_next(&channel, FRAME_PONG, 1000, 0);
    assert_nothing_next(&channel);
    assert_int_equal(take(&channel, FRAME_PONG, 5, 0), REASON_NONE);
    assert_nothing_next(&channel);
}

static void
pings_and_pongs_do_not_pass_to_another_transport(void **state)
{
    struct channel channel;
    uint64_t replay, next_ms;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_PING, 1, 0), REASON_NONE);
    channel_tick(&channel, NOW_MS + CHANNEL_PING_MS, &next_ms);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_nothing_next(&channel);
}

static void
a_reset_says_its_first_reason_and_then_nothing(void **state)
{
    struct channel channel;
    struct frame frame;

    (void)state;
    begin(&channel);
    channel_reset(&channel, REASON_CANCELLED);
    channel_reset(&channel, REASON_LOST);
    assert_true(channel_next(&channel, &frame));
    assert_int_equal(frame.type, FRAME_RESET);
    assert_int_equal(frame.code, REASON_CANCELLED);
    channel_queue(&channel, 10);
    assert_int_equal(take(&channel, FRAME_PING, 1, 0), REASON_NONE);
    assert_nothing_next(&channel);
}

static void
a_reset_is_said_again_over_another_transport(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    channel_reset(&channel, REASON_CANCELLED);
    assert_next(&channel, FRAME_RESET, 0, 0);
    assert_int_equal(resume(&channel, 0, false, &replay), REASON_NONE);
    assert_next(&channel, FRAME_RESET, 0, 0);
    assert_nothing_next(&channel);
}

static void
a_reset_does_not_wait_for_room_at_the_peer(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_queue(&channel, PEER_ROOM);
    assert_next(&channel, FRAME_DATA, 0, PEER_ROOM);
    channel_queue(&channel, 1);
    channel_end(&channel);
    channel_reset(&channel, REASON_CANCELLED);
    assert_next(&channel, FRAME_RESET, 0, 0);
}

static void
the_peers_reset_is_the_owners_matter(void **state)
{
    struct channel channel, before;

    (void)state;
    begin(&channel);
    before = channel;
    assert_int_equal(take(&channel, FRAME_RESET, 0, 0), REASON_NONE);
    assert_memory_equal(&channel, &before, sizeof channel);
}

static void
a_type_that_is_none_is_no_frame(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, (enum frame_type)0, 0, 0),
                     REASON_BAD_FRAME);
    assert_int_equal(take(&channel, (enum frame_type)7, 0, 0),
                     REASON_BAD_FRAME);
}

static void
a_frame_that_is_refused_changes_nothing(void **state)
{
    static const struct frame frames[] = {
        { FRAME_DATA, 0, 0, 1, 11 },
        { FRAME_DATA, 0, 0, ROOM, 10 },
        { FRAME_FIN, 0, 0, 0, 9 },
        { FRAME_ACK, 0, 0, 0, 4 },
        { FRAME_ACK, 0, 0, 0, 21 },
        { FRAME_ACK, FRAME_FLAG_FIN, 0, 0, 20 },
        { (enum frame_type)9, 0, 0, 0, 0 },
    };
    struct channel channel, before;

    (void)state;
    begin(&channel);
    send_all(&channel, 20);
    assert_int_equal(take_ack(&channel, 5, false), REASON_NONE);
    take_data(&channel, 0, 10);
    before = channel;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        assert_int_not_equal(channel_take(&channel, &frames[i]), REASON_NONE);
        assert_memory_equal(&channel, &before, sizeof channel);
    }
}

static void
a_silent_peer_is_asked_each_second_and_dead_after_five(void **state)
{
    struct channel channel;
    uint64_t next_ms = 0;

    (void)state;
    begin(&channel);
    assert_int_equal(channel_tick(&channel, NOW_MS + 999, &next_ms),
                     CHANNEL_QUIET);
    assert_int_equal(next_ms, NOW_MS + 1000);
    assert_nothing_next(&channel);
    for (uint64_t ms = NOW_MS + 1000; ms < NOW_MS + 5000; ms += 1000) {
        assert_int_equal(channel_tick(&channel, ms, &next_ms), CHANNEL_PING);
        assert_int_equal(next_ms, ms + 1000);
        assert_next(&channel, FRAME_PING, ms, 0);
        assert_int_equal(channel_tick(&channel, ms + 999, &next_ms),
                         CHANNEL_QUIET);
        assert_nothing_next(&channel);
    }
    assert_int_equal(channel_tick(&channel, NOW_MS + 5000, &next_ms),
                     CHANNEL_DEAD);
}

static void
a_peer_that_is_heard_is_neither_asked_nor_dead(void **state)
{
    struct channel channel;
    uint64_t next_ms;

    (void)state;
    begin(&channel);
    for (uint64_t ms = NOW_MS; ms < NOW_MS + 20000; ms += 900) {
        channel_heard(&channel, ms);
        assert_int_equal(channel_tick(&channel, ms + 900, &next_ms),
                         CHANNEL_QUIET);
        assert_int_equal(next_ms, ms + CHANNEL_PING_MS);
    }
    assert_nothing_next(&channel);
}

static void
death_is_looked_for_in_time_even_after_a_late_ping(void **state)
{
    struct channel channel;
    uint64_t next_ms;

    (void)state;
    begin(&channel);
    assert_int_equal(channel_tick(&channel, NOW_MS + 4500, &next_ms),
                     CHANNEL_PING);
    assert_int_equal(next_ms, NOW_MS + 5000);
}

/* Let time pass until the next PING, which is answered at once. */
static uint64_t
until_ping(struct channel *channel, uint64_t now_ms)
{
    uint64_t next_ms;

    while (channel_tick(channel, now_ms, &next_ms) == CHANNEL_QUIET) {
        assert_true(next_ms > now_ms);
        now_ms = next_ms;
    }
    assert_next(channel, FRAME_PING, now_ms, 0);
    channel_heard(channel, now_ms);
    return now_ms;
}

static void
a_channel_that_rests_is_asked_ever_more_seldom(void **state)
{
    static const uint64_t pauses[] = { 1000, 2000, 4000, 8000, 10000, 10000 };
    struct channel channel;
    uint64_t now_ms = NOW_MS, asked_ms;

    (void)state;
    begin(&channel);
    channel_patience(&channel, CHANNEL_PING_MS, 10000);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        asked_ms = until_ping(&channel, now_ms);
        assert_int_equal(asked_ms - now_ms, pauses[i]);
        now_ms = asked_ms;
    }
    assert_int_equal(channel_tick(&channel, now_ms + 13999, &asked_ms),
                     CHANNEL_PING);
    assert_int_equal(channel_tick(&channel, now_ms + 14000, &asked_ms),
                     CHANNEL_DEAD);
}

enum rouser { BY_QUEUE, BY_END, BY_DATA, BY_FIN, BY_ACK, ROUSERS };

static void
rouse_by(struct channel *channel, enum rouser rouser)
{
    switch (rouser) {
    case BY_QUEUE: channel_queue(channel, 1); break;
    case BY_END: channel_end(channel); break;
    case BY_DATA: take_data(channel, 0, 1); break;
    case BY_FIN:
        assert_int_equal(take(channel, FRAME_FIN, 0, 0), REASON_NONE);
        break;
    case BY_ACK:
        assert_int_equal(take_ack(channel, 0, false), REASON_NONE);
        break;
    case ROUSERS: break;
    }
}

static void
whatever_happens_after_a_rest_has_the_peer_asked_at_once(void **state)
{
    struct channel channel;
    uint64_t now_ms, next_ms;

    (void)state;
    for (int rouser = 0; rouser < ROUSERS; rouser++) {
        now_ms = NOW_MS;
        begin(&channel);
        channel_patience(&channel, CHANNEL_PING_MS, 10000);
        for (unsigned i = 0; i < 4; i++)
            now_ms = until_ping(&channel, now_ms);
        assert_false(channel.roused);
        now_ms += 7000;
        rouse_by(&channel, (enum rouser)rouser);
        assert_true(channel.roused);
        assert_int_equal(channel_tick(&channel, now_ms, &next_ms),
                         CHANNEL_PING);
        assert_false(channel.roused);
        assert_int_equal(channel_tick(&channel, now_ms + 3999, &next_ms),
                         CHANNEL_PING);
        assert_int_equal(channel_tick(&channel, now_ms + 4000, &next_ms),
                         CHANNEL_DEAD);
    }
}

static void
what_happens_without_a_rest_before_changes_nothing(void **state)
{
    struct channel channel;
    uint64_t next_ms;

    (void)state;
    begin(&channel);
    channel_patience(&channel, 1500, 0); /* at most what it begins with */
    channel_queue(&channel, 1);
    assert_false(channel.roused);
    assert_int_equal(channel_tick(&channel, NOW_MS + 1499, &next_ms),
                     CHANNEL_QUIET);
    assert_int_equal(next_ms, NOW_MS + 1500);
    assert_int_equal(channel_tick(&channel, NOW_MS + 4999, &next_ms),
                     CHANNEL_PING);
    assert_int_equal(channel_tick(&channel, NOW_MS + 5000, &next_ms),
                     CHANNEL_DEAD);
}

static void
a_new_transport_begins_with_a_peer_that_was_just_heard(void **state)
{
    struct channel channel;
    struct greeting_position position;
    uint64_t replay, next_ms;

    (void)state;
    begin(&channel);
    channel_greet(&channel, &position);
    channel_attach(&channel, &fresh_peer, NOW_MS + 60000, &replay);
    assert_int_equal(channel_tick(&channel, NOW_MS + 60999, &next_ms),
                     CHANNEL_QUIET);
}

static void
a_channel_is_complete_by_both_ends_and_finished_when_the_peer_knows(
    void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_end(&channel);
    assert_next(&channel, FRAME_FIN, 0, 0);
    assert_false(channel_complete(&channel));
    assert_int_equal(take_ack(&channel, 0, true), REASON_NONE);
    assert_false(channel_complete(&channel));
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_NONE);
    assert_false(channel_complete(&channel));
    channel_fin_delivered(&channel);
    assert_true(channel_complete(&channel));
    assert_false(channel_finished(&channel));
    assert_next(&channel, FRAME_ACK, 0, 0);
    assert_true(channel_finished(&channel));
}

static void
a_stream_that_came_to_its_end_does_not_complete_the_other(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_NONE);
    channel_fin_delivered(&channel);
    channel_end(&channel);
    assert_next(&channel, FRAME_ACK, 0, 0);
    assert_next(&channel, FRAME_FIN, 0, 0);
    assert_false(channel_complete(&channel));
    assert_false(channel_finished(&channel));
}

static void
a_finished_channel_answers_for_as_long_as_it_is_asked(void **state)
{
    struct channel channel;
    uint64_t replay;

    (void)state;
    begin(&channel);
    channel_end(&channel);
    assert_next(&channel, FRAME_FIN, 0, 0);
    assert_int_equal(take(&channel, FRAME_FIN, 0, 0), REASON_NONE);
    channel_fin_delivered(&channel);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(resume(&channel, 0, true, &replay), REASON_NONE);
        assert_true(channel_finished(&channel));
        assert_nothing_next(&channel);
    }
}

static void
little_is_not_acknowledged_until_it_is_time(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_hold_acks(&channel, 100);
    assert_false(channel_ack_waits(&channel));
    take_data(&channel, 0, 99);
    assert_false(channel_ack_waits(&channel));
    channel_delivered(&channel, 99);
    assert_true(channel_ack_waits(&channel));
    assert_nothing_next(&channel);
    channel_ack_now(&channel);
    assert_false(channel_ack_waits(&channel));
    assert_next(&channel, FRAME_ACK, 99, 0);
    take_data(&channel, 99, 99);
    channel_delivered(&channel, 99);
    assert_true(channel_ack_waits(&channel)); /* it was for that one alone */
    assert_nothing_next(&channel);
}

static void
much_is_acknowledged_at_once(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_hold_acks(&channel, 100);
    take_data(&channel, 0, 100);
    channel_delivered(&channel, 100);
    assert_false(channel_ack_waits(&channel));
    assert_next(&channel, FRAME_ACK, 100, 0);
    take_data(&channel, 100, 101);
    channel_delivered(&channel, 101);
    assert_next(&channel, FRAME_ACK, 201, 0);
}

static void
half_of_the_room_is_acknowledged_at_once(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_hold_acks(&channel, 10 * ROOM);
    take_data(&channel, 0, ROOM);
    channel_delivered(&channel, ROOM / 2 - 1);
    assert_nothing_next(&channel);
    channel_delivered(&channel, 1);
    assert_next(&channel, FRAME_ACK, ROOM / 2, 0);
}

static void
the_end_is_acknowledged_at_once(void **state)
{
    struct channel channel;
    struct frame frame;

    (void)state;
    begin(&channel);
    channel_hold_acks(&channel, 100);
    take_data(&channel, 0, 10);
    assert_int_equal(take(&channel, FRAME_FIN, 10, 0), REASON_NONE);
    channel_delivered(&channel, 10);
    assert_nothing_next(&channel);
    channel_fin_delivered(&channel);
    assert_false(channel_ack_waits(&channel));
    assert_true(channel_next(&channel, &frame));
    assert_int_equal(frame.type, FRAME_ACK);
    assert_int_equal(frame.flags, FRAME_FLAG_FIN);
    assert_int_equal(frame.offset, 10);
}

static void
nothing_waits_to_be_acknowledged_without_a_transport(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_hold_acks(&channel, 100);
    take_data(&channel, 0, 10);
    channel_delivered(&channel, 10);
    channel_detach(&channel);
    assert_false(channel_ack_waits(&channel));
}

static void
payload_that_is_not_allowed_waits_and_nothing_else_does(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    assert_false(channel_held(&channel));
    channel_allow(&channel, 0);
    assert_false(channel_held(&channel)); /* there is nothing to hold */
    channel_queue(&channel, 100);
    channel_end(&channel);
    channel_reset(&channel, REASON_CANCELLED);
    assert_true(channel_held(&channel));
    take_data(&channel, 0, 10);
    channel_delivered(&channel, 10);
    assert_int_equal(take(&channel, FRAME_PING, 7, 0), REASON_NONE);
    assert_next(&channel, FRAME_PONG, 7, 0);
    assert_next(&channel, FRAME_ACK, 10, 0);
    assert_nothing_next(&channel);
    channel_allow(&channel, 60);
    assert_false(channel_held(&channel));
    assert_next(&channel, FRAME_DATA, 0, 60);
    assert_nothing_next(&channel);
    channel_allow(&channel, UINT64_MAX);
    assert_next(&channel, FRAME_DATA, 60, 40);
    assert_next(&channel, FRAME_FIN, 100, 0);
    assert_next(&channel, FRAME_RESET, 0, 0);
    channel_allow(&channel, 0);
    assert_false(channel_held(&channel));
}

static void
nothing_is_held_back_without_a_transport(void **state)
{
    struct channel channel;

    (void)state;
    begin(&channel);
    channel_queue(&channel, 100);
    channel_allow(&channel, 0);
    assert_true(channel_held(&channel));
    channel_detach(&channel);
    assert_false(channel_held(&channel));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_is_not_acknowledged_until_it_is_time),
        cmocka_unit_test(much_is_acknowledged_at_once),
        cmocka_unit_test(half_of_the_room_is_acknowledged_at_once),
        cmocka_unit_test(the_end_is_acknowledged_at_once),
        cmocka_unit_test(nothing_waits_to_be_acknowledged_without_a_transport),
        cmocka_unit_test(nothing_is_sent_or_read_before_there_is_a_transport),
        cmocka_unit_test(
            a_greeting_says_what_is_delivered_and_how_much_room_there_is),
        cmocka_unit_test(a_greeting_says_that_the_end_is_delivered),
        cmocka_unit_test(a_greeting_counts_as_an_ack),
        cmocka_unit_test(what_was_not_delivered_is_sent_again),
        cmocka_unit_test(a_peer_may_stand_anywhere_between_acked_and_sent),
        cmocka_unit_test(
            a_peer_may_have_what_only_an_earlier_transport_carried),
        cmocka_unit_test(a_refused_peer_changes_nothing),
        cmocka_unit_test(
            a_peer_has_the_end_only_if_it_was_sent_and_all_before_it),
        cmocka_unit_test(a_peer_that_had_the_end_cannot_take_that_back),
        cmocka_unit_test(an_end_that_was_lost_is_sent_again),
        cmocka_unit_test(data_follows_on_without_gap_or_overlap),
        cmocka_unit_test(data_keeps_to_the_room_that_is_left),
        cmocka_unit_test(a_payload_may_come_in_pieces),
        cmocka_unit_test(a_payload_cut_off_is_forgotten_with_its_transport),
        cmocka_unit_test(an_end_comes_where_the_data_ends),
        cmocka_unit_test(nothing_comes_after_the_end),
        cmocka_unit_test(an_end_that_was_not_delivered_comes_again),
        cmocka_unit_test(the_end_is_due_when_all_before_it_is_delivered),
        cmocka_unit_test(an_ack_lies_between_the_last_one_and_what_was_sent),
        cmocka_unit_test(an_ack_of_what_was_not_sent_again_yet_is_refused),
        cmocka_unit_test(an_ack_of_the_end_needs_the_end_and_all_before_it),
        cmocka_unit_test(an_ack_is_sent_for_what_is_delivered_only),
        cmocka_unit_test(
            no_more_is_queued_than_the_peer_and_the_window_have_room_for),
        cmocka_unit_test(queueing_goes_on_while_there_is_no_transport),
        cmocka_unit_test(no_more_is_sent_than_a_peer_with_less_room_can_take),
        cmocka_unit_test(a_frame_is_at_most_as_long_as_one_may_be),
        cmocka_unit_test(what_is_short_goes_before_data_and_the_end_after_it),
        cmocka_unit_test(the_latest_ping_is_answered_once),
        cmocka_unit_test(pings_and_pongs_do_not_pass_to_another_transport),
        cmocka_unit_test(a_reset_says_its_first_reason_and_then_nothing),
        cmocka_unit_test(a_reset_is_said_again_over_another_transport),
        cmocka_unit_test(a_reset_does_not_wait_for_room_at_the_peer),
        cmocka_unit_test(the_peers_reset_is_the_owners_matter),
        cmocka_unit_test(a_type_that_is_none_is_no_frame),
        cmocka_unit_test(a_frame_that_is_refused_changes_nothing),
        cmocka_unit_test(
            a_silent_peer_is_asked_each_second_and_dead_after_five),
        cmocka_unit_test(a_peer_that_is_heard_is_neither_asked_nor_dead),
        cmocka_unit_test(death_is_looked_for_in_time_even_after_a_late_ping),
        cmocka_unit_test(a_channel_that_rests_is_asked_ever_more_seldom),
        cmocka_unit_test(
            whatever_happens_after_a_rest_has_the_peer_asked_at_once),
        cmocka_unit_test(what_happens_without_a_rest_before_changes_nothing),
        cmocka_unit_test(
            a_new_transport_begins_with_a_peer_that_was_just_heard),
        cmocka_unit_test(
            a_channel_is_complete_by_both_ends_and_finished_when_the_peer_knows),
        cmocka_unit_test(
            a_stream_that_came_to_its_end_does_not_complete_the_other),
        cmocka_unit_test(a_finished_channel_answers_for_as_long_as_it_is_asked),
        cmocka_unit_test(
            payload_that_is_not_allowed_waits_and_nothing_else_does),
        cmocka_unit_test(nothing_is_held_back_without_a_transport),
    };

    return RUN_TESTS(tests);
}
