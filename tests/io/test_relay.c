/* A channel in raw mode, between a QEMU and the network. */
#include "tunnel/worker_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_pool.h"
#include "support_stage.h"
#include "support_test.h"

enum {
    RING = 256 << 10,
    EARLY_MAX = 4096,
    LINGER_MS = 1000,
};

/* A relay, and its two peers: peers[SIDE_QEMU] is in the place of a QEMU. */
struct rig {
    struct stage stage;
    struct peer peers[SIDES];
    struct worker_pool *pool;
    struct worker_relay *relay;
    int net_fd; /* the relay's end of the TCP connection */
    unsigned ends;
    unsigned losses; /* of QEMU, where nobody minds */
    struct relay_report report;
};

static void
on_end(void *arg)
{
    struct rig *rig = arg;

    rig->ends++;
    worker_relay_report(rig->relay, &rig->report);
}

static void
on_qemu_lost(void *arg)
{
    struct rig *rig = arg;

    rig->losses++;
    assert_true(worker_relay_lost_qemu(rig->relay));
}

/* Make everything but the relay; ${buffer} is that of each sender, or 0. */
static void
rig_prepare(struct rig *rig, struct relay_options *options, int buffer)
{
    int pairs[SIDES][2];

    faults_clear();
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_unix_pair(pairs[SIDE_QEMU]);
    net_tcp_pair(pairs[SIDE_NET]);
    rig->net_fd = pairs[SIDE_NET][1];
    *options = (struct relay_options){ .loop = rig->stage.loop,
                                       .on_end = on_end,
                                       .arg = rig };
    for (int side = 0; side < SIDES; side++) {
        for (int end = 0; end < 2 && buffer > 0; end++)
            net_send_buffer(pairs[side][end], buffer);
        peer_open(&rig->peers[side], &rig->stage, pairs[side][0]);
        options->sides[side] = transport_new(rig->stage.loop, pairs[side][1]);
    }
}

static void
rig_open(struct rig *rig, int buffer)
{
    struct relay_options options;

    rig_prepare(rig, &options, buffer);
    rig->relay = worker_relay_new(rig->pool, &options);
    assert_non_null(rig->relay);
}

static void
rig_close(struct rig *rig)
{
    worker_relay_free(rig->relay);
    for (int side = 0; side < SIDES; side++)
        peer_close(&rig->peers[side]);
    pool_close(rig->pool);
    stage_close(&rig->stage);
}

/* Send ${bytes} from ${side}, and check them at the other. */
static void
rig_send(struct rig *rig, enum side side, uint64_t bytes,
         enum peer_finish finish)
{
    uint64_t seed = 1000 + bytes;

    peer_expect(&rig->peers[!side], seed, 0);
    peer_send(&rig->peers[side], seed, bytes, finish);
}

static void
assert_received(const struct rig *rig, enum side side, uint64_t bytes)
{
    assert_int_equal(rig->peers[side].received, bytes);
    assert_false(rig->peers[side].mismatch);
}

static void
assert_clean(struct rig *rig, uint64_t from_qemu, uint64_t from_net)
{
    STAGE_UNTIL(&rig->stage, rig->ends > 0);
    assert_int_equal(rig->report.end, RELAY_CLEAN);
    assert_int_equal(rig->report.error, 0);
    assert_int_equal(rig->report.bytes[SIDE_QEMU], from_qemu);
    assert_int_equal(rig->report.bytes[SIDE_NET], from_net);
    STAGE_UNTIL(&rig->stage, peer_ended(&rig->peers[SIDE_QEMU]) &&
                                 peer_ended(&rig->peers[SIDE_NET]));
    assert_true(rig->peers[SIDE_QEMU].eof);
    assert_true(rig->peers[SIDE_NET].eof);
    assert_received(rig, SIDE_NET, from_qemu);
    assert_received(rig, SIDE_QEMU, from_net);
    assert_int_equal(rig->ends, 1);
}

static void
a_channel_without_a_byte_ends_cleanly(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_QEMU, 0, PEER_END);
    rig_send(&rig, SIDE_NET, 0, PEER_END);
    assert_clean(&rig, 0, 0);
    rig_close(&rig);
}

