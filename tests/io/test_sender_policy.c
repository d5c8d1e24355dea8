/* What mig-send's job does about a migration that does not end; QEMU, and where
 * there is one the partner, are the test's own. */
#include "migrate/sender.h"

#include <string.h>

#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "tunnel/control_socket.h"

static const char done[] = "{\"return\": {}}";
static const char error[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}";
static const char active[] =
    "{\"return\": {\"status\": \"active\", \"total-time\": 500, \"ram\": "
    "{\"transferred\": 1000, \"remaining\": 5000, \"total\": 9000, "
    "\"dirty-sync-count\": 1}}}";
static const char attached[] =
    "{\"return\": {\"status\": \"active\", \"total-time\": 3600000, \"ram\": "
    "{\"transferred\": 1000, \"remaining\": 5000, \"total\": 9000, "
    "\"dirty-sync-count\": 1}}}";
static const char postcopy[] =
    "{\"return\": {\"status\": \"postcopy-active\", \"total-time\": 700}}";
static const char completed[] =
    "{\"return\": {\"status\": \"completed\", \"total-time\": 1004, "
    "\"downtime\": 21, \"ram\": {\"transferred\": 9000, \"remaining\": 0, "
    "\"total\": 9000}}}";
static const char failed[] =
    "{\"return\": {\"status\": \"failed\", \"error-desc\": \"no luck\"}}";
static const char cancelled[] = "{\"return\": {\"status\": \"cancelled\"}}";
static const char is_paused[] = "{\"return\": {\"status\": \"paused\"}}";
static const char is_running[] = "{\"return\": {\"status\": \"running\"}}";

#define FACTS_OF(version)                                            \
    "{\"type\":\"facts\",\"facts\":{\"version\":\"" version          \
    "\",\"capabilities\":{\"multifd\":false,\"postcopy-ram\":false," \
    "\"late-block-activate\":false,\"events\":false}}}"
#define FACTS FACTS_OF("7.2.22")

static unsigned
count(const struct play *play, const char *command)
{
    return qmp_server_count(&play->server, command);
}

#define WAIT_FOR(play, command) \
    STAGE_UNTIL(&(play)->stage, count(play, command) > 0)

static void
option(struct play *play, int key, const char *value)
{
    const char *why = job_config_option(&play->config, key, value);

    if (why != NULL)
        fail_msg("%s: %s", value, why);
}

static void
know_capability(struct play *play, const char *name)
{
    json_array_append_new(
        play->server.capabilities,
        json_pack("{s:s, s:b}", "capability", name, "state", 0));
}

/* What QEMU does as it is told. */
static void
obey(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0) {
        qmp_server_migration(server, "active", active);
    } else if (strcmp(name, "stop") == 0) {
        qmp_server_answer(server, "query-status", is_paused);
        qmp_server_say(server, "{\"event\": \"STOP\"}\n");
    } else if (strcmp(name, "cont") == 0) {
        qmp_server_answer(server, "query-status", is_running);
        qmp_server_say(server, "{\"event\": \"RESUME\"}\n");
    } else if (strcmp(name, "migrate_cancel") == 0) {
        qmp_server_migration(server, "cancelled", cancelled);
    }
}

/* A refusal is no obedience. */
static void
obey_but_stop(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "stop") != 0)
        obey(server, name);
}

static void
set_stage(struct play *play)
{
    static const char *const commands[] = { "stop", "cont",
                                            "migrate-start-postcopy" };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        qmp_server_answer(&play->server, commands[i], done);
    know_capability(play, "postcopy-ram");
    play->server.on_command = obey;
}

static void
open_alone(struct play *play)
{
    play_open(play, JOB_SENDS);
    set_stage(play);
}

static void
on_timeout(struct play *play, const char *action)
{
    option(play, 't', "50ms");
    option(play, JOB_OPTION_ON_TIMEOUT, action);
}

static void
postcopy_soon(struct play *play)
{
    option(play, JOB_OPTION_POSTCOPY, NULL);
    option(play, JOB_OPTION_POSTCOPY_AFTER, "50ms");
}

static void
postcopy_is_started_and_never_cancelled(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    postcopy_soon(&play);
    play_start(&play);
    WAIT_FOR(&play, "migrate-start-postcopy");
    assert_true(qmp_server_capability(&play.server, "postcopy-ram"));
    /* It was ordered, and may have begun by now. */
    play_cancel(&play);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 2);
    qmp_server_migration(&play.server, "postcopy-active", postcopy);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "postcopy-active") > 1);
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    assert_int_equal(count(&play, "migrate_cancel"), 0);
    assert_int_equal(count(&play, "migrate-start-postcopy"), 1);
    play_close(&play);
}

