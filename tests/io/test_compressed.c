/* Channels that compress, against their like and against peers that lie. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_session_sides.h"
#include "support_test.h"
#include "wire/packer.h"
#include "wire/unpacker.h"

enum {
    LOG = PACKER_WINDOW_LOG,
    SOFT = PEER_SOFT + 1,
    HARD = 1,
    BACK = 2,
    PIECE = 100000,
};

static const struct compression_wish always = { .mode = COMPRESSION_FIXED,
                                                .level = 1,
                                                .pack_log = LOG };
static const struct compression_wish off;
static const struct compression_wish when_slow = { .mode = COMPRESSION_AUTO,
                                                   .pack_log = LOG };

static void
start_streams(struct sides *rig, uint64_t seed, uint64_t there, uint64_t back)
{
    peer_expect(&rig->side[0].qemu, BACK, 0);
    peer_expect(&rig->side[1].qemu, seed, 0);
    peer_send(&rig->side[0].qemu, seed, there, PEER_END);
    peer_send(&rig->side[1].qemu, BACK, back, PEER_END);
}

static bool
over(const struct sides *rig)
{
    return rig->side[0].over && rig->side[1].over && rig->side[0].qemu.eof &&
           rig->side[1].qemu.eof;
}

static void
assert_arrived(const struct sides *rig, uint64_t there, uint64_t back)
{
    for (int i = 0; i < 2; i++) {
        assert_false(rig->side[i].qemu.mismatch);
        assert_int_equal(rig->side[i].qemu.received, i == 0 ? back : there);
        assert_int_equal(rig->side[i].failed, 0);
        assert_true(worker_channel_complete(rig->side[i].channel));
    }
}

static struct session_channel_report
report_of(const struct side *side)
{
    struct session_channel_report report;

    worker_channel_report(side->channel, &report);
    return report;
}

/* Carry ${bytes} of the stream of ${seed}; what they took on the way. */
static uint64_t
carry(const struct compression_wish *wish, uint8_t pack_log, uint64_t seed,
      uint64_t bytes)
{
    struct sides rig;
    uint64_t took;

    sides_open_packing(&rig, SIDES_WINDOW, wish, pack_log);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    start_streams(&rig, seed, bytes, 1000);
    STAGE_UNTIL(&rig.stage, over(&rig));
    assert_arrived(&rig, bytes, 1000);
    took = report_of(&rig.side[0]).wire_bytes;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(report_of(&rig.side[i]).stream_bytes, bytes);
        assert_int_equal(report_of(&rig.side[i]).wire_bytes, took);
    }
    sides_close(&rig);
    return took;
}