static void
the_end_of_each_direction_is_passed_on_alone(enum side first)
{
    struct rig rig;

    rig_open(&rig, 0);
    rig_send(&rig, first, 1000, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.peers[!first].eof);
    assert_received(&rig, !first, 1000);
    assert_int_equal(rig.ends, 0);
    assert_false(peer_ended(&rig.peers[first]));
    /* The other direction goes on, at length. */
    rig_send(&rig, !first, 3 << 20, PEER_END);
    assert_clean(&rig, first == SIDE_QEMU ? 1000 : 3 << 20,
                 first == SIDE_QEMU ? 3 << 20 : 1000);
    rig_close(&rig);
}

static void
the_end_of_qemus_direction_is_passed_on_alone(void **state)
{
    (void)state;
    the_end_of_each_direction_is_passed_on_alone(SIDE_QEMU);
}

static void
the_end_of_the_networks_direction_is_passed_on_alone(void **state)
{
    (void)state;
    the_end_of_each_direction_is_passed_on_alone(SIDE_NET);
}

static void
any_sizes_arrive_both_ways_at_once_through_any_buffers(void **state)
{
    unsigned random = 3;
    struct rig rig;

    (void)state;
    for (int i = 0; i < 12; i++) {
        uint64_t there = (unsigned)rand_r(&random) % (2 << 20);
        uint64_t back = (unsigned)rand_r(&random) % (2 << 20);

        rig_open(&rig, 4096 + rand_r(&random) % (64 << 10));
        rig.peers[SIDE_QEMU].chunk = 1 + (unsigned)rand_r(&random) % 60000;
        rig.peers[SIDE_NET].chunk = 1 + (unsigned)rand_r(&random) % 60000;
        if (rig.peers[SIDE_QEMU].chunk < 500)
            there = there % 10000;
        if (rig.peers[SIDE_NET].chunk < 500)
            back = back % 10000;
        rig_send(&rig, SIDE_QEMU, there, PEER_END);
        rig_send(&rig, SIDE_NET, back, PEER_END);
        assert_clean(&rig, there, back);
        rig_close(&rig);
    }
}

static void
short_calls_lose_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    fault_short(FAULT_READV, 100);
    fault_short(FAULT_SENDMSG, 77);
    rig_send(&rig, SIDE_QEMU, 50000, PEER_END);
    rig_send(&rig, SIDE_NET, 40000, PEER_END);
    assert_clean(&rig, 50000, 40000);
    rig_close(&rig);
}

static void
bytes_that_were_read_before_come_first(void **state)
{
    struct relay_options options;
    struct rig rig;

    (void)state;
    rig_prepare(&rig, &options, 0);
    options.early = "QEVM12";
    options.early_bytes = 6;
    rig.relay = worker_relay_new(rig.pool, &options);
    assert_int_equal(rig.ends, 0);
    peer_expect(&rig.peers[SIDE_QEMU], 5, 6);
    peer_send(&rig.peers[SIDE_NET], 5, 100, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_QEMU].received == 106);
    assert_memory_equal(rig.peers[SIDE_QEMU].head, "QEVM12", 6);
    assert_false(rig.peers[SIDE_QEMU].mismatch);
    worker_relay_report(rig.relay, &rig.report);
    assert_int_equal(rig.report.end, RELAY_OPEN);
    assert_int_equal(rig.report.bytes[SIDE_NET], 106);
    rig_close(&rig);
}

static void
early_bytes_have_a_limit(void **state)
{
    static const char bytes[EARLY_MAX + 1];
    struct relay_options options;
    struct rig rig;

    (void)state;
    rig_prepare(&rig, &options, 0);
    options.early = bytes;
    options.early_bytes = EARLY_MAX + 1;
    assert_null(worker_relay_new(rig.pool, &options));
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_QEMU]));
    rig_close(&rig);
    rig_prepare(&rig, &options, 0);
    options.early = bytes;
    options.early_bytes = EARLY_MAX;
    rig.relay = worker_relay_new(rig.pool, &options);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_QEMU].received == EARLY_MAX);
    rig_close(&rig);
}

