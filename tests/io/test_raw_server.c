/* The destination's end of raw mode: how migrations go and end. */
#include <stdio.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_server_rig.h"
#include "support_session_clock.h"
#include "support_stage.h"
#include "support_test.h"

enum { STOP_MS = 5000 };

static void
a_migration_passes_through_both_ways(void **state)
{
    enum { THERE = 3 << 20, BACK = 70000 };
    const struct raw_server_options options = server_rig_defaults();
    struct peer *source, *qemu;
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    source = server_rig_main(&rig);
    peer_send(source, 1, THERE, PEER_END);
    peer_expect(source, 2, 0);
    STAGE_UNTIL(&rig.stage, rig.qemu.count > 0);
    qemu = &rig.qemu.peers[0];
    peer_expect(qemu, 1, 4);
    STAGE_UNTIL(&rig.stage, qemu->eof);
    assert_int_equal(qemu->received, THERE + 4);
    assert_memory_equal(qemu->head, "QEVM", 4);
    assert_false(qemu->mismatch);
    assert_int_equal(rig.dones, 0);
    peer_send(qemu, 2, BACK, PEER_CLOSE);
    server_rig_assert_done(&rig, STATUS_DONE);
    STAGE_UNTIL(&rig.stage, source->eof);
    assert_int_equal(source->received, BACK);
    assert_false(source->mismatch);
    assert_int_equal(rig.qemu.count, 1);
    server_rig_close(&rig);
}

/* PONG, and SHUT with success: what a destination's QEMU sends back. */
static const unsigned char pong[] = { 0, 2, 0, 4, 0, 0, 0, 1 };
static const unsigned char shut[] = { 0, 1, 0, 4, 0, 0, 0, 0 };

static void
assert_end_with(const unsigned char *last, enum exit_status status)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    peer_say(&rig.qemu.peers[0], pong, sizeof pong);
    if (last != NULL)
        peer_say(&rig.qemu.peers[0], last, sizeof shut);
    STAGE_UNTIL(&rig.stage, rig.sources[0].received ==
                                sizeof pong + (last != NULL ? sizeof shut : 0));
    peer_do(&rig.sources[0], PEER_END);
    peer_do(&rig.qemu.peers[0], PEER_END);
    server_rig_assert_done(&rig, status);
    server_rig_close(&rig);
}

static void
a_migration_that_the_destination_confirms_is_done(void **state)
{
    (void)state;
    assert_end_with(shut, STATUS_DONE);
}

static void
a_migration_without_the_last_word_of_its_return_path_is_not_done(void **state)
{
    (void)state;
    assert_end_with(NULL, STATUS_FAILED);
    assert_end_with(pong, STATUS_FAILED);
}

/* A channel that has said as much is one of the migration. */
static const unsigned char multifd_init[64];

static void
a_stranger_who_joins_and_breaks_off_harms_nobody(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 2);
    server_rig_say(&rig, "", 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 3);
    peer_do(&rig.sources[2], PEER_RESET);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[2]));
    for (unsigned i = 0; i < 2; i++) {
        peer_do(&rig.sources[i], PEER_END);
        peer_do(&rig.qemu.peers[i], PEER_END);
    }
    server_rig_assert_done(&rig, STATUS_DONE);
    server_rig_close(&rig);
}

static void
one_channel_reset_by_its_source_tears_down_all(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 3);
    peer_say(&rig.sources[1], multifd_init, sizeof multifd_init);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[1].received > sizeof multifd_init);
    peer_do(&rig.sources[1], PEER_RESET);
    server_rig_assert_done(&rig, STATUS_FAILED);
    for (unsigned i = 0; i < 3; i++)
        STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[i]));
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    server_rig_assert_dropped(&rig, &rig.sources[2]);
    server_rig_close(&rig);
}

static void
a_main_channel_broken_by_qemu_tears_down_all(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 3);
    peer_read(&rig.qemu.peers[0], false);
    peer_say(&rig.sources[0], multifd_init, sizeof multifd_init);
    STAGE_POLL(&rig.stage,
               peer_pending(&rig.qemu.peers[0]) == sizeof multifd_init);
    peer_do(&rig.qemu.peers[0], PEER_CLOSE);
    server_rig_assert_done(&rig, STATUS_FAILED);
    for (unsigned i = 0; i < 3; i++)
        server_rig_assert_dropped(&rig, &rig.sources[i]);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[1]) &&
                                peer_ended(&rig.qemu.peers[2]));
    server_rig_close(&rig);
}