static void
what_gives_way_is_carried_in_less(void **state)
{
    static const uint64_t sizes[] = { 1, 5, 4096, 100001, 5000000 };

    (void)state;
    assert_int_equal(carry(&always, LOG, SOFT, 0), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        carry(&always, LOG, SOFT, sizes[i]);
    assert_in_range(carry(&always, LOG, SOFT, 5000000), 5000000 / 5,
                    5000000 / 2);
}

static void
what_does_not_give_way_is_carried_in_hardly_more(void **state)
{
    (void)state;
    assert_in_range(carry(&always, LOG, HARD, 5000000), 5000000, 5050000);
}

static void
nothing_is_compressed_for_a_peer_that_does_not_take_it(void **state)
{
    (void)state;
    assert_int_equal(carry(&always, 0, SOFT, 1000000), 1000000);
}

static void
the_smaller_window_of_both_ends_is_used(void **state)
{
    (void)state;
    assert_in_range(carry(&always, PACKED_WINDOW_LOG_MIN, SOFT, 1000000), 1,
                    500000);
    assert_in_range(carry(&always, PACKED_WINDOW_LOG_MAX, SOFT, 1000000), 1,
                    500000);
}

/* No thread can be had: a migration goes on without. */
static void
without_a_thread_all_is_carried_as_it_is(void **state)
{
    enum { THERE = 3000000, BACK_BYTES = 1000, NEVER = 1000 };
    struct sides rig;
    const char *logged;

    (void)state;
    sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
    faults_clear(); /* the channels' own threads are there */
    capture_start();
    fault_error(FAULT_PTHREAD_CREATE, NEVER, EAGAIN);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    start_streams(&rig, SOFT, THERE, BACK_BYTES);
    STAGE_UNTIL(&rig.stage, over(&rig));
    logged = capture_stop();
    assert_arrived(&rig, THERE, BACK_BYTES);
    assert_int_equal(report_of(&rig.side[0]).wire_bytes, THERE);
    assert_int_equal(fault_count(FAULT_PTHREAD_CREATE), 1);
    assert_int_equal(capture_count(logged, "cannot compress"), 1);
    assert_int_equal(capture_count(logged, strerror(EAGAIN)), 1);
    faults_clear();
    sides_close(&rig);
}

static uint64_t
draw(uint64_t *random, uint64_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (*random >> 33) % limit;
}

static uint64_t seed_under_way;

static void
whatever_is_cut_nothing_is_lost_or_doubled(void **state)
{
    enum { SCHEDULES = 30, CUTS = 12, THERE = 2000000 };

    (void)state;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        uint64_t random = seed;
        unsigned cuts = 0;
        struct sides rig;

        seed_under_way = seed;
        sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
        start_streams(&rig, seed % 2 == 0 ? HARD : SOFT, THERE, 100000);
        while (!over(&rig)) {
            if (!rig.wired || rig.wire.is_cut)
                sides_join(&rig, (size_t)draw(&random, WIRE_CHUNK_MAX) + 1,
                           cuts++ < CUTS ? draw(&random, 200000)
                                         : WIRE_FOREVER);
            stage_turn(&rig.stage);
        }
        assert_arrived(&rig, THERE, 100000);
        sides_close(&rig);
    }
    seed_under_way = 0;
}

static int
show_seed(void **state)
{
    (void)state;
    if (seed_under_way != 0)
        print_error("it failed with the seed %u\n", (unsigned)seed_under_way);
    return 0;
}

/* One byte at a time: a compressed frame is cut everywhere. */
static void
a_short_stream_survives_a_cut_after_every_byte(void **state)
{
    enum { THERE = 300, TOTAL = 250 };

    (void)state;
    for (uint64_t cut = 0; cut < TOTAL; cut++) {
        struct sides rig;

        sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
        start_streams(&rig, SOFT, THERE, 5);
        sides_join(&rig, 1 + cut % 3, cut);
        while (!over(&rig)) {
            if (rig.wire.is_cut)
                sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
            stage_turn(&rig.stage);
        }
        assert_arrived(&rig, THERE, 5);
        sides_close(&rig);
    }
}

static void
a_resumption_may_agree_otherwise(void **state)
{
    enum { THERE = 3000000 };
    struct greeting_position positions[2];
    struct sides rig;
    uint64_t replay;
    int ends[2];

    (void)state;
    sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
    start_streams(&rig, SOFT, THERE, 1000);
    sides_join(&rig, WIRE_CHUNK_MAX, 200000);
    STAGE_UNTIL(&rig.stage, rig.wire.is_cut);
    for (int i = 0; i < 2; i++)
        worker_channel_greet(rig.side[i].channel, &positions[i]);
    assert_int_equal(positions[0].pack_log, LOG);
    assert_int_equal(positions[1].pack_log, LOG);
    for (int i = 0; i < 2; i++)
        positions[i].pack_log = 0;
    session_wire_open(&rig.wire, &rig.stage, WIRE_CHUNK_MAX, WIRE_FOREVER,
                      ends);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            sides_attach(&rig, &rig.side[i], ends[i], &positions[!i], &replay),
            REASON_NONE);
    STAGE_UNTIL(&rig.stage, over(&rig));
    assert_arrived(&rig, THERE, 1000);
    assert_in_range(report_of(&rig.side[0]).wire_bytes, THERE / 2, THERE * 2);
    sides_close(&rig);
}

