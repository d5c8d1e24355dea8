/* One end of a resumable channel, whose peer lies, dies or gives up. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "support_faults.h"
#include "support_net.h"
#include "support_no_ring.h"
#include "support_pool.h"
#include "support_session_clock.h"
#include "support_session_sides.h"
#include "support_test.h"
#include "tunnel/session_channel.h"

enum {
    SMALL_WINDOW = 64 << 10,
    PACE_FIRST = 256 << 10, /* what is on its way at first, at most */
    LONG = 1 << 28,         /* more than any window */
    IDLE_TURNS = 16,
};

struct lie {
    const char *name;
    struct frame frames[2];
    enum reason reason;
};

/* The peer has got 100 bytes when it lies. */
static const struct lie lies[] = {
    { "a type", { { .type = 9 } }, REASON_BAD_FRAME },
    { "a flag", { { .type = FRAME_FIN, .flags = 1 } }, REASON_BAD_FRAME },
    { "no reason", { { .type = FRAME_RESET } }, REASON_BAD_FRAME },
    { "empty", { { .type = FRAME_DATA } }, REASON_BAD_LENGTH },
    { "oversize",
      { { .type = FRAME_DATA, .length = FRAME_DATA_MAX + 1 } },
      REASON_BAD_LENGTH },
    { "a ping with a body",
      { { .type = FRAME_PING, .length = 1 } },
      REASON_BAD_LENGTH },
    { "a gap",
      { { .type = FRAME_DATA, .length = 1, .offset = 1 } },
      REASON_BAD_OFFSET },
    { "far beyond the window",
      { { .type = FRAME_DATA, .length = 1, .offset = 1ull << 40 } },
      REASON_BAD_OFFSET },
    { "more than the window",
      { { .type = FRAME_DATA, .length = SMALL_WINDOW + 1 } },
      REASON_BAD_WINDOW },
    { "an ACK of what was not sent",
      { { .type = FRAME_ACK, .offset = 101 } },
      REASON_BAD_ACK },
    { "an ACK that goes back",
      { { .type = FRAME_ACK, .offset = 50 },
        { .type = FRAME_ACK, .offset = 49 } },
      REASON_BAD_ACK },
    { "an ACK of an end that was not sent",
      { { .type = FRAME_ACK, .flags = FRAME_FLAG_FIN, .offset = 100 } },
      REASON_BAD_ACK },
    { "a FIN that does not follow on",
      { { .type = FRAME_FIN, .offset = 1 } },
      REASON_BAD_OFFSET },
    { "a second FIN",
      { { .type = FRAME_FIN }, { .type = FRAME_FIN } },
      REASON_BAD_FIN },
    { "data after FIN",
      { { .type = FRAME_FIN }, { .type = FRAME_DATA, .length = 1 } },
      REASON_BAD_FIN },
};

static void
a_peer_that_lies_gets_a_reset_with_the_reason(void **state)
{
    struct sides rig;

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct side *side = &rig.side[0];

        sides_open_alone(&rig, SMALL_WINDOW, SIDES_WINDOW);
        rig.peer.silent = true;
        peer_send(&side->qemu, 1, 100, PEER_STAY);
        STAGE_UNTIL(&rig.stage, rig.peer.received == 100);
        session_peer_frame(&rig.peer, lies[i].frames[0]);
        if (lies[i].frames[1].type != 0)
            session_peer_frame(&rig.peer, lies[i].frames[1]);
        STAGE_UNTIL(&rig.stage, side->failed > 0);
        if (side->reason != lies[i].reason)
            fail_msg("%s: %s", lies[i].name, reason_text(side->reason));
        STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_RESET] == 1);
        assert_int_equal(session_peer_reset_with(&rig.peer), lies[i].reason);

        /* It goes on talking, and nobody listens. */
        session_peer_frame(&rig.peer, (struct frame){ .type = 9 });
        assert_in_range(stage_turns_in(&rig.stage, 50), 0, IDLE_TURNS);
        assert_int_equal(side->failed, 1);
        assert_int_equal(side->lost, 0);
        sides_close(&rig);
    }
}

/* A byte of the frame of which only a part is in the socket, or of the next. */
static uint64_t
end_of_half_a_frame(int fd)
{
    static unsigned char bytes[PACE_FIRST];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    struct frame frame = { .type = FRAME_PING };
    size_t at = 0;

    assert_true(n > 0);
    while (at + FRAME_HEADER_BYTES <= (size_t)n) {
        assert_int_equal(frame_parse(&frame, bytes + at), REASON_NONE);
        at += FRAME_HEADER_BYTES + frame.length;
    }
    return frame.offset + frame.length + (at <= (size_t)n);
}

