/* mig-recv's job, against a QEMU of the test's own. */
#include "migrate/receiver.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "support_play.h"
#include "support_session_clock.h"
#include "support_test.h"

static const char waiting[] =
    "{\"return\": {\"socket-address\": [{\"type\": \"unix\", \"path\": "
    "\"/x\"}]}}";
static const char active[] = "{\"return\": {\"status\": \"active\"}}";
static const char completed[] = "{\"return\": {\"status\": \"completed\"}}";

static void
wait_for_vm(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate-incoming") == 0)
        qmp_server_migration(server, "setup", waiting);
}

/* The same, and QEMU listens at its path. */
static void
listen_for_vm(struct qmp_server *server, const char *name)
{
    struct play *play = server->arg;

    if (strcmp(name, "migrate-incoming") == 0)
        play->tunnel = net_listen_unix(play->config.unix_path, 1);
    wait_for_vm(server, name);
}

/* A QEMU that waits, until the test goes on. */
static void
play_waiting(struct play *play)
{
    play_open(play, JOB_RECEIVES);
    play->server.on_command = wait_for_vm;
    play_start(play);
    STAGE_UNTIL(&play->stage,
                qmp_server_count(&play->server, "query-migrate") == 2);
}

static void
arrive(struct play *play, const char *runstate)
{
    qmp_server_answer(&play->server, "query-status", runstate);
    qmp_server_migration(&play->server, "completed", completed);
}

static void
settings_come_before_the_vm(void **state)
{
    static const char *const order[] = { "qmp_capabilities",
                                         "query-status",
                                         "query-migrate",
                                         "query-migrate-capabilities",
                                         "migrate-set-capabilities",
                                         "query-migrate-parameters",
                                         "migrate-set-parameters",
                                         "query-migrate-capabilities",
                                         "query-migrate-parameters",
                                         "stop",
                                         "object-add",
                                         "migrate-incoming" };
    struct play play;
    json_t *set;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    play.server.on_command = wait_for_vm;
    assert_null(job_config_option(&play.config, 'm', "4"));
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "migrate-incoming") == 1);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_string_equal(json_string_value(json_object_get(
                                play.server.commands[i], "execute")),
                            order[i]);
    assert_true(qmp_server_capability(&play.server, "events"));
    assert_true(qmp_server_capability(&play.server, "multifd"));
    set = qmp_server_last(&play.server, "migrate-set-parameters");
    assert_int_equal(
        json_integer_value(json_object_get(set, "multifd-channels")), 4);
    arrive(&play, "{\"return\": {\"status\": \"running\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "has arrived and runs");
    play_close(&play);
}

static void
multifd_of_an_earlier_attempt_is_switched_off(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    assert_false(qmp_server_capability(&play.server, "multifd"));
    arrive(&play, "{\"return\": {\"status\": \"running\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
a_vm_that_arrives_paused_is_told_so(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "active", active);
    arrive(&play, "{\"return\": {\"status\": \"paused\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "is paused");
    play_assert_message(&play, " --release\" runs it here");
    play_close(&play);
}

static void
with_run_at_once_nothing_keeps_it_from_running(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    play.server.on_command = wait_for_vm;
    play.config.run_at_once = true;
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-migrate") == 2);
    assert_int_equal(qmp_server_count(&play.server, "stop"), 0);
    arrive(&play, "{\"return\": {\"status\": \"running\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "has arrived and runs");
    play_close(&play);
}

static void
nothing_begins_where_it_can_not_be_kept_from_running(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "stop",
                      "{\"error\": {\"class\": \"GenericError\", "
                      "\"desc\": \"no\"}}");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "nothing was started");
    assert_int_equal(qmp_server_count(&play.server, "migrate-incoming"), 0);
    play_close(&play);
}

static void
a_vm_in_another_state_has_arrived_too(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    arrive(&play, "{\"return\": {\"status\": \"guest-panicked\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "'guest-panicked'");
    play_close(&play);
}

static void
start_it(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "query-status") == 0)
        qmp_server_answer(server, "query-status",
                          "{\"return\": {\"status\": \"running\"}}");
}

