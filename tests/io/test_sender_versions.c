/* mig-send's job with QEMUs of other versions, with a partner and without. */
#include "migrate/sender.h"

#include <stdlib.h>
#include <string.h>

#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"
#include "support_versions.h"

/* As QEMU 10 has them: with everything, and more than anybody asks for. */
static const char active[] =
    "{\"return\": {\"status\": \"active\", \"total-time\": 500, "
    "\"setup-time\": 4, \"expected-downtime\": 300, "
    "\"cpu-throttle-percentage\": 20, \"future\": {\"deep\": [null, 1.5]}, "
    "\"ram\": {\"transferred\": 1000, \"remaining\": 5000, \"total\": 9000, "
    "\"duplicate\": 1, \"normal\": 2, \"normal-bytes\": 8192, "
    "\"page-size\": 4096, \"dirty-pages-rate\": 7, \"dirty-sync-count\": 2, "
    "\"mbps\": 3.5, \"postcopy-bytes\": 0, \"dirty-sync-missed-zero-copy\": 0, "
    "\"future\": true}, \"vfio\": {\"transferred\": 5}}}";
static const char completed[] =
    "{\"return\": {\"status\": \"completed\", \"total-time\": 1004, "
    "\"setup-time\": 4, \"downtime\": 21, \"ram\": {\"transferred\": 9000, "
    "\"remaining\": 0, \"total\": 9000, \"duplicate\": 1, "
    "\"normal-bytes\": 8192, \"page-size\": 4096, \"dirty-sync-count\": 3, "
    "\"mbps\": 3.5}}}";
static const char unknown[] = "{\"return\": {\"status\": \"teleporting\"}}";

#define FACTS "{\"type\":\"facts\",\"facts\":{\"version\":\"10.0.2\"}}"

static void
go_on(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0)
        qmp_server_migration(server, "active", active);
}

static void
play_active(struct play *play, int major, int minor)
{
    play_open(play, JOB_SENDS);
    version_set(play, major, minor);
    play->server.on_command = go_on;
    play_start(play);
    STAGE_UNTIL(&play->stage, play_json_count(play, "\"progress\"") > 0);
}

static void
open_active(struct dialogue *dialogue, int major, int minor)
{
    dialogue_open(dialogue, JOB_SENDS);
    version_set(&dialogue->play, major, minor);
    dialogue->play.server.on_command = go_on;
    dialogue_start(dialogue);
    dialogue_say(dialogue, FACTS);
    dialogue_hear(dialogue, "plan");
    dialogue_say(dialogue, "{\"type\":\"prepared\"}");
    STAGE_UNTIL(&dialogue->play.stage, dialogue->progress > 0);
}

static void
switch_over(struct play *play, const char *answer)
{
    qmp_server_answer(&play->server, "query-status",
                      "{\"return\": {\"status\": \"postmigrate\"}}");
    qmp_server_say(&play->server, "{\"event\": \"STOP\"}\n");
    qmp_server_migration(&play->server, "completed", answer);
}

static void
end_well(struct dialogue *dialogue, const char *answer)
{
    switch_over(&dialogue->play, answer);
    dialogue_hear(dialogue, "given");
    dialogue_say(dialogue, "{\"type\":\"running\"}");
    assert_int_equal(play_end(&dialogue->play), STATUS_DONE);
    dialogue_hear(dialogue, "bye");
}

static void
every_version_is_given_a_uri(void **state)
{
    static const int versions[][2] = { { 6, 0 }, { 7, 2 },  { 8, 2 },
                                       { 9, 1 }, { 10, 0 }, { 11, 0 } };
    struct play play;
    json_t *arguments;

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        play_active(&play, versions[i][0], versions[i][1]);
        arguments = qmp_server_last(&play.server, "migrate");
        assert_int_equal(json_object_size(arguments), 1);
        assert_non_null(json_object_get(arguments, "uri"));
        switch_over(&play, completed);
        assert_int_equal(play_end(&play), STATUS_DONE);
        play_close(&play);
    }
}

