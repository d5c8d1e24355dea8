/* mig-send --recover and mig-recv --recover; QEMU and the partner are the
 * test's own. */
#include <string.h>

#include "support_capture.h"
#include "support_dialogue.h"
#include "support_test.h"
#include "tunnel/control_socket.h"

#define STATUS(name) "{\"return\": {\"status\": \"" name "\"}}"
#define LISTENING "{\"type\":\"listening\",\"migration\":\"0a\"}"
#define RUNNING "{\"type\":\"running\",\"migration\":\"0a\"}"

static const char done[] = "{\"return\": {}}";
static const char refusal[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not today\"}}";
static const char interrupted[] = STATUS("postcopy-paused");
static const char completed[] =
    "{\"return\": {\"status\": \"completed\", \"total-time\": 1004, \"ram\": "
    "{\"transferred\": 9000, \"remaining\": 0, \"total\": 9000}}}";

static void
set_play(struct play *play)
{
    bool sends = play->config.side == JOB_SENDS;

    play->config.recover = true;
    qmp_server_answer(&play->server, "query-migrate", interrupted);
    qmp_server_answer(&play->server, "query-status",
                      sends ? STATUS("finish-migrate") : STATUS("running"));
    qmp_server_answer(&play->server, "migrate-recover", done);
    qmp_server_answer(&play->server, "qom-list", "{\"return\": []}");
}

static void
open_alone(struct play *play, enum job_side side)
{
    play_open(play, side);
    play->config.standalone = true;
    set_play(play);
}

static void
open_together(struct dialogue *dialogue, enum job_side side)
{
    dialogue_open(dialogue, side);
    set_play(&dialogue->play);
}

static unsigned
count(const struct play *play, const char *command)
{
    return qmp_server_count(&play->server, command);
}

static void
be(struct play *play, const char *status, const char *answer)
{
    size_t asked = count(play, "query-migrate");

    qmp_server_migration(&play->server, status, answer);
    STAGE_UNTIL(&play->stage, count(play, "query-migrate") > asked);
    stage_rest(&play->stage);
}

/* Until QEMU is told to resume, which it may do only after the destination. */
static void
resume_together(struct dialogue *dialogue)
{
    struct play *play = &dialogue->play;

    open_together(dialogue, JOB_SENDS);
    dialogue_start(dialogue);
    stage_rest(&play->stage);
    assert_int_equal(count(play, "migrate"), 0);
    dialogue_say(dialogue, LISTENING);
    STAGE_UNTIL(&play->stage, count(play, "migrate") == 1);
    assert_true(json_is_true(
        json_object_get(qmp_server_last(&play->server, "migrate"), "resume")));
}

static void
the_source_resumes_only_once_the_destination_listens(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    resume_together(&dialogue);
    dialogue_say(&dialogue, LISTENING);
    stage_rest(&play->stage);
    assert_false(play->done);
    be(play, "postcopy-recover", STATUS("postcopy-recover"));
    be(play, "postcopy-active", STATUS("postcopy-active"));
    dialogue_say(&dialogue, RUNNING);
    qmp_server_answer(&play->server, "query-status", STATUS("postmigrate"));
    qmp_server_migration(&play->server, "completed", completed);
    assert_int_equal(play_end(play), STATUS_DONE);
    dialogue_hear(&dialogue, "bye");
    assert_int_equal(count(play, "migrate"), 1);
    assert_int_equal(count(play, "migrate_cancel"), 0);
    dialogue_close(&dialogue);
}

static void
nothing_is_recovered_where_qemu_does_not_say_how_it_stands(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-migrate", refusal);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_UNKNOWN);
    play_assert_message(&play, "not today");
    play_assert_message(&play, " --recover\"");
    assert_int_equal(count(&play, "migrate-recover"), 0);
    play_close(&play);
}

static void
a_second_break_is_told_and_nothing_is_cancelled(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    resume_together(&dialogue);
    be(play, "postcopy-active", STATUS("postcopy-active"));
    play_cancel(play);
    stage_rest(&play->stage);
    qmp_server_migration(&play->server, "postcopy-paused", interrupted);
    assert_int_equal(play_end(play), STATUS_UNKNOWN);
    play_assert_message(play, "the line above says what to do");
    assert_int_equal(count(play, "migrate_cancel"), 0);
    dialogue_close(&dialogue);
}

static void
a_partner_that_does_not_come_is_named(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_together(&dialogue, JOB_SENDS);
    dialogue.play.config.wait_ms = 100;
    play_start(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_TIMED_OUT);
    play_assert_message(&dialogue.play, "mig-recv --recover");
    assert_int_equal(count(&dialogue.play, "migrate"), 0);
    dialogue_close(&dialogue);
}

/* mig-recv --attach would find it interrupted, end, and never say that QEMU
 * listens, for which mig-send --recover waits. */
static void
a_destination_that_is_left_is_to_be_recovered_again(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_together(&dialogue, JOB_RECEIVES);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "listening");
    play_cancel(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_UNKNOWN);
    play_assert_message(&dialogue.play, "mig-recv --qmp");
    play_assert_message(&dialogue.play, " --recover\"");
    assert_null(strstr(
        json_string_value(json_object_get(dialogue.play.result, "message")),
        "--attach"));
    dialogue_close(&dialogue);
}