/* It had more of the window on its way before. */
static void
a_resumption_may_have_less_room_than_a_piece_takes(void **state)
{
    enum { THERE = 1000000, ROOM = 5000 };
    struct greeting_position positions[2];
    struct sides rig;
    uint64_t replay;
    int ends[2];

    (void)state;
    sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
    start_streams(&rig, SOFT, THERE, 1000);
    sides_join(&rig, WIRE_CHUNK_MAX, 60000);
    STAGE_UNTIL(&rig.stage, rig.wire.is_cut);
    for (int i = 0; i < 2; i++)
        worker_channel_greet(rig.side[i].channel, &positions[i]);
    positions[1].window = ROOM;
    session_wire_open(&rig.wire, &rig.stage, WIRE_CHUNK_MAX, WIRE_FOREVER,
                      ends);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            sides_attach(&rig, &rig.side[i], ends[i], &positions[!i], &replay),
            REASON_NONE);
    STAGE_UNTIL(&rig.stage, over(&rig));
    assert_arrived(&rig, THERE, 1000);
    sides_close(&rig);
}

/* Small blocks come apart one by one, while the rest is still at the source. */
static void
a_frame_under_way_may_be_acknowledged_in_part(void **state)
{
    enum { THERE = 1000000, SOCKET_BYTES = 8 << 10 };
    struct greeting_position positions[2];
    struct sides rig;
    uint64_t replay;
    int ends[2];

    (void)state;
    sides_open_packing(&rig, SIDES_WINDOW, &always, PACKED_WINDOW_LOG_MIN);
    start_streams(&rig, SOFT, THERE, 1000);
    for (int i = 0; i < 2; i++)
        worker_channel_greet(rig.side[i].channel, &positions[i]);
    session_wire_open(&rig.wire, &rig.stage, 4096, WIRE_FOREVER, ends);
    rig.wired = true;
    rig.wire.pause_ms = 2;
    net_send_buffer(ends[0], SOCKET_BYTES);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            sides_attach(&rig, &rig.side[i], ends[i], &positions[!i], &replay),
            REASON_NONE);
    STAGE_UNTIL(&rig.stage,
                over(&rig) || rig.side[0].failed + rig.side[1].failed > 0);
    assert_arrived(&rig, THERE, 1000);
    sides_close(&rig);
}

static void
more_is_taken_from_qemu_while_it_is_compressed(void **state)
{
    enum { PACED = 256 << 10, HELD = 512 << 10, REST = 64 << 10 };
    struct sides rig;

    (void)state;
    sides_open_alone_packing(&rig, &always, LOG);
    session_peer_read(&rig.peer, false);
    peer_send(&rig.side[0].qemu, SOFT, UINT64_MAX, PEER_STAY);
    stage_turns_in(&rig.stage, 100);
    stage_rest(&rig.stage);
    assert_in_range(rig.side[0].qemu.sent, PACED + HELD - REST,
                    PACED + HELD + 4 * SIDES_SOCKET_BYTES);
    sides_close(&rig);
}

/* A wire that is slow enough for anything to gain by. */
static void
join_slowly(struct sides *rig)
{
    sides_join(rig, 16 << 10, WIRE_FOREVER);
    rig->wire.pause_ms = 4;
}

static void
a_slow_link_is_found_and_compressed_for(void **state)
{
    struct sides rig;
    struct session_channel_report report;

    (void)state;
    sides_open_packing(&rig, SIDES_WINDOW, &when_slow, LOG);
    join_slowly(&rig);
    peer_expect(&rig.side[1].qemu, SOFT, 0);
    peer_send(&rig.side[0].qemu, SOFT, UINT64_MAX, PEER_STAY);
    do {
        stage_turn(&rig.stage);
        report = report_of(&rig.side[0]);
    } while (report.stream_bytes < 1000000 ||
             report.wire_bytes > report.stream_bytes / 2);
    assert_false(rig.side[1].qemu.mismatch);
    assert_int_equal(rig.side[0].failed + rig.side[1].failed, 0);
    sides_close(&rig);
}

