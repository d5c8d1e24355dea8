/* Both ends of raw mode, with the test in the place of the two QEMUs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "support_acceptor.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/raw_client.h"
#include "tunnel/raw_server.h"

enum { CHANNELS_MAX = 64, LONG_MS = 20000, HOLD_MS = 1000 };

struct outcome {
    unsigned dones;
    enum exit_status status;
};

struct rig {
    struct stage stage;
    struct worker_pool *pool;
    char dir[NET_PATH_MAX];
    char source_path[NET_PATH_MAX + 8];
    char dest_path[NET_PATH_MAX + 8];
    struct raw_client *client;
    struct raw_server *server;
    struct outcome client_outcome;
    struct outcome server_outcome;
    struct peer source[CHANNELS_MAX];
    unsigned count;
    struct acceptor dest;
};

static void
on_done(void *arg, enum exit_status status)
{
    struct outcome *outcome = arg;

    outcome->dones++;
    outcome->status = status;
}

static void
start_server(struct rig *rig)
{
    char why[LISTENER_WHY_MAX];

    rig->server = raw_server_new(
        &(struct raw_server_options){ .loop = rig->stage.loop,
                                      .pool = rig->pool,
                                      .listen = { .host = "127.0.0.1" },
                                      .unix_path = rig->dest_path,
                                      .wait_ms = LONG_MS,
                                      .once = true,
                                      .on_done = on_done,
                                      .arg = &rig->server_outcome },
        why);
    assert_non_null(rig->server);
}

static void
start_client(struct rig *rig)
{
    char why[SOCKET_WHY_MAX];

    rig->client = raw_client_new(
        &(struct raw_client_options){
            .loop = rig->stage.loop,
            .pool = rig->pool,
            .dest = { .host = "127.0.0.1", .port = net_listening_port() },
            .unix_path = rig->source_path,
            .wait_ms = LONG_MS,
            .once = true,
            .on_done = on_done,
            .arg = &rig->client_outcome },
        why);
    assert_non_null(rig->client);
}

static void
rig_open(struct rig *rig)
{
    faults_clear();
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_temp_dir(rig->dir);
    snprintf(rig->source_path, sizeof rig->source_path, "%s/source", rig->dir);
    snprintf(rig->dest_path, sizeof rig->dest_path, "%s/dest", rig->dir);
    acceptor_open(&rig->dest, &rig->stage, net_listen_unix(rig->dest_path, 1));
    start_server(rig);
    start_client(rig);
}

static void
rig_close(struct rig *rig)
{
    raw_client_free(rig->client);
    raw_server_free(rig->server);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->source[i]);
    acceptor_close(&rig->dest);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
}

/* The source connects all its channels at once, as for multifd. */
static void
begin_migration(struct rig *rig, unsigned channels)
{
    for (unsigned i = 0; i < channels; i++) {
        struct peer *source = &rig->source[rig->count++];

        peer_open(source, &rig->stage, net_connect_unix(rig->source_path));
        peer_say(source, i == 0 ? "QEVM" : "\x11\x22\x33\x44", 4);
    }
    STAGE_UNTIL(&rig->stage, rig->dest.count == channels);
}

static void
assert_statuses(struct rig *rig, enum exit_status status)
{
    STAGE_UNTIL(&rig->stage,
                rig->client_outcome.dones > 0 && rig->server_outcome.dones > 0);
    assert_int_equal(rig->client_outcome.status, status);
    assert_int_equal(rig->server_outcome.status, status);
}

/* Send ${bytes} each way on the channel ${i}, of streams of its own. */
static void
fill_channel(struct rig *rig, unsigned i, uint64_t there, uint64_t back)
{
    peer_expect(&rig->dest.peers[i], 100 + i, 4);
    peer_send(&rig->source[i], 100 + i, there, PEER_END);
    peer_expect(&rig->source[i], 200 + i, 0);
    peer_send(&rig->dest.peers[i], 200 + i, back, PEER_END);
}

static void
every_channel_carries_its_own_bytes(unsigned channels, uint64_t most)
{
    uint64_t there[CHANNELS_MAX], back[CHANNELS_MAX];
    unsigned random = 11;
    struct rig rig;

    rig_open(&rig);
    begin_migration(&rig, channels);
    for (unsigned i = 0; i < channels; i++) {
        there[i] = (unsigned)rand_r(&random) % most;
        back[i] = (unsigned)rand_r(&random) % most;
        fill_channel(&rig, i, there[i], back[i]);
    }
    assert_statuses(&rig, STATUS_DONE);
    for (unsigned i = 0; i < channels; i++) {
        STAGE_UNTIL(&rig.stage, rig.source[i].eof && rig.dest.peers[i].eof);
        assert_int_equal(rig.dest.peers[i].received, there[i] + 4);
        assert_int_equal(rig.source[i].received, back[i]);
        assert_false(rig.dest.peers[i].mismatch || rig.source[i].mismatch);
    }
    rig_close(&rig);
}