static const char no_uri[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'uri' is "
    "unexpected\"}}";

static void
a_qemu_that_takes_no_uri_is_told_of(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    version_set(&play, 12, 0);
    qmp_server_answer(&play.server, "migrate", no_uri);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "Parameter 'uri' is unexpected");
    play_assert_message(&play, "runs on here");
    play_close(&play);
}

static void
a_qemu_that_takes_no_uri_is_told_of_at_both_hosts(void **state)
{
    struct dialogue dialogue;
    const json_t *kept;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    version_set(&dialogue.play, 12, 0);
    qmp_server_answer(&dialogue.play.server, "migrate", no_uri);
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    dialogue_hear(&dialogue, "plan");
    dialogue_say(&dialogue, "{\"type\":\"prepared\"}");
    kept = dialogue_hear(&dialogue, "kept");
    assert_non_null(strstr(json_string_value(json_object_get(kept, "why")),
                           "'uri' is unexpected"));
    dialogue_say(&dialogue, "{\"type\":\"discarded\"}");
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    play_assert_message(&dialogue.play, "Parameter 'uri' is unexpected");
    play_assert_message(&dialogue.play, "runs on here");
    dialogue_close(&dialogue);
}

static unsigned
said(struct play *play, const char *status)
{
    char part[64];

    snprintf(part, sizeof part, "\"type\":\"status\",\"status\":\"%s\"",
             status);
    return play_json_count(play, part);
}

/* Statuses of 10.x, and one that nobody knows, again and again. */
static void
tour_statuses(struct play *play)
{
    static const char *const statuses[] = { "wait-unplug", "pre-switchover",
                                            "device", "teleporting" };

    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < sizeof statuses / sizeof *statuses; k++) {
            unsigned before = said(play, statuses[k]);

            qmp_server_migration(&play->server, statuses[k], unknown);
            STAGE_UNTIL(&play->stage, said(play, statuses[k]) > before);
        }
    assert_false(play->done);
}

static void
a_status_that_nobody_knows_is_one_of_a_migration_that_runs(void **state)
{
    struct version_lines lines;
    struct play play;

    (void)state;
    play_active(&play, 11, 0);
    version_lines_take(&lines);
    tour_statuses(&play);
    assert_int_equal(
        version_lines_count(&lines, "'teleporting' is not known here"), 1);
    assert_int_equal(qmp_server_count(&play.server, "migrate_cancel"), 0);
    switch_over(&play, completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
a_status_that_nobody_knows_gives_nothing_to_the_partner(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_active(&dialogue, 11, 0);
    tour_statuses(&dialogue.play);
    assert_int_equal(dialogue_heard(&dialogue, "given"), 0);
    assert_int_equal(dialogue_heard(&dialogue, "kept"), 0);
    end_well(&dialogue, completed);
    dialogue_close(&dialogue);
}

/* Nothing may be cancelled there. */
static void
recovery_of_postcopy_is_not_cancelled(void **state)
{
    static const char *const statuses[] = {
        "{\"return\": {\"status\": \"postcopy-recover-setup\"}}",
        "{\"return\": {\"status\": \"postcopy-device\"}}",
        "{\"return\": {\"status\": \"postcopy-of-the-future\"}}",
    };
    struct play play;

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        play_active(&play, 10, 0);
        qmp_server_answer(&play.server, "query-migrate", statuses[i]);
        play_cancel(&play);
        STAGE_UNTIL(&play.stage, said(&play, "postcopy") > 0 ||
                                     play_json_count(&play, "postcopy") > 0);
        stage_rest(&play.stage);
        assert_int_equal(qmp_server_count(&play.server, "migrate_cancel"), 0);
        switch_over(&play, completed);
        assert_int_equal(play_end(&play), STATUS_DONE);
        play_close(&play);
    }
}

static void
a_number_that_qemu_leaves_out_is_not_made_up(void **state)
{
    char *gapped[2];
    struct play play;
    size_t i = 0;

    (void)state;
    for (; (gapped[0] = version_without(active, i)) != NULL; i++) {
        gapped[1] = version_without(completed, i);
        play_active(&play, 10, 0);
        qmp_server_migration(&play.server, "active", gapped[0]);
        STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 1);
        switch_over(&play, gapped[1] != NULL ? gapped[1] : completed);
        assert_int_equal(play_end(&play), STATUS_DONE);
        version_assert_sense(&play);
        play_close(&play);
        free(gapped[0]);
        free(gapped[1]);
    }
    assert_true(i > 20);
}

