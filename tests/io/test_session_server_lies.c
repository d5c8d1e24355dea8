/* A session server, and peers that lie to it or are none of ours. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_capture.h"
#include "support_peer.h"
#include "support_session_clock.h"
#include "support_session_server.h"
#include "support_test.h"

enum { IDLE_TURNS = 24 };

static void
assert_dropped(struct sessions *rig, struct session_peer *client)
{
    STAGE_UNTIL(&rig->stage, session_peer_ended(client));
    assert_int_equal(client->read_error, ECONNRESET);
    assert_false(client->greeted);
}

static void
what_is_no_greeting_is_dropped_and_never_reaches_qemu(void **state)
{
    static const struct {
        const char *words;
        size_t length;
    } strangers[] = {
        { "x", 1 },
        { "GET / HTTP/1.0\r\n\r\n", 18 },
        { "QEVM\0\0\0\3", 8 },
        { "SSH-2.0-x\r\n", 11 },
        { "mig-tun\r", 8 },
        { "mig-tun\n\x01\x01\x00\x73", 12 }, /* shorter than one is */
        { "mig-tun\n\x01\x01\x04\x01", 12 }, /* longer than one may be */
        { "mig-tun\n\x01\x01\xff\xff", 12 },
    };
    const struct session_server_options options = sessions_defaults();
    struct acceptor *qemu;
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    qemu = sessions_qemu(rig, "dest");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct session_peer *client = sessions_dial(rig);

        session_peer_say(client, strangers[i].words, strangers[i].length);
        assert_dropped(rig, client);
    }
    assert_int_equal(qemu->count, 0);
    now = sessions_migrate(rig, 'A', "", qemu);
    sessions_finish(rig, &now);
    assert_int_equal(qemu->count, 1);
    said = capture_stop();
    assert_in_range(capture_count(said, " dropped: "), 1, 8);
    sessions_close(rig);
}

static void
probes_leave_qemu_alone_and_fill_no_log(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct acceptor *qemu;
    const char *said;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    qemu = sessions_qemu(rig, "dest");
    for (unsigned i = 0; i < 150; i++) {
        struct session_peer *client = sessions_dial(rig);

        if (i % 2 == 0)
            session_peer_say(client, "mig-tun\n", 8);
        if (i % 3 == 0)
            session_peer_reset(client);
        else
            session_peer_close(client);
        stage_turns_in(&rig->stage, 0);
    }
    sessions_channel(rig, 'A', "", 0);
    assert_int_equal(qemu->count, 0);
    said = capture_stop();
    assert_in_range(capture_count(said, " dropped: "), 1, 8);
    sessions_close(rig);
}

static void
what_was_dropped_unsaid_is_counted(void **state)
{
    enum { SPEED = 50, BURST_MS = 10000 };
    const struct session_server_options options = sessions_defaults();
    const char *said;
    struct sessions *rig;

    (void)state;
    capture_start();
    session_clock_speed(SPEED);
    rig = sessions_open(&options, false);
    for (unsigned i = 0; i < 9; i++) {
        struct session_peer *client = sessions_dial(rig);

        session_peer_say(client, "x", 1);
        assert_dropped(rig, client);
        if (i == 7)
            stage_turns_in(&rig->stage, 2 * BURST_MS / SPEED);
    }
    session_clock_speed(1);
    said = capture_stop();
    assert_int_equal(capture_count(said, "3 more connections dropped"), 1);
    assert_int_equal(capture_count(said, " dropped: "), 6);
    sessions_close(rig);
}

static void
who_does_not_greet_is_dropped_after_five_seconds(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct session_peer *silent, *slow;
    struct sessions *rig;
    uint64_t since;

    (void)state;
    capture_start();
    session_clock_speed(10);
    rig = sessions_open(&options, false);
    since = stage_now_ms();
    silent = sessions_dial(rig);
    slow = sessions_dial(rig);
    for (unsigned i = 0; !session_peer_ended(slow); i++) {
        session_peer_say(slow, &"mig-tun\n"[i < 7 ? i : 7], i < 8);
        stage_turns_in(&rig->stage, 50);
    }
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= 5000);
    assert_dropped(rig, silent);
    assert_dropped(rig, slow);
    session_clock_speed(1);
    assert_int_equal(capture_count(capture_stop(), "too slow to greet"), 2);
    sessions_close(rig);
}

