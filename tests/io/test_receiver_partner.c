/* mig-recv's job with a partner; QEMU and the partner are the test's own. */
#include "migrate/receiver.h"

#include <string.h>

#include "support_capture.h"
#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "tunnel/control_socket.h"

static const char inmigrate[] = "{\"return\": {\"status\": \"inmigrate\"}}";
static const char paused[] = "{\"return\": {\"status\": \"paused\"}}";
static const char done[] = "{\"return\": {}}";
static const char completed[] = "{\"return\": {\"status\": \"completed\"}}";

static const char postcopy[] =
    "{\"return\": {\"status\": \"postcopy-active\"}}";
static const char broken[] = "{\"return\": {\"status\": \"postcopy-paused\"}}";

#define PLAN(multifd)                                           \
    "{\"type\":\"plan\",\"migration\":\"0a\",\"capabilities\":" \
    "{\"multifd\":" multifd "},\"parameters\":{},\"run\":true}"
#define WORD(type) "{\"type\":\"" type "\",\"migration\":\"0a\"}"
#define GIVEN                                                       \
    "{\"type\":\"given\",\"migration\":\"0a\",\"how\":\"precopy\"," \
    "\"run\":true}"
#define KEPT "{\"type\":\"kept\",\"migration\":\"0a\",\"running\":true}"

static void
set_stage(struct dialogue *dialogue)
{
    static const char *const commands[] = { "stop",       "object-add",
                                            "object-del", "migrate-incoming",
                                            "cont",       "quit" };

    dialogue_open(dialogue, JOB_RECEIVES);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        qmp_server_answer(&dialogue->play.server, commands[i], done);
}

static void
open_prepared(struct dialogue *dialogue)
{
    set_stage(dialogue);
    dialogue_start(dialogue);
    dialogue_hear(dialogue, "facts");
    dialogue_say(dialogue, PLAN("false"));
    dialogue_hear(dialogue, "prepared");
}

static void
arrive(struct dialogue *dialogue)
{
    qmp_server_answer(&dialogue->play.server, "query-status", paused);
    qmp_server_migration(&dialogue->play.server, "completed", completed);
    dialogue_hear(dialogue, "arrived");
}

static unsigned
count(struct dialogue *dialogue, const char *command)
{
    return qmp_server_count(&dialogue->play.server, command);
}

static void
nothing_is_done_before_there_is_a_plan(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "facts");
    dialogue_say(&dialogue, GIVEN);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(count(&dialogue, "stop"), 0);
    assert_int_equal(count(&dialogue, "migrate-incoming"), 0);
    play_cancel(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    dialogue_close(&dialogue);
}

static void
the_guest_is_continued_only_when_it_is_here_and_given(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_prepared(&dialogue);
    assert_int_equal(count(&dialogue, "stop"), 1);
    arrive(&dialogue);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(count(&dialogue, "cont"), 0);
    dialogue_say(&dialogue, GIVEN);
    dialogue_hear(&dialogue, "running");
    assert_int_equal(count(&dialogue, "cont"), 1);
    dialogue_say(&dialogue, WORD("bye"));
    assert_int_equal(play_end(&dialogue.play), STATUS_DONE);
    play_assert_message(&dialogue.play, "has arrived and runs");
    dialogue_close(&dialogue);
}

static void
what_is_given_early_waits_for_the_guest(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_prepared(&dialogue);
    dialogue_say(&dialogue, GIVEN);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(count(&dialogue, "cont"), 0);
    qmp_server_answer(&dialogue.play.server, "query-status", inmigrate);
    qmp_server_migration(&dialogue.play.server, "completed", completed);
    STAGE_UNTIL(&dialogue.play.stage, count(&dialogue, "query-status") > 3);
    assert_int_equal(count(&dialogue, "cont"), 0);
    qmp_server_answer(&dialogue.play.server, "query-status", paused);
    dialogue_hear(&dialogue, "running");
    assert_int_equal(count(&dialogue, "cont"), 1);
    dialogue_close(&dialogue);
}