static void
a_number_that_qemu_leaves_out_holds_nothing_up(void **state)
{
    struct dialogue dialogue;
    char *gapped;

    (void)state;
    for (size_t i = 0; (gapped = version_without(completed, i)) != NULL; i++) {
        open_active(&dialogue, 10, 0);
        end_well(&dialogue, gapped);
        version_assert_sense(&dialogue.play);
        dialogue_close(&dialogue);
        free(gapped);
    }
}

static void
events_where_nobody_expects_them_change_nothing(void **state)
{
    static const char *const events[] = {
        "{\"event\": \"MIGRATION\"}\n",
        "{\"event\": \"MIGRATION\", \"data\": {}}\n",
        "{\"event\": \"MIGRATION\", \"data\": {\"status\": 7}}\n",
        "{\"event\": \"MIGRATION_PASS\", \"data\": {\"pass\": -1}}\n",
        "{\"event\": \"RESUME\"}\n",
        "{\"event\": \"UNPLUG_PRIMARY\", \"data\": {\"device-id\": \"x\"}}\n",
        "{\"event\": \"MADE_UP\", \"data\": [], \"more\": 1}\n",
    };
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    version_set(&play, 10, 0);
    play.server.on_command = go_on;
    play_start(&play);
    STAGE_UNTIL(&play.stage, play.server.greeted);
    /* Of an earlier migration. */
    qmp_server_say(&play.server, "{\"event\": \"MIGRATION\", \"data\": "
                                 "{\"status\": \"completed\"}}\n");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        qmp_server_say(&play.server, events[i]);
    STAGE_UNTIL(&play.stage, play_json_count(&play, "\"progress\"") > 0);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        qmp_server_say(&play.server, events[i]);
    stage_rest(&play.stage);
    assert_false(play.done);
    assert_int_equal(said(&play, "none"), 0);
    assert_int_equal(said(&play, "active"), 1);
    switch_over(&play, completed);
    assert_int_equal(play_end(&play), STATUS_DONE);
    play_close(&play);
}

static void
without_events_the_migration_is_followed_all_the_same(void **state)
{
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    version_set(play, 2, 12);
    version_lacks(play, "events");
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    dialogue_hear(&dialogue, "plan");
    qmp_server_answer(&play->server, "query-migrate", "{\"return\": {}}");
    dialogue_say(&dialogue, "{\"type\":\"prepared\"}");
    STAGE_UNTIL(&play->stage, qmp_server_count(&play->server, "migrate") == 1);
    qmp_server_answer(&play->server, "query-migrate", active);
    STAGE_UNTIL(&play->stage, dialogue.progress > 0);
    qmp_server_say(&play->server, "{\"event\": \"STOP\"}\n");
    qmp_server_answer(&play->server, "query-status",
                      "{\"return\": {\"status\": \"postmigrate\"}}");
    qmp_server_answer(&play->server, "query-migrate", completed);
    dialogue_hear(&dialogue, "given");
    dialogue_say(&dialogue, "{\"type\":\"running\"}");
    assert_int_equal(play_end(play), STATUS_DONE);
    dialogue_close(&dialogue);
}

static void
a_source_that_can_not_hear_the_destination_is_refused(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    version_set(&play, 2, 9);
    version_lacks(&play, "return-path");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "QEMU has no return-path=on");
    play_assert_message(&play, "it needs QEMU 2.10");
    assert_int_equal(qmp_server_count(&play.server, "migrate-set-capabilities"),
                     0);
    assert_int_equal(qmp_server_count(&play.server, "migrate"), 0);
    play_close(&play);
}