static void
postcopy_that_qemu_refuses_is_cancelled_when_time_is_up_again(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    qmp_server_answer(&play.server, "migrate-start-postcopy", error);
    on_timeout(&play, "postcopy");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_TIMED_OUT);
    assert_int_equal(count(&play, "migrate-start-postcopy"), 1);
    assert_int_equal(count(&play, "migrate_cancel"), 1);
    play_close(&play);
}

static void
postcopy_that_qemu_does_not_have_is_an_end_before_it_begins(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    option(&play, JOB_OPTION_POSTCOPY, NULL);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "QEMU has no postcopy-ram=on; it needs QEMU "
                               "2.6; nothing was started");
    assert_int_equal(count(&play, "migrate-set-capabilities"), 0);
    play_close(&play);
}

static void
paused_guest_arrives_paused_without_a_partner(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    on_timeout(&play, "pause");
    play_start(&play);
    WAIT_FOR(&play, "stop");
    stage_turns_in(&play.stage, 150); /* time is up twice, and more */
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_assert_message(&play, "at the destination, paused: the command cont");
    assert_int_equal(count(&play, "stop"), 1);
    assert_int_equal(count(&play, "cont"), 0);
    assert_int_equal(count(&play, "migrate_cancel"), 0);
    play_close(&play);
}

static void
guest_that_was_paused_in_vain_is_continued(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    on_timeout(&play, "pause");
    play_start(&play);
    WAIT_FOR(&play, "stop");
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    assert_int_equal(count(&play, "cont"), 1);
    play_assert_message(&play, "the VM runs on here");
    play_close(&play);
}

/* The destination may have it, and that is not forgotten. */
static void
guest_that_is_continued_after_the_switchover_leaves_it_open(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    on_timeout(&play, "pause");
    play_start(&play);
    WAIT_FOR(&play, "stop");
    STAGE_UNTIL(&play.stage, count(&play, "query-status") > 2);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"status\": \"postmigrate\"}}");
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    assert_int_equal(count(&play, "cont"), 1);
    play_assert_message(&play, "the destination may have it as well");
    play_close(&play);
}

static void
guest_that_can_not_be_paused_stays(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    play.server.on_command = obey_but_stop;
    qmp_server_answer(&play.server, "stop", error);
    on_timeout(&play, "pause");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_TIMED_OUT);
    assert_int_equal(count(&play, "stop"), 1);
    assert_int_equal(count(&play, "cont"), 0);
    play_close(&play);
}

static json_int_t
parameter(const struct play *play, const char *name)
{
    return json_integer_value(json_object_get(
        qmp_server_last(&play->server, "migrate-set-parameters"), name));
}

/* What a QEMU tells of itself. */
static void
know_throttle(struct play *play)
{
    json_object_set_new(play->server.parameters, "cpu-throttle-initial",
                        json_integer(30));
    json_object_set_new(play->server.parameters, "max-cpu-throttle",
                        json_integer(80));
}

static void
guest_is_slowed_down_only_when_time_is_up(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    know_throttle(&play);
    option(&play, 't', "30"); /* of the faster clock */
    option(&play, JOB_OPTION_ON_TIMEOUT, "auto-converge");
    play_start(&play);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 0);
    assert_true(qmp_server_capability(&play.server, "auto-converge"));
    assert_int_equal(count(&play, "migrate-set-parameters"), 1);
    assert_int_equal(parameter(&play, "cpu-throttle-initial"), 1);
    assert_int_equal(parameter(&play, "max-cpu-throttle"), 1);
    session_clock_speed(100);
    STAGE_UNTIL(&play.stage, count(&play, "migrate-set-parameters") == 2);
    session_clock_speed(1);
    assert_int_equal(parameter(&play, "cpu-throttle-initial"), 30);
    assert_int_equal(parameter(&play, "cpu-throttle-increment"), 10);
    assert_int_equal(parameter(&play, "max-cpu-throttle"), 80);
    assert_int_equal(count(&play, "migrate_cancel"), 0);
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
guest_that_can_not_be_slowed_down_stays(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    on_timeout(&play, "auto-converge");
    play_start(&play);
    WAIT_FOR(&play, "migrate");
    qmp_server_answer(&play.server, "migrate-set-parameters", error);
    assert_int_equal(play_end(&play), STATUS_TIMED_OUT);
    assert_int_equal(count(&play, "migrate_cancel"), 1);
    play_close(&play);
}

/* A QEMU that has been told to migrate, and says nothing ever after. */
static void
fall_silent(struct qmp_server *server, const char *name)
{
    static const char *const asked[] = { "query-migrate", "query-status" };

    for (size_t i = 0; i < 2 && strcmp(name, "migrate") == 0; i++)
        qmp_server_answer(server, asked[i], NULL);
}

