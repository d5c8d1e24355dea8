/* The source's end of session mode; the test is the QEMU and the server. */
#include "tunnel/session_client.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "support_capture.h"
#include "support_faults.h"
#include "support_pool.h"
#include "support_session_client.h"
#include "support_session_clock.h"
#include "support_test.h"

enum { SHORT_MS = 300, STOP_MS = 5000, IDLE_TURNS = 24 };

static void
a_migration_passes_and_is_told_as_completed(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    source_finish_channel(rig, "stream}");
    source_tell_end(rig, REASON_NONE);
    source_end_control(rig);
    source_done(rig, STATUS_DONE);
    said = capture_stop();
    assert_int_equal(capture_count(said, "(vm): completed; 1 channels"), 1);
    assert_memory_equal(source_channel(rig, 1)->text, "stream}", 7);
    assert_string_equal(source_channel(rig, 1)->client.name, "vm");
    assert_memory_equal(source_channel(rig, 1)->client.session,
                        source_channel(rig, 0)->client.session,
                        SESSION_ID_BYTES);
    source_close(rig);
}

static void
the_socket_is_there_only_while_qemu_is_ready(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;
    struct stat st;

    (void)state;
    capture_start();
    rig = source_open(&options);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 0) != NULL);
    stage_turns_in(&rig->stage, 30);
    assert_false(source_listens(rig));
    for (int i = 0; i < 3; i++) {
        session_peer_text(source_channel(rig, 0), SOURCE_READY SOURCE_READY);
        STAGE_UNTIL(&rig->stage, source_listens(rig));
        assert_int_equal(stat(rig->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        session_peer_text(source_channel(rig, 0),
                          SOURCE_WAITING SOURCE_WAITING);
        STAGE_UNTIL(&rig->stage, !source_listens(rig));
    }
    capture_stop();
    source_close(rig);
}

static void
what_the_server_says_of_its_qemu_later_changes_nothing(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    session_peer_text(source_channel(rig, 0),
                      SOURCE_WAITING SOURCE_READY SOURCE_WAITING);
    session_peer_text(source_channel(rig, 0), "{\"type\":\"later\"}\n");
    stage_turns_in(&rig->stage, 30);
    assert_true(source_listens(rig));
    source_qemu(rig);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 2) != NULL);
    capture_stop();
    source_close(rig);
}

static void
channels_are_opened_one_after_the_other(void **state)
{
    enum { CHANNELS = 4 };
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open(&options);
    source_become_ready(rig);
    rig->server.mute = true;
    for (unsigned i = 0; i < CHANNELS; i++) {
        char number = (char)i;

        peer_say(source_qemu(rig), &number, 1);
    }
    stage_turns_in(&rig->stage, 100);
    assert_int_equal(rig->server.count, 2); /* channels 0 and 1 */
    rig->server.mute = false;
    session_peer_reset(&rig->server.peers[1]);
    for (unsigned i = 0; i < CHANNELS; i++) {
        STAGE_UNTIL(&rig->stage, source_channel(rig, i + 1) != NULL &&
                                     source_channel(rig, i + 1)->received == 1);
        assert_int_equal(source_channel(rig, i + 1)->text[0], i);
    }
    capture_stop();
    source_close(rig);
}

static void
a_refusal_is_told_once_and_is_the_end(void **state)
{
    static const enum reason reasons[] = { REASON_VERSION, REASON_NAME,
                                           REASON_BUSY, REASON_LIMIT,
                                           REASON_STOPPED };

    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct session_client_options options = source_defaults();
        const char *said;
        struct source *rig;

        options.once = i % 2 == 0;
        capture_start();
        rig = source_open(&options);
        rig->server.how.reason = reasons[i];
        source_done(rig, STATUS_FAILED);
        said = capture_stop();
        assert_int_equal(capture_count(said, reason_text(reasons[i])), 1);
        assert_int_equal(capture_count(said, "cannot join mig-server at "), 1);
        assert_int_equal(rig->server.count, 1);
        source_close(rig);
    }
}

