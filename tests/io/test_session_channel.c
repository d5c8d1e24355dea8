/* One end of a resumable channel, against its like. */
#include "tunnel/worker_channel.h"

#include <unistd.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_session_sides.h"
#include "support_test.h"

enum {
    SMALL_WINDOW = 64 << 10,
    PACE_FIRST = 256 << 10, /* what is on its way at first, at most */
    READ_MIN = 64 << 10,    /* a rest of it below that stays unused */
    LONG = 1 << 28,         /* more than any window */
    IDLE_TURNS = 16,
};

static void
start_streams(struct sides *rig, uint64_t there, uint64_t back)
{
    for (int i = 0; i < 2; i++)
        peer_expect(&rig->side[i].qemu, i == 0 ? 2 : 1, 0);
    peer_send(&rig->side[0].qemu, 1, there, PEER_END);
    peer_send(&rig->side[1].qemu, 2, back, PEER_END);
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
    struct session_channel_report report;

    for (int i = 0; i < 2; i++) {
        const struct side *side = &rig->side[i];

        assert_false(side->qemu.mismatch);
        assert_int_equal(side->qemu.received, i == 0 ? back : there);
        assert_int_equal(side->failed, 0);
        assert_true(side->is_server == (side->finished > 0));
        assert_true(worker_channel_complete(side->channel));
        worker_channel_report(side->channel, &report);
        assert_int_equal(report.in_bytes, i == 0 ? back : there);
        assert_int_equal(report.out_bytes, i == 0 ? there : back);
        assert_true(report.complete);
    }
}

static void
bytes_pass_both_ways_and_both_ends_are_proved(void **state)
{
    static const uint64_t sizes[] = { 0, 1, 4096, 100001, 5000000 };
    struct sides rig;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t back = sizes[sizeof sizes / sizeof *sizes - 1 - i];

        sides_open(&rig, SIDES_WINDOW);
        sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
        start_streams(&rig, sizes[i], back);
        STAGE_UNTIL(&rig.stage, over(&rig));
        assert_arrived(&rig, sizes[i], back);
        assert_int_equal(rig.side[0].lost, 1);
        assert_true(rig.side[0].in_order);
        assert_int_equal(rig.side[1].lost, 0);
        sides_close(&rig);
    }
}

static void
a_short_exchange_survives_a_cut_after_every_byte(void **state)
{
    enum { THERE = 40, BACK = 7, TOTAL = 300 };
    uint64_t longest = 0;

    (void)state;
    for (uint64_t cut = 0; cut < TOTAL; cut++) {
        struct sides rig;

        sides_open(&rig, SIDES_WINDOW);
        start_streams(&rig, THERE, BACK);
        sides_join(&rig, WIRE_CHUNK_MAX, cut);
        while (!over(&rig)) {
            if (rig.wire.is_cut)
                sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
            stage_turn(&rig.stage);
        }
        assert_arrived(&rig, THERE, BACK);
        if (rig.wire.moved > longest)
            longest = rig.wire.moved;
        sides_close(&rig);
    }
    assert_in_range(longest, THERE + BACK, TOTAL - 1); /* it was cut at all */
}

/* A number below ${limit}, mostly small. */
static uint64_t
draw(uint64_t *random, uint64_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (*random >> 33) % ((limit >> (*random >> 60)) + 1);
}

