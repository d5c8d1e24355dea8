/* The source's end of raw mode; the test is the QEMU and the mig-server. */
#include "tunnel/raw_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_acceptor.h"
#include "support_capture.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_stage.h"
#include "support_test.h"

enum {
    QEMU_MAX = 80,
    CHANNELS = 64,
    LONG_MS = 24 * 3600 * 1000, /* never, as far as a test goes */
    HOLD_MS = 1000,
};

struct rig {
    struct stage stage;
    struct worker_pool *pool;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8];
    uint16_t port;
    struct acceptor server;
    bool server_listens;
    struct raw_client *client;
    unsigned dones;
    enum exit_status status;
    struct peer qemu[QEMU_MAX];
    unsigned count;
};

static void
on_done(void *arg, enum exit_status status)
{
    struct rig *rig = arg;

    rig->dones++;
    rig->status = status;
}

static struct raw_client_options
defaults(void)
{
    return (struct raw_client_options){ .wait_ms = LONG_MS, .once = true };
}

static void
rig_start(struct rig *rig, const struct raw_client_options *given)
{
    struct raw_client_options options = *given;
    char why[SOCKET_WHY_MAX];

    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/source", rig->dir);
    options.loop = rig->stage.loop;
    options.pool = rig->pool;
    options.dest = (struct address){ .host = "127.0.0.1", .port = rig->port };
    options.unix_path = rig->path;
    options.on_done = on_done;
    options.arg = rig;
    rig->client = raw_client_new(&options, why);
    assert_non_null(rig->client);
}

/* A client whose server listens. */
static void
rig_open(struct rig *rig, const struct raw_client_options *options)
{
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    acceptor_open(&rig->server, &rig->stage,
                  net_listen_tcp(&rig->port, CHANNELS));
    rig->server_listens = true;
    rig_start(rig, options);
}

/* A client of a server that is not there. */
static void
rig_open_alone(struct rig *rig, const struct raw_client_options *options)
{
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    rig->port = net_unused_port();
    rig_start(rig, options);
}

static void
rig_close(struct rig *rig)
{
    raw_client_free(rig->client);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->qemu[i]);
    if (rig->server_listens)
        acceptor_close(&rig->server);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
}

/* A socket on the client's port that refuses until it listens. */
static int
hold_port(uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_return_code(bind(fd, (struct sockaddr *)&in, sizeof in), errno);
    return fd;
}

static void
server_listen(struct rig *rig, int fd)
{
    assert_return_code(listen(fd, CHANNELS), errno);
    acceptor_open(&rig->server, &rig->stage, fd);
    rig->server_listens = true;
}

static struct peer *
qemu_connect(struct rig *rig)
{
    struct peer *qemu = &rig->qemu[rig->count++];
    int fd = net_connect_unix(rig->path);

    assert_true(fd >= 0);
    peer_open(qemu, &rig->stage, fd);
    return qemu;
}

/* Begin a migration of ${channels} channels. */
static void
begin_migration(struct rig *rig, unsigned channels)
{
    for (unsigned i = 0; i < channels; i++)
        qemu_connect(rig);
    STAGE_UNTIL(&rig->stage, rig->server.count == channels);
}

/* Each connection says its number; the server has them in that order. */
static void
assert_order(struct rig *rig, unsigned channels)
{
    for (unsigned i = 0; i < channels; i++) {
        unsigned char number = (unsigned char)i;

        peer_say(&rig->qemu[i], &number, 1);
    }
    for (unsigned i = 0; i < channels; i++) {
        STAGE_UNTIL(&rig->stage, rig->server.peers[i].received == 1);
        assert_int_equal(rig->server.peers[i].head[0], i);
    }
}

static void
assert_done(struct rig *rig, enum exit_status status)
{
    STAGE_UNTIL(&rig->stage, rig->dones > 0);
    assert_int_equal(rig->status, status);
    stage_turns_in(&rig->stage, 20);
    assert_int_equal(rig->dones, 1);
}

static void
a_migration_passes_through_both_ways(void **state)
{
    enum { THERE = 3 << 20, BACK = 70000 };
    const struct raw_client_options options = defaults();
    struct peer *qemu, *server;
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 1);
    qemu = &rig.qemu[0];
    server = &rig.server.peers[0];
    peer_expect(server, 1, 0);
    peer_send(qemu, 1, THERE, PEER_END);
    STAGE_UNTIL(&rig.stage, server->eof);
    assert_int_equal(server->received, THERE);
    assert_false(server->mismatch);
    assert_int_equal(rig.dones, 0);
    peer_expect(qemu, 2, 0);
    peer_send(server, 2, BACK, PEER_CLOSE);
    assert_done(&rig, STATUS_DONE);
    STAGE_UNTIL(&rig.stage, qemu->eof);
    assert_int_equal(qemu->received, BACK);
    assert_false(qemu->mismatch);
    rig_close(&rig);
}