static void
it_ends_only_when_the_vm_has_left_inmigrate(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    play.server.on_command = start_it;
    arrive(&play, "{\"return\": {\"status\": \"inmigrate\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_string_equal(json_string_value(json_object_get(play.result, "vm")),
                        "running");
    assert_true(qmp_server_count(&play.server, "query-status") >= 3);
    play_close(&play);
}

static void
without_events_polling_finds_the_end(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"running\"}}");
    qmp_server_answer(&play.server, "query-migrate", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
assert_refused(struct play *play, const char *part)
{
    play_start(play);
    assert_int_equal(play_end(play), STATUS_FAILED);
    play_assert_message(play, part);
    assert_int_equal(qmp_server_count(&play->server, "migrate-incoming"), 0);
    play_close(play);
}

static void
a_qemu_that_can_receive_nothing_is_refused(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"running\"}}");
    assert_refused(&play, "-incoming defer");
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(
        &play.server, "query-status",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}");
    assert_refused(&play, "no way");
}

static void
a_qemu_that_waits_already_is_refused(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-migrate", waiting);
    assert_refused(&play, "already, at /x");
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-migrate", active);
    assert_refused(&play, "'active'");
}

static const char as_asked[] =
    "{\"return\": [{\"capability\": \"multifd\", \"state\": false},"
    " {\"capability\": \"events\", \"state\": true}]}";

/* Left behind by an earlier mig-recv. */
static void
play_left_waiting(struct play *play, char reply[256])
{
    play_open(play, JOB_RECEIVES);
    play->tunnel = net_listen_unix(play->config.unix_path, 1);
    snprintf(reply, 256,
             "{\"return\": {\"socket-address\": [{\"type\": \"unix\", "
             "\"path\": \"%s\"}]}}",
             play->config.unix_path);
    qmp_server_answer(&play->server, "query-migrate", reply);
    qmp_server_answer(&play->server, "query-migrate-capabilities", as_asked);
}

static void
a_qemu_that_waits_already_at_our_path_is_followed(void **state)
{
    struct play play;
    char reply[256];

    (void)state;
    play_left_waiting(&play, reply);
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-migrate") == 2);
    arrive(&play, "{\"return\": {\"status\": \"running\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_int_equal(qmp_server_count(&play.server, "migrate-incoming"), 0);
    assert_int_equal(qmp_server_count(&play.server, "stop"), 1);
    assert_int_equal(qmp_server_count(&play.server, "migrate-set-capabilities"),
                     0);
    assert_int_equal(qmp_server_count(&play.server, "migrate-set-parameters"),
                     0);
    play_close(&play);
}

static void
a_qemu_that_waits_with_other_settings_is_refused(void **state)
{
    struct play play;
    char reply[256];

    (void)state;
    play_left_waiting(&play, reply);
    assert_null(job_config_option(&play.config, 'm', "4"));
    assert_refused(&play, "waits for a VM already, and its migration "
                          "capability 'multifd' is not as it was asked for");
}

static void
the_monitor_of_another_process_is_refused(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    play_start(&play);
    play.config.pid = getpid();
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "is not this process's");
    assert_int_equal(qmp_server_count(&play.server, "query-status"), 0);
    play_close(&play);
    play_open(&play, JOB_RECEIVES);
    play.server.on_command = wait_for_vm;
    play_start(&play);
    play.config.pid = play.server.process;
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-migrate") == 2);
    arrive(&play, "{\"return\": {\"status\": \"running\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
the_socket_of_another_qemu_is_not_taken_away(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    play.tunnel = net_listen_unix(play.config.unix_path, 1);
    assert_refused(&play, "another program listens");
}

static void
a_refusal_by_qemu_is_told(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(
        &play.server, "migrate-incoming",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no dir\"}}");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "no dir");
    play_close(&play);
}

static void
a_qemu_that_exits_has_failed_and_says_why_itself(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "active", active);
    qmp_server_exit(&play.server);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "on its own stderr");
    play_close(&play);
}

