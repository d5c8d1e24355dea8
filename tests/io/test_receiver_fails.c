/* mig-recv's job with a QEMU in which the migration fails: one that can stay up
 * and tell why, and one that can't. */
#include "migrate/receiver.h"

#include <string.h>

#include "support_dialogue.h"
#include "support_test.h"
#include "support_versions.h"

static const char done[] = "{\"return\": {}}";
static const char waiting[] =
    "{\"return\": {\"socket-address\": [{\"type\": \"unix\", \"path\": "
    "\"/x\"}]}}";
static const char failed[] =
    "{\"return\": {\"status\": \"failed\", \"error-desc\": \"Size mismatch: "
    "pc.ram: 0x8000000 != 0x10000000\"}}";
static const char no_argument[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter "
    "'exit-on-error' is unexpected\"}}";

#define PLAN                                                    \
    "{\"type\":\"plan\",\"migration\":\"0a\",\"capabilities\":" \
    "{\"multifd\":false},\"parameters\":{},\"run\":true}"
#define KEPT "{\"type\":\"kept\",\"migration\":\"0a\",\"running\":true}"

static void
wait_for_vm(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate-incoming") == 0)
        qmp_server_migration(server, "setup", waiting);
}

static void
play_version(struct play *play, int major, int minor)
{
    play_open(play, JOB_RECEIVES);
    version_set(play, major, minor);
    qmp_server_answer(&play->server, "quit", done);
    play->server.on_command = wait_for_vm;
    play_start(play);
    STAGE_UNTIL(&play->stage,
                qmp_server_count(&play->server, "query-migrate") == 2);
}

static void
open_dialogue(struct dialogue *dialogue, int major, int minor)
{
    static const char *const commands[] = { "stop", "object-add", "cont",
                                            "quit" };

    dialogue_open(dialogue, JOB_RECEIVES);
    version_set(&dialogue->play, major, minor);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        qmp_server_answer(&dialogue->play.server, commands[i], done);
}

static void
prepare(struct dialogue *dialogue)
{
    dialogue_start(dialogue);
    dialogue_hear(dialogue, "facts");
    dialogue_say(dialogue, PLAN);
    dialogue_hear(dialogue, "prepared");
}

/* Whether QEMU was told not to exit when it fails. */
static bool
stays(const struct qmp_server *server)
{
    return json_is_false(json_object_get(
        qmp_server_last(server, "migrate-incoming"), "exit-on-error"));
}

static void
only_a_qemu_that_can_stay_up_is_told_to(void **state)
{
    static const struct {
        int major, minor;
        bool stays;
    } cases[] = { { 7, 2, false }, { 8, 2, false }, { 9, 0, false },
                  { 9, 1, true },  { 9, 2, true },  { 10, 0, true } };
    struct play play;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        play_version(&play, cases[i].major, cases[i].minor);
        assert_int_equal(stays(&play.server), cases[i].stays);
        play_cancel(&play);
        play_end(&play);
        play_close(&play);
    }
}

static void
a_qemu_that_refuses_to_stay_up_may_exit(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    version_set(&play, 9, 2);
    qmp_server_answer(&play.server, "migrate-incoming", no_argument);
    play_start(&play);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "migrate-incoming") == 2);
    assert_false(stays(&play.server));
    assert_int_equal(play_end(&play), STATUS_FAILED);
    assert_int_equal(qmp_server_count(&play.server, "migrate-incoming"), 2);
    play_close(&play);
}

static void
a_failed_qemu_tells_the_cause_and_is_told_to_quit(void **state)
{
    struct play play;

    (void)state;
    play_version(&play, 9, 1);
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "Size mismatch: pc.ram");
    play_assert_message(&play, "was told to quit");
    assert_int_equal(qmp_server_count(&play.server, "quit"), 1);
    play_close(&play);
}

static void
quit_at_once(struct qmp_server *server, const char *name)
{
    wait_for_vm(server, name);
    if (strcmp(name, "quit") == 0)
        qmp_server_exit(server);
}

