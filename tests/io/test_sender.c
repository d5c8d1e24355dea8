/* mig-send's job, against a QEMU of the test's own. */
#include "migrate/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "support_play.h"
#include "support_session_clock.h"
#include "support_test.h"

static const char setup[] = "{\"return\": {\"status\": \"setup\"}}";
static const char active[] =
    "{\"return\": {\"status\": \"active\", \"total-time\": 500, \"ram\": "
    "{\"transferred\": 1000, \"remaining\": 5000, \"total\": 9000, "
    "\"dirty-sync-count\": 1}}}";
static const char completed[] =
    "{\"return\": {\"status\": \"completed\", \"total-time\": 1004, "
    "\"setup-time\": 4, \"downtime\": 21, \"ram\": {\"transferred\": 9000, "
    "\"remaining\": 0, \"total\": 9000, \"dirty-sync-count\": 3}}}";
static const char failed[] =
    "{\"return\": {\"status\": \"failed\", \"error-desc\": \"no luck\"}}";
static const char cancelled[] = "{\"return\": {\"status\": \"cancelled\"}}";
static const char postcopy[] =
    "{\"return\": {\"status\": \"postcopy-active\"}}";

/* A migration that goes well: each query moves it on. */
static void
go_well(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0)
        qmp_server_migration(server, "setup", setup);
    else if (strcmp(name, "query-migrate") != 0 ||
             qmp_server_count(server, "migrate") == 0)
        return;
    else if (server->answers[1].answer == setup)
        qmp_server_migration(server, "active", active);
    else if (server->answers[1].answer == active)
        qmp_server_migration(server, "completed", completed);
}

/* A migration that is active, and stays so. */
static void
go_on(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0)
        qmp_server_migration(server, "active", active);
}

static void
play_active(struct play *play)
{
    play_open(play, JOB_SENDS);
    play->server.on_command = go_on;
    play_start(play);
    STAGE_UNTIL(&play->stage, play_json_count(play, "\"progress\"") > 0);
}

static void
a_migration_goes_from_the_checks_to_the_report(void **state)
{
    static const char *const order[] = { "qmp_capabilities",
                                         "query-status",
                                         "query-migrate",
                                         "query-migrate-capabilities",
                                         "query-migrate-parameters",
                                         "query-migrate-capabilities",
                                         "migrate-set-capabilities",
                                         "query-migrate-parameters",
                                         "migrate-set-parameters",
                                         "query-migrate-capabilities",
                                         "query-migrate-parameters",
                                         "query-status",
                                         "query-migrate",
                                         "migrate" };
    struct play play;
    json_t *arguments;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "total time 1.0 s, downtime 21 ms, 8.8 KiB "
                               "sent, 8.8 KiB/s on average, 3 iterations");
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_string_equal(json_string_value(json_object_get(
                                play.server.commands[i], "execute")),
                            order[i]);
    arguments = qmp_server_last(&play.server, "migrate");
    assert_memory_equal(json_string_value(json_object_get(arguments, "uri")),
                        "unix:/", 6);
    assert_int_equal(play_json_count(&play, "\"type\":\"status\""), 3);
    assert_true(play_json_count(&play, "\"type\":\"progress\"") >= 1);
    assert_string_equal(json_string_value(json_object_get(play.result, "vm")),
                        "postmigrate");
    play_close(&play);
}

static void
by_default_nothing_is_left_over_from_an_earlier_migration(void **state)
{
    struct play play;
    json_t *set;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    assert_true(qmp_server_capability(&play.server, "multifd"));
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_false(qmp_server_capability(&play.server, "multifd"));
    assert_true(qmp_server_capability(&play.server, "events"));
    assert_true(qmp_server_capability(&play.server, "return-path"));
    set = qmp_server_last(&play.server, "migrate-set-parameters");
    assert_int_equal(json_object_size(set), 1);
    assert_int_equal(json_integer_value(json_object_get(set, "max-bandwidth")),
                     0);
    play_close(&play);
}