static void
of_many_that_do_not_greet_the_oldest_goes(void **state)
{
    enum { GREETERS_MAX = 256 };
    const struct session_server_options options = sessions_defaults();
    struct acceptor *qemu;
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    qemu = sessions_qemu(rig, "dest");
    for (unsigned i = 0; i < GREETERS_MAX; i++) {
        sessions_dial(rig);
        stage_turns_in(&rig->stage, 0);
    }
    stage_turns_in(&rig->stage, 20);
    assert_false(session_peer_ended(&rig->clients[0]));
    now = sessions_migrate(rig, 'A', "",
                           qemu); /* it counts for two, one by one */
    STAGE_UNTIL(&rig->stage, session_peer_ended(&rig->clients[0]));
    assert_int_equal(rig->clients[0].read_error, ECONNRESET);
    assert_false(session_peer_ended(&rig->clients[1]));
    for (unsigned i = 0; i < 2; i++)
        sessions_dial(rig);
    STAGE_UNTIL(&rig->stage, session_peer_ended(&rig->clients[1]));
    assert_false(session_peer_ended(&rig->clients[2]));
    sessions_finish(rig, &now);
    capture_stop();
    sessions_close(rig);
}

static void
versions_that_are_not_ours_are_refused(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    for (unsigned version = 0; version < 256; version += version < 3 ? 1 : 84) {
        struct client_greeting greeting = session_greeting('A', "", 0);

        greeting.version_min = greeting.version_max = (uint8_t)version;
        if (version != 1)
            sessions_refused(rig, &greeting, REASON_VERSION);
    }
    capture_stop();
    sessions_close(rig);
}

static void
names_that_are_not_valid_are_refused(void **state)
{
    static const char *const bad[] = { ".",   "..",       "a/b", "../x",
                                       "a b", "\xc3\xa4", "%n",  "a\n" };
    const struct session_server_options options = sessions_defaults();
    struct sessions *rig;

    (void)state;
    capture_start();
    for (int by_name = 0; by_name < 2; by_name++) {
        rig = sessions_open(&options, by_name != 0);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            const struct client_greeting greeting =
                session_greeting('A', bad[i], 0);

            sessions_refused(rig, &greeting, REASON_NAME);
        }
        if (by_name != 0) {
            const struct client_greeting none = session_greeting('A', "", 0);

            sessions_refused(rig, &none, REASON_NAME);
        }
        sessions_close(rig);
    }
    capture_stop();
}

/* Greetings that lie, against a session 'E' with channels 0 and 1. */
static void
assert_lies_refused(struct sessions *rig)
{
    const struct {
        struct client_greeting greeting;
        enum reason reason;
    } lies[] = {
        { sessions_resume('X', "evil", 0, 0), REASON_UNKNOWN },
        { sessions_resume('X', "evil", 1, 0), REASON_UNKNOWN },
        { sessions_resume('E', "good", 1, 0), REASON_UNKNOWN },
        { sessions_resume('G', "evil", 1, 0), REASON_UNKNOWN },
        { sessions_resume('E', "", 1, 0), REASON_UNKNOWN },
        { sessions_resume('E', "evil", 2, 0), REASON_ORDER },
        { sessions_resume('E', "evil", UINT32_MAX, 0), REASON_ORDER },
        { sessions_resume('E', "evil", 1, 1), REASON_BAD_RESUME },
        { sessions_resume('E', "evil", 1, UINT64_MAX), REASON_BAD_RESUME },
        { sessions_resume('E', "evil", 0, 100000), REASON_BAD_RESUME },
        { session_greeting('E', "evil", 1), REASON_ORDER },
        { session_greeting('E', "evil", 3), REASON_ORDER },
        { session_greeting('E', "evil", UINT32_MAX), REASON_ORDER },
        { session_greeting('X', "evil", 1), REASON_UNKNOWN },
        { session_greeting('X', "evil", 0), REASON_BUSY },
    };

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct session_peer *client = sessions_greet(rig, &lies[i].greeting);

        if (client->server.reason != lies[i].reason)
            fail_msg("lie %zu: %s", i, reason_text(client->server.reason));
        session_peer_close(client);
    }
}

static void
a_greeting_that_lies_is_refused_and_harms_nobody(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration good, evil;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, true);
    good = sessions_migrate(rig, 'G', "good", sessions_qemu(rig, "good"));
    evil = sessions_migrate(rig, 'E', "evil", sessions_qemu(rig, "evil"));
    STAGE_UNTIL(&rig->stage,
                evil.main->last[FRAME_ACK].offset == SESSIONS_FIRST_BYTES);
    assert_lies_refused(rig);
    assert_int_equal(evil.qemu->count, 1);
    sessions_finish(rig, &good);
    sessions_finish(rig, &evil);
    assert_int_equal(good.qemu->count, 1);
    assert_int_equal(evil.qemu->count, 1);
    capture_stop();
    sessions_close(rig);
}