/* What is counted as sent, but waits here, can't have been delivered. */
static void
an_ack_of_what_waits_in_our_own_buffer_is_a_lie(void **state)
{
    struct sides rig;
    struct side *side = &rig.side[0];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_read(&rig.peer, false);
    peer_send(&side->qemu, 1, LONG, PEER_STAY);
    sides_rest(&rig);
    session_peer_frame(&rig.peer,
                       (struct frame){
                           .type = FRAME_ACK,
                           .offset = end_of_half_a_frame(rig.peer.fd),
                       });
    STAGE_UNTIL(&rig.stage, side->failed > 0);
    assert_int_equal(side->reason, REASON_BAD_ACK);
    sides_close(&rig);
}

static void
a_reset_by_the_peer_is_told_with_its_reason(void **state)
{
    struct sides rig;
    struct side *side = &rig.side[0];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_data(&rig.peer, 5, 0, 1000);
    session_peer_frame(
        &rig.peer, (struct frame){ .type = FRAME_RESET, .code = REASON_LOST });
    STAGE_UNTIL(&rig.stage, side->failed > 0);
    assert_int_equal(side->reason, REASON_LOST);
    STAGE_UNTIL(&rig.stage, side->qemu.received == 1000);
    session_peer_close(&rig.peer);
    assert_in_range(stage_turns_in(&rig.stage, 50), 0, IDLE_TURNS);
    assert_int_equal(side->failed, 1);
    assert_int_equal(side->lost, 0);
    sides_close(&rig);
}

static void
a_reset_with_an_unknown_reason_is_a_protocol_error(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_frame(&rig.peer,
                       (struct frame){ .type = FRAME_RESET, .code = 999 });
    STAGE_UNTIL(&rig.stage, rig.side[0].failed > 0);
    assert_int_equal(rig.side[0].reason, REASON_PROTOCOL);
    sides_close(&rig);
}

static void
giving_up_sends_what_is_left_and_then_a_reset(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    peer_send(&rig.side[0].qemu, 1, 100000, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peer.received > 0);
    worker_channel_reset(rig.side[0].channel, REASON_STOPPED);
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_RESET] > 0);
    assert_int_equal(session_peer_reset_with(&rig.peer), REASON_STOPPED);
    STAGE_POLL(&rig.stage, worker_channel_flushed(rig.side[0].channel));
    assert_false(rig.peer.broken);
    assert_int_equal(rig.side[0].failed, 0);
    worker_channel_close_transport(rig.side[0].channel);
    STAGE_UNTIL(&rig.stage, session_peer_ended(&rig.peer));
    sides_close(&rig);
}

/* QEMU says something and dies of what it was sent. */
static void
assert_last_words(bool unread)
{
    struct sides rig;
    struct side *side = &rig.side[0];

    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    rig.peer.expects = true;
    rig.peer.expected_seed = 3;
    peer_read(&side->qemu, false);
    if (unread)
        session_peer_data(&rig.peer, 5, 0, 1000);
    sides_rest(&rig);
    peer_send(&side->qemu, 3, 10000, PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, side->qemu.fd < 0);
    for (uint64_t at = unread ? 1000 : 0; side->failed == 0; at += 1000) {
        session_peer_data(&rig.peer, 5, at, 1000);
        stage_turn(&rig.stage);
    }
    assert_int_equal(side->reason, REASON_CANCELLED);
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_RESET] > 0);
    assert_int_equal(session_peer_reset_with(&rig.peer), REASON_CANCELLED);
    assert_int_equal(rig.peer.received, 10000);
    assert_false(rig.peer.mismatch);
    assert_int_equal(side->failed, 1);
    sides_close(&rig);
}

static void
the_last_words_of_a_failed_qemu_go_before_the_reset(void **state)
{
    (void)state;
    assert_last_words(true);
    assert_last_words(false);
}

static void
a_local_stream_that_cannot_be_read_fails_the_channel(void **state)
{
    enum { FIRST_LOOK = 2 }; /* at each side */
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    STAGE_POLL(&rig.stage, fault_count(FAULT_READV) >= FIRST_LOOK);
    fault_error(FAULT_READV, 1, EIO);
    peer_say(&rig.side[0].qemu, "words", 5);
    STAGE_UNTIL(&rig.stage, rig.side[0].failed > 0);
    assert_int_equal(rig.side[0].reason, REASON_CANCELLED);
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_RESET] > 0);
    assert_int_equal(rig.peer.received, 5);
    sides_close(&rig);
}