static void
settings_arrive_at_qemu(void **state)
{
    struct play play;
    json_t *set;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    assert_null(job_config_option(&play.config, 'm', "4"));
    assert_null(job_config_option(&play.config, 'b', "1M"));
    assert_null(job_config_option(&play.config, 'D', "500"));
    assert_null(job_config_option(&play.config, 'a', NULL));
    assert_null(job_config_option(&play.config, 'P', "tls-creds=12"));
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_true(qmp_server_capability(&play.server, "multifd"));
    assert_true(qmp_server_capability(&play.server, "auto-converge"));
    assert_false(qmp_server_capability(&play.server, "xbzrle"));
    set = qmp_server_last(&play.server, "migrate-set-parameters");
    assert_int_equal(
        json_integer_value(json_object_get(set, "multifd-channels")), 4);
    assert_int_equal(json_integer_value(json_object_get(set, "max-bandwidth")),
                     1 << 20);
    assert_int_equal(json_integer_value(json_object_get(set, "downtime-limit")),
                     500);
    assert_string_equal(json_string_value(json_object_get(set, "tls-creds")),
                        "12");
    play_close(&play);
}

static void
xbzrle_arrives_at_qemu(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    assert_null(job_config_option(&play.config, 'x', NULL));
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_true(qmp_server_capability(&play.server, "xbzrle"));
    play_close(&play);
}

/* Nothing is started, and the message says why. */
static void
assert_refused(struct play *play, enum exit_status status, const char *part)
{
    play_start(play);
    assert_int_equal(play_end(play), status);
    play_assert_message(play, part);
    assert_int_equal(qmp_server_count(&play->server, "migrate"), 0);
    play_close(play);
}

static void
a_vm_in_the_wrong_state_is_refused(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"inmigrate\"}}");
    assert_refused(&play, STATUS_FAILED, "for mig-recv");
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"postmigrate\"}}");
    assert_refused(&play, STATUS_FAILED, "migrated away");
    play_open(&play, JOB_SENDS);
    qmp_server_answer(
        &play.server, "query-status",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}");
    assert_refused(&play, STATUS_FAILED, "no way");
}

static void
a_migration_under_way_is_left_alone(void **state)
{
    static const char *const running[] = {
        "{\"return\": {\"status\": \"active\"}}",
        "{\"return\": {\"status\": \"cancelling\"}}",
        "{\"return\": {\"status\": \"something-new\"}}",
    };
    struct play play;

    (void)state;
    for (size_t i = 0; i < sizeof running / sizeof *running; i++) {
        play_open(&play, JOB_SENDS);
        qmp_server_answer(&play.server, "query-migrate", running[i]);
        assert_refused(&play, STATUS_FAILED, "left alone");
    }
}

static void
an_interrupted_postcopy_is_told_how_it_comes_back(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-migrate",
                      "{\"return\": {\"status\": \"postcopy-paused\"}}");
    assert_refused(&play, STATUS_FAILED, "interrupted in postcopy");
}

static void
what_blocks_a_migration_is_named(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-migrate",
                      "{\"return\": {\"blocked\": true, \"blocked-reasons\": "
                      "[\"a vfio device\"]}}");
    assert_refused(&play, STATUS_FAILED, "a vfio device");
}

static void
a_setting_that_qemu_does_not_have_is_named(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    assert_null(job_config_option(&play.config, 'c', "teleport=on"));
    assert_refused(&play, STATUS_FAILED, "QEMU has no teleport=on");
    play_open(&play, JOB_SENDS);
    assert_null(job_config_option(&play.config, 'P', "max-bandwidth=fast"));
    assert_refused(&play, STATUS_FAILED, "'max-bandwidth': expected a number");
}

static void
a_setting_that_qemu_refuses_or_forgets_is_named(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(
        &play.server, "migrate-set-capabilities",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}");
    assert_refused(&play, STATUS_FAILED, "capabilities: not now");
    play_open(&play, JOB_SENDS);
    qmp_server_answer(
        &play.server, "migrate-set-parameters",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"too big\"}}");
    assert_refused(&play, STATUS_FAILED, "parameters: too big");
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "migrate-set-capabilities",
                      "{\"return\": {}}");
    assert_refused(&play, STATUS_FAILED,
                   "'return-path' is not as it was asked for");
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "migrate-set-parameters",
                      "{\"return\": {}}");
    assert_refused(&play, STATUS_FAILED, "is not as it was asked for");
}

