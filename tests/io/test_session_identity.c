/* A session server with TLS: who gets to which session, and who nowhere. */
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "support_capture.h"
#include "support_security.h"
#include "support_session_clock.h"
#include "support_session_server.h"
#include "support_test.h"
#include "tunnel/door.h"

enum { STALLERS = 200, SPEED = 10 };

struct rig {
    struct security security;
    struct sessions *sessions;
    struct stage *stage;
    struct acceptor *qemu;
};

static void
rig_start(struct rig *rig)
{
    struct session_server_options options = sessions_defaults();

    options.tls = rig->security.server;
    rig->sessions = sessions_open(&options, false);
    rig->stage = &rig->sessions->stage;
    rig->qemu = sessions_qemu(rig->sessions, "dest");
    capture_start();
}

static void
rig_open(struct rig *rig)
{
    security_open_keys(&rig->security);
    rig_start(rig);
}

static void
rig_close(struct rig *rig)
{
    sessions_close(rig->sessions);
    security_close(&rig->security);
}

static void
dial(struct rig *rig, struct secure_peer *peer, struct tls *tls)
{
    secure_peer_connect(peer, rig->stage, rig->sessions->port, tls);
    assert_int_equal(peer->end, HANDSHAKE_DONE);
}

/* Greet once over a connection of its own, and return the answer's reason. */
static enum reason
greet_once(struct rig *rig, struct tls *tls,
           const struct client_greeting *greeting)
{
    struct secure_peer peer;
    enum reason reason;

    dial(rig, &peer, tls);
    reason = secure_peer_greet(&peer, greeting);
    secure_peer_close(&peer);
    return reason;
}

/* The session of ${owner}; what ${stranger} says of it changes nothing. */
static void
only_the_owner_gets_to_a_session(struct rig *rig, const char *owner,
                                 const char *stranger)
{
    const struct client_greeting first = session_greeting('A', "", 0);
    const struct client_greeting channel = session_greeting('A', "", 1);
    const struct client_greeting back = sessions_resume('A', "", 1, 0);
    const struct client_greeting lie = sessions_resume('A', "", 1, 99);
    struct secure_peer control, main;
    char line[2 * TLS_IDENTITY_MAX + 64];
    const char *said;

    dial(rig, &control, rig->security.client);
    assert_int_equal(secure_peer_greet(&control, &first), REASON_NONE);
    dial(rig, &main, rig->security.client);
    assert_int_equal(secure_peer_greet(&main, &channel), REASON_NONE);
    STAGE_UNTIL(rig->stage, rig->qemu->count == 1);
    assert_int_equal(greet_once(rig, rig->security.other, &first),
                     REASON_IDENTITY);
    assert_int_equal(greet_once(rig, rig->security.other, &channel),
                     REASON_IDENTITY);
    assert_int_equal(greet_once(rig, rig->security.other, &back),
                     REASON_IDENTITY);
    assert_int_equal(greet_once(rig, rig->security.other, &lie),
                     REASON_IDENTITY);
    stage_turns_in(rig->stage, 50);
    assert_false(main.ended);
    assert_false(control.ended);
    assert_int_equal(rig->qemu->count, 1);
    assert_false(peer_ended(&rig->qemu->peers[0]));
    assert_int_equal(greet_once(rig, rig->security.client, &back), REASON_NONE);
    STAGE_UNTIL(rig->stage, main.ended); /* its place is taken */
    said = capture_stop();
    snprintf(line, sizeof line, "has joined, %s\n", owner);
    assert_int_equal(capture_count(said, line), 1);
    snprintf(line, sizeof line,
             "dropped: it is %s, and greets for a session that belongs to %s\n",
             stranger, owner);
    assert_int_equal(capture_count(said, line), 4);
    secure_peer_close(&main);
    secure_peer_close(&control);
}

static void
a_session_of_a_user_with_a_key_is_that_users_alone(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    only_the_owner_gets_to_a_session(&rig, SECURITY_KEY_CLIENT,
                                     SECURITY_KEY_OTHER);
    rig_close(&rig);
}

static void
a_session_of_a_certificate_is_that_subjects_alone(void **state)
{
    struct rig rig;

    (void)state;
    security_open_certificates(&rig.security, NULL);
    rig_start(&rig);
    only_the_owner_gets_to_a_session(&rig, SECURITY_CERT_CLIENT,
                                     SECURITY_CERT_OTHER);
    rig_close(&rig);
}