/* QEMU hears nothing before the relay is freed, and then the end. */
static void
assert_qemu_hears_when_freed(struct rig *rig)
{
    assert_int_equal(stage_turns_in(&rig->stage, 50), 0);
    assert_false(peer_ended(&rig->peers[SIDE_QEMU]));
    assert_int_equal(rig->ends, 1);
    worker_relay_free(rig->relay);
    rig->relay = NULL;
    STAGE_UNTIL(&rig->stage, peer_ended(&rig->peers[SIDE_QEMU]));
}

static void
a_reset_of_the_network_ends_the_channel_badly(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_NET, 100, PEER_RESET);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_NET_LOST);
    assert_int_equal(rig.report.error, ECONNRESET);
    assert_qemu_hears_when_freed(&rig);
    rig_close(&rig);
}

static void
a_reset_before_the_first_look_is_no_end_to_qemu(void **state)
{
    struct relay_options options;
    struct rig rig;

    (void)state;
    rig_prepare(&rig, &options, 0);
    peer_say(&rig.peers[SIDE_QEMU], "QEVM", 4);
    peer_do(&rig.peers[SIDE_NET], PEER_RESET);
    rig.relay = worker_relay_new(rig.pool, &options);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_NET_LOST);
    assert_int_equal(rig.report.error, ECONNRESET);
    assert_qemu_hears_when_freed(&rig);
    rig_close(&rig);
}

static void
a_reset_of_the_network_is_seen_while_qemu_writes(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_QEMU, UINT64_MAX, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_NET].received > 1 << 20);
    peer_do(&rig.peers[SIDE_NET], PEER_RESET);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_NET_LOST);
    assert_true(rig.report.error == ECONNRESET || rig.report.error == EPIPE);
    worker_relay_free(rig.relay);
    rig.relay = NULL;
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_QEMU]));
    rig_close(&rig);
}

static void
a_reset_is_seen_though_nobody_reads_at_qemu(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    peer_read(&rig.peers[SIDE_QEMU], false);
    rig_send(&rig, SIDE_NET, UINT64_MAX, PEER_STAY);
    stage_rest(&rig.stage);
    peer_do(&rig.peers[SIDE_NET], PEER_RESET);
    /* Nothing is waited for at the network: it shows when QEMU speaks. */
    rig_send(&rig, SIDE_QEMU, 1, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_NET_LOST);
    rig_close(&rig);
}

static void
a_reset_after_the_end_of_its_direction_is_no_clean_end(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_NET, 100, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_QEMU].eof);
    peer_do(&rig.peers[SIDE_NET], PEER_RESET);
    rig_send(&rig, SIDE_QEMU, 0, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_NET_LOST);
    assert_int_not_equal(rig.report.error, 0);
    rig_close(&rig);
}

static void
a_qemu_that_closes_with_bytes_unread_resets_the_network(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    peer_read(&rig.peers[SIDE_QEMU], false);
    rig_send(&rig, SIDE_NET, 1000, PEER_STAY);
    STAGE_POLL(&rig.stage, peer_pending(&rig.peers[SIDE_QEMU]) == 1000);
    peer_do(&rig.peers[SIDE_QEMU], PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_QEMU_LOST);
    assert_int_equal(rig.report.error, ECONNRESET);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_NET]));
    assert_false(rig.peers[SIDE_NET].eof);
    assert_int_equal(rig.peers[SIDE_NET].read_error, ECONNRESET);
    rig_close(&rig);
}

static void
the_last_words_of_qemu_go_before_the_reset(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    peer_read(&rig.peers[SIDE_QEMU], false);
    rig_send(&rig, SIDE_NET, UINT64_MAX, PEER_STAY);
    STAGE_POLL(&rig.stage, peer_pending(&rig.peers[SIDE_QEMU]) > 0);
    rig_send(&rig, SIDE_QEMU, 100000, PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_QEMU_LOST);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_NET]));
    assert_false(rig.peers[SIDE_NET].eof);
    assert_int_equal(rig.peers[SIDE_NET].read_error, ECONNRESET);
    assert_received(&rig, SIDE_NET, 100000);
    assert_int_equal(rig.report.bytes[SIDE_QEMU], 100000);
    rig_close(&rig);
}

