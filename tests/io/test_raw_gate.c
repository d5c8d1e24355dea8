/* Whom the destination's end takes for a QEMU, in raw mode. */
#include "support_capture.h"
#include "support_net.h"
#include "support_server_rig.h"
#include "support_stage.h"
#include "support_test.h"

#define HELLO "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
#define MULTIFD "\x11\x22\x33\x44"

static void
qemu_is_not_touched_before_the_fourth_byte(void **state)
{
    static const char words[] = "QEVM";
    const struct raw_server_options options = server_rig_defaults();
    struct peer *source;
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    source = server_rig_connect(&rig, SERVER_RIG_HOST);
    for (int i = 0; i < 4; i++) {
        stage_turns_in(&rig.stage, 20);
        assert_int_equal(rig.qemu.count, 0);
        peer_say(source, &words[i], 1);
    }
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[0].received == 4);
    assert_memory_equal(rig.qemu.peers[0].head, "QEVM", 4);
    server_rig_close(&rig);
}

static void
a_migration_that_is_resumed_passes_through(void **state)
{
    static const char words[] = "\x08\x00\x0a\x00\x07\x06pc.ram";
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_say(&rig, words, sizeof words - 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[0].received == sizeof words - 1);
    assert_memory_equal(rig.qemu.peers[0].head, words, sizeof words - 1);
    server_rig_close(&rig);
}

static void
what_is_no_qemu_is_dropped_and_never_reaches_one(void **state)
{
    static const struct {
        const char *words;
        size_t length;
    } strangers[] = { { "x", 1 },
                      { "GET / HTTP/1.0\r\n\r\n", 18 },
                      { "QEVN", 4 },
                      { "SSH-2.0-x", 9 },
                      { "\0\0\0\0\0\0\0\0", 8 } };
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        server_rig_assert_dropped(&rig, server_rig_say(&rig, strangers[i].words,
                                                       strangers[i].length));
    assert_int_equal(rig.qemu.count, 0);
    server_rig_begin(&rig, 1);
    assert_int_equal(rig.qemu.count, 1);
    server_rig_close(&rig);
}

static void
a_hundred_probes_leave_qemu_alone_and_fill_no_log(void **state)
{
    static const enum peer_finish finishes[] = { PEER_CLOSE, PEER_RESET,
                                                 PEER_END };
    const struct raw_server_options options = server_rig_defaults();
    const char *said;
    struct server_rig rig;

    (void)state;
    capture_start();
    server_rig_open_ready(&rig, &options);
    for (unsigned i = 0; i < 100; i++) {
        server_rig_connect(&rig, SERVER_RIG_HOST);
        if (i % 2 == 0)
            peer_say(&rig.sources[i], "QEV", 3);
        peer_do(&rig.sources[i], finishes[i % 3]);
        stage_turns_in(&rig.stage, 0);
    }
    server_rig_begin(&rig, 1);
    assert_int_equal(rig.qemu.count, 1);
    said = capture_stop();
    assert_in_range(capture_count(said, " dropped: "), 1, 8);
    server_rig_close(&rig);
}

static void
silent_connections_hold_nobody_up(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    for (int i = 0; i < 10; i++)
        server_rig_connect(&rig, SERVER_RIG_HOST);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(stage_turns_in(&rig.stage, 50), 0);
    server_rig_main(&rig);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.qemu.count, 1);
    assert_memory_equal(rig.qemu.peers[0].head, "QEVM", 4);
    server_rig_close(&rig);
}

static void
a_multifd_channel_waits_for_the_main_one(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_say(&rig, MULTIFD, 4);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.qemu.count, 0);
    server_rig_main(&rig);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 2);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[0].received == 4 &&
                                rig.qemu.peers[1].received == 4);
    assert_memory_equal(rig.qemu.peers[0].head, "QEVM", 4);
    assert_memory_equal(rig.qemu.peers[1].head, MULTIFD, 4);
    server_rig_close(&rig);
}

static void
a_multifd_channel_may_speak_after_a_main_one_that_came_later(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    stage_turns_in(&rig.stage, 20);
    server_rig_main(&rig);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.qemu.count, 1);
    peer_say(&rig.sources[0], MULTIFD, 4);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 2);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[1].received == 4);
    assert_memory_equal(rig.qemu.peers[1].head, MULTIFD, 4);
    server_rig_close(&rig);
}