static void
the_socket_is_private_and_goes_with_the_client(void **state)
{
    const struct raw_client_options options = defaults();
    struct stat st;
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    assert_return_code(stat(rig.path, &st), errno);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    raw_client_free(rig.client);
    rig.client = NULL;
    assert_int_equal(access(rig.path, F_OK), -1);
    rig_close(&rig);
}

static void
a_path_that_is_taken_is_said(void **state)
{
    struct raw_client_options options = defaults();
    char why[SOCKET_WHY_MAX], dir[NET_PATH_MAX], path[NET_PATH_MAX + 8];
    struct stage stage;
    int fd;

    (void)state;
    net_temp_dir(dir);
    snprintf(path, sizeof path, "%s/source", dir);
    stage_open(&stage);
    fd = net_listen_unix(path, 1);
    options.loop = stage.loop;
    options.unix_path = path;
    assert_null(raw_client_new(&options, why));
    assert_int_equal(capture_count(why, "another process listens there"), 1);
    assert_int_equal(access(path, F_OK), 0);
    raw_client_free(NULL);
    close(fd);
    stage_close(&stage);
    net_remove_dir(dir);
}

static void
silent_channels_are_connected_in_qemus_order(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, CHANNELS);
    assert_order(&rig, CHANNELS);
    for (unsigned i = 0; i < CHANNELS; i++) {
        peer_do(&rig.qemu[i], PEER_END);
        peer_do(&rig.server.peers[i], PEER_END);
    }
    assert_done(&rig, STATUS_DONE);
    rig_close(&rig);
}

static void
a_channel_may_come_late(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 1);
    peer_say(&rig.qemu[0], "QEVM", 4);
    STAGE_UNTIL(&rig.stage, rig.server.peers[0].received == 4);
    qemu_connect(&rig);
    STAGE_UNTIL(&rig.stage, rig.server.count == 2);
    rig_close(&rig);
}

static void
channels_that_wait_for_the_server_keep_their_order(void **state)
{
    const struct raw_client_options options = defaults();
    const char *said;
    struct rig rig;
    int fd;

    (void)state;
    capture_start();
    rig_open_alone(&rig, &options);
    fd = hold_port(rig.port);
    for (int i = 0; i < 5; i++)
        qemu_connect(&rig);
    assert_in_range(stage_turns_in(&rig.stage, 500), 1, 40);
    server_listen(&rig, fd);
    STAGE_UNTIL(&rig.stage, rig.server.count == 5);
    assert_order(&rig, 5);
    said = capture_stop();
    assert_int_equal(capture_count(said, "Connection refused; trying for"), 1);
    rig_close(&rig);
}

static void
what_cannot_be_served_is_held_before_it_is_closed(void **state)
{
    struct raw_client_options options = defaults();
    uint64_t last_ms;
    const char *said;
    struct rig rig;

    (void)state;
    options.wait_ms = 0;
    capture_start();
    rig_open_alone(&rig, &options);
    qemu_connect(&rig);
    last_ms = stage_now_ms();
    qemu_connect(&rig);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[0]));
    assert_true(rig.qemu[0].ended_ms - last_ms >= HOLD_MS);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[1]));
    assert_true(rig.qemu[1].ended_ms - last_ms >= HOLD_MS);
    assert_done(&rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(capture_count(said, "cannot connect to mig-server at "),
                     1);
    assert_int_equal(capture_count(said, "migration broken off"), 1);
    rig_close(&rig);
}

static void
a_connection_during_the_hold_extends_it(void **state)
{
    struct raw_client_options options = defaults();
    uint64_t last_ms;
    struct rig rig;

    (void)state;
    options.wait_ms = 0;
    rig_open_alone(&rig, &options);
    qemu_connect(&rig);
    stage_turns_in(&rig.stage, 300);
    last_ms = stage_now_ms();
    qemu_connect(&rig);
    stage_rest(&rig.stage);
    STAGE_UNTIL(&rig.stage,
                peer_ended(&rig.qemu[0]) && peer_ended(&rig.qemu[1]));
    assert_true(rig.qemu[0].ended_ms - last_ms >= HOLD_MS);
    assert_true(rig.qemu[1].ended_ms - last_ms >= HOLD_MS);
    assert_done(&rig, STATUS_FAILED);
    rig_close(&rig);
}

