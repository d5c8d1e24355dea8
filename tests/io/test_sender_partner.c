/* mig-send's job with a partner; QEMU and the partner are the test's own. */
#include "migrate/sender.h"

#include <string.h>

#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "tunnel/control_socket.h"

static const char active[] =
    "{\"return\": {\"status\": \"active\", \"total-time\": 500, \"ram\": "
    "{\"transferred\": 1000, \"remaining\": 5000, \"total\": 9000}}}";
static const char completed[] =
    "{\"return\": {\"status\": \"completed\", \"total-time\": 1004, "
    "\"downtime\": 21, \"ram\": {\"transferred\": 9000, \"remaining\": 0, "
    "\"total\": 9000}}}";
static const char failed[] =
    "{\"return\": {\"status\": \"failed\", \"error-desc\": \"no luck\"}}";

#define FACTS "{\"type\":\"facts\",\"facts\":{\"version\":\"7.2.22\"}}"

static void
go_on(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0)
        qmp_server_migration(server, "active", active);
}

/* Until QEMU migrates. */
static void
open_active(struct dialogue *dialogue)
{
    dialogue_open(dialogue, JOB_SENDS);
    dialogue->play.server.on_command = go_on;
    dialogue_start(dialogue);
    dialogue_say(dialogue, FACTS);
    dialogue_hear(dialogue, "plan");
    assert_int_equal(qmp_server_count(&dialogue->play.server, "migrate"), 0);
    dialogue_say(dialogue, "{\"type\":\"prepared\"}");
    STAGE_UNTIL(&dialogue->play.stage, dialogue->progress > 0);
    assert_int_equal(qmp_server_count(&dialogue->play.server, "migrate"), 1);
}

/* The switchover: the guest stops, and then it is over. */
static void
complete(struct dialogue *dialogue)
{
    qmp_server_answer(&dialogue->play.server, "query-status",
                      "{\"return\": {\"status\": \"postmigrate\"}}");
    qmp_server_say(&dialogue->play.server, "{\"event\": \"STOP\"}\n");
    qmp_server_migration(&dialogue->play.server, "completed", completed);
}

static void
the_guest_is_given_once_qemu_has_completed_and_not_before(void **state)
{
    struct dialogue dialogue;
    const json_t *given;

    (void)state;
    open_active(&dialogue);
    dialogue_say(&dialogue, "{\"type\":\"arrived\"}");
    stage_rest(&dialogue.play.stage);
    assert_int_equal(dialogue_heard(&dialogue, "given"), 0);
    complete(&dialogue);
    given = dialogue_hear(&dialogue, "given");
    assert_true(json_is_true(json_object_get(given, "run")));
    assert_false(dialogue.play.done);
    dialogue_say(&dialogue, "{\"type\":\"running\"}");
    assert_int_equal(play_end(&dialogue.play), STATUS_DONE);
    play_assert_message(&dialogue.play, "downtime 21 ms");
    dialogue_hear(&dialogue, "bye");
    assert_int_equal(qmp_server_count(&dialogue.play.server, "cont"), 0);
    dialogue_close(&dialogue);
}

/* Who listens may be another mig-client, which leads elsewhere. */
static void
qemu_migrates_to_the_tunnel_that_leads_to_the_partner(void **state)
{
    struct tunnel_view view = { .state = TUNNEL_WAITING, .partner = true };
    struct dialogue dialogue;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    dialogue.play.server.on_command = go_on;
    control_socket_state(dialogue.socket, &view);
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    dialogue_hear(&dialogue, "plan");
    dialogue_say(&dialogue, "{\"type\":\"prepared\"}");
    stage_turns_in(&dialogue.play.stage, 500);
    assert_int_equal(qmp_server_count(&dialogue.play.server, "migrate"), 0);
    assert_false(dialogue.play.done);
    view.state = TUNNEL_READY;
    control_socket_state(dialogue.socket, &view);
    STAGE_UNTIL(&dialogue.play.stage, dialogue.progress > 0);
    assert_int_equal(qmp_server_count(&dialogue.play.server, "migrate"), 1);
    dialogue_close(&dialogue);
}