static void
an_old_qemu_that_knows_no_queries_still_migrates(void **state)
{
    static const char unknown[] = "{\"error\": {\"class\": "
                                  "\"CommandNotFound\", \"desc\": \"what?\"}}";
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    qmp_server_answer(&play.server, "query-migrate-capabilities", unknown);
    qmp_server_answer(&play.server, "query-migrate-parameters", unknown);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
it_waits_for_the_tunnel(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    close(play.tunnel);
    unlink(play.config.unix_path);
    play.tunnel = -1;
    play.server.on_command = go_well;
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-migrate") == 1);
    stage_turn(&play.stage);
    assert_int_equal(play.server.command_count, 3);
    play.tunnel = net_listen_unix(play.config.unix_path, 1);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

/* Run up to where it waits for the tunnel, then let it come. */
static void
open_without_tunnel(struct play *play)
{
    play_open(play, JOB_SENDS);
    fd_close(&play->tunnel);
    unlink(play->config.unix_path);
    play->server.on_command = go_on;
    play_start(play);
    STAGE_UNTIL(&play->stage,
                qmp_server_count(&play->server, "query-migrate") == 1);
    stage_turn(&play->stage);
}

static void
what_blocks_a_migration_meanwhile_is_named_too(void **state)
{
    struct play play;

    (void)state;
    open_without_tunnel(&play);
    qmp_server_answer(&play.server, "query-migrate",
                      "{\"return\": {\"blocked-reasons\": [\"a new "
                      "device\"]}}");
    play.tunnel = net_listen_unix(play.config.unix_path, 1);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "a new device");
    assert_int_equal(qmp_server_count(&play.server, "migrate"), 0);
    play_close(&play);
}

static void
a_vm_that_is_stopped_meanwhile_counts_as_stopped(void **state)
{
    struct play play;

    (void)state;
    open_without_tunnel(&play);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"paused\"}}");
    play.tunnel = net_listen_unix(play.config.unix_path, 1);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 0);
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "does not run, as before");
    play_close(&play);
}

static void
a_tunnel_that_somebody_else_put_there_is_refused(void **state)
{
    struct play play;

    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can give a socket away\n");
        skip();
    }
    play_open(&play, JOB_SENDS);
    assert_return_code(chmod(play.dir, 01777), errno);
    assert_return_code(chown(play.config.unix_path, 65534, 65534), errno);
    assert_refused(&play, STATUS_FAILED, "belongs to user 65534");
}

static void
a_stale_socket_is_no_tunnel(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    close(play.tunnel);
    play.tunnel = -1;
    play.config.wait_ms = 50;
    assert_refused(&play, STATUS_TIMED_OUT, "is mig-client running");
}

static void
a_file_at_the_tunnels_path_is_an_error_at_once(void **state)
{
    struct play play;
    FILE *file;

    (void)state;
    play_open(&play, JOB_SENDS);
    close(play.tunnel);
    play.tunnel = -1;
    unlink(play.config.unix_path);
    file = fopen(play.config.unix_path, "w");
    assert_non_null(file);
    fclose(file);
    assert_refused(&play, STATUS_USAGE, "expected mig-client's socket");
}

static void
nobody_connects_to_the_tunnel_but_qemu(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_int_equal(accept4(play.tunnel, NULL, NULL, SOCK_NONBLOCK), -1);
    play_close(&play);
}

static void
ctrl_c_before_the_migration_just_ends(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    close(play.tunnel);
    unlink(play.config.unix_path);
    play.tunnel = -1;
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-migrate") == 1);
    stage_turn(&play.stage);
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_assert_message(&play, "before it began");
    play_cancel(&play);
    stage_turns_in(&play.stage, 150);
    play_close(&play);
}

static void
a_refusal_by_qemu_is_told(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(
        &play.server, "migrate",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"busy\"}}");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "QEMU refused it: busy; the VM runs on here");
    play_close(&play);
}

static void
a_failure_is_told_with_its_cause(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "failed: no luck; the VM runs on here");
    assert_string_equal(json_string_value(json_object_get(play.result, "vm")),
                        "running");
    play_close(&play);
}

static void
resume(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "query-status") == 0)
        qmp_server_answer(server, "query-status",
                          "{\"return\": {\"status\": \"running\"}}");
}

static void
a_vm_that_resumes_a_little_later_is_waited_for(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"finish-migrate\"}}");
    play.server.on_command = resume;
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "the VM runs on here");
    play_close(&play);
}

static void
a_paused_vm_stays_paused(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"paused\"}}");
    play.server.on_command = go_on;
    play_start(&play);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 0);
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "does not run, as before");
    play_close(&play);
}

static const char is_paused[] = "{\"return\": {\"status\": \"paused\"}}";
static const char is_finishing[] =
    "{\"return\": {\"status\": \"finish-migrate\"}}";

/* QEMU 7.2 says so of a VM that was paused when its switchover fails. */
static void
a_paused_vm_that_fails_in_the_switchover_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-status", is_paused);
    play.server.on_command = go_on;
    play_start(&play);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 0);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"postmigrate\"}}");
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "destination may have it as well");
    play_close(&play);
}

