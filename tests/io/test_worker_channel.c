/* What a channel on a worker tells, and what it must not tell any more. */
#include "tunnel/worker_channel.h"

#include <string.h>
#include <sys/ioctl.h>

#include "io/transport.h"
#include "support_capture.h"
#include "support_ends.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_session_sides.h"
#include "support_test.h"

enum {
    BYTES = 300000,
    CUTS = 5,
};

/* Wait for what happens on a worker, without opening a letter. */
#define WAIT_UNTIL(condition)                            \
    do {                                                 \
        uint64_t since = stage_now_ms();                 \
        while (!(condition))                             \
            assert_true(stage_now_ms() - since < 30000); \
    } while (0)

static void
lose_unseen(struct sides *rig)
{
    session_peer_reset(&rig->peer);
    WAIT_UNTIL(!worker_channel_connected(rig->side[0].channel));
    assert_int_equal(rig->side[0].lost, 0);
}

/* When its RESET is there, and a call is made after that, it is to be told. */
static void
fail_unseen(struct sides *rig)
{
    int bytes = 0;

    session_peer_frame(&rig->peer, (struct frame){ .type = 9 });
    WAIT_UNTIL(ioctl(rig->peer.fd, FIONREAD, &bytes) == 0 && bytes > 0);
    assert_true(worker_channel_connected(rig->side[0].channel));
    assert_int_equal(rig->side[0].failed, 0);
}

static void
a_loss_that_was_not_told_yet_is_forgotten_when_it_is_made_good(void **state)
{
    const struct greeting_position zero = { .window = SIDES_WINDOW };
    struct greeting_position own;
    struct sides rig;
    uint64_t replay;
    int fds[2];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    lose_unseen(&rig);
    worker_channel_greet(rig.side[0].channel, &own);
    net_unix_pair(fds);
    assert_int_equal(sides_attach(&rig, &rig.side[0], fds[0], &zero, &replay),
                     REASON_NONE);
    session_peer_open(&rig.peer, &rig.stage, fds[1], ROLE_FRAMES);
    peer_expect(&rig.side[0].qemu, 5, 0);
    session_peer_data(&rig.peer, 5, 0, 1000);
    STAGE_UNTIL(&rig.stage, rig.side[0].qemu.received == 1000);
    sides_rest(&rig);
    assert_int_equal(rig.side[0].lost, 0);
    assert_true(worker_channel_connected(rig.side[0].channel));
    session_peer_reset(&rig.peer);
    STAGE_UNTIL(&rig.stage, rig.side[0].lost == 1); /* the next one is told */
    sides_close(&rig);
}

static void
a_loss_that_was_not_told_yet_is_forgotten_when_all_is_given_up(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    lose_unseen(&rig);
    worker_channel_reset(rig.side[0].channel, REASON_STOPPED);
    sides_rest(&rig);
    assert_int_equal(rig.side[0].lost, 0);
    sides_close(&rig);
}

static void
a_loss_that_was_not_told_yet_is_forgotten_when_the_owner_closes(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    lose_unseen(&rig);
    worker_channel_close_transport(rig.side[0].channel);
    sides_rest(&rig);
    assert_int_equal(rig.side[0].lost, 0);
    sides_close(&rig);
}

static void
a_failure_is_told_though_a_new_transport_has_come(void **state)
{
    const struct greeting_position zero = { .window = SIDES_WINDOW };
    struct greeting_position own;
    struct sides rig;
    uint64_t replay;
    int fds[2];

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    fail_unseen(&rig);
    assert_int_equal(rig.side[0].failed, 0);
    worker_channel_greet(rig.side[0].channel, &own);
    session_peer_close(&rig.peer);
    net_unix_pair(fds);
    assert_int_equal(sides_attach(&rig, &rig.side[0], fds[0], &zero, &replay),
                     REASON_NONE);
    session_peer_open(&rig.peer, &rig.stage, fds[1], ROLE_FRAMES);
    STAGE_UNTIL(&rig.stage, rig.side[0].failed == 1);
    assert_int_equal(rig.side[0].reason, REASON_BAD_FRAME);
    sides_rest(&rig);
    assert_int_equal(rig.side[0].failed, 1);
    sides_close(&rig);
}

