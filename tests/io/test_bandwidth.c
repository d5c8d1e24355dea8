/* What goes out keeps to the bandwidth, and nothing spins while it waits. */
#include "wire/bucket.h"

#include "support_session_sides.h"
#include "support_test.h"
#include "wire/packer.h"

enum {
    RATE = 1 << 20,
    BYTES = 300 << 10,
    PIECE = RATE / 100,
    PIECES = BYTES / PIECE,
    CREDIT = RATE / 50 + PIECE, /* what may go before the limit shows */

    /* A piece wakes up the channel, and its peers on the same loop; what comes
     * back wakes them up again. */
    TURNS_PER_PIECE = 10,
    TURNS_MORE = 60, /* an ACK a time, PINGs, and the ends */
    IDLE_TURNS = 8,
};

/* That much can't have gone any faster. */
static void
assert_took_its_time(uint64_t start_ms, uint64_t bytes)
{
    assert_true((stage_now_ms() - start_ms + 1) * RATE / 1000 + CREDIT >=
                bytes);
}

static void
assert_few_turns(const struct stage *stage)
{
    assert_in_range(stage->turns, PIECES / 4,
                    PIECES * TURNS_PER_PIECE + TURNS_MORE);
}

static void
open_sides(struct sides *rig, uint64_t bytes)
{
    sides_open(rig, SIDES_WINDOW);
    bucket_set_rate(&rig->bandwidth, RATE);
    sides_join(rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    peer_expect(&rig->side[1].qemu, 1, 0);
    peer_send(&rig->side[0].qemu, 1, bytes, PEER_END);
}

static void
a_session_channel_keeps_to_the_bandwidth(void **state)
{
    uint64_t start_ms = stage_now_ms();
    struct sides rig;

    (void)state;
    open_sides(&rig, BYTES);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
    assert_took_its_time(start_ms, BYTES);
    assert_few_turns(&rig.stage);
    assert_int_equal(rig.side[1].qemu.received, BYTES);
    assert_false(rig.side[1].qemu.mismatch);
    sides_close(&rig);
}

static void
what_waits_for_its_turn_stays_with_qemu(void **state)
{
    struct session_channel_report report;
    struct sides rig;
    uint64_t waits;

    (void)state;
    open_sides(&rig, BYTES);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received >= BYTES / 4);
    worker_channel_report(rig.side[0].channel, &report);
    waits = rig.side[0].qemu.sent - report.out_bytes;
    /* In the socket of QEMU, which has SIDES_SOCKET_BYTES or what the kernel
     * makes of it, and in the rings and on the wire no more than some pieces.
     */
    assert_in_range(waits, 0, 4 * SIDES_SOCKET_BYTES + 5 * PIECE);
    sides_close(&rig);
}

static void
a_lost_transport_is_made_good_within_the_bandwidth(void **state)
{
    uint64_t start_ms = stage_now_ms();
    struct sides rig;

    (void)state;
    open_sides(&rig, BYTES);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received >= BYTES / 3);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received >= BYTES / 3 * 2);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
    assert_took_its_time(start_ms, BYTES);
    assert_int_equal(rig.side[1].qemu.received, BYTES);
    assert_false(rig.side[1].qemu.mismatch);
    sides_close(&rig);
}

static void
a_limit_that_is_lifted_is_gone(void **state)
{
    enum { LONG = 20 << 20 }; /* 20 s at the limit */
    uint64_t start_ms = stage_now_ms();
    struct sides rig;

    (void)state;
    open_sides(&rig, LONG);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received >= 8 * PIECE);
    bucket_set_rate(&rig.bandwidth, 0);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
    assert_in_range(stage_now_ms() - start_ms, 0, 18000);
    assert_int_equal(rig.side[1].qemu.received, LONG);
    sides_close(&rig);
}

static void
a_limit_that_is_set_later_counts(void **state)
{
    uint64_t start_ms;
    struct sides rig;

    (void)state;
    open_sides(&rig, 4 * BYTES);
    bucket_set_rate(&rig.bandwidth, 0);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received >= BYTES);
    bucket_set_rate(&rig.bandwidth, RATE);
    start_ms = stage_now_ms();
    if (rig.side[1].qemu.received < 2 * BYTES) {
        uint64_t before = rig.side[1].qemu.received + SIDES_WINDOW;

        STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
        if (before < 4 * BYTES)
            assert_took_its_time(start_ms, 4 * BYTES - before);
    }
    sides_close(&rig);
}