static void
word_about_another_migration_starts_nothing(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_prepared(&dialogue);
    arrive(&dialogue);
    dialogue_say(&dialogue, "{\"type\":\"given\",\"migration\":\"0b\","
                            "\"how\":\"precopy\",\"run\":true}");
    stage_rest(&dialogue.play.stage);
    assert_int_equal(count(&dialogue, "cont"), 0);
    dialogue_close(&dialogue);
}

static void
a_guest_that_is_kept_is_discarded(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_prepared(&dialogue);
    arrive(&dialogue);
    dialogue_say(&dialogue, KEPT);
    STAGE_UNTIL(&dialogue.play.stage, count(&dialogue, "quit") == 1);
    qmp_server_exit(&dialogue.play.server);
    dialogue_hear(&dialogue, "discarded");
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    assert_int_equal(count(&dialogue, "cont"), 0);
    dialogue_close(&dialogue);
}

/* Nothing can reach QEMU any more, but that it is gone is not proved yet. */
static void
a_guest_that_is_given_to_a_qemu_without_a_connection_has_not_run(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_prepared(&dialogue);
    arrive(&dialogue);
    qmp_server_hang_up(&dialogue.play.server);
    stage_turns_in(&dialogue.play.stage, 100);
    dialogue_say(&dialogue, GIVEN);
    stage_turns_in(&dialogue.play.stage, 100);
    qmp_server_exit(&dialogue.play.server);
    dialogue_hear(&dialogue, "failed");
    assert_int_equal(dialogue_heard(&dialogue, "gone"), 0);
    dialogue_say(&dialogue, KEPT);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    dialogue_close(&dialogue);
}

static void
settings_of_its_own_must_be_those_of_the_plan(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue);
    assert_null(job_config_option(&dialogue.play.config, 'm', "2"));
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "facts");
    dialogue_say(&dialogue, PLAN("false"));
    dialogue_hear(&dialogue, "refused");
    assert_int_equal(play_end(&dialogue.play), STATUS_USAGE);
    assert_int_equal(count(&dialogue, "migrate-incoming"), 0);
    dialogue_close(&dialogue);
}

static void
a_partner_that_leaves_before_the_guest_comes_is_waited_for_in_words(
    void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_prepared(&dialogue);
    capture_start();
    control_socket_state(
        dialogue.socket,
        &(struct tunnel_view){ .state = TUNNEL_READY, .session = "3f2a1b2c" });
    stage_rest(&dialogue.play.stage);
    play_cancel(&dialogue.play);
    assert_int_equal(
        capture_count(capture_text(), "mig-send --attach at the source"), 1);
    assert_int_equal(capture_count(capture_stop(), "asks the source"), 0);
    dialogue_close(&dialogue);
}

static void
a_plan_that_qemu_refuses_may_be_followed_by_another(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue);
    qmp_server_answer(
        &dialogue.play.server, "migrate-incoming",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}");
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "facts");
    dialogue_say(&dialogue, PLAN("false"));
    assert_string_equal(json_string_value(json_object_get(
                            dialogue_hear(&dialogue, "refused"), "why")),
                        "no way");
    assert_false(dialogue.play.done);
    assert_int_equal(count(&dialogue, "object-add"), 1);
    assert_string_equal(
        json_string_value(json_object_get(
            qmp_server_last(&dialogue.play.server, "object-del"), "id")),
        "mig-recv-0a-run");
    qmp_server_answer(&dialogue.play.server, "migrate-incoming", done);
    dialogue_say(&dialogue, PLAN("false"));
    dialogue_hear(&dialogue, "prepared");
    dialogue_close(&dialogue);
}

