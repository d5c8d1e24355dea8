/* mig-send comes back to what began before; QEMU and the partner are the test's
 * own. */
#include "migrate/sender.h"

#include <string.h>

#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"

#define STATUS(name) "{\"return\": {\"status\": \"" name "\"}}"
#define ERROR(text) \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" text "\"}}"

#define HELLO                                                     \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-recv\"," \
    "\"migration\":\"0a\"}"
#define WORD(type) "{\"type\":\"" type "\",\"migration\":\"0a\"}"

enum { FASTER = 50 };

/* A QEMU whose VM is in ${vm} and whose migration is as ${migration} answers,
 * NULL for not at all. */
static void
open_at(struct dialogue *dialogue, const char *vm, const char *migration)
{
    dialogue_open(dialogue, JOB_SENDS);
    dialogue->play.config.attach = true;
    qmp_server_answer(&dialogue->play.server, "query-status", vm);
    qmp_server_answer(&dialogue->play.server, "query-migrate", migration);
}

/* The job is started, and the partner there. */
static void
start_with_partner(struct dialogue *dialogue)
{
    play_start(&dialogue->play);
    dialogue_hear(dialogue, "hello");
    dialogue_say(dialogue, HELLO);
}

static void
end_as(struct dialogue *dialogue, enum exit_status status, const char *text)
{
    session_clock_speed(FASTER);
    assert_int_equal(play_end(&dialogue->play), status);
    session_clock_speed(1);
    play_assert_message(&dialogue->play, text);
}

static void
assert_silent(const struct dialogue *dialogue)
{
    assert_int_equal(dialogue_heard(dialogue, "kept"), 0);
    assert_int_equal(dialogue_heard(dialogue, "given"), 0);
    assert_int_equal(dialogue_heard(dialogue, "take-back"), 0);
}

static void
a_qemu_that_does_not_tell_of_its_migration_is_not_one_without(void **state)
{
    static const char *const answers[] = { ERROR("not today"), NULL };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dialogue dialogue;

        open_at(&dialogue, STATUS("postmigrate"), answers[i]);
        play_start(&dialogue.play);
        end_as(&dialogue, STATUS_UNKNOWN, "does not tell what has become");
        assert_silent(&dialogue);
        dialogue_close(&dialogue);
    }
}

/* It says "completed", too. */
static void
a_qemu_to_which_the_guest_came_has_not_given_it(void **state)
{
    static const char *const states[] = { STATUS("paused"),
                                          STATUS("prelaunch") };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dialogue dialogue;

        open_at(&dialogue, states[i], STATUS("completed"));
        play_start(&dialogue.play);
        end_as(&dialogue, STATUS_FAILED, "it came to this QEMU");
        assert_silent(&dialogue);
        dialogue_close(&dialogue);
    }
}

/* Until the switchover, and a RESUME by hand in it. */
static void
continue_by_hand(struct dialogue *dialogue)
{
    open_at(dialogue, STATUS("running"), STATUS("active"));
    start_with_partner(dialogue);
    stage_rest(&dialogue->play.stage);
    qmp_server_say(&dialogue->play.server,
                   "{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n");
}

/* STOP, RESUME by hand, and a pause. */
static void
a_guest_that_was_continued_and_paused_by_hand_is_kept(void **state)
{
    struct dialogue dialogue;

    (void)state;
    continue_by_hand(&dialogue);
    qmp_server_answer(&dialogue.play.server, "query-status", STATUS("paused"));
    qmp_server_migration(&dialogue.play.server, "completed",
                         STATUS("completed"));
    assert_true(json_is_false(
        json_object_get(dialogue_hear(&dialogue, "kept"), "running")));
    assert_int_equal(dialogue_heard(&dialogue, "given"), 0);
    dialogue_close(&dialogue);
}

/* It may be there and wait for the word that it was given. */
static void
one_who_sends_again_is_told_how_to_go_on(void **state)
{
    static const char *const states[] = { STATUS("postmigrate"),
                                          STATUS("running") };
    static const char *const migrations[] = { STATUS("completed"),
                                              STATUS("postcopy-active") };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dialogue dialogue;

        open_at(&dialogue, states[i], migrations[i]);
        dialogue.play.config.attach = false;
        play_start(&dialogue.play);
        end_as(&dialogue, STATUS_FAILED, " --attach\" goes on with ");
        dialogue_close(&dialogue);
    }
}

static void
open_for_release(struct dialogue *dialogue, const char *vm,
                 const char *migration)
{
    open_at(dialogue, vm, migration);
    dialogue->play.config.attach = false;
    dialogue->play.config.release = true;
}

/* Who follows it would end well when the guest has left. */
static void
a_guest_that_still_moves_is_not_released(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_for_release(&dialogue, STATUS("running"), STATUS("active"));
    start_with_partner(&dialogue);
    end_as(&dialogue, STATUS_FAILED, "nothing was released");
    assert_silent(&dialogue);
    dialogue_close(&dialogue);
}