/* A migration of two channels, of which QEMU breaks off the second. */
static void
break_second_channel(struct server_rig *rig)
{
    server_rig_begin(rig, 2);
    peer_read(&rig->qemu.peers[1], false);
    peer_say(&rig->sources[1], multifd_init, sizeof multifd_init);
    STAGE_POLL(&rig->stage,
               peer_pending(&rig->qemu.peers[1]) == sizeof multifd_init);
    peer_do(&rig->qemu.peers[1], PEER_CLOSE);
    STAGE_UNTIL(&rig->stage, rig->sources[1].eof);
}

static void
what_qemu_leaves_unread_on_a_further_channel_does_not_matter(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    break_second_channel(&rig);
    peer_send(&rig.sources[1], 1, 1000, PEER_END); /* for nobody */
    stage_turns_in(&rig.stage, 50);
    peer_say(&rig.qemu.peers[0], "done", 4);
    STAGE_UNTIL(&rig.stage, rig.sources[0].received == 4);
    assert_int_equal(rig.dones, 0);
    peer_do(&rig.qemu.peers[0], PEER_END);
    peer_do(&rig.sources[0], PEER_END);
    server_rig_assert_done(&rig, STATUS_DONE);
    assert_int_equal(rig.sources[1].write_error, 0);
    server_rig_close(&rig);
}

/* QEMU goes on with the main channel when a thread of multifd has failed. */
static void
much_for_a_further_channel_that_qemu_broke_off_tears_down_all(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    break_second_channel(&rig);
    peer_send(&rig.sources[1], 1, 3 << 20, PEER_STAY);
    server_rig_assert_done(&rig, STATUS_FAILED);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[0]));
    server_rig_close(&rig);
}

static void
a_further_channel_that_qemu_breaks_off_alone_ends_the_migration_later(
    void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    session_clock_speed(20);
    break_second_channel(&rig);
    server_rig_assert_done(&rig, STATUS_FAILED);
    session_clock_speed(1);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[0]));
    server_rig_close(&rig);
}

/* As a stranger's, which has all the time in the world. */
static void
what_was_broken_off_by_qemu_is_not_waited_for_long(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    session_clock_speed(20);
    break_second_channel(&rig);
    peer_do(&rig.qemu.peers[0], PEER_END);
    peer_do(&rig.sources[0], PEER_END);
    peer_say(&rig.sources[1], "still here", 10);
    server_rig_assert_done(&rig, STATUS_DONE);
    session_clock_speed(1);
    server_rig_close(&rig);
}

static void
the_next_migration_may_follow_a_broken_one(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    options.once = false;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 2);
    peer_do(&rig.sources[0], PEER_RESET);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[0]) &&
                                peer_ended(&rig.qemu.peers[1]));
    server_rig_main(&rig);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 3);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[2].received == 4);
    assert_int_equal(rig.dones, 0);
    server_rig_close(&rig);
}

static void
each_channel_has_a_line_at_its_end(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    const char *said;
    struct server_rig rig;

    (void)state;
    capture_start();
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 2);
    for (unsigned i = 0; i < 2; i++) {
        peer_do(&rig.sources[i], PEER_END);
        peer_do(&rig.qemu.peers[i], PEER_END);
    }
    server_rig_assert_done(&rig, STATUS_DONE);
    said = capture_stop();
    assert_int_equal(capture_count(said, "channel 1: ended cleanly; 4 B to the "
                                         "destination, 0 B back, "),
                     1);
    assert_int_equal(capture_count(said, "channel 2: ended cleanly; 1 B to the "
                                         "destination, 0 B back, "),
                     1);
    assert_int_equal(capture_count(said, "migration ended cleanly"), 1);
    server_rig_close(&rig);
}

static void
a_server_with_nothing_to_do_stops_at_once(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    options.once = false;
    server_rig_open(&rig, &options);
    raw_server_stop(rig.server);
    assert_int_equal(rig.dones, 1);
    assert_int_equal(rig.status, STATUS_DONE);
    raw_server_stop(rig.server); /* the second signal, if it comes */
    assert_int_equal(rig.dones, 1);
    server_rig_close(&rig);
    options.once = true;
    server_rig_open(&rig, &options);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    stage_turns_in(&rig.stage, 20);
    raw_server_stop(rig.server);
    assert_int_equal(rig.status, STATUS_CANCELLED);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    server_rig_close(&rig);
}

