/* A session client whose migration fails, or whose server lies. */
#include <string.h>

#include "support_capture.h"
#include "support_pool.h"
#include "support_session_client.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "wire/control.h"

enum { SHORT_MS = 300, IDLE_TURNS = 24 };

static void
a_failure_is_held_back_from_a_fresh_qemu(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    source_qemu(rig);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 2) != NULL);
    session_peer_frame(source_channel(rig, 1),
                       (struct frame){ .type = FRAME_RESET,
                                       .code = REASON_DESTINATION_CLOSED });
    STAGE_UNTIL(&rig->stage, source_channel(rig, 2)->frames[FRAME_RESET] == 1);
    assert_false(source_listens(rig));
    source_failure_held(rig);
    source_end_control(rig);
    source_done(rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(capture_count(said, ": destination closed; 2 channels"),
                     1);
    source_close(rig);
}

/* They wait in the backlog when the failure is seen. */
static void
connections_that_come_with_a_failure_are_held_too(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    stage_turns_in(&rig->stage, 30);
    session_peer_frame(
        source_channel(rig, 1),
        (struct frame){ .type = FRAME_RESET, .code = REASON_STOPPED });
    for (int i = 0; i < 3; i++)
        source_qemu(rig);
    STAGE_UNTIL(&rig->stage, !source_listens(rig));
    source_failure_held(rig);
    source_end_control(rig);
    source_done(rig, STATUS_CANCELLED);
    capture_stop();
    source_close(rig);
}

static void
connections_that_wait_for_the_server_are_held_too(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    rig->server.mute = true;
    for (int i = 0; i < 3; i++)
        source_qemu(rig);
    stage_turns_in(&rig->stage, 50);
    source_tell_end(rig, REASON_LOST);
    source_failure_held(rig);
    source_end_control(rig);
    source_done(rig, STATUS_FAILED);
    assert_int_equal(capture_count(capture_stop(), "timeout; 4 channels"), 1);
    source_close(rig);
}

static void
an_older_qemu_sees_a_failure_at_once(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;
    uint64_t since;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    stage_turns_in(&rig->stage, SOURCE_HOLD_MS + 50);
    since = stage_now_ms();
    source_tell_end(rig, REASON_LOST);
    STAGE_UNTIL(&rig->stage, peer_ended(&rig->qemus[0]));
    assert_in_range(rig->qemus[0].ended_ms - since, 0, SOURCE_HOLD_MS - 1);
    source_end_control(rig);
    source_done(rig, STATUS_FAILED);
    capture_stop();
    source_close(rig);
}

static void
a_connection_while_one_is_held_costs_no_time_and_no_spin(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    session_peer_frame(
        source_channel(rig, 1),
        (struct frame){ .type = FRAME_RESET, .code = REASON_STOPPED });
    session_peer_close(source_channel(rig, 1));
    peer_send(&rig->qemus[0], 1, 1 << 30, PEER_STAY);
    stage_turns_in(&rig->stage, 50);
    assert_in_range(stage_turns_in(&rig->stage, 500), 0, IDLE_TURNS);
    capture_stop();
    source_close(rig);
}

static void
a_qemu_that_breaks_off_is_told_to_the_server(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    peer_read(&rig->qemus[0], false);
    session_peer_data(source_channel(rig, 1), 1, 0, 1000);
    stage_turns_in(&rig->stage, 30);
    peer_close(&rig->qemus[0]);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 1)->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(source_channel(rig, 1)),
                     REASON_CANCELLED);
    STAGE_UNTIL(&rig->stage,
                strstr(source_channel(rig, 0)->text, "\"reason\":16") != NULL);
    source_end_control(rig);
    source_done(rig, STATUS_CANCELLED);
    said = capture_stop();
    assert_int_equal(capture_count(said, "(vm): cancelled by source; "), 1);
    source_close(rig);
}

static void
a_server_that_is_gone_is_told_and_fails_the_migration(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    session_acceptor_close(&rig->server);
    session_clock_speed(10);
    source_failure_held(rig);
    source_done(rig, STATUS_FAILED);
    session_clock_speed(1);
    said = capture_stop();
    assert_int_equal(capture_count(said, "mig-server is gone"), 1);
    assert_int_equal(capture_count(said, "transport lost: "), 2);
    assert_int_equal(capture_count(said, "1 channels, "), 1);
    rig->server.count = 0;
    source_close(rig);
}

static void
a_server_that_has_forgotten_the_session_fails_it_at_once(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        capture_start();
        rig = source_open_running(&options);
        peer_say(&rig->qemus[0], "half", 4);
        STAGE_UNTIL(&rig->stage, source_channel(rig, 1)->received == 4);
        rig->server.how.reason = REASON_UNKNOWN;
        session_peer_reset(source_channel(rig, number));
        source_failure_held(rig);
        session_peer_reset(source_channel(rig, !number));
        source_done(rig, STATUS_FAILED);
        capture_stop();
        source_close(rig);
    }
}

