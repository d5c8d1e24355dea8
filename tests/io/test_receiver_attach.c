/* mig-recv comes back to a migration that began before; QEMU and the partner
 * are the test's own. */
#include "migrate/receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_capture.h"
#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "tunnel/control_socket.h"

#define STATUS(name) "{\"return\": {\"status\": \"" name "\"}}"
#define MARKS(list) "{\"return\": [{\"name\": \"serial0\"}, " list "]}"
#define MARK(name) "{\"name\": \"mig-recv-" name "\"}"
#define WORD(type) "{\"type\":\"" type "\",\"migration\":\"0a\"}"
#define GIVEN                                                       \
    "{\"type\":\"given\",\"migration\":\"0a\",\"how\":\"precopy\"," \
    "\"run\":true}"
#define HELLO                                                     \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send\"," \
    "\"migration\":\"0a\"}"

static const char done[] = "{\"return\": {}}";
static const char refusal[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not today\"}}";

/* A guest that has arrived, is in ${vm}, and has such ${marks}. */
static void
set_stage(struct dialogue *dialogue, const char *vm, const char *marks)
{
    static const char *const commands[] = { "stop", "object-add", "object-del",
                                            "cont", "quit" };
    struct qmp_server *server = &dialogue->play.server;

    dialogue_open(dialogue, JOB_RECEIVES);
    dialogue->play.config.attach = true;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        qmp_server_answer(server, commands[i], done);
    qmp_server_answer(server, "query-status", vm);
    qmp_server_answer(server, "query-migrate", STATUS("completed"));
    qmp_server_answer(server, "qom-list", marks);
}

static void
start(struct dialogue *dialogue)
{
    play_start(&dialogue->play);
    dialogue_hear(dialogue, "hello");
    dialogue_say(dialogue, HELLO);
}

static unsigned
count(struct dialogue *dialogue, const char *command)
{
    return qmp_server_count(&dialogue->play.server, command);
}

/* It counted as one that had no marks, and the guest as one that had run. */
static void
a_qemu_that_does_not_answer_is_asked_again_by_a_person(void **state)
{
    static const char *const silent[] = { "qom-list", "query-status",
                                          "query-migrate" };

    (void)state;
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        struct dialogue dialogue;

        set_stage(&dialogue, STATUS("paused"), MARKS(MARK("0a-run")));
        qmp_server_answer(&dialogue.play.server, silent[i], refusal);
        play_start(&dialogue.play);
        assert_int_equal(play_end(&dialogue.play), STATUS_UNKNOWN);
        play_assert_message(&dialogue.play, "not today");
        play_assert_message(&dialogue.play, " --attach\"");
        assert_int_equal(dialogue_heard(&dialogue, "running"), 0);
        assert_int_equal(count(&dialogue, "cont"), 0);
        dialogue_close(&dialogue);
    }
}

/* The same guest, once QEMU answers. */
static void
an_arrived_guest_is_continued_when_it_is_given(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue, STATUS("paused"), MARKS(MARK("0a-run")));
    start(&dialogue);
    dialogue_hear(&dialogue, "arrived");
    assert_int_equal(count(&dialogue, "cont"), 0);
    dialogue_say(&dialogue, GIVEN);
    dialogue_hear(&dialogue, "running");
    assert_int_equal(count(&dialogue, "cont"), 1);
    dialogue_say(&dialogue, WORD("bye"));
    assert_int_equal(play_end(&dialogue.play), STATUS_DONE);
    dialogue_close(&dialogue);
}

/* Of plans that came to nothing, which QEMU may list in any order. */
static void
of_the_marks_of_several_plans_the_partner_knows_which_counts(void **state)
{
    static const char *const marks[] = {
        MARKS(MARK("0a-run") "," MARK("0b-run")),
        MARKS(MARK("0b-paused") "," MARK("0a-run") "," MARK("0c-run")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct dialogue dialogue;

        set_stage(&dialogue, STATUS("paused"), marks[i]);
        start(&dialogue);
        dialogue_hear(&dialogue, "arrived");
        dialogue_say(&dialogue, "{\"type\":\"given\",\"migration\":\"0a\","
                                "\"how\":\"precopy\"}");
        dialogue_hear(&dialogue, "running");
        assert_int_equal(count(&dialogue, "cont"), 1);
        assert_string_equal(
            json_string_value(json_object_get(
                qmp_server_last(&dialogue.play.server, "object-add"), "id")),
            "mig-recv-0a-started");
        dialogue_close(&dialogue);
    }
}

static void
a_partner_of_another_migration_is_named_and_not_obeyed(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue, STATUS("paused"),
              MARKS(MARK("0b-run") "," MARK("0c-run")));
    capture_start();
    start(&dialogue);
    for (int i = 0; i < 3; i++)
        dialogue_say(&dialogue, GIVEN);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(count(&dialogue, "cont"), 0);
    assert_int_equal(capture_count(capture_stop(), "the migration '0a'"), 1);
    dialogue_close(&dialogue);
}