static void
a_migration_after_one_that_qemu_has_given_up_is_served_at_once(void **state)
{
    struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    options.once = false;
    rig_open(&rig, &options);
    begin_migration(&rig, 2);
    peer_do(&rig.server.peers[1], PEER_RESET);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.server.peers[0]));
    peer_do(&rig.qemu[0], PEER_CLOSE);
    qemu_connect(&rig);
    stage_turns_in(&rig.stage, 20); /* one of the broken migration's is open */
    assert_int_equal(rig.server.count, 2);
    peer_do(&rig.qemu[1], PEER_CLOSE);
    peer_do(&rig.qemu[2], PEER_CLOSE);
    qemu_connect(&rig);
    STAGE_UNTIL(&rig.stage, rig.server.count == 3);
    peer_say(&rig.qemu[3], "next", 4);
    STAGE_UNTIL(&rig.stage, rig.server.peers[2].received == 4);
    assert_false(peer_ended(&rig.qemu[3]));
    rig_close(&rig);
}

static void
a_reset_by_the_server_is_held_back_from_a_fresh_qemu(void **state)
{
    const struct raw_client_options options = defaults();
    uint64_t last_ms;
    const char *said;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, &options);
    last_ms = stage_now_ms();
    begin_migration(&rig, 3);
    peer_do(&rig.server.peers[1], PEER_RESET);
    for (unsigned i = 0; i < 3; i++) {
        STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[i]));
        assert_true(rig.qemu[i].ended_ms - last_ms >= HOLD_MS);
    }
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.server.peers[0]) &&
                                peer_ended(&rig.server.peers[2]));
    assert_int_equal(rig.server.peers[0].read_error, ECONNRESET);
    assert_int_equal(rig.server.peers[2].read_error, ECONNRESET);
    assert_done(&rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(capture_count(said, "channel 2: TCP connection lost"), 1);
    assert_int_equal(capture_count(said, "torn down with the others"), 2);
    rig_close(&rig);
}

static void
channels_that_are_not_fresh_any_more_are_closed_with_the_reset(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 2);
    stage_turns_in(&rig.stage, HOLD_MS + 100);
    peer_do(&rig.server.peers[0], PEER_RESET);
    /* A writer sees it as a broken pipe, or as a reset. */
    peer_send(&rig.qemu[1], 1, UINT64_MAX, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.qemu[1].write_error != 0);
    assert_done(&rig, STATUS_FAILED);
    rig_close(&rig);
}

static void
a_qemu_that_breaks_one_channel_breaks_all(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 3);
    peer_read(&rig.qemu[2], false);
    peer_say(&rig.server.peers[2], "unread", 6);
    STAGE_POLL(&rig.stage, peer_pending(&rig.qemu[2]) == 6);
    peer_do(&rig.qemu[2], PEER_CLOSE);
    for (unsigned i = 0; i < 3; i++) {
        STAGE_UNTIL(&rig.stage, peer_ended(&rig.server.peers[i]));
        assert_int_equal(rig.server.peers[i].read_error, ECONNRESET);
    }
    assert_done(&rig, STATUS_FAILED);
    rig_close(&rig);
}

static void
a_qemu_that_gives_up_while_we_dial_ends_the_migration(void **state)
{
    const struct raw_client_options options = defaults();
    const char *said;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_alone(&rig, &options);
    qemu_connect(&rig);
    qemu_connect(&rig);
    stage_turns_in(&rig.stage, 150);
    peer_do(&rig.qemu[0], PEER_CLOSE);
    assert_done(&rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(capture_count(said, "channel 1: QEMU gave up"), 1);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[1]));
    rig_close(&rig);
}

static void
the_next_migration_may_follow_a_broken_one(void **state)
{
    struct raw_client_options options = defaults();
    const char *said;
    struct rig rig;

    (void)state;
    options.once = false;
    capture_start();
    rig_open(&rig, &options);
    begin_migration(&rig, 1);
    peer_do(&rig.server.peers[0], PEER_RESET);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[0]));
    stage_turns_in(&rig.stage, 20);
    qemu_connect(&rig);
    STAGE_UNTIL(&rig.stage, rig.server.count == 2);
    peer_do(&rig.qemu[1], PEER_END);
    peer_do(&rig.server.peers[1], PEER_END);
    STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[1]));
    STAGE_POLL(&rig.stage, strstr(capture_text(), "ended cleanly\n") != NULL);
    said = capture_stop();
    assert_int_equal(capture_count(said, "channel 1: TCP connection lost"), 1);
    assert_int_equal(capture_count(said, "channel 1: ended cleanly"), 1);
    assert_int_equal(rig.dones, 0);
    rig_close(&rig);
}