/* QEMU would wait for a VM that never comes. */
static void
a_plan_that_is_withdrawn_while_qemu_begins_to_wait_is_discarded(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue);
    qmp_server_answer(&dialogue.play.server, "migrate-incoming", NULL);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "facts");
    dialogue_say(&dialogue, PLAN("false"));
    STAGE_UNTIL(&dialogue.play.stage, count(&dialogue, "migrate-incoming") > 0);
    dialogue_say(&dialogue, KEPT);
    stage_rest(&dialogue.play.stage);
    session_clock_speed(
        20); /* QEMU does not answer, and may wait all the same */
    STAGE_UNTIL(&dialogue.play.stage, count(&dialogue, "quit") == 1);
    session_clock_speed(1);
    qmp_server_exit(&dialogue.play.server);
    dialogue_hear(&dialogue, "discarded");
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    dialogue_close(&dialogue);
}

static void
what_qemu_does_not_take_of_a_plan_is_told(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue);
    qmp_server_answer(
        &dialogue.play.server, "migrate-set-capabilities",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no fault\"}}");
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "facts");
    dialogue_say(&dialogue, PLAN("false"));
    assert_non_null(strstr(json_string_value(json_object_get(
                               dialogue_hear(&dialogue, "refused"), "why")),
                           "no fault"));
    assert_false(dialogue.play.done);
    assert_int_equal(count(&dialogue, "migrate-incoming"), 0);
    dialogue_close(&dialogue);
}

static void
arrive_in_postcopy(struct dialogue *dialogue)
{
    open_prepared(dialogue);
    qmp_server_answer(&dialogue->play.server, "query-status", paused);
    qmp_server_migration(&dialogue->play.server, "postcopy-active", postcopy);
    dialogue_hear(dialogue, "arrived");
    assert_int_equal(count(dialogue, "cont"), 0);
}

/* It runs here, and most of its memory is still at the source. */
static void
take_in_postcopy(struct dialogue *dialogue)
{
    arrive_in_postcopy(dialogue);
    dialogue_say(dialogue, GIVEN);
    dialogue_hear(dialogue, "running");
    assert_int_equal(count(dialogue, "cont"), 1);
}

static void
a_guest_in_postcopy_is_not_left_before_it_is_whole(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;
    uint64_t since_ms;

    (void)state;
    arrive_in_postcopy(&dialogue);
    session_clock_speed(20);
    dialogue_say(&dialogue, GIVEN);
    dialogue_hear(&dialogue, "running");
    since_ms = stage_now_ms();
    STAGE_UNTIL(&play->stage,
                play->done || stage_now_ms() - since_ms > 8 * 1000);
    assert_false(play->done);
    qmp_server_migration(&play->server, "completed", completed);
    assert_int_equal(play_end(play), STATUS_DONE);
    session_clock_speed(1);
    play_assert_message(play, "has arrived and runs");
    dialogue_close(&dialogue);
}

static void
a_postcopy_that_breaks_is_no_success(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    take_in_postcopy(&dialogue);
    qmp_server_migration(&play->server, "postcopy-paused", broken);
    stage_rest(&play->stage); /* it has been told what to do */
    session_clock_speed(20);
    control_socket_state(
        dialogue.socket,
        &(struct tunnel_view){ .state = TUNNEL_READY, .session = "3f2a1b2c" });
    assert_int_equal(play_end(play), STATUS_UNKNOWN);
    session_clock_speed(1);
    play_assert_message(play, "end neither");
    assert_int_equal(count(&dialogue, "quit"), 0);
    dialogue_close(&dialogue);
}

static void
a_guest_that_fails_after_it_was_taken_is_no_success(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    take_in_postcopy(&dialogue);
    capture_start();
    for (int i = 0; i < 3; i++)
        qmp_server_migration(&play->server, "failed",
                             "{\"return\": {\"status\": \"failed\", "
                             "\"error-desc\": \"no page\"}}");
    session_clock_speed(20);
    assert_int_equal(play_end(play), STATUS_UNKNOWN);
    session_clock_speed(1);
    assert_int_equal(
        capture_count(capture_stop(), "handover: the guest is lost"), 1);
    play_assert_message(play, "is lost");
    play_assert_message(play, "no page");
    assert_int_equal(count(&dialogue, "quit"), 0);
    dialogue_close(&dialogue);
}

