/*
 * Who does not belong to a migration in raw mode: somebody else who has proved
 * who that is, and those who say nothing.  The test is the QEMUs.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_capture.h"
#include "support_net.h"
#include "support_security.h"
#include "support_server_rig.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/door.h"

#define MULTIFD "\x11\x22\x33\x44"
#define ELSEWHERE "127.0.0.9"

enum { CROWD_MAX = 2 * DOOR_STRANGERS_MAX };

struct rig {
    struct security security;
    struct server_rig server;
    struct stage *stage;
    struct acceptor *qemu;
    int crowd[CROWD_MAX]; /* connections that say nothing */
    unsigned count;
};

static void
rig_start(struct rig *rig, struct tls *tls)
{
    struct raw_server_options options = server_rig_defaults();

    options.tls = tls;
    options.once = false;
    capture_start();
    server_rig_open_ready(&rig->server, &options);
    rig->stage = &rig->server.stage;
    rig->qemu = &rig->server.qemu;
    rig->count = 0;
}

static void
rig_open(struct rig *rig)
{
    security_open_keys(&rig->security);
    rig_start(rig, rig->security.server);
}

static void
rig_open_plain(struct rig *rig)
{
    rig_start(rig, NULL);
}

static void
crowd_close(struct rig *rig)
{
    while (rig->count > 0)
        close(rig->crowd[--rig->count]);
}

static void
rig_close_plain(struct rig *rig)
{
    crowd_close(rig);
    server_rig_close(&rig->server);
}

static void
rig_close(struct rig *rig)
{
    rig_close_plain(rig);
    security_close(&rig->security);
}

static void
dial(struct rig *rig, struct secure_peer *peer, struct tls *tls)
{
    secure_peer_connect(peer, rig->stage, rig->server.port, tls);
    assert_int_equal(peer->end, HANDSHAKE_DONE);
}

/* So many connections more, each accepted before the next one comes. */
static void
crowd_in(struct rig *rig, unsigned count, const char *from)
{
    assert_true(rig->count + count <= CROWD_MAX);
    while (count-- > 0) {
        rig->crowd[rig->count++] = net_connect_tcp(from, rig->server.port);
        stage_turns_in(rig->stage, 0);
    }
    stage_turns_in(rig->stage, 50);
}

static bool
is_gone(const struct rig *rig, unsigned i)
{
    unsigned char byte;

    return recv(rig->crowd[i], &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) ==
               0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}

static unsigned
gone(const struct rig *rig)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rig->count; i++)
        count += is_gone(rig, i) ? 1 : 0;
    return count;
}

/* The migration of ${owner}, which ${stranger} wants to join. */
static void
nobody_joins_the_migration_of_another(struct rig *rig, const char *owner,
                                      const char *stranger)
{
    struct secure_peer main, silent, multifd, further;
    char line[2 * TLS_IDENTITY_MAX + 64];
    const char *said;

    dial(rig, &main, rig->security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig->stage, rig->qemu->count == 1);
    dial(rig, &silent, rig->security.other);
    STAGE_UNTIL(rig->stage, silent.ended);
    dial(rig, &multifd, rig->security.other);
    secure_peer_say(&multifd, MULTIFD, 4);
    STAGE_UNTIL(rig->stage, multifd.ended);
    dial(rig, &further, rig->security.client);
    secure_peer_say(&further, MULTIFD, 4);
    STAGE_UNTIL(rig->stage,
                rig->qemu->count == 2 && rig->qemu->peers[1].received == 4);
    stage_turns_in(rig->stage, 50);
    assert_int_equal(rig->qemu->count, 2);
    assert_false(main.ended);
    said = capture_stop();
    snprintf(line, sizeof line,
             "dropped: it is %s, and the migration under way belongs to %s\n",
             stranger, owner);
    assert_int_equal(capture_count(said, line), 2);
    assert_int_equal(capture_count(said, " dropped: "), 2);
    secure_peer_close(&further);
    secure_peer_close(&multifd);
    secure_peer_close(&silent);
    secure_peer_close(&main);
}