static void
what_qemu_said_last_arrives_before_the_reset(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
    sides_join(&rig, 1000, WIRE_FOREVER);
    peer_expect(&rig.side[1].qemu, SOFT, 0);
    peer_send(&rig.side[0].qemu, SOFT, 200000, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.side[0].qemu.sent == 200000);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received > 0);
    worker_channel_reset(rig.side[0].channel, REASON_STOPPED);
    STAGE_UNTIL(&rig.stage, rig.side[1].failed > 0);
    assert_int_equal(rig.side[1].reason, REASON_STOPPED);
    assert_false(rig.side[1].qemu.mismatch);
    sides_close(&rig);
}

/* What the test compresses, of zeros. */
struct forged {
    unsigned char payload[PACKER_OUT_BYTES];
    size_t length;
};

static void
forge(struct forged *forged, size_t bytes)
{
    struct packer *packer = packer_new(LOG);
    unsigned char *zeros = calloc(1, bytes);

    assert_non_null(packer);
    assert_non_null(zeros);
    forged->length = packer_pack(packer, 1, zeros, bytes, forged->payload);
    assert_in_range(forged->length, 1, PACKER_OUT_BYTES);
    packer_free(packer);
    free(zeros);
}

static void
say_packed(struct sides *rig, const struct forged *forged, uint64_t offset,
           uint32_t length)
{
    session_peer_frame(&rig->peer, (struct frame){ .type = FRAME_DATA,
                                                   .flags = FRAME_FLAG_PACKED,
                                                   .length = length,
                                                   .offset = offset });
    session_peer_say(&rig->peer, forged->payload, forged->length);
}

static void
assert_ends_with(struct sides *rig, enum reason reason)
{
    STAGE_UNTIL(&rig->stage, rig->side[0].failed > 0);
    assert_int_equal(rig->side[0].reason, reason);
    STAGE_UNTIL(&rig->stage, rig->peer.frames[FRAME_RESET] > 0);
    assert_int_equal(session_peer_reset_with(&rig->peer), reason);
}

static void
a_bomb_ends_the_channel_with_a_reason(void **state)
{
    static const uint32_t says[] = { 1, 100, PIECE - 1, PIECE + 1 };
    struct forged forged;
    struct sides rig;

    (void)state;
    forge(&forged, PIECE);
    assert_in_range(forged.length, 1, 100);
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        sides_open_alone_packing(&rig, &off, LOG);
        say_packed(&rig, &forged, 0, says[i]);
        assert_ends_with(&rig, REASON_BAD_UNPACKED);
        assert_in_range(rig.side[0].qemu.received, 0, says[i]);
        sides_close(&rig);
    }
}

static void
garbage_ends_the_channel_with_a_reason(void **state)
{
    struct forged forged;
    struct sides rig;

    (void)state;
    forge(&forged, PIECE);
    memset(forged.payload + PACKED_LENGTH_BYTES, 0xa5,
           forged.length - PACKED_LENGTH_BYTES);
    sides_open_alone_packing(&rig, &off, LOG);
    say_packed(&rig, &forged, 0, PIECE);
    assert_ends_with(&rig, REASON_BAD_PACKED);
    assert_int_equal(rig.side[0].qemu.received, 0);
    sides_close(&rig);
}

static void
a_compressed_length_out_of_bounds_ends_the_channel(void **state)
{
    struct forged forged = { .length = PACKED_LENGTH_BYTES };
    struct sides rig;

    (void)state;
    memset(forged.payload, 255, PACKED_LENGTH_BYTES);
    sides_open_alone_packing(&rig, &off, LOG);
    say_packed(&rig, &forged, 0, PIECE);
    assert_ends_with(&rig, REASON_BAD_LENGTH);
    sides_close(&rig);
}