/* A wire that moves little at a time is cut early, so that it ends. */
static void
join_at_random(struct sides *rig, uint64_t *random, bool last)
{
    size_t chunk = (size_t)draw(random, WIRE_CHUNK_MAX - 1) + 1;

    if (last)
        sides_join(rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    else
        sides_join(rig, chunk,
                   draw(random, chunk < 400 ? chunk * 1000 : 400000));
}

/* Streams of random length, cut at random places. */
static void
survive(uint64_t seed)
{
    uint64_t random = seed, there = draw(&random, 3000000),
             back = draw(&random, 300000);
    unsigned cuts = 0;
    struct sides rig;

    sides_open(&rig, draw(&random, 1) ? SMALL_WINDOW : SIDES_WINDOW);
    start_streams(&rig, there, back);
    rig.side[0].qemu.chunk = draw(&random, 60000) + 500;
    while (!over(&rig)) {
        if (!rig.wired || rig.wire.is_cut)
            join_at_random(&rig, &random, cuts++ == 20);
        stage_turn(&rig.stage);
    }
    assert_arrived(&rig, there, back);
    sides_close(&rig);
}

static uint64_t seed_under_way;

static void
whatever_is_cut_nothing_is_lost_or_doubled(void **state)
{
    enum { SCHEDULES = 40 };

    (void)state;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        seed_under_way = seed;
        survive(seed);
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

static void
a_long_loss_keeps_both_streams_open(void **state)
{
    struct sides rig;

    (void)state;
    sides_open(&rig, SIDES_WINDOW);
    start_streams(&rig, 1000000, 500000);
    sides_join(&rig, WIRE_CHUNK_MAX, 300000);
    STAGE_UNTIL(&rig.stage, rig.side[0].lost > 0 && rig.side[1].lost > 0);
    assert_false(rig.side[0].in_order && rig.side[1].in_order);
    assert_false(worker_channel_connected(rig.side[0].channel));
    sides_rest(&rig);
    assert_int_equal(stage_turns_in(&rig.stage, 100), 0);
    for (int i = 0; i < 2; i++)
        assert_false(peer_ended(&rig.side[i].qemu));
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    STAGE_UNTIL(&rig.stage, over(&rig));
    assert_arrived(&rig, 1000000, 500000);
    sides_close(&rig);
}

static void
the_report_counts_what_is_sent_again(void **state)
{
    const struct greeting_position half = { .delivered = 500,
                                            .window = SIDES_WINDOW };
    struct session_channel_report report;
    struct greeting_position own;
    uint64_t replay;
    struct sides rig;
    int fds[2];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    rig.peer.silent = true;
    peer_send(&rig.side[0].qemu, 1, 2000, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peer.received == 2000);
    session_peer_close(&rig.peer);
    STAGE_UNTIL(&rig.stage, rig.side[0].lost == 1);
    net_unix_pair(fds);
    worker_channel_greet(rig.side[0].channel, &own);
    assert_int_equal(sides_attach(&rig, &rig.side[0], fds[0], &half, &replay),
                     REASON_NONE);
    assert_int_equal(replay, 1500);
    worker_channel_report(rig.side[0].channel, &report);
    assert_int_equal(report.replayed_bytes, 1500);
    assert_int_equal(report.out_bytes, 500);
    session_peer_open(&rig.peer, &rig.stage, fds[1], ROLE_FRAMES);
    rig.peer.received = 500;
    rig.peer.expects = true;
    rig.peer.expected_seed = 1;
    STAGE_UNTIL(&rig.stage, rig.peer.received == 2000);
    assert_false(rig.peer.mismatch);
    assert_false(rig.peer.broken);
    sides_close(&rig);
}

static void
a_resume_that_cannot_be_is_refused_and_changes_nothing(void **state)
{
    static const struct greeting_position lies[] = {
        { .delivered = 2001, .window = SIDES_WINDOW },
        { .delivered = 99, .window = SIDES_WINDOW }, /* 100 were acknowledged */
        { .delivered = UINT64_MAX, .window = SIDES_WINDOW },
        { .delivered = 2000, .fin_delivered = true, .window = SIDES_WINDOW },
    };
    const struct greeting_position truth = { .delivered = 100,
                                             .window = SIDES_WINDOW };
    struct greeting_position own;
    uint64_t replay;
    struct sides rig;
    int fds[2];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    rig.peer.silent = true;
    peer_send(&rig.side[0].qemu, 1, 2000, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peer.received == 2000);
    session_peer_frame(&rig.peer,
                       (struct frame){ .type = FRAME_ACK, .offset = 100 });
    session_peer_close(&rig.peer);
    STAGE_UNTIL(&rig.stage, rig.side[0].lost == 1);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        net_unix_pair(fds);
        worker_channel_greet(rig.side[0].channel, &own);
        assert_int_equal(
            sides_attach(&rig, &rig.side[0], fds[0], &lies[i], &replay),
            REASON_BAD_RESUME);
        close(fds[1]);
    }
    net_unix_pair(fds);
    worker_channel_greet(rig.side[0].channel, &own);
    assert_int_equal(sides_attach(&rig, &rig.side[0], fds[0], &truth, &replay),
                     REASON_NONE);
    assert_int_equal(replay, 1900);
    session_peer_open(&rig.peer, &rig.stage, fds[1], ROLE_FRAMES);
    rig.peer.received = 100;
    STAGE_UNTIL(&rig.stage, rig.peer.received == 2000);
    assert_int_equal(rig.side[0].failed, 0);
    sides_close(&rig);
}

static void
small_arrivals_are_not_acknowledged_one_by_one(void **state)
{
    enum { PIECES = 3000, PIECE_BYTES = 100 };
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    peer_expect(&rig.side[0].qemu, 5, 0);
    for (int i = 0; i < PIECES; i++) {
        session_peer_data(&rig.peer, 5, (uint64_t)i * PIECE_BYTES, PIECE_BYTES);
        STAGE_UNTIL(&rig.stage, rig.side[0].qemu.received ==
                                    (uint64_t)(i + 1) * PIECE_BYTES);
    }
    STAGE_UNTIL(&rig.stage, rig.peer.last[FRAME_ACK].offset ==
                                (uint64_t)PIECES * PIECE_BYTES);
    assert_true(rig.peer.frames[FRAME_ACK] < PIECES / 4);
    assert_false(rig.side[0].qemu.mismatch);
    stage_rest(&rig.stage);
    sides_close(&rig);
}

static void
what_came_before_qemu_waits_for_it(void **state)
{
    struct sides rig;
    struct side *side = &rig.side[0];
    struct transport *local;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    local = worker_channel_take_local(side->channel);
    session_peer_data(&rig.peer, 5, 0, 100000);
    session_peer_frame(&rig.peer,
                       (struct frame){ .type = FRAME_FIN, .offset = 100000 });
    STAGE_POLL(&rig.stage, worker_channel_ended(side->channel));
    assert_int_equal(rig.peer.frames[FRAME_ACK], 0);
    peer_expect(&side->qemu, 5, 0);
    worker_channel_set_local(side->channel, local);
    STAGE_UNTIL(&rig.stage, side->qemu.eof);
    assert_int_equal(side->qemu.received, 100000);
    assert_false(side->qemu.mismatch);
    STAGE_UNTIL(&rig.stage,
                (rig.peer.last[FRAME_ACK].flags & FRAME_FLAG_FIN) != 0);
    assert_int_equal(rig.peer.last[FRAME_ACK].offset, 100000);
    sides_close(&rig);
}

static void
an_end_alone_waits_for_qemu_too(void **state)
{
    struct sides rig;
    struct side *side = &rig.side[0];
    struct transport *local;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    local = worker_channel_take_local(side->channel);
    session_peer_frame(&rig.peer, (struct frame){ .type = FRAME_FIN });
    STAGE_POLL(&rig.stage, worker_channel_ended(side->channel));
    worker_channel_set_local(side->channel, local);
    STAGE_UNTIL(&rig.stage, side->qemu.eof);
    sides_close(&rig);
}

static void
no_more_is_taken_from_qemu_than_the_peer_has_room_for(void **state)
{
    static const uint32_t rooms[] = { 0, 1, 4096, SMALL_WINDOW, SIDES_WINDOW };
    struct sides rig;

    (void)state;
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        uint32_t most = rooms[i] < PACE_FIRST ? rooms[i] : PACE_FIRST;
        uint32_t least = most > READ_MIN ? most - READ_MIN : most > 0;

        sides_open_alone(&rig, SIDES_WINDOW, rooms[i]);
        rig.peer.silent = true;
        peer_send(&rig.side[0].qemu, 1, LONG, PEER_STAY);
        sides_rest(&rig);
        assert_in_range(rig.side[0].qemu.sent, least,
                        most + 4 * SIDES_SOCKET_BYTES);
        assert_in_range(rig.peer.received, least, most);
        assert_in_range(stage_turns_in(&rig.stage, 100), 0, IDLE_TURNS);
        sides_close(&rig);
    }
}