static void
time_is_up_even_if_qemu_says_nothing(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play);
    play.server.on_command = fall_silent;
    option(&play, 't', "500ms");
    session_clock_speed(20);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    session_clock_speed(1);
    play_assert_message(&play, "has not said anything");
    play_close(&play);
}

/* --- with a partner --- */

static void
open_together(struct dialogue *dialogue)
{
    dialogue_open(dialogue, JOB_SENDS);
    set_stage(&dialogue->play);
}

static void
start_together(struct dialogue *dialogue)
{
    dialogue_start(dialogue);
    dialogue_say(dialogue, FACTS);
    dialogue_hear(dialogue, "plan");
    dialogue_say(dialogue, "{\"type\":\"prepared\"}");
}

static void
postcopy_goes_by_way_of_the_handover(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;
    const json_t *plan, *given;

    (void)state;
    open_together(&dialogue);
    postcopy_soon(play);
    start_together(&dialogue);
    plan = json_object_get(dialogue_hear(&dialogue, "plan"), "capabilities");
    assert_true(json_is_true(json_object_get(plan, "postcopy-ram")));
    assert_true(json_is_true(json_object_get(plan, "late-block-activate")));
    assert_true(json_is_false(json_object_get(plan, "multifd")));
    WAIT_FOR(play, "migrate-start-postcopy");
    qmp_server_say(&play->server, "{\"event\": \"STOP\"}\n");
    qmp_server_migration(&play->server, "postcopy-active", postcopy);
    STAGE_UNTIL(&play->stage, play_json_count(play, "postcopy-active") > 1);
    assert_int_equal(dialogue_heard(&dialogue, "given"), 0);
    dialogue_say(&dialogue, "{\"type\":\"arrived\"}");
    given = dialogue_hear(&dialogue, "given");
    assert_true(json_is_true(json_object_get(given, "run")));
    dialogue_say(&dialogue, "{\"type\":\"running\"}");
    play_cancel(play);
    stage_rest(&play->stage);
    assert_int_equal(dialogue_heard(&dialogue, "bye"), 0);
    qmp_server_migration(&play->server, "completed", completed);
    dialogue_hear(&dialogue, "bye");
    assert_int_equal(play_end(play), STATUS_DONE);
    assert_int_equal(count(play, "migrate_cancel"), 0);
    dialogue_close(&dialogue);
}

static void
postcopy_that_is_refused_leaves_the_way_to_cancel_open(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    qmp_server_answer(&play->server, "migrate-start-postcopy", error);
    on_timeout(play, "postcopy");
    start_together(&dialogue);
    dialogue_hear(&dialogue, "kept");
    assert_int_equal(count(play, "migrate_cancel"), 1);
    dialogue_say(&dialogue, "{\"type\":\"discarded\"}");
    assert_int_equal(play_end(play), STATUS_TIMED_OUT);
    dialogue_close(&dialogue);
}

static void
only_begin(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0)
        obey(server, name);
}

static void
what_the_destination_cancels_is_not_paused(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    qmp_server_answer(&play->server, "migrate_cancel", error);
    play->server.on_command = only_begin;
    option(play, 't', "20"); /* of the faster clock */
    option(play, JOB_OPTION_ON_TIMEOUT, "pause");
    start_together(&dialogue);
    WAIT_FOR(play, "migrate");
    dialogue_say(&dialogue, "{\"type\":\"cancel\"}");
    WAIT_FOR(play, "migrate_cancel");
    session_clock_speed(50);
    STAGE_UNTIL(&play->stage, count(play, "query-migrate") > 90);
    session_clock_speed(1);
    assert_int_equal(count(play, "stop"), 0);
    dialogue_close(&dialogue);
}

static void
set_partner(struct dialogue *dialogue, bool there)
{
    const struct tunnel_view view = { .state = TUNNEL_READY,
                                      .session = "3f2a1b2c",
                                      .partner = there };

    control_socket_state(dialogue->socket, &view);
}

static void
postcopy_waits_for_the_partner(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    option(play, JOB_OPTION_POSTCOPY, NULL);
    option(play, JOB_OPTION_POSTCOPY_AFTER, "200ms");
    start_together(&dialogue);
    WAIT_FOR(play, "migrate");
    set_partner(&dialogue, false);
    stage_turns_in(&play->stage, 800);
    assert_int_equal(count(play, "migrate-start-postcopy"), 0);
    set_partner(&dialogue, true);
    dialogue_say(&dialogue, "{\"type\":\"hello\",\"version\":1,"
                            "\"program\":\"mig-recv\"}");
    WAIT_FOR(play, "migrate-start-postcopy");
    dialogue_close(&dialogue);
}

static void
guest_that_was_paused_is_given_as_one_that_ran(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    on_timeout(play, "pause");
    start_together(&dialogue);
    WAIT_FOR(play, "stop");
    stage_rest(&play->stage);
    qmp_server_migration(&play->server, "completed", completed);
    assert_true(json_is_true(
        json_object_get(dialogue_hear(&dialogue, "given"), "run")));
    assert_int_equal(count(play, "cont"), 0);
    dialogue_close(&dialogue);
}

