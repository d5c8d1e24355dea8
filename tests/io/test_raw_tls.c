/* Raw mode with TLS; the test is the QEMUs, and strangers. */
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "support_acceptor.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_no_room.h"
#include "support_security.h"
#include "support_server_rig.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "tunnel/raw_client.h"

enum { CHANNELS_MAX = 8, LONG_MS = 20000, HOLD_MS = 1000, SPEED = 10 };

struct rig {
    struct security security;
    struct server_rig server;
    struct stage *stage;
    struct raw_client *client;
    char source_path[NET_PATH_MAX + 8];
    unsigned dones;
    enum exit_status status;
    struct peer source[CHANNELS_MAX];
    unsigned count;
};

static void
on_done(void *arg, enum exit_status status)
{
    struct rig *rig = arg;

    rig->dones++;
    rig->status = status;
}

/* A server with TLS, if ${secure}, in front of a QEMU. */
static void
rig_open(struct rig *rig, bool secure)
{
    struct raw_server_options options = server_rig_defaults();

    faults_clear();
    capture_start();
    *rig = (struct rig){ 0 };
    security_open_keys(&rig->security);
    options.tls = secure ? rig->security.server : NULL;
    server_rig_open_ready(&rig->server, &options);
    rig->stage = &rig->server.stage;
}

static void
rig_close(struct rig *rig)
{
    raw_client_free(rig->client);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->source[i]);
    server_rig_close(&rig->server);
    security_close(&rig->security);
}

static void
start_client(struct rig *rig, struct tls *tls)
{
    char why[SOCKET_WHY_MAX];

    snprintf(rig->source_path, sizeof rig->source_path, "%s/source",
             rig->server.dir);
    rig->client = raw_client_new(
        &(struct raw_client_options){
            .loop = rig->stage->loop,
            .dest = { .host = "127.0.0.1", .port = rig->server.port },
            .tls = tls,
            .unix_path = rig->source_path,
            .wait_ms = LONG_MS,
            .once = true,
            .on_done = on_done,
            .arg = rig },
        why);
    assert_non_null(rig->client);
}

static struct peer *
qemu_connect(struct rig *rig, const char *says)
{
    struct peer *source = &rig->source[rig->count++];

    peer_open(source, rig->stage, net_connect_unix(rig->source_path));
    peer_say(source, says, 4);
    return source;
}

static void
channels_pass_in_their_order(void **state)
{
    enum { CHANNELS = 6, THERE = 3 << 20, BACK = 200000 };
    const char *said;
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    start_client(&rig, rig.security.client);
    for (unsigned i = 0; i < CHANNELS; i++)
        qemu_connect(&rig, i == 0 ? "QEVM" : "\x11\x22\x33\x44");
    STAGE_UNTIL(rig.stage, rig.server.qemu.count == CHANNELS);
    for (unsigned i = 0; i < CHANNELS; i++) {
        peer_expect(&rig.server.qemu.peers[i], 100 + i, 4);
        peer_send(&rig.source[i], 100 + i, THERE, PEER_END);
        peer_expect(&rig.source[i], 200 + i, 0);
        peer_send(&rig.server.qemu.peers[i], 200 + i, BACK, PEER_END);
    }
    STAGE_UNTIL(rig.stage, rig.dones > 0 && rig.server.dones > 0);
    assert_int_equal(rig.status, STATUS_DONE);
    assert_int_equal(rig.server.status, STATUS_DONE);
    for (unsigned i = 0; i < CHANNELS; i++) {
        const struct peer *dest = &rig.server.qemu.peers[i];

        STAGE_UNTIL(rig.stage, dest->eof && rig.source[i].eof);
        assert_int_equal(dest->received, THERE + 4);
        assert_int_equal(rig.source[i].received, BACK);
        assert_false(dest->mismatch || rig.source[i].mismatch);
    }
    said = capture_stop();
    assert_int_equal(capture_count(said, "migration ended cleanly"), 2);
    assert_int_equal(capture_count(said, ", " SECURITY_KEY_CLIENT "\n"), 1);
    rig_close(&rig);
}