static void
a_peer_that_reads_nothing_costs_a_window_and_no_time(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_read(&rig.peer, false);
    peer_send(&rig.side[0].qemu, 1, LONG, PEER_STAY);
    sides_rest(&rig);
    assert_in_range(rig.side[0].qemu.sent, PACE_FIRST - READ_MIN,
                    PACE_FIRST + 4 * SIDES_SOCKET_BYTES);
    faults_clear();
    assert_in_range(stage_turns_in(&rig.stage, 200), 0, IDLE_TURNS);
    assert_in_range(fault_count(FAULT_READV) + fault_count(FAULT_SENDMSG), 0,
                    IDLE_TURNS);
    sides_close(&rig);
}

static void
a_qemu_that_reads_nothing_costs_a_window_and_no_time(void **state)
{
    struct sides rig;
    struct side *side = &rig.side[0];

    (void)state;
    sides_open_alone(&rig, SMALL_WINDOW, SIDES_WINDOW);
    peer_read(&side->qemu, false);
    sides_rest(&rig);
    for (uint64_t at = 0;; at += 4096) {
        uint64_t delivered = rig.peer.last[FRAME_ACK].offset;

        if (at - delivered + 4096 > SMALL_WINDOW)
            break;
        session_peer_data(&rig.peer, 5, at, 4096);
        stage_turns_in(&rig.stage, 0);
    }
    sides_rest(&rig);
    assert_int_equal(side->failed, 0);
    faults_clear();
    assert_in_range(stage_turns_in(&rig.stage, 200), 0, IDLE_TURNS);
    assert_in_range(fault_count(FAULT_READV) + fault_count(FAULT_SENDMSG), 0,
                    IDLE_TURNS);
    sides_close(&rig);
}