static void
a_guest_that_fails_to_move_is_kept(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_active(&dialogue);
    qmp_server_migration(&dialogue.play.server, "failed", failed);
    assert_true(json_is_true(
        json_object_get(dialogue_hear(&dialogue, "kept"), "running")));
    dialogue_say(&dialogue, "{\"type\":\"failed\",\"why\":\"no room\"}");
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "no luck");
    play_assert_message(&dialogue.play, "the destination says: no room");
    assert_int_equal(dialogue_heard(&dialogue, "given"), 0);
    dialogue_close(&dialogue);
}

static void
a_destination_that_never_ran_the_guest_gives_it_back(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_active(&dialogue);
    qmp_server_answer(&dialogue.play.server, "cont", "{\"return\": {}}");
    complete(&dialogue);
    dialogue_hear(&dialogue, "given");
    dialogue_say(&dialogue, "{\"type\":\"failed\",\"why\":\"gone\"}");
    dialogue_hear(&dialogue, "kept");
    assert_int_equal(qmp_server_count(&dialogue.play.server, "cont"), 1);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    dialogue_close(&dialogue);
}

/* QEMU says "completed" a moment before it has come to rest. */
static void
a_guest_that_qemu_continues_only_at_the_third_time_runs_again(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_active(&dialogue);
    qmp_server_answer(&dialogue.play.server, "cont",
                      "{\"error\": {\"class\": \"GenericError\", "
                      "\"desc\": \"Migration is not finalized yet\"}}");
    complete(&dialogue);
    dialogue_hear(&dialogue, "given");
    dialogue_say(&dialogue, "{\"type\":\"failed\",\"why\":\"gone\"}");
    STAGE_UNTIL(&dialogue.play.stage,
                qmp_server_count(&dialogue.play.server, "cont") == 2);
    qmp_server_answer(&dialogue.play.server, "cont", "{\"return\": {}}");
    assert_true(json_is_true(
        json_object_get(dialogue_hear(&dialogue, "kept"), "running")));
    assert_int_equal(qmp_server_count(&dialogue.play.server, "cont"), 3);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    dialogue_close(&dialogue);
}

static void
a_guest_that_qemu_does_not_continue_is_kept_all_the_same(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_active(&dialogue);
    qmp_server_answer(&dialogue.play.server, "cont",
                      "{\"error\": {\"class\": \"GenericError\", "
                      "\"desc\": \"the disk is locked\"}}");
    complete(&dialogue);
    dialogue_hear(&dialogue, "given");
    dialogue_say(&dialogue, "{\"type\":\"failed\",\"why\":\"gone\"}");
    assert_true(json_is_false(
        json_object_get(dialogue_hear(&dialogue, "kept"), "running")));
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "the command cont starts it");
    dialogue_close(&dialogue);
}

static void
settings_go_to_the_side_that_needs_them(void **state)
{
    struct dialogue dialogue;
    const json_t *plan, *capabilities;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    assert_null(job_config_option(&dialogue.play.config, 'm', "4"));
    assert_null(job_config_option(&dialogue.play.config, 'c',
                                  "late-block-activate=on"));
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    plan = dialogue_hear(&dialogue, "plan");
    capabilities = json_object_get(plan, "capabilities");
    assert_true(json_is_true(json_object_get(capabilities, "multifd")));
    assert_true(
        json_is_true(json_object_get(capabilities, "late-block-activate")));
    assert_null(json_object_get(capabilities, "return-path"));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(plan, "parameters"),
                                          "multifd-channels")),
        "4");
    assert_true(json_is_true(json_object_get(plan, "run")));
    assert_true(qmp_server_capability(&dialogue.play.server, "return-path"));
    dialogue_close(&dialogue);
}