static void
a_newer_qemu_lives_on_and_tells_the_cause(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "failed",
                         "{\"return\": {\"status\": \"failed\", "
                         "\"error-desc\": \"Size mismatch\"}}");
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "Size mismatch");
    play_close(&play);
}

/* Serve the job to its end, faster than life: it waits for a QEMU to exit. */
static enum exit_status
end_fast(struct play *play)
{
    enum exit_status status;

    session_clock_speed(20);
    status = play_end(play);
    session_clock_speed(1);
    return status;
}

/* Its path may be gone: that proves nothing. */
static void
a_qemu_that_lives_on_without_us_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "active", active);
    unlink(play.qmp_path);
    qmp_server_hang_up(&play.server);
    assert_int_equal(end_fast(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "still lives");
    play_close(&play);
}

static void
a_qemu_that_is_a_zombie_has_exited(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    kill(play.server.process, SIGKILL);
    qmp_server_hang_up(&play.server);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_close(&play);
}

/* A QMP connection through another program, over TCP or a Unix socket; QEMU
 * listens for the VM at its path. */
static void
play_through_proxy(struct play *play, bool tcp)
{
    struct qmp_server *server = &play->server;
    uint16_t port;

    play_open(play, JOB_RECEIVES);
    qmp_server_close(server);
    unlink(play->qmp_path);
    if (tcp) {
        qmp_server_open_fd(server, &play->stage, net_listen_tcp(&port, 4));
        play->config.target = (struct qmp_target){ .address.port = port };
        snprintf(play->config.target.address.host,
                 sizeof play->config.target.address.host, "127.0.0.1");
    } else {
        qmp_server_open_proxy(server, &play->stage, play->qmp_path);
    }
    server->arg = play;
    server->on_command = listen_for_vm;
    play_receives(play);
    play_start(play);
    STAGE_UNTIL(&play->stage, qmp_server_count(server, "query-migrate") == 2);
    qmp_server_migration(server, "active", active);
}

static void
a_lost_connection_through_another_program_proves_nothing(void **state)
{
    struct play play;

    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        play_through_proxy(&play, tcp != 0);
        qmp_server_exit(&play.server);
        assert_int_equal(end_fast(&play), STATUS_UNKNOWN);
        play_assert_message(&play, "nothing proves that QEMU has exited");
        play_close(&play);
    }
}

static void
a_socket_that_qemu_left_behind_proves_that_it_has_exited(void **state)
{
    struct play play;

    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        play_through_proxy(&play, tcp != 0);
        fd_close(&play.tunnel);
        qmp_server_exit(&play.server);
        assert_int_equal(end_fast(&play), STATUS_FAILED);
        play_close(&play);
    }
}

static void
a_socket_that_qemu_removed_proves_nothing(void **state)
{
    struct play play;

    (void)state;
    play_through_proxy(&play, true);
    unlink(play.config.unix_path);
    fd_close(&play.tunnel);
    qmp_server_exit(&play.server);
    assert_int_equal(end_fast(&play), STATUS_UNKNOWN);
    play_close(&play);
}

static void
nonsense_from_qemu_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_say(&play.server, "nonsense\n");
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_close(&play);
}

static void
a_qemu_that_exits_in_postcopy_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "postcopy-active",
                         "{\"return\": {\"status\": \"postcopy-active\"}}");
    qmp_server_exit(&play.server);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "end neither");
    play_close(&play);
}

static void
a_qemu_that_exits_after_the_arrival_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    arrive(&play, NULL);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-status") == 2);
    qmp_server_exit(&play.server);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "had arrived");
    play_close(&play);
}

static void
a_paused_postcopy_needs_a_person(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "postcopy-paused",
                         "{\"return\": {\"status\": \"postcopy-paused\"}}");
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "interrupted in postcopy");
    play_close(&play);
}