static void
a_failed_qemu_that_quits_without_a_word_has_told_the_cause(void **state)
{
    struct play play;

    (void)state;
    play_version(&play, 10, 0);
    play.server.on_command = quit_at_once;
    qmp_server_answer(&play.server, "quit", NULL);
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "Size mismatch: pc.ram");
    play_close(&play);
}

static void
who_leaves_while_a_failed_qemu_quits_is_told_the_cause(void **state)
{
    struct play play;

    (void)state;
    play_version(&play, 10, 0);
    qmp_server_answer(&play.server, "quit", NULL);
    qmp_server_migration(&play.server, "failed", failed);
    STAGE_UNTIL(&play.stage, qmp_server_count(&play.server, "quit") == 1);
    play_cancel(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "Size mismatch: pc.ram");
    play_close(&play);
}

static void
a_qemu_that_was_not_told_to_stay_up_is_left_alone(void **state)
{
    struct play play;

    (void)state;
    play_version(&play, 9, 0);
    qmp_server_migration(&play.server, "failed", failed);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "must be started anew");
    assert_int_equal(qmp_server_count(&play.server, "quit"), 0);
    play_close(&play);
}

static void
a_failure_without_a_cause_is_one(void **state)
{
    struct play play;

    (void)state;
    play_version(&play, 9, 1);
    qmp_server_migration(&play.server, "failed",
                         "{\"return\": {\"status\": \"failed\"}}");
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "QEMU gives no reason");
    play_close(&play);
}

static void
a_qemu_that_has_failed_before_says_why(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    version_set(&play, 9, 1);
    qmp_server_answer(&play.server, "query-migrate", failed);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "has failed: Size mismatch: pc.ram");
    assert_int_equal(qmp_server_count(&play.server, "migrate-incoming"), 0);
    play_close(&play);
}

static void
the_partner_hears_the_cause_before_qemu_quits(void **state)
{
    struct dialogue dialogue;
    struct qmp_server *server = &dialogue.play.server;

    (void)state;
    open_dialogue(&dialogue, 9, 1);
    prepare(&dialogue);
    assert_true(stays(server));
    qmp_server_migration(server, "failed", failed);
    assert_non_null(strstr(json_string_value(json_object_get(
                               dialogue_hear(&dialogue, "failed"), "why")),
                           "Size mismatch: pc.ram"));
    STAGE_UNTIL(&dialogue.play.stage, qmp_server_count(server, "quit") == 1);
    qmp_server_exit(server);
    dialogue_say(&dialogue, KEPT);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "Size mismatch: pc.ram");
    assert_int_equal(qmp_server_count(server, "cont"), 0);
    dialogue_close(&dialogue);
}

static void
the_partner_hears_that_an_older_qemu_has_exited(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_dialogue(&dialogue, 8, 2);
    prepare(&dialogue);
    assert_false(stays(&dialogue.play.server));
    qmp_server_exit(&dialogue.play.server);
    assert_non_null(strstr(json_string_value(json_object_get(
                               dialogue_hear(&dialogue, "failed"), "why")),
                           "on its own stderr"));
    dialogue_say(&dialogue, KEPT);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "on its own stderr");
    dialogue_close(&dialogue);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_qemu_that_can_stay_up_is_told_to),
        cmocka_unit_test(a_qemu_that_refuses_to_stay_up_may_exit),
        cmocka_unit_test(a_failed_qemu_tells_the_cause_and_is_told_to_quit),
        cmocka_unit_test(
            a_failed_qemu_that_quits_without_a_word_has_told_the_cause),
        cmocka_unit_test(
            who_leaves_while_a_failed_qemu_quits_is_told_the_cause),
        cmocka_unit_test(a_qemu_that_was_not_told_to_stay_up_is_left_alone),
        cmocka_unit_test(a_failure_without_a_cause_is_one),
        cmocka_unit_test(a_qemu_that_has_failed_before_says_why),
        cmocka_unit_test(the_partner_hears_the_cause_before_qemu_quits),
        cmocka_unit_test(the_partner_hears_that_an_older_qemu_has_exited),
    };

    return RUN_TESTS(tests);
}