static void
a_qemu_that_is_gone_breaks_the_pipe_of_the_network(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_QEMU, 100, PEER_CLOSE); /* everything was read */
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_NET].received == 100);
    assert_int_equal(rig.ends, 0);
    rig_send(&rig, SIDE_NET, UINT64_MAX, PEER_STAY);
    STAGE_UNTIL(&rig.stage,
                rig.peers[SIDE_NET].write_error != 0 && rig.ends > 0);
    assert_int_equal(rig.ends, 1);
    assert_int_equal(rig.report.end, RELAY_QEMU_LOST);
    assert_int_equal(rig.report.error, EPIPE);
    rig_close(&rig);
}

static void
last_words_that_nobody_reads_are_waited_for_but_not_for_ever(void **state)
{
    struct rig rig;
    unsigned long turns;
    uint64_t start;

    (void)state;
    rig_open(&rig, 32 << 10);
    peer_read(&rig.peers[SIDE_QEMU], false);
    peer_read(&rig.peers[SIDE_NET], false);
    rig_send(&rig, SIDE_NET, 1000, PEER_STAY);
    rig_send(&rig, SIDE_QEMU, 200000, PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_QEMU].fd < 0);
    start = stage_now_ms();
    turns = rig.stage.turns;
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_true(stage_now_ms() - start + 20 >= LINGER_MS);
    assert_in_range(rig.stage.turns - turns, 1, 150);
    assert_int_equal(rig.report.end, RELAY_QEMU_LOST);
    peer_read(&rig.peers[SIDE_NET], true);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_NET]));
    assert_false(rig.peers[SIDE_NET].eof);
    rig_close(&rig);
}

static void
a_reader_that_stands_still_bounds_what_is_taken(enum side writer)
{
    enum { BUFFERS = 64 << 10, TOTAL = 64 << 20 };
    struct rig rig;

    rig_open(&rig, BUFFERS);
    net_receive_buffer(rig.peers[SIDE_NET].fd, BUFFERS);
    net_receive_buffer(rig.net_fd, BUFFERS);
    peer_read(&rig.peers[!writer], false);
    rig_send(&rig, writer, TOTAL, PEER_END);
    stage_rest(&rig.stage);
    assert_true(rig.peers[writer].sent < RING + 16 * BUFFERS);
    peer_read(&rig.peers[!writer], true);
    rig_send(&rig, !writer, 0, PEER_END);
    assert_clean(&rig, writer == SIDE_QEMU ? TOTAL : 0,
                 writer == SIDE_NET ? TOTAL : 0);
    rig_close(&rig);
}

static void
a_network_that_stands_still_bounds_what_qemu_may_write(void **state)
{
    (void)state;
    a_reader_that_stands_still_bounds_what_is_taken(SIDE_QEMU);
}

static void
a_qemu_that_stands_still_bounds_what_the_network_may_write(void **state)
{
    (void)state;
    a_reader_that_stands_still_bounds_what_is_taken(SIDE_NET);
}

static void
a_relay_with_nothing_to_do_sleeps(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(stage_turns_in(&rig.stage, 100), 0);
    rig_close(&rig);
}

/* One side does ${finish}; then the relay sleeps until the other ends. */
static void
assert_sleeps_half_ended(enum side side, enum peer_finish finish)
{
    struct rig rig;

    rig_open(&rig, 0);
    rig_send(&rig, side, 100, finish);
    STAGE_UNTIL(&rig.stage, rig.peers[!side].eof);
    stage_rest(&rig.stage);
    assert_int_equal(rig.ends, 0);
    rig_send(&rig, !side, 0, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(rig.report.end, RELAY_CLEAN);
    rig_close(&rig);
}

static void
a_relay_with_one_direction_ended_sleeps(void **state)
{
    (void)state;
    assert_sleeps_half_ended(SIDE_QEMU, PEER_END);
    assert_sleeps_half_ended(SIDE_NET, PEER_END);
}

static void
a_relay_with_a_closed_peer_and_nothing_to_write_sleeps(void **state)
{
    (void)state;
    assert_sleeps_half_ended(SIDE_QEMU, PEER_CLOSE);
    assert_sleeps_half_ended(SIDE_NET, PEER_CLOSE);
}

static void
a_closed_peer_behind_a_reader_that_stands_still_wakes_nobody(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 32 << 10);
    peer_read(&rig.peers[SIDE_NET], false);
    rig_send(&rig, SIDE_QEMU, 200000, PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_QEMU].fd < 0);
    stage_rest(&rig.stage);
    assert_false(rig.peers[SIDE_NET].eof);
    peer_read(&rig.peers[SIDE_NET], true);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_NET].eof);
    assert_received(&rig, SIDE_NET, 200000);
    rig_close(&rig);
}