static void
ctrl_c_leaves_a_waiting_qemu_alone(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_assert_message(&play, "still waits for it");
    assert_int_equal(qmp_server_count(&play.server, "quit"), 0);
    play_close(&play);
}

static void
ctrl_c_during_the_migration_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_waiting(&play);
    qmp_server_migration(&play.server, "active", active);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "active") > 0);
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_close(&play);
}

static void
time_that_is_up_ends_the_waiting(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    play.config.timeout_ms = 50;
    play.server.on_command = wait_for_vm;
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_TIMED_OUT);
    play_assert_message(&play, "time is up");
    play_close(&play);
}

static void
hang_up_at_last(struct qmp_server *server, const char *name)
{
    struct play *play = server->arg;

    wait_for_vm(server, name);
    if (++play->came == play->hang_up_at)
        qmp_server_exit(server);
}

static void
wherever_qemu_exits_the_vm_has_not_come(void **state)
{
    struct play play;

    (void)state;
    for (size_t at = 1; at <= 11; at++) {
        play_open(&play, JOB_RECEIVES);
        play.server.on_command = hang_up_at_last;
        play.hang_up_at = at;
        play.frees = true;
        play_start(&play);
        assert_int_equal(play_end(&play), STATUS_FAILED);
        play_close(&play);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_come_before_the_vm),
        cmocka_unit_test(multifd_of_an_earlier_attempt_is_switched_off),
        cmocka_unit_test(a_vm_that_arrives_paused_is_told_so),
        cmocka_unit_test(with_run_at_once_nothing_keeps_it_from_running),
        cmocka_unit_test(nothing_begins_where_it_can_not_be_kept_from_running),
        cmocka_unit_test(a_vm_in_another_state_has_arrived_too),
        cmocka_unit_test(it_ends_only_when_the_vm_has_left_inmigrate),
        cmocka_unit_test(without_events_polling_finds_the_end),
        cmocka_unit_test(a_qemu_that_can_receive_nothing_is_refused),
        cmocka_unit_test(a_qemu_that_waits_already_is_refused),
        cmocka_unit_test(a_qemu_that_waits_already_at_our_path_is_followed),
        cmocka_unit_test(a_qemu_that_waits_with_other_settings_is_refused),
        cmocka_unit_test(the_monitor_of_another_process_is_refused),
        cmocka_unit_test(the_socket_of_another_qemu_is_not_taken_away),
        cmocka_unit_test(a_refusal_by_qemu_is_told),
        cmocka_unit_test(a_qemu_that_exits_has_failed_and_says_why_itself),
        cmocka_unit_test(a_newer_qemu_lives_on_and_tells_the_cause),
        cmocka_unit_test(
            a_qemu_that_lives_on_without_us_leaves_the_outcome_open),
        cmocka_unit_test(a_qemu_that_is_a_zombie_has_exited),
        cmocka_unit_test(
            a_lost_connection_through_another_program_proves_nothing),
        cmocka_unit_test(
            a_socket_that_qemu_left_behind_proves_that_it_has_exited),
        cmocka_unit_test(a_socket_that_qemu_removed_proves_nothing),
        cmocka_unit_test(nonsense_from_qemu_leaves_the_outcome_open),
        cmocka_unit_test(a_qemu_that_exits_in_postcopy_leaves_the_outcome_open),
        cmocka_unit_test(
            a_qemu_that_exits_after_the_arrival_leaves_the_outcome_open),
        cmocka_unit_test(a_paused_postcopy_needs_a_person),
        cmocka_unit_test(ctrl_c_leaves_a_waiting_qemu_alone),
        cmocka_unit_test(ctrl_c_during_the_migration_leaves_the_outcome_open),
        cmocka_unit_test(time_that_is_up_ends_the_waiting),
        cmocka_unit_test(wherever_qemu_exits_the_vm_has_not_come),
    };

    return RUN_TESTS(tests);
}