/* The operator must not be told to start that QEMU anew. */
static void
started_again_without_attach_it_says_how_to_go_on(void **state)
{
    static const struct {
        const char *vm;
        const char *migration;
        const char *marks;
        const char *say;
    } cases[] = {
        { STATUS("paused"), STATUS("completed"), MARKS(MARK("0a-run")),
          " --attach\"" },
        { STATUS("running"), STATUS("completed"), MARKS(MARK("0a-run")),
          " --attach\"" },
        { STATUS("running"), STATUS("completed"), MARKS(MARK("x")),
          " --attach\"" },
        { STATUS("running"), STATUS("postcopy-paused"), MARKS(MARK("x")),
          " --recover\"" },
        { STATUS("running"), done, MARKS(MARK("x")), "-incoming defer" },
        { STATUS("postmigrate"), STATUS("completed"), MARKS(MARK("x")),
          "-incoming defer" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dialogue dialogue;

        set_stage(&dialogue, cases[i].vm, cases[i].marks);
        dialogue.play.config.attach = false;
        qmp_server_answer(&dialogue.play.server, "query-migrate",
                          cases[i].migration);
        play_start(&dialogue.play);
        assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
        play_assert_message(&dialogue.play, cases[i].say);
        assert_int_equal(count(&dialogue, "stop"), 0);
        dialogue_close(&dialogue);
    }
}

/* The QEMU that waits, and has begun to get its VM. */
static void
set_waiting(struct dialogue *dialogue, char answer[512])
{
    struct play *play = &dialogue->play;

    set_stage(dialogue, STATUS("inmigrate"), NULL);
    play->config.attach = false;
    snprintf(answer, 512,
             "{\"return\": {\"status\": \"active\", \"socket-address\": "
             "[{\"type\": \"unix\", \"path\": \"%s\"}]}}",
             play->config.unix_path);
    qmp_server_answer(&play->server, "query-migrate", answer);
}

/* Answer qom-list, which was asked before. */
static void
tell_marks(struct dialogue *dialogue)
{
    struct qmp_server *server = &dialogue->play.server;
    json_t *reply = json_loads(MARKS(MARK("0a-run")), 0, NULL);
    char *text;

    for (size_t i = 0; i < server->command_count; i++) {
        const json_t *command = server->commands[i];

        if (strcmp(json_string_value(json_object_get(command, "execute")),
                   "qom-list") == 0)
            json_object_set(reply, "id", json_object_get(command, "id"));
    }
    text = json_dumps(reply, 0);
    qmp_server_say(server, text);
    qmp_server_say(server, "\n");
    free(text);
    json_decref(reply);
}

/* The source says it once, and again only to who greets. */
static void
what_is_given_while_qemu_is_looked_at_is_asked_for_again(void **state)
{
    struct dialogue dialogue;
    char answer[512];

    (void)state;
    set_waiting(&dialogue, answer);
    start(&dialogue);
    STAGE_UNTIL(&dialogue.play.stage, count(&dialogue, "qom-list") > 0);
    dialogue_say(&dialogue, GIVEN);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(dialogue_heard(&dialogue, "hello"), 1);
    qmp_server_answer(&dialogue.play.server, "query-status", STATUS("paused"));
    qmp_server_answer(&dialogue.play.server, "query-migrate",
                      STATUS("completed"));
    tell_marks(&dialogue);
    STAGE_UNTIL(&dialogue.play.stage, dialogue_heard(&dialogue, "hello") == 2);
    dialogue_say(&dialogue, GIVEN);
    dialogue_hear(&dialogue, "running");
    assert_int_equal(count(&dialogue, "cont"), 1);
    dialogue_close(&dialogue);
}

/* QEMU refused `cont` to the mig-recv before, because of a disk's lock. */
static void
a_guest_that_was_to_run_and_does_not_is_no_success(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue, STATUS("paused"),
              MARKS(MARK("0a-run") "," MARK("0a-started")));
    start(&dialogue);
    dialogue_hear(&dialogue, "running");
    dialogue_say(&dialogue, WORD("bye"));
    assert_int_equal(play_end(&dialogue.play), STATUS_UNKNOWN);
    play_assert_message(&dialogue.play, "does not run");
    play_assert_message(&dialogue.play, "cont starts it");
    dialogue_close(&dialogue);
}

static void
a_guest_that_runs_again_since_then_is_one(void **state)
{
    struct dialogue dialogue;

    (void)state;
    set_stage(&dialogue, STATUS("paused"),
              MARKS(MARK("0a-run") "," MARK("0a-started")));
    start(&dialogue);
    dialogue_hear(&dialogue, "running");
    qmp_server_say(&dialogue.play.server, "{\"event\": \"RESUME\"}\n");
    stage_rest(&dialogue.play.stage);
    dialogue_say(&dialogue, WORD("bye"));
    assert_int_equal(play_end(&dialogue.play), STATUS_DONE);
    play_assert_message(&dialogue.play, "has arrived and runs");
    dialogue_close(&dialogue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_qemu_that_does_not_answer_is_asked_again_by_a_person),
        cmocka_unit_test(an_arrived_guest_is_continued_when_it_is_given),
        cmocka_unit_test(
            of_the_marks_of_several_plans_the_partner_knows_which_counts),
        cmocka_unit_test(started_again_without_attach_it_says_how_to_go_on),
        cmocka_unit_test(
            what_is_given_while_qemu_is_looked_at_is_asked_for_again),
        cmocka_unit_test(a_guest_that_was_to_run_and_does_not_is_no_success),
        cmocka_unit_test(a_guest_that_runs_again_since_then_is_one),
        cmocka_unit_test(
            a_partner_of_another_migration_is_named_and_not_obeyed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