/* TLS has to write something for an end, and the socket may be full. */
static void
an_end_that_finds_no_room_is_passed_on_later(void **state)
{
    enum { THERE = 100000, TIMES = 3 };
    struct peer *dest;
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    start_client(&rig, rig.security.client);
    qemu_connect(&rig, "QEVM");
    STAGE_UNTIL(rig.stage, rig.server.qemu.count == 1);
    dest = &rig.server.qemu.peers[0];
    no_room_for_ends(TIMES);
    peer_expect(dest, 1, 4);
    peer_send(&rig.source[0], 1, THERE, PEER_END);
    STAGE_UNTIL(rig.stage, dest->eof);
    assert_int_equal(no_room_for_ends_left(), 0);
    assert_int_equal(dest->received, THERE + 4);
    assert_false(dest->mismatch);
    peer_do(dest, PEER_END);
    STAGE_UNTIL(rig.stage, rig.dones > 0 && rig.server.dones > 0);
    assert_int_equal(rig.status, STATUS_DONE);
    assert_int_equal(rig.server.status, STATUS_DONE);
    capture_stop();
    rig_close(&rig);
}

static void
a_handshake_holds_up_those_from_there_that_came_later(void **state)
{
    struct secure_peer main, second, third;
    struct acceptor *qemu;
    struct rig rig;
    int fd;

    (void)state;
    rig_open(&rig, true);
    qemu = &rig.server.qemu;
    secure_peer_connect(&main, rig.stage, rig.server.port, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, qemu->count == 1);
    fd = net_connect_tcp(NULL, rig.server.port); /* its handshake is to come */
    stage_turns_in(rig.stage, 20);
    secure_peer_connect(&third, rig.stage, rig.server.port,
                        rig.security.client);
    secure_peer_say(&third, "\x11\x22\x33\x44third", 9);
    stage_turns_in(rig.stage, 50);
    assert_int_equal(qemu->count, 1);
    secure_peer_open(&second, rig.stage, fd, rig.security.client);
    STAGE_UNTIL(rig.stage, second.shaken);
    secure_peer_say(&second, "\0\0\0\1", 4); /* as postcopy-preempt does */
    STAGE_UNTIL(rig.stage, qemu->count == 3 && qemu->peers[2].received == 9 &&
                               qemu->peers[1].received == 4);
    assert_memory_equal(qemu->peers[1].head, "\0\0\0\1", 4);
    assert_memory_equal(qemu->peers[2].head, "\x11\x22\x33\x44third", 9);
    secure_peer_close(&third);
    secure_peer_close(&second);
    secure_peer_close(&main);
    capture_stop();
    rig_close(&rig);
}

static void
a_handshake_that_fails_lets_those_behind_it_join(void **state)
{
    struct secure_peer main, second, wrong;
    struct acceptor *qemu;
    const char *said;
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    qemu = &rig.server.qemu;
    secure_peer_connect(&main, rig.stage, rig.server.port, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, qemu->count == 1);
    session_clock_speed(SPEED);
    server_rig_say(&rig.server, "\x16\x03\x01", 3); /* and no more */
    stage_turns_in(rig.stage, 20);
    security_break_key(&rig.security, true);
    tls_refresh(rig.security.client);
    secure_peer_connect(&wrong, rig.stage, rig.server.port,
                        rig.security.client);
    assert_int_equal(wrong.end, HANDSHAKE_REFUSED);
    security_break_key(&rig.security, false);
    tls_refresh(rig.security.client);
    secure_peer_connect(&second, rig.stage, rig.server.port,
                        rig.security.client);
    secure_peer_say(&second, "\x11\x22\x33\x44", 4);
    stage_turns_in(rig.stage, 50);
    assert_int_equal(qemu->count, 1);
    STAGE_UNTIL(rig.stage, qemu->count == 2);
    session_clock_speed(1);
    secure_peer_close(&wrong);
    secure_peer_close(&second);
    secure_peer_close(&main);
    said = capture_stop();
    assert_int_equal(capture_count(said, "too slow in the TLS handshake"), 1);
    assert_int_equal(capture_count(said, "the client's key for PSK user"), 1);
    rig_close(&rig);
}

/* From one host with TLS come the VM's channels; others hold up nobody. */
static void
a_handshake_of_another_host_holds_up_nobody(void **state)
{
    struct secure_peer main, second;
    struct peer *stranger;
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    secure_peer_connect(&main, rig.stage, rig.server.port, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, rig.server.qemu.count == 1);
    stranger = server_rig_connect(&rig.server, "127.0.0.9");
    stage_turns_in(rig.stage, 20);
    secure_peer_connect(&second, rig.stage, rig.server.port,
                        rig.security.client);
    STAGE_UNTIL(rig.stage, rig.server.qemu.count == 2);
    assert_false(peer_ended(stranger));
    secure_peer_close(&second);
    secure_peer_close(&main);
    capture_stop();
    rig_close(&rig);
}