/* The word of a server alone does not make a migration complete. */
static void
completed_is_not_believed_without_proof(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    peer_say(&rig->qemus[0], "half", 4);
    source_tell_end(rig, REASON_NONE);
    stage_turns_in(&rig->stage, 100);
    assert_false(rig->dones == 1 && rig->status == STATUS_DONE);
    assert_int_equal(capture_count(capture_stop(), "completed"), 0);
    source_close(rig);
}

static void
completed_without_a_migration_is_a_protocol_error(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open(&options);
    source_become_ready(rig);
    source_tell_end(rig, REASON_NONE);
    STAGE_UNTIL(&rig->stage, !source_listens(rig));
    said = capture_stop();
    assert_int_equal(capture_count(said, ": completed"), 0);
    assert_int_equal(capture_count(said, ": protocol error"), 1);
    source_close(rig);
}

/* The server says ${text} over channel 0 of a migration. */
static void
assert_fails_with(const char *text, const char *said)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    capture_start();
    rig = source_open_running(&options);
    session_peer_text(source_channel(rig, 0), text);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 1)->frames[FRAME_RESET] == 1);
    source_failure_held(rig);
    source_end_control(rig);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    assert_int_equal(capture_count(capture_stop(), said), 1);
    source_close(rig);
}

static void
control_garbage_ends_the_session(void **state)
{
    static char line[CONTROL_LINE_MAX + 10];

    (void)state;
    assert_fails_with("x\n", "(vm): protocol error: bad control message");
    assert_fails_with("{\"type\":\"end\"}\n",
                      "(vm): protocol error: bad control message");
    memset(line, 'a', sizeof line - 1);
    assert_fails_with(line, "(vm): protocol error: bad control message");
}

static void
an_end_with_an_odd_reason_is_a_failure(void **state)
{
    (void)state;
    assert_fails_with("{\"type\":\"end\",\"reason\":999}\n",
                      "(vm): protocol error; ");
    assert_fails_with("{\"type\":\"end\",\"reason\":36}\n",
                      "(vm): protocol error: ACK of what was not sent; ");
    assert_fails_with("{\"type\":\"end\",\"reason\":3}\n",
                      "(vm): another session is being served; ");
}

static void
a_lie_over_any_channel_ends_the_session(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        capture_start();
        rig = source_open_running(&options);
        session_peer_frame(source_channel(rig, number),
                           (struct frame){ .type = FRAME_ACK, .offset = 999 });
        STAGE_UNTIL(&rig->stage,
                    source_channel(rig, number)->frames[FRAME_RESET] == 1);
        assert_int_equal(session_peer_reset_with(source_channel(rig, number)),
                         REASON_BAD_ACK);
        source_failure_held(rig);
        source_done(rig, STATUS_FAILED);
        capture_stop();
        source_close(rig);
    }
}

static void
a_server_that_ends_channel_0_too_early_breaks_the_protocol(void **state)
{
    const struct session_client_options options = source_defaults();
    struct session_peer *control;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    control = source_channel(rig, 0);
    session_peer_frame(
        control, (struct frame){ .type = FRAME_FIN, .offset = control->sent });
    stage_turns_in(&rig->stage, 50);
    assert_int_equal(rig->dones, 0);
    session_peer_close(control);
    STAGE_UNTIL(&rig->stage, rig->server.count == 3); /* it comes back */
    capture_stop();
    source_close(rig);
}

static void
a_loss_for_longer_than_resume_timeout_is_a_failure(void **state)
{
    struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    options.resume_timeout_ms = SHORT_MS;
    capture_start();
    rig = source_open_running(&options);
    rig->server.mute = true;
    session_peer_reset(source_channel(rig, 1));
    STAGE_UNTIL(&rig->stage,
                strstr(source_channel(rig, 0)->text, "\"reason\":18") != NULL);
    source_failure_held(rig);
    source_end_control(rig);
    source_done(rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "lost for longer than resume-timeout; "), 1);
    source_close(rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_held_back_from_a_fresh_qemu),
        cmocka_unit_test(an_older_qemu_sees_a_failure_at_once),
        cmocka_unit_test(
            a_connection_while_one_is_held_costs_no_time_and_no_spin),
        cmocka_unit_test(a_qemu_that_breaks_off_is_told_to_the_server),
        cmocka_unit_test(a_server_that_is_gone_is_told_and_fails_the_migration),
        cmocka_unit_test(completed_is_not_believed_without_proof),
        cmocka_unit_test(completed_without_a_migration_is_a_protocol_error),
        cmocka_unit_test(a_lie_over_any_channel_ends_the_session),
        cmocka_unit_test(
            a_server_that_ends_channel_0_too_early_breaks_the_protocol),
        cmocka_unit_test(a_loss_for_longer_than_resume_timeout_is_a_failure),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(an_end_with_an_odd_reason_is_a_failure),
        cmocka_unit_test(control_garbage_ends_the_session),
        cmocka_unit_test(
            a_server_that_has_forgotten_the_session_fails_it_at_once),
        cmocka_unit_test(connections_that_come_with_a_failure_are_held_too),
        cmocka_unit_test(connections_that_wait_for_the_server_are_held_too),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