/* It must not occupy the server. */
static void
a_first_greeting_that_lies_leaves_no_session(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct client_greeting greeting = session_greeting('E', "", 0);
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    greeting.position.delivered = 5;
    sessions_refused(rig, &greeting, REASON_BAD_RESUME);
    greeting.position.delivered = 0;
    greeting.position.fin_delivered = true;
    sessions_refused(rig, &greeting, REASON_BAD_RESUME);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));

    /* Nor a channel. */
    greeting = session_greeting('A', "", 2);
    greeting.position.delivered = 5;
    sessions_refused(rig, &greeting, REASON_BAD_RESUME);
    stage_turns_in(&rig->stage, 50);
    assert_int_equal(now.qemu->count, 1);
    sessions_finish(rig, &now);
    capture_stop();
    sessions_close(rig);
}

struct frame_lie {
    uint32_t channel; /* over which it is told */
    struct frame frames[2];
    enum reason reason;
};

static const struct frame_lie frame_lies[] = {
    { 1, { { .type = 77 } }, REASON_BAD_FRAME },
    { 1,
      { { .type = FRAME_DATA, .offset = SESSIONS_FIRST_BYTES } },
      REASON_BAD_LENGTH },
    { 1,
      { { .type = FRAME_DATA,
          .length = FRAME_DATA_MAX + 1,
          .offset = SESSIONS_FIRST_BYTES } },
      REASON_BAD_LENGTH },
    { 1,
      { { .type = FRAME_DATA,
          .length = 9,
          .offset = SESSIONS_FIRST_BYTES - 1 } },
      REASON_BAD_OFFSET },
    { 1,
      { { .type = FRAME_DATA, .length = 9, .offset = 1ull << 50 } },
      REASON_BAD_OFFSET },
    { 1, { { .type = FRAME_ACK, .offset = 1 } }, REASON_BAD_ACK },
    { 1,
      { { .type = FRAME_FIN, .offset = SESSIONS_FIRST_BYTES },
        { .type = FRAME_FIN, .offset = SESSIONS_FIRST_BYTES } },
      REASON_BAD_FIN },
    { 1,
      { { .type = FRAME_FIN, .offset = SESSIONS_FIRST_BYTES },
        { .type = FRAME_DATA, .length = 9, .offset = SESSIONS_FIRST_BYTES } },
      REASON_BAD_FIN },
    { 0, { { .type = 0 } }, REASON_BAD_FRAME },
    { 0, { { .type = FRAME_ACK, .offset = 100000 } }, REASON_BAD_ACK },
    { 0,
      { { .type = FRAME_DATA, .length = 9, .offset = 3 } },
      REASON_BAD_OFFSET },
};

/* One session lies by frames, beside one that does not. */
static void
tell_frame_lie(const struct frame_lie *lie)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions *rig = sessions_open(&options, true);
    struct sessions_migration good, evil;
    struct session_peer *liar;

    good = sessions_migrate(rig, 'G', "good", sessions_qemu(rig, "good"));
    evil = sessions_migrate(rig, 'E', "evil", sessions_qemu(rig, "evil"));
    liar = lie->channel == 0 ? evil.control : evil.main;
    session_peer_frame(liar, lie->frames[0]);
    if (lie->frames[1].type != 0)
        session_peer_frame(liar, lie->frames[1]);
    STAGE_UNTIL(&rig->stage, liar->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(liar), lie->reason);
    if (liar == evil.main)
        sessions_told(rig, evil.control, lie->reason);
    STAGE_UNTIL(&rig->stage, peer_ended(&evil.qemu->peers[0]));
    STAGE_UNTIL(&rig->stage, session_peer_ended(evil.main));
    assert_in_range(stage_turns_in(&rig->stage, 50), 0, IDLE_TURNS);
    sessions_finish(rig, &good);
    sessions_close(rig);
}

static void
a_session_that_lies_gets_a_reset_and_harms_nobody(void **state)
{
    const char *said;

    (void)state;
    for (size_t i = 0; i < sizeof frame_lies / sizeof *frame_lies; i++) {
        capture_start();
        tell_frame_lie(&frame_lies[i]);
        said = capture_stop();
        assert_int_equal(capture_count(said, " (evil) channel "), 1);
        assert_int_equal(capture_count(said, " (evil): protocol error"), 1);
    }
}

