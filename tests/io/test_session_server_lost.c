/* A session server that loses transports, clients and QEMUs. */
#include <stdio.h>
#include <string.h>

#include "support_capture.h"
#include "support_peer.h"
#include "support_pool.h"
#include "support_session_server.h"
#include "support_test.h"

enum { SHORT_MS = 200 };

/* What a destination with a return path says last: MIG_RP_MSG_SHUT, success. */
#define SHUT "\0\1\0\4\0\0\0\0"

/* The answer to a first greeting may be lost on its way. */
static void
a_first_greeting_may_be_repeated(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct acceptor *qemu;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    qemu = sessions_qemu(rig, "dest");
    sessions_channel(rig, 'A', "", 0);
    sessions_channel(rig, 'A', "", 0);
    sessions_channel(rig, 'A', "", 1);
    sessions_channel(rig, 'A', "", 1);
    STAGE_UNTIL(&rig->stage, qemu->count == 1);
    sessions_channel(rig, 'A', "", 1);
    session_peer_data(&rig->clients[rig->count - 1], 1, 0, 100);
    STAGE_UNTIL(&rig->stage, qemu->peers[0].received == 100);
    assert_int_equal(qemu->count, 1);
    capture_stop();
    sessions_close(rig);
}

static void
a_lost_transport_is_resumed_where_it_stood(void **state)
{
    struct client_greeting greeting = sessions_resume('A', "", 1, 0);
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    peer_say(&now.qemu->peers[0], SHUT, 4);
    STAGE_UNTIL(&rig->stage, now.main->received == 4);
    session_peer_reset(now.main);
    STAGE_POLL(&rig->stage, strstr(capture_text(), "transport lost: ") != NULL);
    greeting.position.delivered = 4;
    now.main = sessions_greet(rig, &greeting);
    assert_int_equal(now.main->server.position.delivered, SESSIONS_FIRST_BYTES);
    peer_say(&now.qemu->peers[0], &SHUT[4], 4);
    STAGE_UNTIL(&rig->stage, now.main->received == 8);
    sessions_finish(rig, &now);
    said = capture_stop();
    assert_int_equal(capture_count(said, "transport lost: "), 1);
    assert_int_equal(capture_count(said, "channel 1: resumed after "), 1);
    assert_int_equal(now.qemu->count, 1);
    sessions_close(rig);
}

/* The client has seen the loss before the server. */
static void
a_new_transport_takes_the_place_of_the_old_one(void **state)
{
    const struct client_greeting greeting = sessions_resume('A', "", 1, 0);
    const struct session_server_options options = sessions_defaults();
    struct session_peer *old;
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    old = now.main;
    now.main = sessions_greet(rig, &greeting);
    assert_int_equal(now.main->server.reason, REASON_NONE);
    STAGE_UNTIL(&rig->stage, session_peer_ended(old));
    sessions_finish(rig, &now);
    capture_stop();
    sessions_close(rig);
}

/* A greeting that was long on its way must not disturb the transport in use. */
static void
a_stale_greeting_leaves_the_transport_alone(void **state)
{
    const struct client_greeting stale = sessions_resume('A', "", 1, 0);
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    peer_say(&now.qemu->peers[0], SHUT, 8);
    STAGE_UNTIL(&rig->stage, now.main->received == 8);
    session_peer_frame(now.main, (struct frame){ .type = FRAME_PING });
    STAGE_UNTIL(&rig->stage, now.main->frames[FRAME_PONG] == 1); /* the ACK has
                                                                    come */
    sessions_refused(rig, &stale, REASON_BAD_RESUME);
    assert_false(session_peer_ended(now.main));
    sessions_finish(rig, &now);
    capture_stop();
    sessions_close(rig);
}

static void
a_transport_that_stays_away_ends_the_session(void **state)
{
    struct session_server_options options = sessions_defaults();
    const struct client_greeting late = sessions_resume('A', "", 1, 0);
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    options.resume_timeout_ms = SHORT_MS;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    session_peer_reset(now.main);
    STAGE_UNTIL(&rig->stage, peer_ended(&now.qemu->peers[0]));
    sessions_told(rig, now.control, REASON_LOST);
    sessions_refused(rig, &late, REASON_LOST);
    sessions_leave(rig, &now);
    sessions_refused(rig, &late, REASON_UNKNOWN);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "transport lost for longer than resume-timeout; "),
        1);
    sessions_close(rig);
}

/* A client that dies before QEMU has connected does not hold the place. */
static void
an_idle_session_that_is_lost_ends_too(void **state)
{
    struct session_server_options options = sessions_defaults();
    const struct client_greeting next = session_greeting('B', "", 0);
    struct session_peer *control;
    struct sessions *rig;

    (void)state;
    options.resume_timeout_ms = SHORT_MS;
    capture_start();
    rig = sessions_open(&options, false);
    control = sessions_channel(rig, 'A', "", 0);
    session_peer_reset(control);
    stage_turns_in(&rig->stage, 2 * SHORT_MS);
    assert_int_equal(sessions_greet(rig, &next)->server.reason, REASON_NONE);
    capture_stop();
    sessions_close(rig);
}