static void
a_multifd_channel_that_is_gone_joins_no_later_migration(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_say(&rig, MULTIFD, 4);
    stage_turns_in(&rig.stage, 20);
    peer_do(&rig.sources[0], PEER_CLOSE);
    server_rig_main(&rig);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.qemu.count, 1);
    assert_memory_equal(rig.qemu.peers[0].head, "QEVM", 4);
    server_rig_close(&rig);
}

static void
further_channels_are_taken_without_a_byte(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 2);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 3);
    assert_int_equal(rig.qemu.peers[1].received, 0);
    peer_say(&rig.sources[2], "2", 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[2].received == 1);
    server_rig_close(&rig);
}

static void
a_second_main_channel_is_refused(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    server_rig_assert_dropped(&rig, server_rig_main(&rig));
    assert_int_equal(rig.qemu.count, 1);
    assert_false(peer_ended(&rig.sources[0]));
    server_rig_close(&rig);
}

static void
a_connection_that_closes_at_once_is_no_further_channel(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    peer_do(&rig.sources[1], PEER_CLOSE);
    server_rig_connect(&rig, SERVER_RIG_HOST);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 2);
    peer_say(&rig.sources[2], "2", 1);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[1].received == 1);
    assert_int_equal(rig.qemu.count, 2);
    server_rig_close(&rig);
}

static void
a_further_channel_from_another_host_is_refused(void **state)
{
    const struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 1);
    server_rig_assert_dropped(&rig, server_rig_connect(&rig, "127.0.0.2"));
    assert_int_equal(rig.qemu.count, 1);
    assert_false(peer_ended(&rig.sources[0]));
    server_rig_close(&rig);
}

static void
a_main_channel_that_comes_too_early_waits_for_the_one_before(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    options.once = false;
    server_rig_open_ready(&rig, &options);
    server_rig_begin(&rig, 2);
    peer_do(&rig.sources[0], PEER_END);
    peer_do(&rig.qemu.peers[0], PEER_END);
    STAGE_UNTIL(&rig.stage, rig.sources[0].eof);
    server_rig_main(&rig); /* channel 2 of the one before is open still */
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.qemu.count, 2);
    peer_do(&rig.sources[1], PEER_END);
    peer_do(&rig.qemu.peers[1], PEER_END);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 3);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[2].received == 4);
    server_rig_close(&rig);
}

static void
qemus_that_encrypt_begin_with_tls(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;

    (void)state;
    options.qemu_tls = true;
    server_rig_open_ready(&rig, &options);
    server_rig_assert_dropped(&rig, server_rig_main(&rig));
    assert_int_equal(rig.qemu.count, 0);
    server_rig_say(&rig, HELLO, 11);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    server_rig_say(&rig, HELLO, 11);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 2);
    STAGE_UNTIL(&rig.stage, rig.qemu.peers[1].received == 11);
    assert_memory_equal(rig.qemu.peers[1].head, HELLO, 11);
    server_rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(qemu_is_not_touched_before_the_fourth_byte),
        cmocka_unit_test(a_migration_that_is_resumed_passes_through),
        cmocka_unit_test(what_is_no_qemu_is_dropped_and_never_reaches_one),
        cmocka_unit_test(a_hundred_probes_leave_qemu_alone_and_fill_no_log),
        cmocka_unit_test(silent_connections_hold_nobody_up),
        cmocka_unit_test(a_multifd_channel_waits_for_the_main_one),
        cmocka_unit_test(
            a_multifd_channel_may_speak_after_a_main_one_that_came_later),
        cmocka_unit_test(
            a_multifd_channel_that_is_gone_joins_no_later_migration),
        cmocka_unit_test(further_channels_are_taken_without_a_byte),
        cmocka_unit_test(a_second_main_channel_is_refused),
        cmocka_unit_test(
            a_connection_that_closes_at_once_is_no_further_channel),
        cmocka_unit_test(a_further_channel_from_another_host_is_refused),
        cmocka_unit_test(
            a_main_channel_that_comes_too_early_waits_for_the_one_before),
        cmocka_unit_test(qemus_that_encrypt_begin_with_tls),
    };

    return RUN_TESTS(tests);
}