static void
a_guest_that_is_at_both_hosts_is_no_success(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_prepared(&dialogue);
    arrive(&dialogue);
    dialogue_say(&dialogue, GIVEN);
    dialogue_hear(&dialogue, "running");
    dialogue_say(&dialogue, KEPT);
    session_clock_speed(20);
    assert_int_equal(play_end(play), STATUS_UNKNOWN);
    session_clock_speed(1);
    play_assert_message(play, "at both hosts");
    dialogue_close(&dialogue);
}

/* Neither end told anything, and both waited for ever. */
static void
a_qemu_that_does_not_quit_is_left_to_a_person(void **state)
{
    static const char *const answers[] = {
        done, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"stays\"}}"
    };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct dialogue dialogue;

        open_prepared(&dialogue);
        qmp_server_answer(&dialogue.play.server, "quit", answers[i]);
        arrive(&dialogue);
        capture_start();
        session_clock_speed(20);
        dialogue_say(&dialogue, WORD("take-back"));
        STAGE_UNTIL(&dialogue.play.stage, count(&dialogue, "quit") == 1);
        stage_rest(&dialogue.play.stage);
        assert_int_equal(capture_count(capture_stop(), "does not quit: stays"),
                         i);
        assert_int_equal(play_end(&dialogue.play), STATUS_UNKNOWN);
        session_clock_speed(1);
        play_assert_message(&dialogue.play, "end this QEMU by hand");
        assert_int_equal(dialogue_heard(&dialogue, "discarded"), 0);
        dialogue_close(&dialogue);
    }
}

static void
a_qemu_that_ends_in_postcopy_takes_the_guest_with_it(void **state)
{
    struct dialogue dialogue;

    (void)state;
    take_in_postcopy(&dialogue);
    qmp_server_exit(&dialogue.play.server);
    assert_int_equal(play_end(&dialogue.play), STATUS_UNKNOWN);
    play_assert_message(&dialogue.play, "the VM is lost");
    dialogue_close(&dialogue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_done_before_there_is_a_plan),
        cmocka_unit_test(the_guest_is_continued_only_when_it_is_here_and_given),
        cmocka_unit_test(what_is_given_early_waits_for_the_guest),
        cmocka_unit_test(word_about_another_migration_starts_nothing),
        cmocka_unit_test(a_guest_that_is_kept_is_discarded),
        cmocka_unit_test(
            a_guest_that_is_given_to_a_qemu_without_a_connection_has_not_run),
        cmocka_unit_test(settings_of_its_own_must_be_those_of_the_plan),
        cmocka_unit_test(
            a_partner_that_leaves_before_the_guest_comes_is_waited_for_in_words),
        cmocka_unit_test(a_plan_that_qemu_refuses_may_be_followed_by_another),
        cmocka_unit_test(
            a_plan_that_is_withdrawn_while_qemu_begins_to_wait_is_discarded),
        cmocka_unit_test(what_qemu_does_not_take_of_a_plan_is_told),
        cmocka_unit_test(a_guest_in_postcopy_is_not_left_before_it_is_whole),
        cmocka_unit_test(a_postcopy_that_breaks_is_no_success),
        cmocka_unit_test(a_guest_that_fails_after_it_was_taken_is_no_success),
        cmocka_unit_test(a_guest_that_is_at_both_hosts_is_no_success),
        cmocka_unit_test(a_qemu_that_does_not_quit_is_left_to_a_person),
        cmocka_unit_test(a_qemu_that_ends_in_postcopy_takes_the_guest_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