static void
what_is_no_mig_server_is_told_at_once(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open(&options);
    rig->server.mute = true;
    STAGE_UNTIL(&rig->stage, rig->server.count == 1);
    session_peer_say(&rig->server.peers[0], "HTTP/1.1 400 Bad\r\n\r\n", 20);
    source_done(rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(capture_count(said, "not mig-server"), 1);
    source_close(rig);
}

static void
a_server_that_cannot_be_reached_is_told_once(void **state)
{
    struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;

    (void)state;
    options.wait_ms = SHORT_MS;
    capture_start();
    rig = source_open(&options);
    session_acceptor_stop(&rig->server);
    source_done(rig, STATUS_FAILED);
    said = capture_stop();
    assert_int_equal(capture_count(said, "Connection refused; trying for"), 1);
    assert_int_equal(capture_count(said, "cannot join mig-server at "), 1);
    source_close(rig);
}

static void
a_path_that_is_taken_is_told_and_is_a_failure(void **state)
{
    const struct session_client_options options = source_defaults();
    const char *said;
    struct source *rig;
    FILE *file;

    (void)state;
    capture_start();
    rig = source_open(&options);
    file = fopen(rig->path, "w");
    assert_non_null(file);
    fclose(file);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 0) != NULL);
    session_peer_text(source_channel(rig, 0), SOURCE_READY);
    STAGE_UNTIL(&rig->stage,
                strstr(source_channel(rig, 0)->text, "end") != NULL);
    source_end_control(rig);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    said = capture_stop();
    assert_int_equal(rig->status, STATUS_FAILED);
    assert_int_equal(capture_count(said, "exists and is not a socket"), 1);
    assert_true(source_listens(rig)); /* it is not ours to remove */
    source_close(rig);
}

/* Everything is proved, and only the last word of the server is missing. */
static void
a_session_that_is_complete_is_so_without_the_server(void **state)
{
    static const struct {
        const char *last;
        enum exit_status status;
        const char *said;
    } ends[] = { { "stream}", STATUS_DONE, ": completed; " },
                 { "page", STATUS_CANCELLED, ": cancelled by source; " } };
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        capture_start();
        rig = source_open_running(&options);
        source_finish_channel(rig, ends[i].last);
        stage_turns_in(&rig->stage, 30);
        assert_int_equal(rig->dones, 0);
        rig->server.how.reason = REASON_UNKNOWN;
        session_peer_reset(source_channel(rig, 0));
        source_done(rig, ends[i].status);
        assert_int_equal(capture_count(capture_stop(), ends[i].said), 1);
        source_close(rig);
    }
}

/* The word comes over another transport than the proof, so perhaps earlier. */
static void
completed_may_be_said_before_it_is_proved(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    source_tell_end(rig, REASON_NONE);
    stage_turns_in(&rig->stage, 30);
    source_finish_channel(rig, "stream}");
    source_end_control(rig);
    source_done(rig, STATUS_DONE);
    assert_int_equal(capture_count(capture_stop(), ": completed; "), 1);
    source_close(rig);
}

static void
without_once_the_next_session_follows(void **state)
{
    struct session_client_options options = source_defaults();
    unsigned char first[SESSION_ID_BYTES];
    struct source *rig;

    (void)state;
    options.once = false;
    capture_start();
    rig = source_open_running(&options);
    memcpy(first, source_channel(rig, 0)->client.session, sizeof first);
    source_finish_channel(rig, "stream}");
    source_tell_end(rig, REASON_NONE);
    memset(rig->server.channels + 1, 0, sizeof rig->server.channels[0]);
    source_end_control(rig);
    rig->server.channels[0] = NULL;
    source_become_ready(rig);
    assert_memory_not_equal(source_channel(rig, 0)->client.session, first,
                            sizeof first);
    assert_false(source_channel(rig, 0)->client.resume);
    source_qemu(rig);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 1) != NULL);
    assert_int_equal(rig->dones, 0);
    capture_stop();
    source_close(rig);
}