static void
ctrl_c_before_the_source_resumes_changes_nothing(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_together(&dialogue, JOB_SENDS);
    dialogue_start(&dialogue);
    stage_rest(&dialogue.play.stage);
    play_cancel(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    play_assert_message(&dialogue.play, "mig-send --recover");
    assert_int_equal(count(&dialogue.play, "migrate"), 0);
    assert_int_equal(count(&dialogue.play, "migrate_cancel"), 0);
    dialogue_close(&dialogue);
}

static void
the_destination_says_that_it_listens_once_it_does(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue, JOB_RECEIVES);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "running");
    dialogue_hear(&dialogue, "listening");
    assert_int_equal(count(play, "migrate-recover"), 1);
    be(play, "postcopy-active", STATUS("postcopy-active"));
    assert_false(play->done);
    be(play, "completed", completed);
    dialogue_say(&dialogue, "{\"type\":\"bye\"}");
    assert_int_equal(play_end(play), STATUS_DONE);
    play_assert_message(play, "has arrived and runs");
    dialogue_close(&dialogue);
}

static void
a_destination_that_is_interrupted_later_listens_then(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;
    const char *said;

    (void)state;
    capture_start();
    open_together(&dialogue, JOB_RECEIVES);
    qmp_server_answer(&play->server, "query-migrate",
                      STATUS("postcopy-active"));
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "running");
    assert_int_equal(dialogue_heard(&dialogue, "listening"), 0);
    assert_int_equal(count(play, "migrate-recover"), 0);
    qmp_server_migration(&play->server, "postcopy-paused", interrupted);
    dialogue_hear(&dialogue, "listening");
    stage_rest(&play->stage);
    assert_int_equal(count(play, "migrate-recover"), 1);
    be(play, "setup", interrupted); /* QEMU 7.2 says so when it listens */
    be(play, "postcopy-paused", interrupted);
    said = capture_stop();
    assert_int_equal(capture_count(said, "goes on"), 0);
    assert_int_equal(capture_count(said, "bring it back"), 0);
    be(play, "postcopy-active", STATUS("postcopy-active"));
    qmp_server_migration(&play->server, "postcopy-paused", interrupted);
    assert_int_equal(play_end(play), STATUS_UNKNOWN);
    assert_int_equal(count(play, "migrate-recover"), 1);
    dialogue_close(&dialogue);
}

static void
a_guest_that_has_not_run_waits_until_both_have_compared(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue, JOB_RECEIVES);
    qmp_server_answer(&play->server, "query-status", STATUS("paused"));
    qmp_server_answer(&play->server, "qom-list",
                      "{\"return\": [{\"name\": \"mig-recv-0a-run\"}]}");
    qmp_server_answer(&play->server, "object-add", done);
    qmp_server_answer(&play->server, "cont", done);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "listening");
    dialogue_say(&dialogue, "{\"type\":\"given\",\"migration\":\"0a\","
                            "\"how\":\"postcopy\"}");
    stage_rest(&play->stage);
    be(play, "postcopy-recover", STATUS("postcopy-recover"));
    assert_int_equal(count(play, "cont"), 0);
    qmp_server_migration(&play->server, "postcopy-active",
                         STATUS("postcopy-active"));
    dialogue_hear(&dialogue, "running");
    assert_int_equal(count(play, "cont"), 1);
    dialogue_close(&dialogue);
}

static void
in_postcopy_a_partner_that_leaves_is_no_reason_to_leave(void **state)
{
    static const struct tunnel_view alone = { .state = TUNNEL_RUNNING };
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue, JOB_SENDS);
    play->config.recover = false;
    play->config.attach = true;
    play->config.wait_ms = 100;
    qmp_server_answer(&play->server, "query-migrate",
                      STATUS("postcopy-active"));
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, RUNNING);
    dialogue_hear(&dialogue, "given");
    control_socket_state(dialogue.socket, &alone);
    stage_rest(&play->stage);
    stage_rest(&play->stage);
    assert_false(play->done);
    qmp_server_answer(&play->server, "query-status", STATUS("postmigrate"));
    qmp_server_migration(&play->server, "completed", completed);
    assert_int_equal(play_end(play), STATUS_DONE);
    dialogue_close(&dialogue);
}