static void
a_guest_that_runs_at_the_destination_is_not_released(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_for_release(&dialogue, STATUS("postmigrate"), STATUS("completed"));
    start_with_partner(&dialogue);
    dialogue_say(&dialogue, WORD("running"));
    end_as(&dialogue, STATUS_FAILED, "it runs at the destination");
    dialogue_hear(&dialogue, "bye");
    assert_int_equal(qmp_server_count(&dialogue.play.server, "cont"), 0);
    dialogue_close(&dialogue);
}

static void
a_qemu_that_does_not_tell_whether_it_runs_is_asked_again(void **state)
{
    struct dialogue dialogue;
    unsigned asked;

    (void)state;
    continue_by_hand(&dialogue);
    qmp_server_answer(&dialogue.play.server, "query-status",
                      ERROR("not today"));
    asked = qmp_server_count(&dialogue.play.server, "query-status");
    qmp_server_migration(&dialogue.play.server, "completed",
                         STATUS("completed"));
    STAGE_UNTIL(&dialogue.play.stage,
                qmp_server_count(&dialogue.play.server, "query-status") >
                    asked + 1);
    assert_silent(&dialogue);
    qmp_server_answer(&dialogue.play.server, "query-status",
                      STATUS("postmigrate"));
    dialogue_hear(&dialogue, "given");
    dialogue_close(&dialogue);
}

/* What it leaves open is only how much was sent. */
static void
a_qemu_that_goes_silent_after_completed_does_not_hold_up_the_end(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_at(&dialogue, STATUS("running"), STATUS("active"));
    start_with_partner(&dialogue);
    stage_rest(&dialogue.play.stage);
    qmp_server_say(&dialogue.play.server, "{\"event\": \"STOP\"}\n");
    qmp_server_migration(&dialogue.play.server, "completed", NULL);
    dialogue_hear(&dialogue, "given");
    dialogue_say(&dialogue, WORD("running"));
    end_as(&dialogue, STATUS_DONE, "the VM is at the destination");
    dialogue_hear(&dialogue, "bye");
    dialogue_close(&dialogue);
}

/* What is given runs there, and is not to be had back any more. */
static void
a_guest_that_is_wanted_back_is_not_given_first(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_for_release(&dialogue, STATUS("postmigrate"), STATUS("completed"));
    start_with_partner(&dialogue);
    dialogue_say(&dialogue, WORD("arrived"));
    dialogue_hear(&dialogue, "take-back");
    assert_int_equal(dialogue_heard(&dialogue, "given"), 0);
    dialogue_close(&dialogue);
}

static void
a_guest_that_runs_at_both_hosts_is_not_just_where_it_was(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_at(&dialogue, STATUS("running"), STATUS("failed"));
    start_with_partner(&dialogue);
    dialogue_hear(&dialogue, "kept");
    dialogue_say(&dialogue, WORD("running"));
    end_as(&dialogue, STATUS_UNKNOWN, "runs at the destination too");
    dialogue_close(&dialogue);
}

#define MARKS(names) "{\"return\": [" names "]}"
#define MARK(id) "{\"name\":\"mig-send-" id "\",\"type\":\"child<rng>\"}"
#define OTHER_OBJECT "{\"name\":\"mig-recv-0a-run\",\"type\":\"child<rng>\"}"

/* A QEMU that could have a mark, and has ${marks}. */
static void
set_marks(struct dialogue *dialogue, const char *marks)
{
    qmp_server_answer(&dialogue->play.server, "qom-list", marks);
    qmp_server_answer(&dialogue->play.server, "qom-list-types",
                      "{\"return\": [{\"name\": \"rng-builtin\"}]}");
}

/* Completed by somebody else's command, or in another migration; or idle, which
 * is to keep it. */
static void
a_qemu_of_another_migration_tells_the_partner_nothing(void **state)
{
    static const char *const marks[] = { MARKS(OTHER_OBJECT),
                                         MARKS(MARK("0b")) };

    (void)state;
    for (int i = 0; i < 4; i++) {
        bool idle = i < 2;
        struct dialogue dialogue;

        open_at(&dialogue, idle ? STATUS("running") : STATUS("postmigrate"),
                idle ? "{\"return\": {}}" : STATUS("completed"));
        dialogue.play.config.wait_ms = 1000;
        set_marks(&dialogue, marks[i % 2]);
        start_with_partner(&dialogue);
        dialogue_say(&dialogue, WORD("arrived"));
        dialogue_say(&dialogue, WORD("failed"));
        end_as(&dialogue, idle ? STATUS_FAILED : STATUS_UNKNOWN, "migration: ");
        for (size_t k = 0; k < dialogue.count; k++)
            if (json_object_get(dialogue.words[k], "migration") != NULL)
                assert_string_not_equal(json_string_value(json_object_get(
                                            dialogue.words[k], "migration")),
                                        "0a");
        assert_int_equal(qmp_server_count(&dialogue.play.server, "cont"), 0);
        dialogue_close(&dialogue);
    }
}