static void
an_idle_channel_wakes_up_for_a_ping_a_second(void **state)
{
    struct sides rig;

    (void)state;
    sides_open(&rig, SIDES_WINDOW);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    stage_turns_in(&rig.stage, 50);
    faults_clear();
    stage_turns_in(&rig.stage, 2200);
    assert_in_range(fault_count(FAULT_SENDMSG), 2, 10);
    assert_in_range(fault_count(FAULT_READV), 2, 20);
    assert_int_equal(rig.side[0].lost, 0);
    sides_close(&rig);
}

/* Payload that comes in small packets is not looked at packet by packet. */
static void
small_packets_of_bulk_cost_no_read_each(void **state)
{
    enum { BYTES = 4 << 20, PACKET = 1448 };
    struct sides rig;

    (void)state;
    session_wire_over(net_tcp_pair);
    sides_open(&rig, SIDES_WINDOW);
    sides_join(&rig, PACKET, WIRE_FOREVER);
    start_streams(&rig, BYTES, 0);
    faults_clear();
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.received == BYTES);
    assert_in_range(fault_count(FAULT_READV), 1, BYTES / PACKET / 4);
    STAGE_UNTIL(&rig.stage, over(&rig));
    assert_arrived(&rig, BYTES, 0);
    sides_close(&rig);
    session_wire_over(net_unix_pair);
}

static void
a_half_closed_channel_is_idle_and_can_still_answer(void **state)
{
    struct sides rig;

    (void)state;
    sides_open(&rig, SIDES_WINDOW);
    sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    peer_send(&rig.side[0].qemu, 1, 1000, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.side[1].qemu.eof);
    sides_rest(&rig);
    assert_in_range(stage_turns_in(&rig.stage, 300), 0, IDLE_TURNS);
    assert_int_equal(rig.side[1].finished, 0);
    peer_expect(&rig.side[0].qemu, 2, 0);
    peer_send(&rig.side[1].qemu, 2, 5000, PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, rig.side[0].over && rig.side[1].over);
    assert_int_equal(rig.side[0].qemu.received, 5000);
    assert_false(rig.side[0].qemu.mismatch);
    sides_close(&rig);
}

