/* What a channel on a worker tells, and what it must not tell any more. */
#include "tunnel/worker_channel.h"

#include <semaphore.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "io/mailbox.h"
#include "io/transport.h"
#include "io/worker.h"
#include "io/worker_pool.h"
#include "support_capture.h"
#include "support_ends.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_session_sides.h"
#include "support_test.h"

enum {
    BYTES = 300000,
    CUTS = 5,
    HELD_S = 20, /* long enough for what waits for it to be seen */
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

/* A worker that does nothing until it is let go. */
struct held {
    struct letter letter;
    sem_t is_held;
    sem_t let_go;
    bool in_time;
};

static void
hold(void *arg)
{
    struct held *held = arg;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HELD_S;
    sem_post(&held->is_held);
    held->in_time = sem_timedwait(&held->let_go, &until) == 0;
}

/* The worker of a pool that has one. */
static struct worker *
find_worker(struct worker_pool *pool)
{
    unsigned on_main = 0;
    struct worker *worker;

    while ((worker = worker_pool_take(pool)) == NULL)
        on_main++;
    worker_pool_give_back(pool, worker); /* the channels stay there */
    while (on_main-- > 0)
        worker_pool_give_back(pool, NULL);
    return worker;
}

static void
carry_to_the_end(struct sides *rig)
{
    sides_open(rig, SIDES_WINDOW);
    sides_join(rig, WIRE_CHUNK_MAX, WIRE_FOREVER);
    for (int i = 0; i < 2; i++) {
        peer_expect(&rig->side[i].qemu, i == 0 ? 2 : 1, 0);
        peer_send(&rig->side[i].qemu, i == 0 ? 1 : 2, BYTES, PEER_END);
    }
    STAGE_UNTIL(&rig->stage, rig->side[0].over && rig->side[1].over);
}

/* With many channels the end of each is a reason to ask all of them. */
static void
what_is_complete_is_not_asked_again(void **state)
{
    struct held held = { .letter = { .on_letter = hold, .arg = &held } };
    struct worker *worker;
    struct sides rig;
    bool complete;

    (void)state;
    carry_to_the_end(&rig);
    assert_true(worker_channel_complete(rig.side[0].channel));
    worker = find_worker(rig.pool);
    assert_int_equal(sem_init(&held.is_held, 0, 0), 0);
    assert_int_equal(sem_init(&held.let_go, 0, 0), 0);
    mailbox_post(worker_mailbox(worker), &held.letter);
    sem_wait(&held.is_held);
    complete = worker_channel_complete(rig.side[0].channel);
    sem_post(&held.let_go);
    assert_true(complete);
    sides_close(&rig); /* and so the worker has ended */
    assert_true(held.in_time);
    sem_destroy(&held.is_held);
    sem_destroy(&held.let_go);
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
        cmocka_unit_test(what_is_complete_is_not_asked_again),
    };

    pool_use_workers(1);
    return RUN_TESTS(tests);
}