static void
a_relay_that_is_broken_resets_the_network_and_says_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_QEMU, 100, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_NET].received == 100);
    worker_relay_break(rig.relay);
    worker_relay_break(rig.relay);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_NET]));
    assert_int_equal(rig.peers[SIDE_NET].read_error, ECONNRESET);
    rig_send(&rig, SIDE_QEMU, 100, PEER_STAY);
    stage_turns_in(&rig.stage, 50);
    assert_false(peer_ended(&rig.peers[SIDE_QEMU]));
    assert_int_equal(rig.ends, 0);
    worker_relay_report(rig.relay, &rig.report);
    assert_int_equal(rig.report.end, RELAY_TORN_DOWN);
    assert_int_equal(rig.report.bytes[SIDE_QEMU], 100);
    worker_relay_free(rig.relay);
    rig.relay = NULL;
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_QEMU]));
    rig_close(&rig);
}

static void
a_relay_that_is_freed_while_open_resets_the_network(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    worker_relay_free(rig.relay);
    rig.relay = NULL;
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.peers[SIDE_NET]) &&
                                peer_ended(&rig.peers[SIDE_QEMU]));
    assert_int_equal(rig.peers[SIDE_NET].read_error, ECONNRESET);
    worker_relay_free(NULL);
    rig_close(&rig);
}

/* QEMU breaks off a relay whose owner does not mind; 1000 bytes are left. */
static void
break_off_qemu(struct rig *rig)
{
    struct relay_options options;

    rig_prepare(rig, &options, 0);
    options.on_qemu_lost = on_qemu_lost;
    rig->relay = worker_relay_new(rig->pool, &options);
    peer_read(&rig->peers[SIDE_QEMU], false);
    peer_say(&rig->peers[SIDE_QEMU], "last words", 10);
    rig_send(rig, SIDE_NET, 1000, PEER_STAY);
    STAGE_POLL(&rig->stage, peer_pending(&rig->peers[SIDE_QEMU]) == 1000 &&
                                rig->peers[SIDE_NET].received == 10);
    peer_do(&rig->peers[SIDE_QEMU], PEER_CLOSE);
}

static void
a_qemu_that_nobody_misses_is_told_once_and_ends_cleanly(void **state)
{
    struct rig rig;

    (void)state;
    break_off_qemu(&rig);
    STAGE_UNTIL(&rig.stage, rig.losses > 0 && rig.peers[SIDE_NET].eof);
    assert_true(worker_relay_lost_qemu(rig.relay));
    peer_send(&rig.peers[SIDE_NET], 1, 3 << 20, PEER_END); /* for nobody */
    STAGE_POLL(&rig.stage, worker_relay_left(rig.relay) > 64 << 10);
    assert_int_equal(rig.ends, 0);
    worker_relay_drop_qemu(rig.relay);
    STAGE_UNTIL(&rig.stage, rig.ends > 0);
    assert_int_equal(worker_relay_left(rig.relay), 0);
    assert_int_equal(rig.report.end, RELAY_CLEAN);
    assert_int_equal(rig.peers[SIDE_NET].write_error, 0);
    assert_int_equal(rig.losses, 1);
    assert_int_equal(rig.ends, 1);
    rig_close(&rig);
}