static void
a_source_that_can_not_hear_the_destination_tells_no_plan(void **state)
{
    struct version_lines lines;
    struct dialogue dialogue;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    version_set(&dialogue.play, 2, 9);
    version_lacks(&dialogue.play, "return-path");
    version_lines_take(&lines);
    dialogue_start(&dialogue);
    dialogue_say(&dialogue, FACTS);
    assert_int_equal(play_end(&dialogue.play), STATUS_FAILED);
    assert_int_equal(version_lines_count(&lines, "2.10"), 1);
    assert_int_equal(dialogue_heard(&dialogue, "plan"), 0);
    assert_int_equal(
        qmp_server_count(&dialogue.play.server, "migrate-set-capabilities"), 0);
    assert_int_equal(qmp_server_count(&dialogue.play.server, "migrate"), 0);
    dialogue_close(&dialogue);
}

static void
a_qemu_that_does_not_tell_its_state_is_left_alone(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    qmp_server_answer(&play.server, "query-status",
                      "{\"return\": {\"running\": true}}");
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "does not tell the VM's state");
    assert_int_equal(qmp_server_count(&play.server, "migrate"), 0);
    play_close(&play);
}

static void
commands_that_qemu_does_not_know_yet_are_done_without(void **state)
{
    static const char *const commands[] = {
        "query-version",
        "query-accelerators",
        "query-kvm",
        "query-uuid",
        "query-migrate",
        "query-migrate-capabilities",
        "query-migrate-parameters",
        "query-memory-size-summary",
        "human-monitor-command",
        "query-chardev",
        "qom-get",
        "qom-list",
        "query-cpus-fast",
        "query-block",
    };
    struct dialogue dialogue;

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        dialogue_open(&dialogue, JOB_SENDS);
        dialogue.play.server.on_command = go_on;
        for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
            if (strncmp(commands[k], "query-migrate", 13) != 0)
                qmp_server_answer(&dialogue.play.server, commands[k],
                                  "{\"return\": {}}");
        version_knows_not(&dialogue.play, commands[i]);
        dialogue_start(&dialogue);
        dialogue_say(&dialogue, FACTS);
        dialogue_hear(&dialogue, "plan");
        dialogue_say(&dialogue, "{\"type\":\"prepared\"}");
        STAGE_UNTIL(&dialogue.play.stage, dialogue.progress > 0);
        end_well(&dialogue, completed);
        dialogue_close(&dialogue);
    }
}

/* What was cancelled fails at the destination, too. */
static void
the_destination_is_no_cause_of_what_was_cancelled(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_active(&dialogue, 9, 1);
    play_cancel(&dialogue.play);
    STAGE_UNTIL(&dialogue.play.stage,
                qmp_server_count(&dialogue.play.server, "migrate_cancel") == 1);
    qmp_server_migration(&dialogue.play.server, "cancelled",
                         "{\"return\": {\"status\": \"cancelled\"}}");
    dialogue_hear(&dialogue, "kept");
    dialogue_say(&dialogue, "{\"type\":\"failed\",\"why\":\"no more data\"}");
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    assert_null(strstr(
        json_string_value(json_object_get(dialogue.play.result, "message")),
        "no more data"));
    dialogue_close(&dialogue);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_is_given_a_uri),
        cmocka_unit_test(a_qemu_that_takes_no_uri_is_told_of),
        cmocka_unit_test(a_qemu_that_takes_no_uri_is_told_of_at_both_hosts),
        cmocka_unit_test(
            a_status_that_nobody_knows_is_one_of_a_migration_that_runs),
        cmocka_unit_test(
            a_status_that_nobody_knows_gives_nothing_to_the_partner),
        cmocka_unit_test(recovery_of_postcopy_is_not_cancelled),
        cmocka_unit_test(a_number_that_qemu_leaves_out_is_not_made_up),
        cmocka_unit_test(a_number_that_qemu_leaves_out_holds_nothing_up),
        cmocka_unit_test(events_where_nobody_expects_them_change_nothing),
        cmocka_unit_test(without_events_the_migration_is_followed_all_the_same),
        cmocka_unit_test(a_source_that_can_not_hear_the_destination_is_refused),
        cmocka_unit_test(
            a_source_that_can_not_hear_the_destination_tells_no_plan),
        cmocka_unit_test(a_qemu_that_does_not_tell_its_state_is_left_alone),
        cmocka_unit_test(commands_that_qemu_does_not_know_yet_are_done_without),
        cmocka_unit_test(the_destination_is_no_cause_of_what_was_cancelled),
    };

    return RUN_TESTS(tests);
}