static void
cancel_it(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate_cancel") == 0)
        qmp_server_migration(server, "cancelled", cancelled);
}

static void
a_stop_by_somebody_else_is_not_the_switchover(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    play.server.on_command = cancel_it;
    qmp_server_answer(&play.server, "query-status", is_paused);
    qmp_server_say(&play.server, "{\"event\": \"STOP\"}\n");
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-status") == 3);
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_assert_message(&play, "cont starts it");
    play_close(&play);
}

static void
a_switchover_after_a_stop_by_somebody_else_is_seen(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "query-status", is_paused);
    qmp_server_say(&play.server, "{\"event\": \"STOP\"}\n");
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-status") == 3);
    qmp_server_answer(&play.server, "query-status", is_finishing);
    qmp_server_say(&play.server, "{\"event\": \"RESUME\"}\n"
                                 "{\"event\": \"STOP\"}\n");
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-status") == 4);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"running\"}}");
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_close(&play);
}

static void
a_failure_in_the_switchover_leaves_the_outcome_open(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_say(&play.server, "{\"event\": \"STOP\"}\n"
                                 "{\"event\": \"RESUME\"}\n");
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "destination may have it as well");
    play_close(&play);
}

static const char refusal[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}";

static void
cancel_at_third(struct qmp_server *server, const char *name)
{
    unsigned count = qmp_server_count(server, "migrate_cancel");

    if (strcmp(name, "migrate_cancel") != 0)
        return;
    if (count == 2)
        qmp_server_answer(server, "migrate_cancel", "{\"return\": {}}");
    if (count == 3)
        qmp_server_migration(server, "cancelled", cancelled);
}

static void
a_cancel_that_qemu_refuses_is_tried_again(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "migrate_cancel", refusal);
    play.server.on_command = cancel_at_third;
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    assert_int_equal(qmp_server_count(&play.server, "migrate_cancel"), 3);
    play_close(&play);
}

static void
a_cancel_without_a_reply_is_tried_again(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "migrate_cancel", NULL);
    play_cancel(&play);
    session_clock_speed(20);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "migrate_cancel") == 2);
    session_clock_speed(1);
    qmp_server_migration(&play.server, "cancelled", cancelled);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_close(&play);
}

static void
go_silent(struct play *play)
{
    static const char *const asked[] = { "query-migrate", "query-status",
                                         "migrate_cancel" };

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        qmp_server_answer(&play->server, asked[i], NULL);
}

static void
a_silent_qemu_is_left_after_ctrl_c(void **state)
{
    uint64_t since_ms;
    struct play play;

    (void)state;
    play_active(&play);
    go_silent(&play);
    play_cancel(&play);
    since_ms = stage_now_ms();
    session_clock_speed(20);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    assert_true(stage_now_ms() - since_ms >= 12000);
    session_clock_speed(1);
    play_assert_message(&play, "has not said anything for 15 s while the "
                               "migration was 'active'");
    play_close(&play);
}

static void
a_silent_qemu_is_left_when_time_is_up(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.config.timeout_ms = 500;
    play.server.on_command = go_on;
    play_start(&play);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 0);
    go_silent(&play);
    session_clock_speed(20);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    session_clock_speed(1);
    play_close(&play);
}

static void
a_silent_qemu_is_waited_for_as_long_as_nobody_minds(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    go_silent(&play);
    session_clock_speed(20);
    stage_turns_in(&play.stage, 1500);
    session_clock_speed(1);
    assert_false(play.done);
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
ctrl_c_cancels_and_waits_for_the_outcome(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    play.server.on_command = cancel_it;
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_assert_message(&play, "cancelled; the VM runs on here");
    assert_int_equal(qmp_server_count(&play.server, "migrate_cancel"), 1);
    play_close(&play);
}

static void
fail_it(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate_cancel") == 0)
        qmp_server_migration(server, "failed", failed);
}

static void
a_cancel_that_qemu_calls_a_failure_is_a_cancel(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    play.server.on_command = fail_it;
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_close(&play);
}

static void
complete_it(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate_cancel") == 0)
        qmp_server_migration(server, "completed", completed);
}

static void
a_cancel_that_comes_too_late_is_a_success(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    play.server.on_command = complete_it;
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "completed");
    play_close(&play);
}