static size_t
position(const struct qmp_server *server, const char *name)
{
    for (size_t i = 0; i < server->command_count; i++)
        if (strcmp(json_string_value(
                       json_object_get(server->commands[i], "execute")),
                   name) == 0)
            return i;
    fail_msg("%s was not ordered", name);
    return 0;
}

/* By which a later mig-send finds out what this QEMU is the source of. */
static void
the_mark_of_the_migration_takes_the_place_of_an_earlier_one(void **state)
{
    struct dialogue dialogue;
    struct qmp_server *server = &dialogue.play.server;
    const json_t *plan;
    char name[64];

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    qmp_server_answer(server, "qom-list",
                      "{\"return\": [{\"name\":\"mig-recv-1-run\"},"
                      "{\"name\":\"mig-send-0b\"}]}");
    qmp_server_answer(server, "object-del", "{\"return\": {}}");
    qmp_server_answer(server, "object-add", NULL);
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    STAGE_UNTIL(&dialogue.play.stage,
                qmp_server_count(server, "object-add") > 0);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(dialogue_heard(&dialogue, "plan"), 0);
    session_clock_speed(20); /* QEMU does not answer, and is done without */
    plan = dialogue_hear(&dialogue, "plan");
    session_clock_speed(1);
    snprintf(name, sizeof name, "mig-send-%s",
             json_string_value(json_object_get(plan, "migration")));
    assert_string_equal(json_string_value(json_object_get(
                            qmp_server_last(server, "object-add"), "id")),
                        name);
    assert_int_equal(qmp_server_count(server, "object-del"), 1);
    assert_string_equal(json_string_value(json_object_get(
                            qmp_server_last(server, "object-del"), "id")),
                        "mig-send-0b");
    assert_true(position(server, "object-del") <
                position(server, "object-add"));
    dialogue_close(&dialogue);
}

static void
a_refused_plan_ends_it_before_it_begins(void **state)
{
    struct dialogue dialogue;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    dialogue_hear(&dialogue, "plan");
    dialogue_say(&dialogue, "{\"type\":\"refused\",\"why\":\"not today\"}");
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "not today");
    assert_int_equal(qmp_server_count(&dialogue.play.server, "migrate"), 0);
    dialogue_close(&dialogue);
}

static void
a_partner_that_does_not_come_is_waited_for(void **state)
{
    struct dialogue dialogue;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    dialogue.play.config.wait_ms = 100;
    play_start(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_TIMED_OUT);
    play_assert_message(&dialogue.play, "mig-recv is not heard");
    dialogue_close(&dialogue);
}

static void
one_who_cancels_before_it_begins_says_that_the_guest_is_kept(void **state)
{
    struct dialogue dialogue;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    dialogue_hear(&dialogue, "plan");
    play_cancel(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    dialogue_hear(&dialogue, "kept");
    assert_int_equal(qmp_server_count(&dialogue.play.server, "migrate"), 0);
    dialogue_close(&dialogue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_guest_is_given_once_qemu_has_completed_and_not_before),
        cmocka_unit_test(qemu_migrates_to_the_tunnel_that_leads_to_the_partner),
        cmocka_unit_test(a_guest_that_fails_to_move_is_kept),
        cmocka_unit_test(a_destination_that_never_ran_the_guest_gives_it_back),
        cmocka_unit_test(
            a_guest_that_qemu_continues_only_at_the_third_time_runs_again),
        cmocka_unit_test(
            a_guest_that_qemu_does_not_continue_is_kept_all_the_same),
        cmocka_unit_test(settings_go_to_the_side_that_needs_them),
        cmocka_unit_test(
            the_mark_of_the_migration_takes_the_place_of_an_earlier_one),
        cmocka_unit_test(a_refused_plan_ends_it_before_it_begins),
        cmocka_unit_test(a_partner_that_does_not_come_is_waited_for),
        cmocka_unit_test(
            one_who_cancels_before_it_begins_says_that_the_guest_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