static void
an_abandoned_session_gives_way_to_its_owner_alone(void **state)
{
    const struct client_greeting first = session_greeting('A', "", 0);
    const struct client_greeting second = session_greeting('B', "", 0);
    struct rig rig;

    (void)state;
    rig_open(&rig);
    assert_int_equal(greet_once(&rig, rig.security.client, &first),
                     REASON_NONE);
    stage_turns_in(rig.stage, 50);
    assert_int_equal(greet_once(&rig, rig.security.other, &second),
                     REASON_BUSY);
    assert_int_equal(greet_once(&rig, rig.security.client, &second),
                     REASON_NONE);
    capture_stop();
    rig_close(&rig);
}

static void
what_does_not_speak_tls_is_told_so_or_dropped(void **state)
{
    const struct client_greeting greeting = session_greeting('A', "", 0);
    struct client_greeting strange = greeting;
    struct session_peer *raw, *foreign;
    const char *said;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    sessions_refused(rig.sessions, &greeting, REASON_TLS_NEEDED);
    strange.version_min = strange.version_max = 200;
    sessions_refused(rig.sessions, &strange, REASON_TLS_NEEDED);
    raw = sessions_dial(rig.sessions);
    session_peer_say(raw, "QEVM\0\0\0\3", 8);
    STAGE_UNTIL(rig.stage, session_peer_ended(raw));
    foreign = sessions_dial(rig.sessions);
    session_peer_say(foreign, "GET / HTTP/1.0\r\n\r\n", 18);
    STAGE_UNTIL(rig.stage, session_peer_ended(foreign));
    assert_int_equal(rig.qemu->count, 0);
    said = capture_stop();
    assert_int_equal(capture_count(said, "a mig-client without TLS, and this "
                                         "server takes TLS only"),
                     2);
    assert_int_equal(capture_count(said, "a raw QEMU stream without TLS"), 1);
    assert_int_equal(capture_count(said, "not a mig-client, and without TLS"),
                     1);
    assert_int_equal(capture_count(said, "joined"), 0);
    rig_close(&rig);
}

static void
a_tls_client_learns_that_there_is_no_tls(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct security security;
    struct secure_peer peer;
    struct sessions *sessions;
    struct session_peer *plain;
    const char *said;

    (void)state;
    security_open_keys(&security);
    capture_start();
    sessions = sessions_open(&options, false);
    secure_peer_connect(&peer, &sessions->stage, sessions->port,
                        security.client);
    assert_int_equal(peer.end, HANDSHAKE_REFUSED);
    assert_non_null(strstr(peer.why, "without TLS"));
    secure_peer_close(&peer);
    plain = sessions_dial(sessions);
    session_peer_say(plain, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    STAGE_UNTIL(&sessions->stage, session_peer_ended(plain));
    assert_true(plain->eof);
    assert_int_equal(plain->server.reason, REASON_TLS_ABSENT);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "a TLS client, and this server has no credentials"),
        2);
    sessions_close(sessions);
    security_close(&security);
}

/* A ClientHello that never comes to its end. */
static void
stall(struct rig *rig)
{
    session_peer_say(sessions_dial(rig->sessions), "\x16\x03\x01", 3);
    stage_turns_in(rig->stage, 0);
}

static void
those_who_stall_in_the_handshake_hold_up_nobody(void **state)
{
    const struct client_greeting first = session_greeting('A', "", 0);
    const char *said;
    struct secure_peer peer;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    for (unsigned i = 0; i < STALLERS; i++)
        stall(&rig);
    dial(&rig, &peer, rig.security.client);
    assert_int_equal(secure_peer_greet(&peer, &first), REASON_NONE);
    for (unsigned i = 0; i < STALLERS; i++)
        assert_false(session_peer_ended(&rig.sessions->clients[i]));
    for (unsigned i = STALLERS; i <= DOOR_STRANGERS_MAX; i++)
        stall(&rig);
    STAGE_UNTIL(rig.stage, session_peer_ended(&rig.sessions->clients[0]));
    assert_false(session_peer_ended(&rig.sessions->clients[1]));
    assert_false(peer.ended);
    secure_peer_close(&peer);
    said = capture_stop();
    assert_in_range(capture_count(said, " dropped: "), 1, 8);
    rig_close(&rig);
}