static void
a_server_that_stops_lets_its_migration_end(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    options.once = false;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 2);
    assert_true(net_someone_listens(rig.port));
    raw_server_stop(rig.server);
    assert_int_equal(rig.dones, 0);
    assert_false(net_someone_listens(rig.port));
    for (unsigned i = 0; i < 2; i++) {
        peer_do(&rig.sources[i], PEER_END);
        peer_do(&rig.qemu.peers[i], PEER_END);
    }
    server_rig_assert_done(&rig, STATUS_DONE);
    raw_server_stop(rig.server);
    assert_int_equal(rig.dones, 1);
    server_rig_close(&rig);
}

static void
a_second_stop_ends_everything_at_once(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 2);
    raw_server_stop(rig.server);
    raw_server_stop(rig.server);
    assert_int_equal(rig.dones, 1);
    assert_int_equal(rig.status, STATUS_CANCELLED);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    server_rig_assert_dropped(&rig, &rig.sources[1]);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu.peers[0]) &&
                                peer_ended(&rig.qemu.peers[1]));
    server_rig_close(&rig);
}

static void
a_migration_that_does_not_end_is_stopped_after_five_seconds(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    uint64_t start;
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    start = stage_now_ms();
    raw_server_stop(rig.server);
    server_rig_assert_done(&rig, STATUS_CANCELLED);
    assert_true(stage_now_ms() - start + 20 >= STOP_MS);
    server_rig_assert_dropped(&rig, &rig.sources[0]);
    server_rig_close(&rig);
}

static void
a_port_that_is_taken_is_said(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    char why[LISTENER_WHY_MAX];
    struct stage stage;
    int fd;

    (void)state;
    stage_open(&stage);
    options.loop = stage.loop;
    options.listen = (struct address){ .host = SERVER_RIG_HOST };
    options.unix_path = "/nowhere";
    fd = net_listen_tcp(&options.listen.port, 1);
    assert_null(raw_server_new(&options, why));
    assert_int_equal(capture_count(why, "Address already in use"), 1);
    close(fd);
    raw_server_free(NULL);
    stage_close(&stage);
}

static void
a_server_may_be_freed_in_the_middle(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_connect(&rig, "127.0.0.2"); /* a candidate */
    server_rig_begin(&rig, 1);             /* and a channel */
    acceptor_pause(&rig.qemu, true);
    for (int i = 0; i < SERVER_RIG_BACKLOG + 3; i++) /* and a queue */
        server_rig_connect(&rig, SERVER_RIG_HOST);
    stage_turns_in(&rig.stage, 30);
    raw_server_free(rig.server);
    rig.server = NULL;
    for (unsigned i = 0; i < rig.count; i++)
        server_rig_assert_dropped(&rig, &rig.sources[i]);
    assert_int_equal(rig.dones, 0);
    server_rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_passes_through_both_ways),
        cmocka_unit_test(a_migration_that_the_destination_confirms_is_done),
        cmocka_unit_test(
            a_migration_without_the_last_word_of_its_return_path_is_not_done),
        cmocka_unit_test(a_stranger_who_joins_and_breaks_off_harms_nobody),
        cmocka_unit_test(one_channel_reset_by_its_source_tears_down_all),
        cmocka_unit_test(a_main_channel_broken_by_qemu_tears_down_all),
        cmocka_unit_test(
            what_qemu_leaves_unread_on_a_further_channel_does_not_matter),
        cmocka_unit_test(
            much_for_a_further_channel_that_qemu_broke_off_tears_down_all),
        cmocka_unit_test(
            a_further_channel_that_qemu_breaks_off_alone_ends_the_migration_later),
        cmocka_unit_test(what_was_broken_off_by_qemu_is_not_waited_for_long),
        cmocka_unit_test(the_next_migration_may_follow_a_broken_one),
        cmocka_unit_test(each_channel_has_a_line_at_its_end),
        cmocka_unit_test(a_server_with_nothing_to_do_stops_at_once),
        cmocka_unit_test(a_server_that_stops_lets_its_migration_end),
        cmocka_unit_test(a_second_stop_ends_everything_at_once),
        cmocka_unit_test(a_port_that_is_taken_is_said),
        cmocka_unit_test(a_server_may_be_freed_in_the_middle),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(
            a_migration_that_does_not_end_is_stopped_after_five_seconds),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