/* It gets a refusal, which is not lost in a reset, and nothing else. */
static void
assert_told_no(struct rig *rig, const struct peer *source)
{
    STAGE_UNTIL(rig->stage, peer_ended(source));
    assert_true(source->eof);
    assert_int_equal(source->received, GREETING_SERVER_BYTES);
}

static void
what_does_not_speak_tls_never_reaches_qemu(void **state)
{
    const char *said;
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    assert_told_no(&rig, server_rig_main(&rig.server));
    server_rig_assert_dropped(
        &rig.server, server_rig_say(&rig.server, "GET / HTTP/1.0\r\n\r\n", 18));
    assert_int_equal(rig.server.qemu.count, 0);
    said = capture_stop();
    assert_int_equal(capture_count(said, "dropped: it does not speak TLS"), 2);
    assert_int_equal(capture_count(said, "migration from"), 0);
    rig_close(&rig);
}

/* ${line} is what the client says; QEMU sees a failure, but not too soon. */
static void
assert_client_refused(struct rig *rig, const char *line)
{
    uint64_t last_ms = stage_now_ms();
    const char *said;

    qemu_connect(rig, "QEVM");
    qemu_connect(rig, "\x11\x22\x33\x44");
    STAGE_UNTIL(rig->stage, rig->dones > 0);
    assert_int_equal(rig->status, STATUS_FAILED);
    assert_int_equal(rig->server.qemu.count, 0);
    for (unsigned i = 0; i < 2; i++) {
        STAGE_UNTIL(rig->stage, peer_ended(&rig->source[i]));
        assert_true(rig->source[i].ended_ms - last_ms >= HOLD_MS);
    }
    said = capture_stop();
    if (capture_count(said, line) != 1)
        fail_msg("no '%s' in:\n%s", line, said);
    assert_int_equal(capture_count(said, " dropped: "), 1);
}

static void
a_wrong_key_breaks_the_migration_at_once(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    security_break_key(&rig.security, true);
    start_client(&rig, rig.security.client);
    assert_client_refused(&rig, "the server has another key for PSK user qemu");
    rig_close(&rig);
}

static void
a_client_learns_that_the_server_has_no_tls(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, false);
    start_client(&rig, rig.security.client);
    assert_client_refused(&rig, "the server answers without TLS");
    rig_close(&rig);
}

static void
a_plain_client_learns_that_the_server_takes_tls_only(void **state)
{
    struct peer *source;
    const char *said;
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    start_client(&rig, NULL);
    source = qemu_connect(&rig, "QEVM");
    STAGE_UNTIL(rig.stage, source->eof);
    peer_send(source, 1, 1 << 20, PEER_STAY); /* as QEMU does, unimpressed */
    STAGE_UNTIL(rig.stage, rig.dones > 0);
    assert_int_equal(rig.status, STATUS_FAILED);
    assert_int_equal(rig.server.qemu.count, 0);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "channel 1: the server takes TLS only"), 1);
    assert_int_equal(capture_count(said, "dropped: it does not speak TLS"), 1);
    rig_close(&rig);
}

static void
who_is_in_no_allowed_network_is_closed_unread(void **state)
{
    struct raw_server_options options = server_rig_defaults();
    struct server_rig rig;
    struct cidr allow;
    struct peer *source;
    const char *said;

    (void)state;
    assert_null(cidr_parse("127.0.0.2", &allow));
    options.allow = &allow;
    options.allow_count = 1;
    capture_start();
    server_rig_open_ready(&rig, &options);
    source = server_rig_connect(&rig, "127.0.0.3");
    STAGE_UNTIL(&rig.stage, peer_ended(source));
    assert_int_equal(source->received, 0);
    source = server_rig_connect(&rig, "127.0.0.2");
    peer_say(source, "QEVM", 4);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == 1);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "dropped: in none of the networks of --allow"), 1);
    server_rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_pass_in_their_order),
        cmocka_unit_test(an_end_that_finds_no_room_is_passed_on_later),
        cmocka_unit_test(a_handshake_holds_up_those_from_there_that_came_later),
        cmocka_unit_test(a_handshake_that_fails_lets_those_behind_it_join),
        cmocka_unit_test(a_handshake_of_another_host_holds_up_nobody),
        cmocka_unit_test(what_does_not_speak_tls_never_reaches_qemu),
        cmocka_unit_test(a_wrong_key_breaks_the_migration_at_once),
        cmocka_unit_test(a_client_learns_that_the_server_has_no_tls),
        cmocka_unit_test(a_plain_client_learns_that_the_server_takes_tls_only),
        cmocka_unit_test(who_is_in_no_allowed_network_is_closed_unread),
    };

    return RUN_TESTS(tests);
}