/* Stopped by the other side before QEMU came: there may be another server. */
static void
a_server_that_stops_is_waited_for(void **state)
{
    struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    options.once = false;
    capture_start();
    rig = source_open(&options);
    source_become_ready(rig);
    source_tell_end(rig, REASON_STOPPED);
    STAGE_UNTIL(&rig->stage, !source_listens(rig));
    source_end_control(rig);
    rig->server.channels[0] = NULL;
    source_become_ready(rig);
    assert_int_equal(rig->dones, 0);
    capture_stop();
    source_close(rig);
}

static void
a_stop_before_qemu_came_is_at_once(void **state)
{
    struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    for (int once = 0; once < 2; once++)
        for (int ready = 0; ready < 2; ready++) {
            capture_start();
            options.once = once != 0;
            rig = source_open(&options);
            STAGE_UNTIL(&rig->stage, source_channel(rig, 0) != NULL);
            if (ready)
                source_become_ready(rig);
            stage_turns_in(&rig->stage, 10);
            session_client_stop(rig->client);
            STAGE_UNTIL(&rig->stage, strstr(source_channel(rig, 0)->text,
                                            "\"reason\":20") != NULL);
            assert_false(source_listens(rig));
            source_end_control(rig);
            source_done(rig, once ? STATUS_CANCELLED : STATUS_DONE);
            capture_stop();
            source_close(rig);
        }
}

static void
a_stop_while_it_joins_ends_there(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        capture_start();
        rig = source_open(&options);
        rig->server.mute = true;
        for (unsigned i = 0; i < turns && rig->server.count == 0; i++)
            stage_turn(&rig->stage);
        session_client_stop(rig->client);
        session_clock_speed(20);
        source_done(rig, STATUS_CANCELLED);
        session_clock_speed(1);
        capture_stop();
        source_close(rig);
    }
}

/* The answer is on its way when the user stops the program. */
static void
what_comes_after_a_stop_does_not_start_it_again(void **state)
{
    const struct session_client_options options = source_defaults();
    const struct server_greeting answer = { .version = 1,
                                            .position.window = SOURCE_WINDOW };
    struct session_peer *server;
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open(&options);
    rig->server.mute = true;
    STAGE_UNTIL(&rig->stage,
                rig->server.count == 1 && rig->server.peers[0].greeted);
    server = &rig->server.peers[0];
    session_client_stop(rig->client);
    session_peer_answer(server, &answer);
    session_peer_text(server, SOURCE_READY);
    STAGE_UNTIL(&rig->stage, strstr(server->text, "end") != NULL);
    stage_turns_in(&rig->stage, 50);
    assert_false(source_listens(rig));
    session_peer_frame(
        server, (struct frame){ .type = FRAME_FIN, .offset = server->sent });
    STAGE_UNTIL(&rig->stage, server->got_end);
    session_peer_close(server);
    source_done(rig, STATUS_CANCELLED);
    assert_int_equal(capture_count(capture_stop(), "joined mig-server"), 0);
    source_close(rig);
}

static void
a_stop_lets_a_migration_end(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    session_client_stop(rig->client);
    stage_turns_in(&rig->stage, 50);
    assert_int_equal(rig->dones, 0);
    source_finish_channel(rig, "stream}");
    source_tell_end(rig, REASON_NONE);
    source_end_control(rig);
    source_done(rig, STATUS_DONE);
    capture_stop();
    source_close(rig);
}

static void
a_stop_has_an_end_of_its_own(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;
    uint64_t since;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    session_clock_speed(10);
    since = stage_now_ms();
    session_client_stop(rig->client);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 1)->frames[FRAME_RESET] == 1);
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= STOP_MS);
    assert_int_equal(session_peer_reset_with(source_channel(rig, 1)),
                     REASON_STOPPED);
    source_done(rig, STATUS_CANCELLED);
    session_clock_speed(1);
    capture_stop();
    source_close(rig);
}