static void
who_stalls_in_the_handshake_is_dropped_after_five_seconds(void **state)
{
    struct secure_peer silent;
    const char *said;
    uint64_t since;
    struct rig rig;

    (void)state;
    security_open_keys(&rig.security);
    session_clock_speed(SPEED);
    rig_start(&rig);
    since = stage_now_ms();
    sessions_dial(rig.sessions);
    stall(&rig);
    STAGE_UNTIL(rig.stage, session_peer_ended(&rig.sessions->clients[0]) &&
                               session_peer_ended(&rig.sessions->clients[1]));
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= 5000);
    dial(&rig, &silent, rig.security.client); /* and says nothing then */
    STAGE_UNTIL(rig.stage, silent.ended);
    session_clock_speed(1);
    secure_peer_close(&silent);
    said = capture_stop();
    assert_int_equal(capture_count(said, "too slow in the TLS handshake"), 2);
    assert_int_equal(capture_count(said, "too slow to greet"), 1);
    rig_close(&rig);
}

static void
a_client_that_is_not_allowed_is_refused_before_its_greeting_counts(void **state)
{
    const struct client_greeting first = session_greeting('A', "", 0);
    unsigned char bytes[GREETING_CLIENT_BYTES];
    struct secure_peer peer;
    const char *said;
    struct rig rig;

    (void)state;
    security_open_certificates(&rig.security, "host3");
    rig_start(&rig);
    dial(&rig, &peer, rig.security.client);
    client_greeting_encode(&first, bytes);
    secure_peer_say(&peer, bytes, sizeof bytes);
    STAGE_UNTIL(rig.stage, peer.ended);
    assert_int_equal(peer.received, 0);
    assert_non_null(strstr(peer.why, "certificate"));
    secure_peer_close(&peer);
    assert_int_equal(greet_once(&rig, rig.security.other, &first), REASON_NONE);
    said = capture_stop();
    assert_int_equal(capture_count(said, " dropped: "), 1);
    assert_int_equal(capture_count(said, "has joined, " SECURITY_CERT_OTHER),
                     1);
    rig_close(&rig);
}

static void
who_is_in_no_allowed_network_is_closed_unread(void **state)
{
    struct session_server_options options = sessions_defaults();
    const struct client_greeting greeting = session_greeting('A', "", 0);
    struct cidr allow[2];
    struct session_peer *stranger;
    const char *said;
    struct sessions *rig;

    (void)state;
    assert_null(cidr_parse("192.0.2.0/24", &allow[0]));
    assert_null(cidr_parse("127.0.0.2/31", &allow[1]));
    options.allow = allow;
    options.allow_count = 2;
    capture_start();
    rig = sessions_open(&options, false);
    for (int i = 0; i < 9; i++) {
        stranger = sessions_greet(rig, &greeting);
        assert_true(session_peer_ended(stranger));
        assert_false(stranger->greeted);
    }
    stranger = sessions_dial(rig);
    session_peer_close(stranger);
    session_peer_open(stranger, &rig->stage,
                      net_connect_tcp("127.0.0.3", rig->port), ROLE_CLIENT);
    session_peer_greet(stranger, &greeting);
    STAGE_UNTIL(&rig->stage, stranger->greeted);
    assert_int_equal(stranger->server.reason, REASON_NONE);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "dropped: in none of the networks of --allow"), 5);
    sessions_close(rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_of_a_user_with_a_key_is_that_users_alone),
        cmocka_unit_test(a_session_of_a_certificate_is_that_subjects_alone),
        cmocka_unit_test(an_abandoned_session_gives_way_to_its_owner_alone),
        cmocka_unit_test(what_does_not_speak_tls_is_told_so_or_dropped),
        cmocka_unit_test(a_tls_client_learns_that_there_is_no_tls),
        cmocka_unit_test(those_who_stall_in_the_handshake_hold_up_nobody),
        cmocka_unit_test(
            who_stalls_in_the_handshake_is_dropped_after_five_seconds),
        cmocka_unit_test(
            a_client_that_is_not_allowed_is_refused_before_its_greeting_counts),
        cmocka_unit_test(who_is_in_no_allowed_network_is_closed_unread),
    };

    return RUN_TESTS(tests);
}