static void
a_lost_qemu_that_was_not_told_yet_is_forgotten_when_it_is_broken(void **state)
{
    struct pollfd end = { .events = POLLRDHUP };
    struct rig rig;

    (void)state;
    break_off_qemu(&rig);
    end.fd = rig.peers[SIDE_NET].fd;
    assert_int_equal(poll(&end, 1, 30000), 1); /* the worker has seen it */
    assert_false(worker_relay_lost_qemu(rig.relay));
    worker_relay_break(rig.relay);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.losses, 0);
    assert_int_equal(rig.ends, 0);
    assert_false(worker_relay_lost_qemu(rig.relay));
    rig_close(&rig);
}

/* The worker has closed the connection, and nobody has opened its letter. */
static void
an_end_that_was_not_told_yet_is_forgotten_when_it_is_broken(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    rig_send(&rig, SIDE_QEMU, 100, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.peers[SIDE_NET].received == 100);
    peer_do(&rig.peers[SIDE_NET], PEER_RESET);
    for (uint64_t since = stage_now_ms(); fcntl(rig.net_fd, F_GETFD) >= 0;)
        assert_true(stage_now_ms() - since < 30000);
    worker_relay_report(rig.relay, &rig.report);
    assert_int_equal(rig.report.end, RELAY_OPEN);
    assert_int_equal(rig.report.error, 0);
    worker_relay_break(rig.relay);
    worker_relay_report(rig.relay, &rig.report);
    assert_int_equal(rig.report.end, RELAY_NET_LOST);
    assert_string_equal(rig.report.why, strerror(ECONNRESET));
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.ends, 0);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_without_a_byte_ends_cleanly),
        cmocka_unit_test(the_end_of_qemus_direction_is_passed_on_alone),
        cmocka_unit_test(the_end_of_the_networks_direction_is_passed_on_alone),
        cmocka_unit_test(
            any_sizes_arrive_both_ways_at_once_through_any_buffers),
        cmocka_unit_test(short_calls_lose_nothing),
        cmocka_unit_test(bytes_that_were_read_before_come_first),
        cmocka_unit_test(early_bytes_have_a_limit),
        cmocka_unit_test(a_reset_of_the_network_ends_the_channel_badly),
        cmocka_unit_test(a_reset_before_the_first_look_is_no_end_to_qemu),
        cmocka_unit_test(a_reset_of_the_network_is_seen_while_qemu_writes),
        cmocka_unit_test(a_reset_is_seen_though_nobody_reads_at_qemu),
        cmocka_unit_test(
            a_reset_after_the_end_of_its_direction_is_no_clean_end),
        cmocka_unit_test(
            a_qemu_that_closes_with_bytes_unread_resets_the_network),
        cmocka_unit_test(the_last_words_of_qemu_go_before_the_reset),
        cmocka_unit_test(a_qemu_that_is_gone_breaks_the_pipe_of_the_network),
        cmocka_unit_test(
            last_words_that_nobody_reads_are_waited_for_but_not_for_ever),
        cmocka_unit_test(
            a_network_that_stands_still_bounds_what_qemu_may_write),
        cmocka_unit_test(
            a_qemu_that_stands_still_bounds_what_the_network_may_write),
        cmocka_unit_test(a_relay_with_nothing_to_do_sleeps),
        cmocka_unit_test(a_relay_with_one_direction_ended_sleeps),
        cmocka_unit_test(
            a_relay_with_a_closed_peer_and_nothing_to_write_sleeps),
        cmocka_unit_test(
            a_closed_peer_behind_a_reader_that_stands_still_wakes_nobody),
        cmocka_unit_test(
            a_relay_that_is_broken_resets_the_network_and_says_nothing),
        cmocka_unit_test(a_relay_that_is_freed_while_open_resets_the_network),
        cmocka_unit_test(
            a_qemu_that_nobody_misses_is_told_once_and_ends_cleanly),
    };

    static const struct CMUnitTest late[] = {
        cmocka_unit_test(
            an_end_that_was_not_told_yet_is_forgotten_when_it_is_broken),
        cmocka_unit_test(
            a_lost_qemu_that_was_not_told_yet_is_forgotten_when_it_is_broken),
    };

    POOL_RUN_GROUP(1, "late", late);
    return POOL_RUN_BOTH(tests);
}