static void
a_ping_is_answered_with_its_number(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_frame(&rig.peer,
                       (struct frame){ .type = FRAME_PING, .offset = 12345 });
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_PONG] == 1);
    assert_int_equal(rig.peer.last[FRAME_PONG].offset, 12345);
    sides_close(&rig);
}

/* More than fit in a buffer: they are answered with what there is room for. */
static void
a_flood_of_pings_is_no_burden(void **state)
{
    enum { PINGS = 20000 };
    static unsigned char bytes[PINGS * FRAME_HEADER_BYTES];
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    rig.peer.silent = true;
    for (int i = 0; i < PINGS; i++)
        frame_encode(&(struct frame){ .type = FRAME_PING, .offset = 1 },
                     bytes + (size_t)i * FRAME_HEADER_BYTES);
    session_peer_say(&rig.peer, bytes, sizeof bytes);
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_PONG] > 0);
    stage_turns_in(&rig.stage, 50);
    assert_in_range(rig.peer.frames[FRAME_PONG], 1, PINGS / 10);
    assert_int_equal(rig.side[0].failed + rig.side[0].lost, 0);
    sides_close(&rig);
}

static void
a_silent_peer_is_dead_after_five_seconds(void **state)
{
    struct sides rig;
    uint64_t since;

    (void)state;
    session_clock_speed(10);
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    rig.peer.silent = true;
    session_peer_data(&rig.peer, 5, 0, 1);
    STAGE_UNTIL(&rig.stage, rig.side[0].qemu.received == 1);
    since = stage_now_ms();
    STAGE_UNTIL(&rig.stage, rig.side[0].lost > 0);
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= 5000);
    session_clock_speed(1);
    assert_string_equal(rig.side[0].why, "no answer");
    assert_false(rig.side[0].in_order);
    assert_in_range(rig.peer.frames[FRAME_PING], 3, 5);
    assert_false(worker_channel_connected(rig.side[0].channel));
    assert_int_equal(rig.side[0].failed, 0);
    sides_close(&rig);
}

static void
a_dead_peer_is_found_while_we_cannot_write(void **state)
{
    struct sides rig;

    (void)state;
    session_clock_speed(10);
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_read(&rig.peer, false);
    peer_send(&rig.side[0].qemu, 1, LONG, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.side[0].lost > 0);
    session_clock_speed(1);
    assert_string_equal(rig.side[0].why, "no answer");
    sides_close(&rig);
}

static void
a_peer_that_only_answers_pings_is_alive(void **state)
{
    struct sides rig;
    uint64_t since;

    (void)state;
    session_clock_speed(5);
    since = stage_now_ms();
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_PING] >= 4);
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= 7000);
    session_clock_speed(1);
    assert_int_equal(rig.side[0].lost, 0);
    sides_close(&rig);
}

static void
without_memory_there_is_no_channel_and_nothing_is_closed(void **state)
{
    struct stage stage;
    unsigned before;

    (void)state;
    stage_open(&stage);
    before = net_open_fds();
    for (unsigned rings = 0; rings < 2; rings++) {
        no_ring_after(rings);
        errno = 0;
        assert_null(session_channel_new(&(struct session_channel_options){
            .loop = stage.loop,
            .window = SIDES_WINDOW,
        }));
        assert_int_equal(errno, ENOMEM);
        assert_int_equal(net_open_fds(), before);
    }
    stage_close(&stage);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_lies_gets_a_reset_with_the_reason),
        cmocka_unit_test(an_ack_of_what_waits_in_our_own_buffer_is_a_lie),
        cmocka_unit_test(a_reset_by_the_peer_is_told_with_its_reason),
        cmocka_unit_test(a_reset_with_an_unknown_reason_is_a_protocol_error),
        cmocka_unit_test(giving_up_sends_what_is_left_and_then_a_reset),
        cmocka_unit_test(the_last_words_of_a_failed_qemu_go_before_the_reset),
        cmocka_unit_test(a_local_stream_that_cannot_be_read_fails_the_channel),
        cmocka_unit_test(a_ping_is_answered_with_its_number),
        cmocka_unit_test(a_flood_of_pings_is_no_burden),
        cmocka_unit_test(a_silent_peer_is_dead_after_five_seconds),
        cmocka_unit_test(a_dead_peer_is_found_while_we_cannot_write),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(
            without_memory_there_is_no_channel_and_nothing_is_closed),
        cmocka_unit_test(a_peer_that_only_answers_pings_is_alive),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
