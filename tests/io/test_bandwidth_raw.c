/* In raw mode, too, what goes out keeps to the bandwidth. */
#include "wire/bucket.h"

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/relay.h"

enum {
    RATE = 1 << 20,
    BYTES = 300 << 10,
    PIECE = RATE / 100,
    PIECES = BYTES / PIECE,
    CREDIT = RATE / 50 + PIECE, /* what may go before the limit shows */

    /* A piece wakes up the relay, and its peers on the same loop. */
    TURNS_PER_PIECE = 6,
    TURNS_MORE = 20,
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

struct raw {
    struct stage stage;
    struct bucket bandwidth;
    struct peer peers[SIDES];
    struct relay *relay;
    unsigned ends;
};

static void
on_end(void *arg)
{
    ((struct raw *)arg)->ends++;
}

static void
raw_open(struct raw *raw)
{
    struct relay_options options = { .bandwidth = &raw->bandwidth,
                                     .on_end = on_end,
                                     .arg = raw };
    int pairs[SIDES][2];

    faults_clear();
    *raw = (struct raw){ 0 };
    stage_open(&raw->stage);
    options.loop = raw->stage.loop;
    bucket_init(&raw->bandwidth, RATE);
    net_unix_pair(pairs[SIDE_QEMU]);
    net_tcp_pair(pairs[SIDE_NET]);
    for (int side = 0; side < SIDES; side++) {
        peer_open(&raw->peers[side], &raw->stage, pairs[side][0]);
        options.sides[side] = transport_new(raw->stage.loop, pairs[side][1]);
    }
    raw->relay = relay_new(&options);
    assert_non_null(raw->relay);
}

static void
raw_close(struct raw *raw)
{
    relay_free(raw->relay);
    for (int side = 0; side < SIDES; side++)
        peer_close(&raw->peers[side]);
    stage_close(&raw->stage);
}

static void
a_relay_keeps_to_the_bandwidth_towards_the_net(void **state)
{
    uint64_t start_ms = stage_now_ms();
    struct raw raw;

    (void)state;
    raw_open(&raw);
    peer_expect(&raw.peers[SIDE_NET], 1, 0);
    peer_send(&raw.peers[SIDE_QEMU], 1, BYTES, PEER_END);
    STAGE_UNTIL(&raw.stage, raw.peers[SIDE_NET].eof);
    assert_took_its_time(start_ms, BYTES);
    assert_few_turns(&raw.stage);
    assert_int_equal(raw.peers[SIDE_NET].received, BYTES);
    assert_false(raw.peers[SIDE_NET].mismatch);
    raw_close(&raw);
}

static void
what_a_relay_takes_from_the_net_is_not_limited(void **state)
{
    enum { LONG = 20 << 20 };
    uint64_t start_ms = stage_now_ms();
    struct raw raw;

    (void)state;
    raw_open(&raw);
    peer_send(&raw.peers[SIDE_NET], 1, LONG, PEER_END);
    STAGE_UNTIL(&raw.stage, raw.peers[SIDE_QEMU].eof);
    assert_in_range(stage_now_ms() - start_ms, 0, 18000);
    assert_int_equal(raw.peers[SIDE_QEMU].received, LONG);
    raw_close(&raw);
}

static void
a_relays_limit_that_is_lifted_is_gone(void **state)
{
    enum { LONG = 20 << 20 };
    uint64_t start_ms = stage_now_ms();
    struct raw raw;

    (void)state;
    raw_open(&raw);
    peer_send(&raw.peers[SIDE_QEMU], 1, LONG, PEER_END);
    STAGE_UNTIL(&raw.stage, raw.peers[SIDE_NET].received >= 8 * PIECE);
    bucket_set_rate(&raw.bandwidth, 0);
    STAGE_UNTIL(&raw.stage, raw.peers[SIDE_NET].eof);
    assert_in_range(stage_now_ms() - start_ms, 0, 18000);
    assert_int_equal(raw.peers[SIDE_NET].received, LONG);
    raw_close(&raw);
}

static void
a_relay_that_has_nothing_to_send_sleeps(void **state)
{
    struct raw raw;

    (void)state;
    raw_open(&raw);
    peer_send(&raw.peers[SIDE_QEMU], 1, 8 * PIECE, PEER_STAY);
    STAGE_UNTIL(&raw.stage, raw.peers[SIDE_NET].received == 8 * PIECE);
    stage_rest(&raw.stage);
    assert_in_range(stage_turns_in(&raw.stage, 300), 0, 1);
    raw_close(&raw);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_keeps_to_the_bandwidth_towards_the_net),
        cmocka_unit_test(what_a_relay_takes_from_the_net_is_not_limited),
        cmocka_unit_test(a_relays_limit_that_is_lifted_is_gone),
        cmocka_unit_test(a_relay_that_has_nothing_to_send_sleeps),
    };

    return RUN_TESTS(tests);
}