static void
a_cancel_by_somebody_else_is_told(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_migration(&play.server, "cancelled", cancelled);
    assert_int_equal(play_end(&play), STATUS_CANCELLED);
    play_assert_message(&play, "somebody else");
    play_close(&play);
}

static void
a_second_ctrl_c_leaves_without_waiting(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    play_cancel(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "migrate_cancel") == 1);
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "without waiting");
    play_close(&play);
}

static void
time_that_is_up_cancels(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.config.timeout_ms = 50;
    play.server.on_command = go_on;
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "migrate_cancel") == 1);
    qmp_server_migration(&play.server, "cancelled", cancelled);
    assert_int_equal(play_end(&play), STATUS_TIMED_OUT);
    play_assert_message(&play, "time was up; the VM runs on here");
    play_close(&play);
}

/* QEMU enters postcopy between the last update and the Ctrl-C. */
static void
nothing_is_ever_cancelled_in_postcopy(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "query-migrate", postcopy);
    play_cancel(&play);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "postcopy-active") > 1);
    assert_int_equal(qmp_server_count(&play.server, "migrate_cancel"), 0);
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
time_that_is_up_cancels_nothing_in_postcopy(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.config.timeout_ms = 50;
    play_start(&play);
    STAGE_UNTIL(&play.stage, qmp_server_count(&play.server, "migrate") == 1);
    qmp_server_migration(&play.server, "postcopy-active", postcopy);
    stage_turns_in(&play.stage, 200);
    assert_int_equal(qmp_server_count(&play.server, "migrate_cancel"), 0);
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
a_paused_postcopy_needs_a_person(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_migration(&play.server, "postcopy-paused",
                         "{\"return\": {\"status\": \"postcopy-paused\"}}");
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "end neither");
    play_close(&play);
}

