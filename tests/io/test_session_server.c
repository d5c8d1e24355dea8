/* The destination's end of session mode; the test is the clients and QEMU. */
#include "tunnel/session_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_faults.h"
#include "support_peer.h"
#include "support_pool.h"
#include "support_session_clock.h"
#include "support_session_server.h"
#include "support_test.h"

enum { IDLE_TURNS = 24 };

static void
a_migration_passes_and_is_told_as_completed(void **state)
{
    struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    options.once = true;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    sessions_finish(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    said = capture_stop();
    assert_int_equal(rig->status, STATUS_DONE);
    assert_int_equal(capture_count(said, "session 41414141: completed; 1 ch"),
                     1);
    assert_int_equal(now.qemu->count, 1);
    sessions_close(rig);
}

static void
a_stream_that_ends_early_is_told_as_cancelled(void **state)
{
    struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    options.once = true;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    sessions_finish_with(rig, &now, "page");
    sessions_told(rig, now.control, REASON_CANCELLED);
    sessions_leave(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    said = capture_stop();
    assert_int_equal(rig->status, STATUS_CANCELLED);
    assert_int_equal(capture_count(said, "cancelled by source"), 1);
    sessions_close(rig);
}

static void
ready_is_told_when_qemu_listens_and_taken_back(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions *rig;
    struct session_peer *control;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    control = sessions_channel(rig, 'A', "", 0);
    stage_turns_in(&rig->stage, 150);
    assert_int_equal(control->received, 0);
    sessions_qemu(rig, "dest");
    STAGE_UNTIL(&rig->stage, strstr(control->text, "ready") != NULL);
    assert_int_equal(rig->qemus[0].count, 0);
    acceptor_close(&rig->qemus[0]);
    rig->qemu_count = 0;
    STAGE_UNTIL(&rig->stage, strstr(control->text, "waiting") != NULL);
    assert_string_equal(control->text,
                        "{\"type\":\"ready\"}\n{\"type\":\"waiting\"}\n");
    capture_stop();
    sessions_close(rig);
}

static void
channels_reach_qemu_in_their_order(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct session_peer *channels[4];
    struct acceptor *qemu;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    sessions_channel(rig, 'A', "", 0);
    for (uint32_t i = 0; i < 4; i++) {
        unsigned char number = (unsigned char)i;

        channels[i] = sessions_channel(rig, 'A', "", i + 1);
        session_peer_frame(channels[i],
                           (struct frame){ .type = FRAME_DATA, .length = 1 });
        session_peer_say(channels[i], &number, 1);
    }
    qemu = sessions_qemu(rig, "dest");
    STAGE_UNTIL(&rig->stage, qemu->count == 4);
    for (unsigned i = 0; i < 4; i++) {
        STAGE_UNTIL(&rig->stage, qemu->peers[i].received == 1);
        assert_int_equal(qemu->peers[i].head[0], i);
    }
    capture_stop();
    sessions_close(rig);
}

/* A migration with a second channel, which QEMU breaks off. */
static struct session_peer *
break_second_channel(struct sessions *rig, struct sessions_migration *now)
{
    struct session_peer *second = sessions_channel(rig, 'A', "", 2);
    struct peer *qemu = &now->qemu->peers[1];

    STAGE_UNTIL(&rig->stage, now->qemu->count == 2);
    peer_read(qemu, false);
    session_peer_data(second, 1, 0, 1000);
    STAGE_POLL(&rig->stage, peer_pending(qemu) == 1000);
    peer_close(qemu);
    STAGE_UNTIL(&rig->stage, second->frames[FRAME_FIN] == 1);
    return second;
}

static void
what_qemu_leaves_unread_on_a_further_channel_does_not_matter(void **state)
{
    struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct session_peer *second;
    const char *said;
    struct sessions *rig;

    (void)state;
    options.once = true;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    second = break_second_channel(rig, &now);
    session_peer_data(second, 1, 1000, 500); /* for nobody */
    session_peer_frame(second,
                       (struct frame){ .type = FRAME_FIN, .offset = 1500 });
    stage_turns_in(&rig->stage, 50);
    assert_int_equal(second->last[FRAME_ACK].offset, 1000);
    sessions_finish_with(rig, &now, "{}");
    STAGE_UNTIL(&rig->stage, session_peer_ended(second));
    assert_int_equal(second->last[FRAME_ACK].offset, 1500);
    assert_int_equal(second->frames[FRAME_RESET], 0);
    sessions_told(rig, now.control, REASON_NONE);
    sessions_leave(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    said = capture_stop();
    assert_int_equal(rig->status, STATUS_DONE);
    assert_int_equal(capture_count(said, ": completed; 2 channels"), 1);
    sessions_close(rig);
}

/* QEMU goes on with the main channel when a thread of multifd has failed. */
static void
much_for_a_further_channel_that_qemu_broke_off_ends_the_session(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct session_peer *second;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    second = break_second_channel(rig, &now);
    session_peer_data(second, 1, 1000, 60000);
    stage_turns_in(&rig->stage, 50);
    assert_int_equal(second->frames[FRAME_RESET], 0);
    session_peer_data(second, 1, 61000, 20000);
    STAGE_UNTIL(&rig->stage, second->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(second),
                     REASON_DESTINATION_CLOSED);
    assert_int_equal(second->last[FRAME_ACK].offset, 1000);
    sessions_told(rig, now.control, REASON_DESTINATION_CLOSED);
    capture_stop();
    sessions_close(rig);
}

static void
a_further_channel_that_qemu_breaks_off_alone_ends_the_session_later(
    void **state)
{
    struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    const char *said;
    struct sessions *rig;

    (void)state;
    options.once = true;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    session_clock_speed(20);
    break_second_channel(rig, &now);
    sessions_told(rig, now.control, REASON_DESTINATION_CLOSED);
    sessions_leave(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    session_clock_speed(1);
    said = capture_stop();
    assert_int_equal(rig->status, STATUS_FAILED);
    assert_int_equal(capture_count(said, ": destination closed; 2 channels"),
                     1);
    sessions_close(rig);
}

static void
a_greeting_may_come_byte_by_byte(void **state)
{
    const struct client_greeting greeting = session_greeting('A', "", 0);
    const struct session_server_options options = sessions_defaults();
    unsigned char bytes[GREETING_CLIENT_BYTES];
    struct session_peer *client;
    struct sessions *rig;

    (void)state;
    rig = sessions_open(&options, false);
    client = sessions_dial(rig);
    client_greeting_encode(&greeting, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_false(client->greeted);
        session_peer_say(client, bytes + i, 1);
        stage_turns_in(&rig->stage, 1);
    }
    STAGE_UNTIL(&rig->stage, client->greeted);
    assert_int_equal(client->server.reason, REASON_NONE);
    sessions_close(rig);
}

static void
frames_may_follow_the_greeting_at_once(void **state)
{
    struct client_greeting greeting = session_greeting('A', "", 0);
    const struct session_server_options options = sessions_defaults();
    unsigned char bytes[GREETING_CLIENT_BYTES + FRAME_HEADER_BYTES + 900];
    struct session_peer *client;
    struct acceptor *qemu;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    qemu = sessions_qemu(rig, "dest");
    sessions_greet(rig, &greeting);
    greeting.channel = 1;
    client_greeting_encode(&greeting, bytes);
    frame_encode(&(struct frame){ .type = FRAME_DATA, .length = 900 },
                 bytes + GREETING_CLIENT_BYTES);
    peer_stream(6, 0, bytes + GREETING_CLIENT_BYTES + FRAME_HEADER_BYTES, 900);
    client = sessions_dial(rig);
    session_peer_say(client, bytes, sizeof bytes);
    STAGE_UNTIL(&rig->stage, client->last[FRAME_ACK].offset == 900);
    STAGE_UNTIL(&rig->stage, qemu->peers[0].received == 900);
    peer_stream(6, 0, bytes, PEER_HEAD_MAX);
    assert_memory_equal(qemu->peers[0].head, bytes, PEER_HEAD_MAX);
    capture_stop();
    sessions_close(rig);
}

static void
a_later_client_that_speaks_our_version_too_is_welcome(void **state)
{
    struct client_greeting greeting = session_greeting('A', "", 0);
    const struct session_server_options options = sessions_defaults();
    unsigned char bytes[GREETING_CLIENT_BYTES + 100] = { 0 };
    struct session_peer *client;
    struct sessions *rig;

    (void)state;
    rig = sessions_open(&options, false);
    greeting.version_max = 9;
    client_greeting_encode(&greeting, bytes);
    bytes[11] = sizeof bytes;
    client = sessions_dial(rig);
    session_peer_say(client, bytes, sizeof bytes);
    STAGE_UNTIL(&rig->stage, client->greeted);
    assert_int_equal(client->server.reason, REASON_NONE);
    assert_int_equal(client->server.version, 1);
    sessions_close(rig);
}

static void
a_second_client_is_refused_while_one_is_served(void **state)
{
    const struct client_greeting second = session_greeting('B', "vm", 0);
    const struct session_server_options options = sessions_defaults();
    struct session_peer *control;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    control = sessions_channel(rig, 'A', "", 0);
    sessions_refused(rig, &second, REASON_BUSY);
    session_peer_text(control, "{\"type\":\"end\",\"reason\":20}\n");
    sessions_told(rig, control, REASON_STOPPED);
    assert_int_equal(sessions_greet(rig, &second)->server.reason, REASON_NONE);
    capture_stop();
    sessions_close(rig);
}

static void
many_vms_are_served_at_once_by_their_names(void **state)
{
    const struct session_server_options options = sessions_defaults();
    const struct client_greeting again = session_greeting('C', "one", 0);
    struct sessions_migration one, two;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, true);
    one = sessions_migrate(rig, 'A', "one", sessions_qemu(rig, "one"));
    two = sessions_migrate(rig, 'B', "two", sessions_qemu(rig, "two"));
    sessions_refused(rig, &again, REASON_BUSY);
    sessions_finish(rig, &two);
    sessions_finish(rig, &one);
    assert_int_equal(one.qemu->count, 1);
    assert_int_equal(two.qemu->count, 1);
    capture_stop();
    sessions_close(rig);
}

static void
an_idle_session_costs_few_wake_ups(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    stage_turns_in(&rig->stage, 50);
    faults_clear();
    assert_in_range(stage_turns_in(&rig->stage, 1000), 0, IDLE_TURNS);
    assert_in_range(fault_count(FAULT_READV) + fault_count(FAULT_SENDMSG), 0,
                    IDLE_TURNS);
    assert_false(session_peer_ended(now.main));
    capture_stop();
    sessions_close(rig);
}

static void
a_stop_with_nothing_to_do_is_at_once(void **state)
{
    struct session_server_options options = sessions_defaults();
    struct sessions *rig;

    (void)state;
    rig = sessions_open(&options, false);
    session_server_stop(rig->server);
    assert_int_equal(rig->dones, 1);
    assert_int_equal(rig->status, STATUS_DONE);
    sessions_close(rig);
    options.once = true;
    rig = sessions_open(&options, false);
    session_server_stop(rig->server);
    assert_int_equal(rig->status, STATUS_CANCELLED);
    sessions_close(rig);
}

static void
a_stop_lets_a_migration_end_and_takes_no_other(void **state)
{
    const struct session_server_options options = sessions_defaults();
    const struct client_greeting next = session_greeting('B', "two", 0);
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, true);
    now = sessions_migrate(rig, 'A', "one", sessions_qemu(rig, "one"));
    session_server_stop(rig->server);
    assert_int_equal(rig->dones, 0);
    sessions_refused(rig, &next, REASON_STOPPED);
    sessions_finish(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    assert_int_equal(rig->status, STATUS_DONE);
    capture_stop();
    sessions_close(rig);
}

static void
a_stop_tells_who_waits(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now = { 0 };
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now.control = sessions_channel(rig, 'A', "", 0);
    session_server_stop(rig->server);
    sessions_told(rig, now.control, REASON_STOPPED);
    sessions_leave(rig, &now);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    capture_stop();
    sessions_close(rig);
}

static void
a_second_stop_ends_everything(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    session_server_stop(rig->server);
    session_server_stop(rig->server);
    STAGE_UNTIL(&rig->stage, now.main->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(now.main), REASON_STOPPED);
    sessions_told(rig, now.control, REASON_STOPPED);
    STAGE_UNTIL(&rig->stage, peer_ended(&now.qemu->peers[0]));
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    assert_int_equal(rig->status, STATUS_CANCELLED);
    capture_stop();
    sessions_close(rig);
}

static void
a_stop_has_an_end_of_its_own(void **state)
{
    const struct session_server_options options = sessions_defaults();
    struct sessions_migration now;
    struct sessions *rig;
    uint64_t since;

    (void)state;
    capture_start();
    rig = sessions_open(&options, false);
    now = sessions_migrate(rig, 'A', "", sessions_qemu(rig, "dest"));
    session_clock_speed(10);
    since = stage_now_ms();
    session_server_stop(rig->server);
    STAGE_UNTIL(&rig->stage, rig->dones == 1);
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= 5000);
    session_clock_speed(1);
    STAGE_UNTIL(&rig->stage, peer_ended(&now.qemu->peers[0]));
    capture_stop();
    sessions_close(rig);
}

static long
resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE) / 1024;
}