static void
a_channel_resumed_after_it_finished_finishes_its_peer(void **state)
{
    const struct greeting_position behind = { .delivered = 100,
                                              .fin_delivered = true,
                                              .window = SIDES_WINDOW };
    struct greeting_position own;
    uint64_t replay;
    struct sides rig;
    struct side *side = &rig.side[0];
    int fds[2];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    peer_send(&side->qemu, 1, 100, PEER_END);
    session_peer_frame(&rig.peer, (struct frame){ .type = FRAME_FIN });
    STAGE_POLL(&rig.stage, worker_channel_complete(side->channel));
    sides_rest(&rig);
    assert_true(worker_channel_connected(side->channel));

    /* The last ACK was lost: the greeting says it all again. */
    session_peer_reset(&rig.peer);
    STAGE_UNTIL(&rig.stage, side->lost == 1);
    net_unix_pair(fds);
    worker_channel_greet(side->channel, &own);
    assert_true(own.fin_delivered);
    assert_int_equal(sides_attach(&rig, side, fds[0], &behind, &replay),
                     REASON_NONE);
    assert_int_equal(replay, 0);
    session_peer_open(&rig.peer, &rig.stage, fds[1], ROLE_FRAMES);
    session_peer_close(&rig.peer);
    STAGE_UNTIL(&rig.stage, side->lost == 2);
    assert_true(side->in_order);
    assert_int_equal(side->failed, 0);
    sides_close(&rig);
}

/* The server is finished and has closed; what it said last is cut off. */
static void
the_servers_last_word_may_be_lost(void **state)
{
    enum { THERE = 40, BACK = 7, TOTAL = 120 };
    unsigned again = 0;

    (void)state;
    for (uint64_t cut = 0; cut < TOTAL; cut++) {
        struct sides rig;

        sides_open(&rig, SIDES_WINDOW);
        sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
        peer_send(&rig.side[1].qemu, 2, BACK, PEER_END);
        STAGE_UNTIL(&rig.stage, rig.side[0].qemu.eof);
        stage_turns_in(&rig.stage, 3);
        rig.wire.left = cut + 1;
        peer_send(&rig.side[0].qemu, 1, THERE, PEER_END);
        while (!over(&rig)) {
            if (rig.wire.is_cut)
                sides_join(&rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
            stage_turn(&rig.stage);
        }
        assert_arrived(&rig, THERE, BACK);
        again += rig.side[1].finished > 1;
        sides_close(&rig);
    }
    assert_int_not_equal(again, 0);
}

static void
a_channel_that_carries_nothing_sleeps_ever_longer(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);

    /* Asked after 1, 3 and 7 s, with a timer and an answer each, and the test's
     * own peer; each second it would be seven times. */
    assert_in_range(stage_turns_in(&rig.stage, 8000), 1, 6 * 4);
    assert_in_range(rig.peer.frames[FRAME_PING], 1, 4);
    sides_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways_and_both_ends_are_proved),
        cmocka_unit_test(a_short_exchange_survives_a_cut_after_every_byte),
        cmocka_unit_test_teardown(whatever_is_cut_nothing_is_lost_or_doubled,
                                  show_seed),
        cmocka_unit_test(a_long_loss_keeps_both_streams_open),
        cmocka_unit_test(the_report_counts_what_is_sent_again),
        cmocka_unit_test(
            a_resume_that_cannot_be_is_refused_and_changes_nothing),
        cmocka_unit_test(small_arrivals_are_not_acknowledged_one_by_one),
        cmocka_unit_test(what_came_before_qemu_waits_for_it),
        cmocka_unit_test(an_end_alone_waits_for_qemu_too),
        cmocka_unit_test(a_peer_that_reads_nothing_costs_a_window_and_no_time),
        cmocka_unit_test(a_qemu_that_reads_nothing_costs_a_window_and_no_time),
        cmocka_unit_test(a_half_closed_channel_is_idle_and_can_still_answer),
        cmocka_unit_test(a_channel_resumed_after_it_finished_finishes_its_peer),
        cmocka_unit_test(the_servers_last_word_may_be_lost),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(a_channel_that_carries_nothing_sleeps_ever_longer),
        cmocka_unit_test(an_idle_channel_wakes_up_for_a_ping_a_second),
        cmocka_unit_test(small_packets_of_bulk_cost_no_read_each),
        cmocka_unit_test(no_more_is_taken_from_qemu_than_the_peer_has_room_for),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
