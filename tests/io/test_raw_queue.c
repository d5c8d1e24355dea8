/* How channels wait for the destination's QEMU, and in which order. */
#include <unistd.h>

#include "support_capture.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_server_rig.h"
#include "support_stage.h"
#include "support_test.h"

enum { CHANNELS = 64, SHORT_MS = 150 };

static void
channels_reach_qemu_in_the_order_of_accepting(int backlog)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    server_rig_open(&rig, &options);
    server_rig_qemu_listens(&rig, backlog);
    server_rig_begin(&rig, CHANNELS);
    for (unsigned i = 1; i < CHANNELS; i++)
        assert_int_equal(rig.qemu.peers[i].head[0], i);
    for (unsigned i = 0; i < CHANNELS; i++) {
        peer_do(&rig.sources[i], PEER_END);
        peer_do(&rig.qemu.peers[i], PEER_END);
    }
    server_rig_assert_done(&rig, STATUS_DONE);
    server_rig_close(&rig);
}

static void
sixty_four_channels_reach_qemu_in_their_order(void **state)
{
    (void)state;
    channels_reach_qemu_in_the_order_of_accepting(CHANNELS);
}

static void
they_keep_their_order_through_a_backlog_that_is_full(void **state)
{
    (void)state;
    channels_reach_qemu_in_the_order_of_accepting(0);
}

static void
a_migration_waits_until_qemu_listens(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    const char *said;
    struct server_rig rig;

    (void)state;
    server_rig_open(&rig, &options);
    close(net_listen_unix(rig.path, 1)); /* a stale file is not enough */
    capture_start();
    server_rig_main(&rig);
    assert_in_range(stage_turns_in(&rig.stage, 350), 1, 20);
    said = capture_stop();
    assert_int_equal(capture_count(said, "waiting up to 20.0 s for QEMU"), 1);
    assert_false(peer_ended(&rig.sources[0]));
    unlink(rig.path);
    server_rig_qemu_listens(&rig, 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[0].received == 4);
    server_rig_close(&rig);
}

static void
a_migration_waits_no_longer_than_it_may(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    const char *said;
    uint64_t start;
    struct server_rig rig;

    (void)state;
    options.wait_ms = SHORT_MS;
    server_rig_open(&rig, &options);
    capture_start();
    start = stage_now_ms();
    server_rig_main(&rig);
    STAGE_UNTIL(&rig.stage, rig.dones > 0);
    said = capture_stop();
    assert_true(stage_now_ms() - start >= SHORT_MS);
    assert_int_equal(capture_count(said, "no QEMU listens there"), 1);
    server_rig_assert_done(&rig, STATUS_FAILED);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    server_rig_close(&rig);
}

static void
a_source_that_gives_up_while_waiting_leaves_qemu_alone(void **state)
{
    static const enum peer_finish finishes[] = { PEER_CLOSE, PEER_RESET,
                                                 PEER_END };
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    for (int i = 0; i < 3; i++) {
        server_rig_open(&rig, &options);
        server_rig_main(&rig);
        stage_turns_in(&rig.stage, 20);
        peer_do(&rig.sources[0], finishes[i]);
        server_rig_qemu_listens(&rig, 1);
        server_rig_assert_done(&rig, STATUS_FAILED);
        assert_int_equal(rig.qemu.count, 0);
        server_rig_close(&rig);
    }
}

/* QEMU's backlog is full, by connections of the test's own. */
static unsigned
fill_backlog(struct server_rig *rig, int fds[8])
{
    unsigned count = 0;

    server_rig_qemu_listens(rig, 0);
    acceptor_pause(&rig->qemu, true);
    while ((fds[count] = net_connect_unix(rig->path)) >= 0)
        count++;
    return count;
}

static void
a_full_backlog_is_tried_again(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    unsigned crowd;
    struct server_rig rig;
    int fds[8];

    (void)state;
    server_rig_open(&rig, &options);
    crowd = fill_backlog(&rig, fds);
    server_rig_main(&rig);
    assert_in_range(stage_turns_in(&rig.stage, 200), 1, 40);
    assert_false(peer_ended(&rig.sources[0]));
    acceptor_pause(&rig.qemu, false);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == crowd + 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[crowd].received == 4);
    while (crowd > 0)
        close(fds[--crowd]);
    server_rig_close(&rig);
}

static void
a_backlog_that_stays_full_is_given_up(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    unsigned crowd;
    struct server_rig rig;
    int fds[8];

    (void)state;
    options.wait_ms = SHORT_MS;
    server_rig_open(&rig, &options);
    crowd = fill_backlog(&rig, fds);
    server_rig_main(&rig);
    server_rig_assert_done(&rig, STATUS_FAILED);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    while (crowd > 0)
        close(fds[--crowd]);
    server_rig_close(&rig);
}

static void
a_qemu_that_is_gone_for_a_further_channel_breaks_the_migration(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    unlink(rig.path);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    server_rig_assert_done(&rig, STATUS_FAILED);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    server_rig_assert_dropped(&rig, &rig.sources[1]);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[0]));
    server_rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixty_four_channels_reach_qemu_in_their_order),
        cmocka_unit_test(they_keep_their_order_through_a_backlog_that_is_full),
        cmocka_unit_test(a_migration_waits_until_qemu_listens),
        cmocka_unit_test(a_migration_waits_no_longer_than_it_may),
        cmocka_unit_test(
            a_source_that_gives_up_while_waiting_leaves_qemu_alone),
        cmocka_unit_test(a_full_backlog_is_tried_again),
        cmocka_unit_test(a_backlog_that_stays_full_is_given_up),
        cmocka_unit_test(
            a_qemu_that_is_gone_for_a_further_channel_breaks_the_migration),
    };

    return POOL_RUN_BOTH(tests);
}