static void
a_channel_that_has_nothing_to_send_sleeps(void **state)
{
    struct sides rig;

    (void)state;
    sides_open(&rig, SIDES_WINDOW);
    bucket_set_rate(&rig.bandwidth, RATE);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    peer_expect(&rig.side[1].qemu, 1, 0);
    peer_send(&rig.side[0].qemu, 1, 8 * PIECE, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received == 8 * PIECE);
    stage_rest(&rig.stage);
    assert_in_range(stage_turns_in(&rig.stage, 300), 0, IDLE_TURNS);
    sides_close(&rig);
}

/* Make sides of which the client's compresses, with a limit. */
static void
open_packing(struct sides *rig, enum compression_mode mode)
{
    const struct compression_wish wish = { .mode = mode,
                                           .level = 1,
                                           .pack_log = PACKER_WINDOW_LOG };

    sides_open_packing(rig, SIDES_WINDOW, &wish, PACKER_WINDOW_LOG);
    bucket_set_rate(&rig->bandwidth, RATE);
    sides_join(rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    peer_expect(&rig->side[1].qemu, PEER_SOFT, 0);
}

static void
what_is_compressed_counts_as_it_goes(void **state)
{
    enum { SOFT_BYTES = 3 * BYTES };
    uint64_t start_ms = stage_now_ms();
    struct session_channel_report report;
    struct sides rig;

    (void)state;
    open_packing(&rig, COMPRESSION_FIXED);
    peer_send(&rig.side[0].qemu, PEER_SOFT, SOFT_BYTES, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
    worker_channel_report(rig.side[0].channel, &report);
    assert_int_equal(report.stream_bytes, SOFT_BYTES);
    assert_in_range(report.wire_bytes, 1, SOFT_BYTES / 2);
    assert_took_its_time(start_ms, report.wire_bytes);
    assert_few_turns(&rig.stage);
    assert_int_equal(rig.side[1].qemu.received, SOFT_BYTES);
    assert_false(rig.side[1].qemu.mismatch);
    sides_close(&rig);
}

/* A rate at which the limit is what all wait for, on this machine as it is. */
static uint64_t
slow_rate(uint64_t at_most)
{
    uint64_t start_ms = stage_now_ms(), rate;
    struct sides rig;

    open_packing(&rig, COMPRESSION_OFF);
    bucket_set_rate(&rig.bandwidth, 0);
    peer_send(&rig.side[0].qemu, PEER_SOFT, 16 * BYTES, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
    sides_close(&rig);
    rate = UINT64_C(16) * BYTES * 1000 / (stage_now_ms() - start_ms + 1) / 6;
    return rate < at_most ? rate : at_most;
}

static void
expect_compression_at(uint64_t rate)
{
    struct session_channel_report report;
    struct sides rig;

    open_packing(&rig, COMPRESSION_AUTO);
    bucket_set_rate(&rig.bandwidth, rate);
    peer_send(&rig.side[0].qemu, PEER_SOFT, UINT64_MAX, PEER_STAY);
    do {
        stage_turn(&rig.stage);
        worker_channel_report(rig.side[0].channel, &report);
    } while (report.stream_bytes < BYTES ||
             report.wire_bytes > report.stream_bytes / 4 * 3);
    assert_false(rig.side[1].qemu.mismatch);
    sides_close(&rig);
}

/* Also where a piece is more than QEMU's socket has at once. */
static void
a_limit_is_a_slow_link_to_compress_for(void **state)
{
    (void)state;
    expect_compression_at(slow_rate(RATE));
    expect_compression_at(slow_rate(24 << 20));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_channel_keeps_to_the_bandwidth),
        cmocka_unit_test(what_waits_for_its_turn_stays_with_qemu),
        cmocka_unit_test(a_lost_transport_is_made_good_within_the_bandwidth),
        cmocka_unit_test(a_limit_that_is_lifted_is_gone),
        cmocka_unit_test(a_limit_that_is_set_later_counts),
        cmocka_unit_test(a_channel_that_has_nothing_to_send_sleeps),
        cmocka_unit_test(what_is_compressed_counts_as_it_goes),
        cmocka_unit_test(a_limit_is_a_slow_link_to_compress_for),
    };

    return RUN_TESTS(tests);
}