static void
a_guest_is_not_released_by_way_of_another_ones_tunnel(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_for_release(&dialogue, STATUS("postmigrate"), STATUS("completed"));
    set_marks(&dialogue, MARKS(OTHER_OBJECT));
    start_with_partner(&dialogue);
    end_as(&dialogue, STATUS_FAILED, "was not released");
    assert_silent(&dialogue);
    assert_int_equal(qmp_server_count(&dialogue.play.server, "cont"), 0);
    dialogue_close(&dialogue);
}

static void
a_qemu_with_the_mark_of_the_migration_goes_on_with_it(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_at(&dialogue, STATUS("postmigrate"), STATUS("completed"));
    set_marks(&dialogue, MARKS(OTHER_OBJECT "," MARK("0a")));
    start_with_partner(&dialogue);
    assert_string_equal(json_string_value(json_object_get(
                            dialogue_hear(&dialogue, "given"), "migration")),
                        "0a");
    dialogue_say(&dialogue, WORD("running"));
    assert_int_equal(play_end(&dialogue.play), STATUS_DONE);
    dialogue_close(&dialogue);
}

#define SENT(bytes)                                                           \
    "{\"return\": {\"status\": \"active\", \"ram\": {\"transferred\": " bytes \
    "}}}"

/* It might have been ordered by the mig-send before; a link that stands still
 * would hide that. */
static void
precopy_at_two_looks_is_cancelled_where_postcopy_is_possible(void **state)
{
    struct dialogue dialogue;
    struct qmp_server *server = &dialogue.play.server;
    unsigned looks;

    (void)state;
    open_at(&dialogue, STATUS("running"), SENT("1000"));
    qmp_server_answer(server, "query-migrate-capabilities",
                      "{\"return\": [{\"capability\": \"postcopy-ram\", "
                      "\"state\": true}]}");
    qmp_server_answer(server, "migrate_cancel", "{\"return\": {}}");
    start_with_partner(&dialogue);
    stage_rest(&dialogue.play.stage);
    play_cancel(&dialogue.play);
    looks = qmp_server_count(server, "query-migrate");
    STAGE_UNTIL(&dialogue.play.stage,
                qmp_server_count(server, "query-migrate") > looks + 6);
    assert_int_equal(qmp_server_count(server, "migrate_cancel"), 0);
    qmp_server_answer(server, "query-migrate", SENT("2000"));
    STAGE_UNTIL(&dialogue.play.stage,
                qmp_server_count(server, "migrate_cancel") == 1);
    qmp_server_migration(server, "cancelled", STATUS("cancelled"));
    dialogue_hear(&dialogue, "kept");
    dialogue_say(&dialogue, WORD("failed"));
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    dialogue_close(&dialogue);
}

static void
postcopy_at_the_second_look_is_not_cancelled(void **state)
{
    struct dialogue dialogue;
    struct qmp_server *server = &dialogue.play.server;

    (void)state;
    open_at(&dialogue, STATUS("running"), SENT("1000"));
    qmp_server_answer(server, "query-migrate-capabilities",
                      "{\"return\": [{\"capability\": \"postcopy-ram\", "
                      "\"state\": true}]}");
    start_with_partner(&dialogue);
    stage_rest(&dialogue.play.stage);
    play_cancel(&dialogue.play);
    qmp_server_migration(server, "postcopy-active", STATUS("postcopy-active"));
    dialogue_say(&dialogue, WORD("arrived"));
    dialogue_hear(&dialogue, "given");
    stage_turns_in(&dialogue.play.stage, 1500);
    assert_int_equal(qmp_server_count(server, "migrate_cancel"), 0);
    assert_false(dialogue.play.done);
    dialogue_close(&dialogue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_qemu_that_does_not_tell_of_its_migration_is_not_one_without),
        cmocka_unit_test(a_qemu_to_which_the_guest_came_has_not_given_it),
        cmocka_unit_test(a_guest_that_was_continued_and_paused_by_hand_is_kept),
        cmocka_unit_test(one_who_sends_again_is_told_how_to_go_on),
        cmocka_unit_test(a_guest_that_still_moves_is_not_released),
        cmocka_unit_test(a_guest_that_runs_at_the_destination_is_not_released),
        cmocka_unit_test(
            a_qemu_that_does_not_tell_whether_it_runs_is_asked_again),
        cmocka_unit_test(
            a_qemu_that_goes_silent_after_completed_does_not_hold_up_the_end),
        cmocka_unit_test(a_guest_that_is_wanted_back_is_not_given_first),
        cmocka_unit_test(
            a_guest_that_runs_at_both_hosts_is_not_just_where_it_was),
        cmocka_unit_test(a_qemu_of_another_migration_tells_the_partner_nothing),
        cmocka_unit_test(a_guest_is_not_released_by_way_of_another_ones_tunnel),
        cmocka_unit_test(a_qemu_with_the_mark_of_the_migration_goes_on_with_it),
        cmocka_unit_test(
            precopy_at_two_looks_is_cancelled_where_postcopy_is_possible),
        cmocka_unit_test(postcopy_at_the_second_look_is_not_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