static void
a_compressed_frame_beyond_the_window_is_refused(void **state)
{
    struct forged forged;
    struct sides rig;

    (void)state;
    forge(&forged, PIECE);
    sides_open_alone_packing(&rig, &off, LOG);
    peer_read(&rig.side[0].qemu, false);
    for (uint64_t at = 0; rig.side[0].failed == 0; at += PIECE) {
        assert_in_range(at, 0, 8 * SIDES_WINDOW);
        session_peer_frame(&rig.peer, (struct frame){
                                          .type = FRAME_DATA,
                                          .length = PIECE,
                                          .flags = FRAME_FLAG_PACKED,
                                          .offset = at,
                                      });
        session_peer_say(&rig.peer, forged.payload, forged.length);
        stage_turns_in(&rig.stage, 5);
        if (at == 0) { /* what comes next begins another stream of zstd's */
            static const unsigned char end[] = { 1, 0, 0 };

            memmove(forged.payload + PACKED_LENGTH_BYTES + sizeof end,
                    forged.payload + PACKED_LENGTH_BYTES,
                    forged.length - PACKED_LENGTH_BYTES);
            memcpy(forged.payload + PACKED_LENGTH_BYTES, end, sizeof end);
            forged.length += sizeof end;
            forged.payload[PACKED_LENGTH_BYTES - 1] =
                (unsigned char)(forged.length - PACKED_LENGTH_BYTES);
        }
    }
    assert_int_equal(rig.side[0].reason, REASON_BAD_WINDOW);
    sides_close(&rig);
}

static void
what_was_not_agreed_upon_is_no_frame(void **state)
{
    struct forged forged;
    struct sides rig;

    (void)state;
    forge(&forged, PIECE);
    sides_open_alone_packing(&rig, &off, 0);
    say_packed(&rig, &forged, 0, PIECE);
    assert_ends_with(&rig, REASON_BAD_FRAME);
    sides_close(&rig);
}

static void
a_channel_may_go_while_it_compresses(void **state)
{
    struct sides rig;

    (void)state;
    for (unsigned turns = 0; turns < 40; turns++) {
        sides_open_packing(&rig, SIDES_WINDOW, &always, LOG);
        sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
        start_streams(&rig, SOFT, 5000000, 1000);
        for (unsigned i = 0; i < turns; i++)
            stage_turn(&rig.stage);
        sides_close(&rig);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_gives_way_is_carried_in_less),
        cmocka_unit_test(without_a_thread_all_is_carried_as_it_is),
        cmocka_unit_test(what_does_not_give_way_is_carried_in_hardly_more),
        cmocka_unit_test(
            nothing_is_compressed_for_a_peer_that_does_not_take_it),
        cmocka_unit_test(the_smaller_window_of_both_ends_is_used),
        cmocka_unit_test_teardown(whatever_is_cut_nothing_is_lost_or_doubled,
                                  show_seed),
        cmocka_unit_test(a_short_stream_survives_a_cut_after_every_byte),
        cmocka_unit_test(a_resumption_may_agree_otherwise),
        cmocka_unit_test(a_resumption_may_have_less_room_than_a_piece_takes),
        cmocka_unit_test(a_frame_under_way_may_be_acknowledged_in_part),
        cmocka_unit_test(more_is_taken_from_qemu_while_it_is_compressed),
        cmocka_unit_test(a_slow_link_is_found_and_compressed_for),
        cmocka_unit_test(what_qemu_said_last_arrives_before_the_reset),
        cmocka_unit_test(a_bomb_ends_the_channel_with_a_reason),
        cmocka_unit_test(garbage_ends_the_channel_with_a_reason),
        cmocka_unit_test(a_compressed_length_out_of_bounds_ends_the_channel),
        cmocka_unit_test(a_compressed_frame_beyond_the_window_is_refused),
        cmocka_unit_test(what_was_not_agreed_upon_is_no_frame),
        cmocka_unit_test(a_channel_may_go_while_it_compresses),
    };

    static const struct CMUnitTest on_workers[] = {
        cmocka_unit_test(what_gives_way_is_carried_in_less),
        cmocka_unit_test(without_a_thread_all_is_carried_as_it_is),
        cmocka_unit_test_teardown(whatever_is_cut_nothing_is_lost_or_doubled,
                                  show_seed),
        cmocka_unit_test(a_slow_link_is_found_and_compressed_for),
        cmocka_unit_test(what_qemu_said_last_arrives_before_the_reset),
        cmocka_unit_test(a_bomb_ends_the_channel_with_a_reason),
        cmocka_unit_test(a_channel_may_go_while_it_compresses),
    };

    (void)POOL_RUN_GROUP(0, "main thread", tests);
    return POOL_RUN_GROUP(2, "two workers", on_workers);
}