/* What QEMU said last counts, and the client is told. */
static void
a_destination_that_dies_ends_the_session(void **state)
{
    struct session_server_options options = sessions_defaults();
    struct peer *qemu;
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    options.once = true;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    qemu = &now.qemu->peers[0];
    peer_read(qemu, false);
    session_peer_data(now.main, 1, SESSIONS_FIRST_BYTES, 1000);
    STAGE_POLL(&rig->stage, peer_pending(qemu) >= 1000);
    peer_say(qemu, "last words", 10);
    peer_close(qemu);
    STAGE_UNTIL(&rig->stage, now.main->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(now.main),
                     REASON_DESTINATION_CLOSED);
    assert_int_equal(now.main->received, 10);
    sessions_told(rig, now.control, REASON_DESTINATION_CLOSED);
    sessions_leave(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    said = capture_stop();
    assert_int_equal(rig->status, STATUS_FAILED);
    assert_int_equal(capture_count(said, ": destination closed; "), 1);
    sessions_close(rig);
}

/* As when the source cancels: QEMU dies of a stream that ends in the middle. */
static void
a_destination_that_dies_of_an_early_end_was_left_by_its_source(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    peer_read(&now.qemu->peers[0], false);
    session_peer_data(now.main, 1, SESSIONS_FIRST_BYTES, 1000);
    session_peer_frame(now.main,
                       (struct frame){ .type = FRAME_FIN,
                                       .offset = SESSIONS_FIRST_BYTES + 1000 });
    stage_turns_in(&rig->stage, 20);
    peer_close(&now.qemu->peers[0]); /* with bytes that it has not read */
    sessions_told(rig, now.control, REASON_CANCELLED);
    capture_stop();
    sessions_close(rig);
}

static void
a_client_that_reads_nothing_does_not_delay_the_end(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    net_receive_buffer(now.main->fd, 4096);
    session_peer_read(now.main, false);
    peer_send(&now.qemu->peers[0], 1, 1 << 30, PEER_STAY);
    stage_turns_in(&rig->stage, 50);
    session_peer_text(now.control, "{\"type\":\"end\",\"reason\":20}\n");
    STAGE_UNTIL(&rig->stage, now.qemu->peers[0].write_error != 0);
    sessions_told(rig, now.control, REASON_STOPPED);
    sessions_leave(rig, &now);
    session_peer_read(now.main, true);
    STAGE_UNTIL(&rig->stage, session_peer_ended(now.main));
    capture_stop();
    sessions_close(rig);
}

/* Its client has missed the end of it, while another channel goes on. */
static void
a_finished_channel_can_be_asked_for_again(void **state)
{
    struct client_greeting again = sessions_resume('A', "", 1, 0);
    const struct session_server_options options = sessions_defaults();
    struct session_peer *client;
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    sessions_channel(rig, 'A', "", 2);
    STAGE_UNTIL(&rig->stage, now.qemu->count == 2);
    sessions_finish_with(rig, &now, "{}");
    again.position.fin_delivered = true;
    for (int i = 0; i < 3; i++) {
        client = sessions_greet(rig, &again);
        assert_int_equal(client->server.reason, REASON_NONE);
        assert_true(client->server.position.fin_delivered);
        assert_int_equal(client->server.position.delivered,
                         SESSIONS_FIRST_BYTES + 2);
        STAGE_UNTIL(&rig->stage, session_peer_ended(client));
        assert_true(client->eof);
    }
    assert_int_equal(now.control->got_end, 0);
    capture_stop();
    sessions_close(rig);
}

static void
a_qemu_that_never_listens_ends_the_session(void **state)
{
    struct session_server_options options = sessions_defaults();
    struct session_peer *control;
    struct sessions *rig;

    (void)state;
    options.wait_ms = SHORT_MS;
    capture_start();
    rig = sessions_open(&options, false);
    control = sessions_channel(rig, 'A', "", 0);
    sessions_channel(rig, 'A', "", 1);
    sessions_told(rig, control, REASON_NOT_READY);
    capture_stop();
    sessions_close(rig);
}

static void
a_source_that_gave_up_early_costs_qemu_nothing(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct session_peer *control, *main;
    struct acceptor *qemu;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    control = sessions_channel(rig, 'A', "", 0);
    main = sessions_channel(rig, 'A', "", 1);
    session_peer_data(main, 1, 0, 100);
    session_peer_frame(main,
                       (struct frame){ .type = FRAME_FIN, .offset = 100 });
    stage_turns_in(&rig->stage, 20);
    qemu = sessions_qemu(rig, "dest");
    STAGE_UNTIL(&rig->stage, session_peer_ended(main));
    assert_true(session_peer_reset_with(main) != REASON_NONE);
    sessions_told(rig, control, session_peer_reset_with(main));
    stage_turns_in(&rig->stage, 150);
    assert_int_equal(qemu->count, 0);
    capture_stop();
    sessions_close(rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_greeting_may_be_repeated),
        cmocka_unit_test(a_lost_transport_is_resumed_where_it_stood),
        cmocka_unit_test(a_new_transport_takes_the_place_of_the_old_one),
        cmocka_unit_test(a_stale_greeting_leaves_the_transport_alone),
        cmocka_unit_test(a_transport_that_stays_away_ends_the_session),
        cmocka_unit_test(an_idle_session_that_is_lost_ends_too),
        cmocka_unit_test(a_destination_that_dies_ends_the_session),
        cmocka_unit_test(
            a_destination_that_dies_of_an_early_end_was_left_by_its_source),
        cmocka_unit_test(a_client_that_reads_nothing_does_not_delay_the_end),
        cmocka_unit_test(a_finished_channel_can_be_asked_for_again),
        cmocka_unit_test(a_qemu_that_never_listens_ends_the_session),
        cmocka_unit_test(a_source_that_gave_up_early_costs_qemu_nothing),
    };

    return POOL_RUN_BOTH(tests);
}