static void
a_failure_that_was_not_told_yet_is_forgotten_when_all_is_given_up(void **state)
{
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    fail_unseen(&rig);
    worker_channel_reset(rig.side[0].channel, REASON_STOPPED);
    sides_rest(&rig);
    assert_int_equal(rig.side[0].failed, 0);
    sides_close(&rig);
}

static void
a_channel_may_be_freed_with_something_to_tell(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct sides rig;

        sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
        peer_send(&rig.side[0].qemu, 1, BYTES, PEER_STAY);
        if (i % 2 == 0)
            lose_unseen(&rig);
        else
            session_peer_reset(&rig.peer);
        for (int turn = 0; turn < i % 5; turn++)
            (void)stage_turns_in(&rig.stage, 1);
        worker_channel_free(rig.side[0].channel);
        rig.side[0].channel = NULL;
        (void)stage_turns_in(&rig.stage, 5);
        assert_in_range(rig.side[0].lost, 0, i % 2 == 0 ? (i % 5 > 0) : 1);
        sides_close(&rig);
    }
}

static void
a_local_stream_that_is_taken_back_is_the_main_threads(void **state)
{
    struct transport *local;
    char bytes[4];
    struct iovec iov = { bytes, sizeof bytes };
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    peer_say(&rig.side[0].qemu, "abcd", 4);
    STAGE_UNTIL(&rig.stage, rig.peer.received == 4);
    local = worker_channel_take_local(rig.side[0].channel);
    assert_null(worker_channel_take_local(rig.side[0].channel));
    peer_say(&rig.side[0].qemu, "efgh", 4);
    STAGE_POLL(&rig.stage, transport_readv(local, &iov, 1) == 4);
    assert_memory_equal(bytes, "efgh", 4);
    assert_int_equal(rig.peer.received, 4);
    transport_free(local);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.side[0].qemu));
    sides_close(&rig);
}

/* Both ends' channels, and none of theirs on the main thread. */
static void
many_channels_on_few_threads_survive_cuts(void **state)
{
    struct ends rig;

    (void)state;
    ends_open(&rig, true, false);
    ends_dest_listens(&rig, true);
    ends_start(&rig);
    ends_migrate(&rig, ENDS_CHANNELS_MAX);
    for (unsigned i = 0; i < ENDS_CHANNELS_MAX; i++) {
        peer_expect(&rig.dest.peers[i], i + 1, 1);
        peer_send(&rig.source[i], i + 1, CUTS * BYTES, PEER_STAY);
    }
    for (unsigned cut = 1; cut <= CUTS; cut++) {
        for (unsigned i = 0; i < ENDS_CHANNELS_MAX; i++)
            STAGE_UNTIL(&rig.stage, rig.dest.peers[i].received >=
                                        (uint64_t)cut * BYTES - BYTES / 2);
        ends_cut(&rig);
    }
    for (unsigned i = 0; i < ENDS_CHANNELS_MAX; i++) {
        STAGE_UNTIL(&rig.stage, rig.dest.peers[i].received == CUTS * BYTES + 1);
        assert_false(rig.dest.peers[i].mismatch);
    }
    ends_finish(&rig, "stream}");
    STAGE_UNTIL(&rig.stage,
                rig.client_outcome.dones == 1 && rig.server_outcome.dones == 1);
    assert_int_equal(rig.client_outcome.status, STATUS_DONE);
    assert_int_equal(rig.server_outcome.status, STATUS_DONE);
    assert_true(strstr(capture_text(), "resumed after") != NULL);
    ends_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_loss_that_was_not_told_yet_is_forgotten_when_it_is_made_good),
        cmocka_unit_test(
            a_loss_that_was_not_told_yet_is_forgotten_when_all_is_given_up),
        cmocka_unit_test(
            a_loss_that_was_not_told_yet_is_forgotten_when_the_owner_closes),
        cmocka_unit_test(a_failure_is_told_though_a_new_transport_has_come),
        cmocka_unit_test(
            a_failure_that_was_not_told_yet_is_forgotten_when_all_is_given_up),
        cmocka_unit_test(a_channel_may_be_freed_with_something_to_tell),
        cmocka_unit_test(many_channels_on_few_threads_survive_cuts),
        cmocka_unit_test(a_local_stream_that_is_taken_back_is_the_main_threads),
    };

    pool_use_workers(1);
    return RUN_TESTS(tests);
}