static void
a_destination_that_does_not_listen_does_not_say_so(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_together(&dialogue, JOB_RECEIVES);
    qmp_server_answer(&dialogue.play.server, "migrate-recover", refusal);
    play_start(&dialogue.play);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "not today");
    assert_int_equal(dialogue_heard(&dialogue, "listening"), 0);
    dialogue_close(&dialogue);
}

static void
a_taken_guest_whose_memory_still_comes_is_not_left(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_together(&dialogue, JOB_RECEIVES);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "listening");
    be(play, "postcopy-active", STATUS("postcopy-active"));
    qmp_server_migration(&play->server, "postcopy-paused", interrupted);
    assert_int_equal(play_end(play), STATUS_UNKNOWN);
    play_assert_message(play, "interrupted in postcopy");
    assert_int_equal(count(play, "quit"), 0);
    dialogue_close(&dialogue);
}

static void
each_does_its_half_alone(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play, JOB_SENDS);
    play_start(&play);
    STAGE_UNTIL(&play.stage, count(&play, "migrate") == 1);
    be(&play, "postcopy-active", STATUS("postcopy-active"));
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);

    open_alone(&play, JOB_RECEIVES);
    play_start(&play);
    STAGE_UNTIL(&play.stage, count(&play, "migrate-recover") == 1);
    be(&play, "postcopy-active", STATUS("postcopy-active"));
    qmp_server_migration(&play.server, "completed", completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
a_source_that_does_not_resume_says_why(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "migrate", refusal);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "not today");
    play_close(&play);
}

static void
a_second_break_is_told_alone_too(void **state)
{
    static const enum job_side sides[] = { JOB_SENDS, JOB_RECEIVES };
    static const char *const orders[] = { "migrate", "migrate-recover" };
    struct play play;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_alone(&play, sides[i]);
        play_start(&play);
        STAGE_UNTIL(&play.stage, count(&play, orders[i]) == 1);
        be(&play, "postcopy-active", STATUS("postcopy-active"));
        qmp_server_migration(&play.server, "postcopy-paused", interrupted);
        assert_int_equal(play_end(&play), STATUS_UNKNOWN);
        play_assert_message(&play, "interrupted in postcopy");
        assert_int_equal(count(&play, "migrate_cancel"), 0);
        play_close(&play);
    }
}

static void
what_is_not_interrupted_is_not_touched(void **state)
{
    static const enum job_side sides[] = { JOB_SENDS, JOB_RECEIVES };
    struct play play;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_alone(&play, sides[i]);
        qmp_server_answer(&play.server, "query-migrate", STATUS("active"));
        play_start(&play);
        assert_int_equal(play_end(&play), STATUS_FAILED);
        play_assert_message(&play, "nothing to recover");
        assert_int_equal(count(&play, "migrate"), 0);
        assert_int_equal(count(&play, "migrate-recover"), 0);
        play_close(&play);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_resumes_only_once_the_destination_listens),
        cmocka_unit_test(
            nothing_is_recovered_where_qemu_does_not_say_how_it_stands),
        cmocka_unit_test(a_second_break_is_told_and_nothing_is_cancelled),
        cmocka_unit_test(a_partner_that_does_not_come_is_named),
        cmocka_unit_test(a_destination_that_is_left_is_to_be_recovered_again),
        cmocka_unit_test(ctrl_c_before_the_source_resumes_changes_nothing),
        cmocka_unit_test(the_destination_says_that_it_listens_once_it_does),
        cmocka_unit_test(a_destination_that_is_interrupted_later_listens_then),
        cmocka_unit_test(
            a_guest_that_has_not_run_waits_until_both_have_compared),
        cmocka_unit_test(
            in_postcopy_a_partner_that_leaves_is_no_reason_to_leave),
        cmocka_unit_test(a_destination_that_does_not_listen_does_not_say_so),
        cmocka_unit_test(a_taken_guest_whose_memory_still_comes_is_not_left),
        cmocka_unit_test(each_does_its_half_alone),
        cmocka_unit_test(a_source_that_does_not_resume_says_why),
        cmocka_unit_test(a_second_break_is_told_alone_too),
        cmocka_unit_test(what_is_not_interrupted_is_not_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