/* Say ${text} over channel 0 of a migration, which ends with ${reason}. */
static void
assert_ends_with(const char *text, enum reason reason)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions *rig = sessions_open(&options, false);
    struct sessions_migration now =
        sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));

    session_peer_text(now.control, text);
    sessions_told(rig, now.control, reason);
    STAGE_UNTIL(&rig->stage, now.main->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(now.main), reason);
    STAGE_UNTIL(&rig->stage, peer_ended(&now.qemu->peers[0]));
    STAGE_UNTIL(&rig->stage, session_peer_ended(now.main));
    sessions_close(rig);
}

static void
control_garbage_ends_the_session(void **state)
{
    static const char *const garbage[] = {
        "x\n",
        "{}\n",
        "[]\n",
        "{\"type\":7}\n",
        "{\"type\":\"end\"}\n",
        "{\"type\":\"end\",\"reason\":-1}\n",
        "{\"type\":\"end\",\"reason\":70000}\n",
        "GET / HTTP/1.0\r\n\r\n",
    };

    (void)state;
    capture_start();
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        assert_ends_with(garbage[i], REASON_BAD_CONTROL);
    capture_stop();
}

static void
an_end_is_taken_for_what_it_can_mean(void **state)
{
    static const struct {
        int number;
        enum reason reason;
    } ends[] = { { REASON_STOPPED, REASON_STOPPED },
                 { REASON_CANCELLED, REASON_CANCELLED },
                 { 0, REASON_CANCELLED }, /* the source can't complete it */
                 { 12345, REASON_PROTOCOL } };
    char text[64];

    (void)state;
    capture_start();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(text, sizeof text, "{\"type\":\"end\",\"reason\":%d}\n",
                 ends[i].number);
        assert_ends_with(text, ends[i].reason);
    }
    capture_stop();
}

static void
what_a_later_version_says_is_left_alone(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    session_peer_text(now.control, "{\"type\":\"hello\",\"a\":[1]}\n");
    session_peer_text(now.control, "{\"type\":\"ready\"}\n");
    session_peer_text(now.control, "{\"type\":\"waiting\"}\n\n\n");
    stage_turns_in(&rig->stage, 30);
    sessions_finish(rig, &now);
    capture_stop();
    sessions_close(rig);
}

static void
a_control_line_without_end_ends_the_session(void **state)
{
    enum { PIECE = 60 << 10 };
    const struct session_server_options options = sessions_defaults();
    struct session_peer *control;
    struct sessions *rig;
    char *text = malloc(PIECE + 1);

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    control = sessions_channel(rig, 'A', "", 0);
    memset(text, 'a', PIECE);
    text[PIECE] = '\0';
    session_peer_text(control, text);
    stage_turns_in(&rig->stage, 20);
    assert_int_equal(control->frames[FRAME_RESET], 0);
    session_peer_text(control, text);
    sessions_told(rig, control, REASON_BAD_CONTROL);

    /* It goes on, and costs nothing. */
    for (int i = 0; i < 10; i++)
        session_peer_text(control, text);
    stage_turns_in(&rig->stage, 50);
    assert_in_range(stage_turns_in(&rig->stage, 100), 0, IDLE_TURNS);
    capture_stop();
    free(text);
    sessions_close(rig);
}

static void
refusals_do_not_fill_the_log(void **state)
{
    const struct client_greeting skipped = session_greeting('A', "", 9);
    const struct session_server_options options = sessions_defaults();
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    sessions_channel(rig, 'A', "", 0);
    for (int i = 0; i < 60; i++)
        sessions_refused(rig, &skipped, REASON_ORDER);
    assert_in_range(capture_count(capture_stop(), "not the next one"), 1, 10);
    sessions_close(rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_greeting_is_dropped_and_never_reaches_qemu),
        cmocka_unit_test(probes_leave_qemu_alone_and_fill_no_log),
        cmocka_unit_test(what_was_dropped_unsaid_is_counted),
        cmocka_unit_test(who_does_not_greet_is_dropped_after_five_seconds),
        cmocka_unit_test(of_many_that_do_not_greet_the_oldest_goes),
        cmocka_unit_test(versions_that_are_not_ours_are_refused),
        cmocka_unit_test(names_that_are_not_valid_are_refused),
        cmocka_unit_test(a_greeting_that_lies_is_refused_and_harms_nobody),
        cmocka_unit_test(a_first_greeting_that_lies_leaves_no_session),
        cmocka_unit_test(a_session_that_lies_gets_a_reset_and_harms_nobody),
        cmocka_unit_test(control_garbage_ends_the_session),
        cmocka_unit_test(an_end_is_taken_for_what_it_can_mean),
        cmocka_unit_test(what_a_later_version_says_is_left_alone),
        cmocka_unit_test(a_control_line_without_end_ends_the_session),
        cmocka_unit_test(refusals_do_not_fill_the_log),
    };

    return RUN_TESTS(tests);
}