static void
a_client_with_nothing_to_do_stops_at_once(void **state)
{
    struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    raw_client_stop(rig.client);
    assert_int_equal(rig.dones, 1);
    assert_int_equal(rig.status, STATUS_CANCELLED);
    assert_int_equal(access(rig.path, F_OK), -1);
    raw_client_stop(rig.client);
    assert_int_equal(rig.dones, 1);
    rig_close(&rig);
    options.once = false;
    rig_open(&rig, &options);
    raw_client_stop(rig.client);
    assert_int_equal(rig.status, STATUS_DONE);
    rig_close(&rig);
}

static void
a_client_that_stops_lets_its_migration_end(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 2);
    raw_client_stop(rig.client);
    assert_int_equal(rig.dones, 0);
    assert_int_equal(net_connect_unix(rig.path), -1);
    for (unsigned i = 0; i < 2; i++) {
        peer_do(&rig.qemu[i], PEER_END);
        peer_do(&rig.server.peers[i], PEER_END);
    }
    assert_done(&rig, STATUS_DONE);
    rig_close(&rig);
}

static void
a_second_stop_ends_everything_at_once(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 2);
    raw_client_stop(rig.client);
    raw_client_stop(rig.client);
    assert_int_equal(rig.dones, 1);
    assert_int_equal(rig.status, STATUS_CANCELLED);
    for (unsigned i = 0; i < 2; i++)
        STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[i]) &&
                                    peer_ended(&rig.server.peers[i]));
    assert_int_equal(rig.server.peers[0].read_error, ECONNRESET);
    rig_close(&rig);
}

static void
a_client_may_be_stopped_while_it_dials(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open_alone(&rig, &options);
    qemu_connect(&rig);
    stage_turns_in(&rig.stage, 150);
    raw_client_stop(rig.client);
    assert_int_equal(rig.dones, 0);
    raw_client_stop(rig.client);
    assert_int_equal(rig.status, STATUS_CANCELLED);
    rig_close(&rig);
}

static void
a_client_may_be_freed_in_the_middle(void **state)
{
    const struct raw_client_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    begin_migration(&rig, 2);
    for (int i = 0; i < 5; i++)
        qemu_connect(&rig);
    stage_turn(&rig.stage);
    raw_client_free(rig.client);
    rig.client = NULL;
    for (unsigned i = 0; i < rig.count; i++)
        STAGE_UNTIL(&rig.stage, peer_ended(&rig.qemu[i]));
    assert_int_equal(rig.dones, 0);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_passes_through_both_ways),
        cmocka_unit_test(the_socket_is_private_and_goes_with_the_client),
        cmocka_unit_test(a_path_that_is_taken_is_said),
        cmocka_unit_test(silent_channels_are_connected_in_qemus_order),
        cmocka_unit_test(a_channel_may_come_late),
        cmocka_unit_test(
            a_migration_after_one_that_qemu_has_given_up_is_served_at_once),
        cmocka_unit_test(a_reset_by_the_server_is_held_back_from_a_fresh_qemu),
        cmocka_unit_test(
            channels_that_are_not_fresh_any_more_are_closed_with_the_reset),
        cmocka_unit_test(a_qemu_that_breaks_one_channel_breaks_all),
        cmocka_unit_test(the_next_migration_may_follow_a_broken_one),
        cmocka_unit_test(a_client_with_nothing_to_do_stops_at_once),
        cmocka_unit_test(a_client_that_stops_lets_its_migration_end),
        cmocka_unit_test(a_second_stop_ends_everything_at_once),
        cmocka_unit_test(a_client_may_be_stopped_while_it_dials),
        cmocka_unit_test(a_client_may_be_freed_in_the_middle),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(a_connection_during_the_hold_extends_it),
        cmocka_unit_test(channels_that_wait_for_the_server_keep_their_order),
        cmocka_unit_test(what_cannot_be_served_is_held_before_it_is_closed),
        cmocka_unit_test(a_qemu_that_gives_up_while_we_dial_ends_the_migration),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