static void
a_migration_of_a_user_with_a_key_is_that_users_alone(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    nobody_joins_the_migration_of_another(&rig, SECURITY_KEY_CLIENT,
                                          SECURITY_KEY_OTHER);
    rig_close(&rig);
}

static void
a_migration_of_a_certificate_is_that_subjects_alone(void **state)
{
    struct rig rig;

    (void)state;
    security_open_certificates(&rig.security, NULL);
    rig_start(&rig, rig.security.server);
    nobody_joins_the_migration_of_another(&rig, SECURITY_CERT_CLIENT,
                                          SECURITY_CERT_OTHER);
    rig_close(&rig);
}

/* One is there before the main channel, and one before that says a word. */
static void
who_waits_for_another_main_channel_does_not_join(void **state)
{
    struct secure_peer main, early, between, own;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    dial(&rig, &early, rig.security.other);
    secure_peer_say(&early, MULTIFD, 4);
    dial(&rig, &own, rig.security.client);
    secure_peer_say(&own, MULTIFD, 4);
    dial(&rig, &main, rig.security.client);
    dial(&rig, &between, rig.security.other);
    secure_peer_say(&between, MULTIFD, 4);
    stage_turns_in(rig.stage, 20);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 2);
    stage_turns_in(rig.stage, 50);
    assert_int_equal(rig.qemu->count, 2);
    assert_false(own.ended);
    assert_false(early.ended);
    assert_false(between.ended);
    capture_stop();
    secure_peer_close(&between);
    secure_peer_close(&main);
    secure_peer_close(&own);
    secure_peer_close(&early);
    rig_close(&rig);
}

static void
the_oldest_of_too_many_strangers_goes_first(void **state)
{
    const char *said;
    struct rig rig;

    (void)state;
    rig_open_plain(&rig);
    crowd_in(&rig, DOOR_STRANGERS_MAX, ELSEWHERE);
    assert_int_equal(gone(&rig), 0);
    crowd_in(&rig, 1, ELSEWHERE);
    assert_int_equal(gone(&rig), 1);
    assert_true(is_gone(&rig, 0));
    crowd_in(&rig, 20, ELSEWHERE);
    assert_int_equal(gone(&rig), 21);
    assert_true(is_gone(&rig, 20));
    server_rig_begin(&rig.server, 3);
    assert_int_equal(rig.qemu->count, 3);
    said = capture_stop();
    assert_in_range(
        capture_count(said, "dropped: too many connections say nothing"), 1, 8);
    rig_close_plain(&rig);
}

/* Those that left by themselves or joined a migration do not count. */
static void
only_those_that_are_there_count_as_too_many(void **state)
{
    enum { HALF = DOOR_STRANGERS_MAX / 2, CHANNELS = 60 };
    struct rig rig;

    (void)state;
    rig_open_plain(&rig);
    crowd_in(&rig, HALF, ELSEWHERE);
    crowd_close(&rig);
    for (unsigned i = 1; i < CHANNELS; i++)
        server_rig_say(&rig.server, MULTIFD, 4);
    stage_turns_in(rig.stage, 50);
    server_rig_main(&rig.server);
    STAGE_UNTIL(rig.stage, rig.qemu->count == CHANNELS);
    for (unsigned i = 0; i < CHANNELS; i++) {
        peer_do(&rig.server.sources[i], PEER_CLOSE);
        peer_do(&rig.qemu->peers[i], PEER_CLOSE);
    }
    stage_rest(rig.stage);
    crowd_in(&rig, DOOR_STRANGERS_MAX, ELSEWHERE);
    assert_int_equal(gone(&rig), 0);
    crowd_in(&rig, 1, ELSEWHERE);
    assert_int_equal(gone(&rig), 1);
    capture_stop();
    rig_close_plain(&rig);
}