static void
guest_that_was_paused_runs_before_it_is_said_to_be_kept(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    on_timeout(play, "pause");
    start_together(&dialogue);
    WAIT_FOR(play, "stop");
    qmp_server_migration(&play->server, "failed", failed);
    assert_true(json_is_true(
        json_object_get(dialogue_hear(&dialogue, "kept"), "running")));
    assert_int_equal(count(play, "cont"), 1);
    dialogue_close(&dialogue);
}

/* Nothing has been asked of either QEMU by then. */
static void
assert_nothing_begins(struct dialogue *dialogue, const char *facts)
{
    dialogue_start(dialogue);
    dialogue_say(dialogue, facts);
    assert_int_equal(play_end(&dialogue->play), STATUS_FAILED);
    play_assert_message(&dialogue->play, "nothing was started");
    assert_int_equal(dialogue_heard(dialogue, "plan"), 0);
    assert_int_equal(count(&dialogue->play, "migrate-set-capabilities"), 0);
    assert_int_equal(count(&dialogue->play, "migrate"), 0);
    dialogue_close(dialogue);
}

static void
what_either_qemu_can_not_do_is_said_before_anything_starts(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_together(&dialogue);
    option(&dialogue.play, 'm', "2");
    option(&dialogue.play, JOB_OPTION_POSTCOPY, NULL);
    assert_nothing_begins(&dialogue, FACTS);
    open_together(&dialogue);
    know_capability(&dialogue.play, "postcopy-preempt");
    option(&dialogue.play, JOB_OPTION_POSTCOPY, NULL);
    option(&dialogue.play, JOB_OPTION_POSTCOPY_PREEMPT, NULL);
    assert_nothing_begins(&dialogue, FACTS_OF("7.0.0"));
    open_together(&dialogue);
    option(&dialogue.play, 'm', "2");
    option(&dialogue.play, JOB_OPTION_COMPRESSION, "zstd");
    assert_nothing_begins(&dialogue, FACTS_OF("4.2.0"));
}

static void
time_counts_from_the_beginning_and_not_from_the_attachment(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    play->config.attach = true;
    option(play, 't', "30m");
    qmp_server_answer(&play->server, "query-migrate", attached);
    play_start(play);
    WAIT_FOR(play, "migrate_cancel");
    dialogue_close(&dialogue);
}

/* Though it may have been ordered before. */
static void
postcopy_is_started_after_an_attachment(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue);
    json_object_set_new(
        json_array_get(play->server.capabilities,
                       json_array_size(play->server.capabilities) - 1),
        "state", json_true());
    play->config.attach = true;
    postcopy_soon(play);
    qmp_server_answer(&play->server, "query-migrate", attached);
    dialogue_start(&dialogue);
    WAIT_FOR(play, "migrate-start-postcopy");
    play_cancel(play);
    stage_rest(&play->stage);
    assert_int_equal(count(play, "migrate_cancel"), 0);
    dialogue_close(&dialogue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postcopy_is_started_and_never_cancelled),
        cmocka_unit_test(
            postcopy_that_qemu_refuses_is_cancelled_when_time_is_up_again),
        cmocka_unit_test(
            postcopy_that_qemu_does_not_have_is_an_end_before_it_begins),
        cmocka_unit_test(paused_guest_arrives_paused_without_a_partner),
        cmocka_unit_test(guest_that_was_paused_in_vain_is_continued),
        cmocka_unit_test(
            guest_that_is_continued_after_the_switchover_leaves_it_open),
        cmocka_unit_test(guest_that_can_not_be_paused_stays),
        cmocka_unit_test(guest_is_slowed_down_only_when_time_is_up),
        cmocka_unit_test(guest_that_can_not_be_slowed_down_stays),
        cmocka_unit_test(time_is_up_even_if_qemu_says_nothing),
        cmocka_unit_test(postcopy_goes_by_way_of_the_handover),
        cmocka_unit_test(
            postcopy_that_is_refused_leaves_the_way_to_cancel_open),
        cmocka_unit_test(what_the_destination_cancels_is_not_paused),
        cmocka_unit_test(postcopy_waits_for_the_partner),
        cmocka_unit_test(guest_that_was_paused_is_given_as_one_that_ran),
        cmocka_unit_test(
            guest_that_was_paused_runs_before_it_is_said_to_be_kept),
        cmocka_unit_test(
            what_either_qemu_can_not_do_is_said_before_anything_starts),
        cmocka_unit_test(
            time_counts_from_the_beginning_and_not_from_the_attachment),
        cmocka_unit_test(postcopy_is_started_after_an_attachment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