static void
one_channel_carries_its_bytes(void **state)
{
    (void)state;
    every_channel_carries_its_own_bytes(1, 32 << 20);
}

static void
sixty_four_channels_carry_their_own_bytes(void **state)
{
    (void)state;
    every_channel_carries_its_own_bytes(CHANNELS_MAX, 512 << 10);
}

static void
a_destination_that_dies_fails_the_source_but_not_too_soon(void **state)
{
    struct rig rig;
    uint64_t last_ms;

    (void)state;
    rig_open(&rig);
    last_ms = stage_now_ms();
    begin_migration(&rig, 3);
    for (unsigned i = 0; i < 3; i++)
        peer_send(&rig.source[i], i, UINT64_MAX, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.dest.peers[0].received > 1 << 20);
    for (unsigned i = 0; i < 3; i++)
        peer_do(&rig.dest.peers[i], PEER_CLOSE);
    for (unsigned i = 0; i < 3; i++) {
        STAGE_UNTIL(&rig.stage, rig.source[i].write_error != 0);
        assert_true(stage_now_ms() - last_ms >= HOLD_MS);
    }
    assert_statuses(&rig, STATUS_FAILED);
    rig_close(&rig);
}

static void
a_source_that_breaks_off_fails_the_destination(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    begin_migration(&rig, 3);
    /* A close with bytes unread is an error, as a crash may be. */
    peer_read(&rig.source[1], false);
    peer_say(&rig.dest.peers[1], "unread", 6);
    STAGE_POLL(&rig.stage, peer_pending(&rig.source[1]) == 6);
    peer_do(&rig.source[1], PEER_CLOSE);
    for (unsigned i = 0; i < 3; i++)
        STAGE_UNTIL(&rig.stage, peer_ended(&rig.dest.peers[i]));
    assert_statuses(&rig, STATUS_FAILED);
    rig_close(&rig);
}

static void
a_client_that_is_gone_fails_the_destination(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    begin_migration(&rig, 2);
    raw_client_free(rig.client);
    rig.client = NULL;
    STAGE_UNTIL(&rig.stage, rig.server_outcome.dones > 0);
    assert_int_equal(rig.server_outcome.status, STATUS_FAILED);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.dest.peers[0]) &&
                                peer_ended(&rig.dest.peers[1]));
    rig_close(&rig);
}

static void
a_server_that_is_gone_fails_the_source(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    begin_migration(&rig, 2);
    raw_server_free(rig.server);
    rig.server = NULL;
    STAGE_UNTIL(&rig.stage, rig.client_outcome.dones > 0);
    assert_int_equal(rig.client_outcome.status, STATUS_FAILED);
    STAGE_UNTIL(&rig.stage,
                peer_ended(&rig.source[0]) && peer_ended(&rig.source[1]));
    rig_close(&rig);
}

static void
a_destination_that_stands_still_stops_the_source(void **state)
{
    enum { TOTAL = 96 << 20, BOUND = 48 << 20 };
    struct rig rig;

    (void)state;
    rig_open(&rig);
    begin_migration(&rig, 1);
    peer_read(&rig.dest.peers[0], false);
    fill_channel(&rig, 0, TOTAL, 0);
    stage_rest(&rig.stage);
    assert_true(rig.source[0].sent < BOUND);
    peer_read(&rig.dest.peers[0], true);
    assert_statuses(&rig, STATUS_DONE);
    STAGE_UNTIL(&rig.stage, rig.dest.peers[0].eof);
    assert_int_equal(rig.dest.peers[0].received, TOTAL + 4);
    assert_false(rig.dest.peers[0].mismatch);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_channel_carries_its_bytes),
        cmocka_unit_test(sixty_four_channels_carry_their_own_bytes),
        cmocka_unit_test(
            a_destination_that_dies_fails_the_source_but_not_too_soon),
        cmocka_unit_test(a_source_that_breaks_off_fails_the_destination),
        cmocka_unit_test(a_client_that_is_gone_fails_the_destination),
        cmocka_unit_test(a_server_that_is_gone_fails_the_source),
        cmocka_unit_test(a_destination_that_stands_still_stops_the_source),
    };

    return POOL_RUN_BOTH(tests);
}