static void
strangers_push_out_nobody_who_has_proved_who_it_is(void **state)
{
    struct secure_peer early, main;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    dial(&rig, &early, rig.security.client);
    secure_peer_say(&early, MULTIFD, 4);
    crowd_in(&rig, DOOR_STRANGERS_MAX + 10, ELSEWHERE);
    assert_int_equal(gone(&rig), 11);
    assert_false(early.ended);
    dial(&rig, &main, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 2);
    capture_stop();
    secure_peer_close(&main);
    secure_peer_close(&early);
    rig_close(&rig);
}

/* Or they would have a way to break a migration that is under way. */
static void
strangers_push_out_no_handshake_from_the_migrations_host(void **state)
{
    struct secure_peer main, further;
    struct rig rig;
    int fd;

    (void)state;
    rig_open(&rig);
    dial(&rig, &main, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 1);
    fd = net_connect_tcp(NULL, rig.server.port); /* its handshake is to come */
    stage_turns_in(rig.stage, 20);
    crowd_in(&rig, DOOR_STRANGERS_MAX + 10, ELSEWHERE);
    assert_int_equal(gone(&rig), 11);
    secure_peer_open(&further, rig.stage, fd, rig.security.client);
    STAGE_UNTIL(rig.stage, further.shaken);
    assert_int_equal(further.end, HANDSHAKE_DONE);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 2);
    capture_stop();
    secure_peer_close(&further);
    secure_peer_close(&main);
    rig_close(&rig);
}

/* Where they all come from there, one has to go all the same. */
static void
too_many_handshakes_from_the_migrations_host_are_too_many(void **state)
{
    struct secure_peer main, further;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    dial(&rig, &main, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 1);
    crowd_in(&rig, DOOR_STRANGERS_MAX + 10, NULL);
    assert_int_equal(gone(&rig), 10);
    assert_true(is_gone(&rig, 9));
    crowd_close(&rig); /* they hold up whoever comes after them from there */
    dial(&rig, &further, rig.security.client);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 2);
    capture_stop();
    secure_peer_close(&further);
    secure_peer_close(&main);
    rig_close(&rig);
}

/* What looks like a record, and was not encrypted with the keys. */
static void
say_false_record(struct secure_peer *peer)
{
    static const unsigned char record[5 + 32] = { 0x17, 3, 3, 0, 32 };

    assert_int_equal(
        send(transport_fd(peer->transport), record, sizeof record, 0),
        sizeof record);
}

static void
a_failure_of_tls_is_said_in_its_own_words(void **state)
{
    struct secure_peer first, main, further;
    const char *said;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    dial(&rig, &first, rig.security.client);
    say_false_record(&first);
    STAGE_UNTIL(rig.stage, first.ended);
    dial(&rig, &main, rig.security.client);
    secure_peer_say(&main, "QEVM", 4);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 1);
    assert_false(main.ended);
    dial(&rig, &further, rig.security.client);
    STAGE_UNTIL(rig.stage, rig.qemu->count == 2);
    said = capture_stop();
    if (capture_count(said,
                      "dropped: TLS with the client failed: decryption ") != 1)
        fail_msg("%s", said);
    assert_int_equal(capture_count(said, "closed before it showed"), 0);
    secure_peer_close(&further);
    secure_peer_close(&main);
    secure_peer_close(&first);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_of_a_user_with_a_key_is_that_users_alone),
        cmocka_unit_test(a_migration_of_a_certificate_is_that_subjects_alone),
        cmocka_unit_test(who_waits_for_another_main_channel_does_not_join),
        cmocka_unit_test(the_oldest_of_too_many_strangers_goes_first),
        cmocka_unit_test(only_those_that_are_there_count_as_too_many),
        cmocka_unit_test(strangers_push_out_nobody_who_has_proved_who_it_is),
        cmocka_unit_test(
            strangers_push_out_no_handshake_from_the_migrations_host),
        cmocka_unit_test(
            too_many_handshakes_from_the_migrations_host_are_too_many),
        cmocka_unit_test(a_failure_of_tls_is_said_in_its_own_words),
    };

    return RUN_TESTS(tests);
}