static void
a_second_stop_ends_everything(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    session_client_stop(rig->client);
    session_client_stop(rig->client);
    assert_int_equal(rig->dones, 1);
    assert_int_equal(rig->status, STATUS_CANCELLED);
    session_client_free(rig->client);
    rig->client = NULL;
    STAGE_UNTIL(&rig->stage, peer_ended(&rig->qemus[0]) &&
                                 session_peer_ended(source_channel(rig, 0)) &&
                                 session_peer_ended(source_channel(rig, 1)));
    assert_false(source_listens(rig));
    capture_stop();
    source_close(rig);
}

/* A server that does not say farewell is not waited for. */
static void
a_farewell_has_its_time(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    source_finish_channel(rig, "stream}");
    session_clock_speed(10);
    source_tell_end(rig, REASON_NONE);
    source_done(rig, STATUS_DONE);
    session_clock_speed(1);
    capture_stop();
    source_close(rig);
}

static void
an_idle_session_costs_few_wake_ups(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    capture_start();
    rig = source_open_running(&options);
    stage_turns_in(&rig->stage, 50);
    faults_clear();
    assert_in_range(stage_turns_in(&rig->stage, 1000), 0, IDLE_TURNS);
    assert_in_range(fault_count(FAULT_READV) + fault_count(FAULT_SENDMSG), 0,
                    IDLE_TURNS);
    capture_stop();
    source_close(rig);
}

static void
a_client_may_be_freed_in_the_middle(void **state)
{
    const struct session_client_options options = source_defaults();
    struct source *rig;

    (void)state;
    for (unsigned turns = 0; turns < 24; turns++) {
        capture_start();
        rig = source_open(&options);
        for (unsigned i = 0; i < turns; i++) {
            if (source_channel(rig, 0) != NULL &&
                source_channel(rig, 0)->sent == 0)
                session_peer_text(source_channel(rig, 0), SOURCE_READY);
            if (source_listens(rig) && rig->count < 2)
                source_qemu(rig);
            if (rig->count < 2 || source_channel(rig, 2) == NULL)
                stage_turn(&rig->stage);
        }
        session_client_free(rig->client);
        rig->client = NULL;
        assert_false(source_listens(rig));
        capture_stop();
        source_close(rig);
    }
    session_client_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_passes_and_is_told_as_completed),
        cmocka_unit_test(the_socket_is_there_only_while_qemu_is_ready),
        cmocka_unit_test(
            what_the_server_says_of_its_qemu_later_changes_nothing),
        cmocka_unit_test(channels_are_opened_one_after_the_other),
        cmocka_unit_test(a_refusal_is_told_once_and_is_the_end),
        cmocka_unit_test(what_is_no_mig_server_is_told_at_once),
        cmocka_unit_test(a_path_that_is_taken_is_told_and_is_a_failure),
        cmocka_unit_test(a_session_that_is_complete_is_so_without_the_server),
        cmocka_unit_test(completed_may_be_said_before_it_is_proved),
        cmocka_unit_test(without_once_the_next_session_follows),
        cmocka_unit_test(a_server_that_stops_is_waited_for),
        cmocka_unit_test(a_stop_before_qemu_came_is_at_once),
        cmocka_unit_test(what_comes_after_a_stop_does_not_start_it_again),
        cmocka_unit_test(a_stop_lets_a_migration_end),
        cmocka_unit_test(a_stop_has_an_end_of_its_own),
        cmocka_unit_test(a_second_stop_ends_everything),
        cmocka_unit_test(a_farewell_has_its_time),
        cmocka_unit_test(a_client_may_be_freed_in_the_middle),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(a_stop_while_it_joins_ends_there),
        cmocka_unit_test(an_idle_session_costs_few_wake_ups),
        cmocka_unit_test(a_server_that_cannot_be_reached_is_told_once),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