static void
sessions_one_after_the_other_leave_nothing_behind(void **state)
{
    enum { SESSIONS = 60, WARM = 10, SPEED = 10 };
    const struct session_server_options options = sessions_defaults();
    unsigned before = 0;
    long resident = 0;

    (void)state;
    capture_start();
    session_clock_speed(SPEED);
    struct sessions *rig = sessions_open(&options, false);
    struct acceptor *qemu = sessions_qemu(rig, "dest");
    for (int i = 0; i < SESSIONS; i++) {
        struct sessions_migration now = sessions_migrate(rig, 'A', "", qemu);

        sessions_finish(rig, &now);
        session_peer_close(now.control);
        session_peer_close(now.main);
        rig->count = 0;
        stage_turns_in(&rig->stage, 0);
        if (i == WARM || i == SESSIONS - 1)
            stage_rest(&rig->stage); /* until it has all been closed */
        if (i == WARM) {
            before = net_open_fds();
            resident = resident_kib();
        }
    }
    assert_int_equal(net_open_fds(), before);
    assert_true(resident_kib() < resident + (64 << 10));
    session_clock_speed(1);
    capture_stop();
    sessions_close(rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_passes_and_is_told_as_completed),
        cmocka_unit_test(a_stream_that_ends_early_is_told_as_cancelled),
        cmocka_unit_test(channels_reach_qemu_in_their_order),
        cmocka_unit_test(
            what_qemu_leaves_unread_on_a_further_channel_does_not_matter),
        cmocka_unit_test(
            much_for_a_further_channel_that_qemu_broke_off_ends_the_session),
        cmocka_unit_test(
            a_further_channel_that_qemu_breaks_off_alone_ends_the_session_later),
        cmocka_unit_test(a_greeting_may_come_byte_by_byte),
        cmocka_unit_test(frames_may_follow_the_greeting_at_once),
        cmocka_unit_test(a_later_client_that_speaks_our_version_too_is_welcome),
        cmocka_unit_test(a_second_client_is_refused_while_one_is_served),
        cmocka_unit_test(many_vms_are_served_at_once_by_their_names),
        cmocka_unit_test(a_stop_with_nothing_to_do_is_at_once),
        cmocka_unit_test(a_stop_lets_a_migration_end_and_takes_no_other),
        cmocka_unit_test(a_stop_tells_who_waits),
        cmocka_unit_test(a_second_stop_ends_everything),
        cmocka_unit_test(a_stop_has_an_end_of_its_own),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(sessions_one_after_the_other_leave_nothing_behind),
        cmocka_unit_test(ready_is_told_when_qemu_listens_and_taken_back),
        cmocka_unit_test(an_idle_session_costs_few_wake_ups),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