static void
an_unknown_status_counts_as_running(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_migration(&play.server, "levitating",
                         "{\"return\": {\"status\": \"levitating\"}}");
    STAGE_UNTIL(&play.stage, play_json_count(&play, "levitating") > 1);
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
a_reply_without_any_number_is_survived(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "query-migrate",
                      "{\"return\": {\"status\": \"active\"}}");
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 3);
    qmp_server_migration(&play.server, "completed",
                         "{\"return\": {\"status\": \"completed\"}}");
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
without_events_polling_finds_the_end(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_answer(&play.server, "query-migrate", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
a_qemu_that_is_gone_after_it_completed_has_completed(void **state)
{
    struct play play;

    (void)state;
    play_active(&play);
    qmp_server_migration(&play.server, "completed", NULL);
    qmp_server_exit(&play.server);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
hang_up_at_last(struct qmp_server *server, const char *name)
{
    struct play *play = server->arg;

    go_well(server, name);
    if (++play->came == play->hang_up_at)
        qmp_server_exit(server);
}

static void
wherever_qemu_is_lost_the_status_tells_what_is_known(void **state)
{
    struct play play;
    enum exit_status status = STATUS_FAILED;

    (void)state;
    for (size_t at = 1; status != STATUS_DONE; at++) {
        bool begun;

        assert_true(at < 30);
        play_open(&play, JOB_SENDS);
        play.server.on_command = hang_up_at_last;
        play.hang_up_at = at;
        play_start(&play);
        status = play_end(&play);
        begun = qmp_server_count(&play.server, "migrate") > 0;
        /* A command may be lost on its way to a QEMU that is gone. */
        if (begun)
            assert_true(status == STATUS_UNKNOWN || status == STATUS_DONE);
        else
            assert_true(status == STATUS_FAILED ||
                        (status == STATUS_UNKNOWN && at == 13));
        play_close(&play);
    }
}

static void
cancel_at_last(struct qmp_server *server, const char *name)
{
    struct play *play = server->arg;

    go_well(server, name);
    cancel_it(server, name);
    if (++play->came == play->cancel_at)
        play_cancel(play);
}

static void
wherever_it_is_cancelled_it_ends_well(void **state)
{
    struct play play;
    enum exit_status status = STATUS_CANCELLED;

    (void)state;
    for (size_t at = 1; at < 22; at++) {
        play_open(&play, JOB_SENDS);
        play.server.on_command = cancel_at_last;
        play.cancel_at = at;
        play.frees = true;
        play_start(&play);
        status = play_end(&play);
        assert_true(status == STATUS_DONE || status == STATUS_CANCELLED);
        if (qmp_server_count(&play.server, "migrate") == 0)
            assert_int_equal(status, STATUS_CANCELLED);
        play_close(&play);
    }
}

static void
a_job_may_be_freed_when_it_is_done(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.on_command = go_well;
    play.frees = true;
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
an_unreachable_qemu_is_named_by_its_path(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play.server.silent = true;
    play_start(&play);
    STAGE_UNTIL(&play.stage, play.server.connection != NULL);
    qmp_server_exit(&play.server);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, play.qmp_path);
    play_close(&play);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_goes_from_the_checks_to_the_report),
        cmocka_unit_test(
            by_default_nothing_is_left_over_from_an_earlier_migration),
        cmocka_unit_test(settings_arrive_at_qemu),
        cmocka_unit_test(xbzrle_arrives_at_qemu),
        cmocka_unit_test(a_vm_in_the_wrong_state_is_refused),
        cmocka_unit_test(a_migration_under_way_is_left_alone),
        cmocka_unit_test(an_interrupted_postcopy_is_told_how_it_comes_back),
        cmocka_unit_test(what_blocks_a_migration_is_named),
        cmocka_unit_test(a_setting_that_qemu_does_not_have_is_named),
        cmocka_unit_test(a_setting_that_qemu_refuses_or_forgets_is_named),
        cmocka_unit_test(an_old_qemu_that_knows_no_queries_still_migrates),
        cmocka_unit_test(it_waits_for_the_tunnel),
        cmocka_unit_test(what_blocks_a_migration_meanwhile_is_named_too),
        cmocka_unit_test(a_vm_that_is_stopped_meanwhile_counts_as_stopped),
        cmocka_unit_test(a_tunnel_that_somebody_else_put_there_is_refused),
        cmocka_unit_test(a_stale_socket_is_no_tunnel),
        cmocka_unit_test(a_file_at_the_tunnels_path_is_an_error_at_once),
        cmocka_unit_test(nobody_connects_to_the_tunnel_but_qemu),
        cmocka_unit_test(ctrl_c_before_the_migration_just_ends),
        cmocka_unit_test(a_refusal_by_qemu_is_told),
        cmocka_unit_test(a_failure_is_told_with_its_cause),
        cmocka_unit_test(a_vm_that_resumes_a_little_later_is_waited_for),
        cmocka_unit_test(a_paused_vm_stays_paused),
        cmocka_unit_test(
            a_paused_vm_that_fails_in_the_switchover_leaves_the_outcome_open),
        cmocka_unit_test(a_stop_by_somebody_else_is_not_the_switchover),
        cmocka_unit_test(a_switchover_after_a_stop_by_somebody_else_is_seen),
        cmocka_unit_test(a_failure_in_the_switchover_leaves_the_outcome_open),
        cmocka_unit_test(a_cancel_that_qemu_refuses_is_tried_again),
        cmocka_unit_test(a_cancel_without_a_reply_is_tried_again),
        cmocka_unit_test(a_silent_qemu_is_left_after_ctrl_c),
        cmocka_unit_test(a_silent_qemu_is_left_when_time_is_up),
        cmocka_unit_test(a_silent_qemu_is_waited_for_as_long_as_nobody_minds),
        cmocka_unit_test(ctrl_c_cancels_and_waits_for_the_outcome),
        cmocka_unit_test(a_cancel_that_qemu_calls_a_failure_is_a_cancel),
        cmocka_unit_test(a_cancel_that_comes_too_late_is_a_success),
        cmocka_unit_test(a_cancel_by_somebody_else_is_told),
        cmocka_unit_test(a_second_ctrl_c_leaves_without_waiting),
        cmocka_unit_test(time_that_is_up_cancels),
        cmocka_unit_test(nothing_is_ever_cancelled_in_postcopy),
        cmocka_unit_test(time_that_is_up_cancels_nothing_in_postcopy),
        cmocka_unit_test(a_paused_postcopy_needs_a_person),
        cmocka_unit_test(an_unknown_status_counts_as_running),
        cmocka_unit_test(a_reply_without_any_number_is_survived),
        cmocka_unit_test(without_events_polling_finds_the_end),
        cmocka_unit_test(a_qemu_that_is_gone_after_it_completed_has_completed),
        cmocka_unit_test(wherever_qemu_is_lost_the_status_tells_what_is_known),
        cmocka_unit_test(wherever_it_is_cancelled_it_ends_well),
        cmocka_unit_test(a_job_may_be_freed_when_it_is_done),
        cmocka_unit_test(an_unreachable_qemu_is_named_by_its_path),
    };

    return RUN_TESTS(tests);
}
