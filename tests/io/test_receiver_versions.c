/* mig-recv's job with QEMUs of other versions, with a partner and without. */
#include "migrate/receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_dialogue.h"
#include "support_test.h"
#include "support_versions.h"

static const char done[] = "{\"return\": {}}";

#define PLAN_WITH(capabilities)                                 \
    "{\"type\":\"plan\",\"migration\":\"0a\",\"capabilities\":" \
    "{" capabilities "},\"parameters\":{},\"run\":true}"
#define GIVEN                                                       \
    "{\"type\":\"given\",\"migration\":\"0a\",\"how\":\"precopy\"," \
    "\"run\":true}"
#define BYE "{\"type\":\"bye\",\"migration\":\"0a\"}"
#define PLAN                                                    \
    "{\"type\":\"plan\",\"migration\":\"0a\",\"capabilities\":" \
    "{\"multifd\":false},\"parameters\":{},\"run\":true}"

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

/* Until it is here. */
static void
arrive(struct play *play)
{
    qmp_server_answer(&play->server, "query-status",
                      "{\"return\": {\"status\": \"paused\"}}");
    qmp_server_migration(&play->server, "completed",
                         "{\"return\": {\"status\": \"completed\"}}");
}

static void
end_well(struct dialogue *dialogue)
{
    arrive(&dialogue->play);
    dialogue_hear(dialogue, "arrived");
    dialogue_say(dialogue, GIVEN);
    dialogue_hear(dialogue, "running");
    dialogue_say(dialogue, BYE);
    assert_int_equal(play_end(&dialogue->play), STATUS_DONE);
}

static const char no_uri[] =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'uri' is "
    "unexpected\"}}";

static void
a_qemu_that_takes_no_uri_is_told_of(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    version_set(&play, 12, 0);
    qmp_server_answer(&play.server, "migrate-incoming", no_uri);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "Parameter 'uri' is unexpected");
    assert_int_equal(qmp_server_count(&play.server, "migrate-incoming"), 1);
    play_close(&play);
}

/* What QEMU refuses of the plan is told to the partner. */
static void
assert_refused(struct dialogue *dialogue, const char *plan, const char *part)
{
    const char *why;

    dialogue_start(dialogue);
    dialogue_hear(dialogue, "facts");
    dialogue_say(dialogue, plan);
    why = json_string_value(
        json_object_get(dialogue_hear(dialogue, "refused"), "why"));
    if (strstr(why, part) == NULL)
        fail_msg("%s", why);
    assert_false(dialogue->play.done);
}

static void
a_qemu_that_takes_no_uri_is_told_of_at_both_hosts(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_dialogue(&dialogue, 12, 0);
    qmp_server_answer(&dialogue.play.server, "migrate-incoming", no_uri);
    assert_refused(&dialogue, PLAN, "'uri' is unexpected");
    dialogue_close(&dialogue);
}

static void
what_qemu_lacks_of_the_plan_is_told_with_its_version(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_dialogue(&dialogue, 2, 5);
    assert_refused(&dialogue, PLAN_WITH("\"postcopy-ram\":true"),
                   "'postcopy-ram'; it needs QEMU 2.6");
    assert_int_equal(
        qmp_server_count(&dialogue.play.server, "migrate-incoming"), 0);
    dialogue_say(&dialogue, PLAN);
    dialogue_hear(&dialogue, "prepared");
    dialogue_close(&dialogue);
}

static void
what_qemu_refuses_of_the_plan_is_told(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_dialogue(&dialogue, 8, 2);
    qmp_server_answer(
        &dialogue.play.server, "migrate-set-capabilities",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no zstd\"}}");
    assert_refused(&dialogue, PLAN, "no zstd");
    dialogue_close(&dialogue);
}

static void
what_only_helps_may_be_missing(void **state)
{
    static const char *const capabilities[] = { "events",
                                                "late-block-activate" };
    struct dialogue dialogue;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_dialogue(&dialogue, 2, 12);
        version_has(&dialogue.play, "late-block-activate");
        version_lacks(&dialogue.play, capabilities[i]);
        prepare(&dialogue);
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(
                qmp_server_capability(&dialogue.play.server, capabilities[k]),
                k != i);
        end_well(&dialogue);
        dialogue_close(&dialogue);
    }
}

static void
without_events_the_arrival_is_seen_all_the_same(void **state)
{
    struct dialogue dialogue;

    (void)state;
    open_dialogue(&dialogue, 2, 12);
    version_lacks(&dialogue.play, "events");
    prepare(&dialogue);
    qmp_server_answer(&dialogue.play.server, "query-status",
                      "{\"return\": {\"status\": \"paused\"}}");
    qmp_server_answer(&dialogue.play.server, "query-migrate",
                      "{\"return\": {\"status\": \"completed\"}}");
    dialogue_hear(&dialogue, "arrived");
    dialogue_close(&dialogue);
}

static void
commands_that_qemu_does_not_know_yet_are_done_without(void **state)
{
    static const char *const commands[] = {
        "query-version",
        "query-accelerators",
        "query-kvm",
        "query-uuid",
        "query-migrate-capabilities",
        "query-migrate-parameters",
        "query-memory-size-summary",
        "human-monitor-command",
        "query-chardev",
        "qom-get",
        "qom-list",
        "query-cpus-fast",
        "query-block",
        "object-add",
        "announce-self",
        "query-rx-filter",
    };
    struct dialogue dialogue;

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        open_dialogue(&dialogue, 7, 2);
        for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
            if (strncmp(commands[k], "query-migrate", 13) != 0)
                qmp_server_answer(&dialogue.play.server, commands[k], done);
        version_knows_not(&dialogue.play, commands[i]);
        prepare(&dialogue);
        end_well(&dialogue);
        dialogue_close(&dialogue);
    }
}

static void
a_status_that_nobody_knows_is_one_of_a_vm_that_comes(void **state)
{
    static const char *const statuses[] = { "teleporting", "device",
                                            "teleporting", "active",
                                            "teleporting" };
    struct version_lines lines;
    struct dialogue dialogue;
    struct play *play = &dialogue.play;

    (void)state;
    open_dialogue(&dialogue, 11, 0);
    prepare(&dialogue);
    version_lines_take(&lines);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        unsigned asked = qmp_server_count(&play->server, "query-migrate");

        qmp_server_migration(&play->server, statuses[i],
                             "{\"return\": {\"status\": \"teleporting\"}}");
        STAGE_UNTIL(&play->stage,
                    qmp_server_count(&play->server, "query-migrate") > asked);
    }
    stage_rest(&play->stage);
    assert_int_equal(
        version_lines_count(&lines, "'teleporting' is not known here"), 1);
    assert_int_equal(dialogue_heard(&dialogue, "arrived"), 0);
    assert_int_equal(dialogue_heard(&dialogue, "failed"), 0);
    end_well(&dialogue);
    dialogue_close(&dialogue);
}

static void
events_where_nobody_expects_them_change_nothing(void **state)
{
    static const char *const events[] = {
        "{\"event\": \"MIGRATION\"}\n",
        "{\"event\": \"MIGRATION\", \"data\": {}}\n",
        "{\"event\": \"STOP\"}\n",
        "{\"event\": \"NIC_RX_FILTER_CHANGED\"}\n",
        "{\"event\": \"NIC_RX_FILTER_CHANGED\", \"data\": {\"name\": 1}}\n",
        "{\"event\": \"MADE_UP\", \"data\": [], \"more\": 1}\n",
    };
    struct dialogue dialogue;

    (void)state;
    open_dialogue(&dialogue, 10, 0);
    dialogue_start(&dialogue);
    dialogue_hear(&dialogue, "facts");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        qmp_server_say(&dialogue.play.server, events[i]);
    stage_rest(&dialogue.play.stage);
    dialogue_say(&dialogue, PLAN);
    dialogue_hear(&dialogue, "prepared");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        qmp_server_say(&dialogue.play.server, events[i]);
    stage_rest(&dialogue.play.stage);
    assert_int_equal(dialogue_heard(&dialogue, "arrived"), 0);
    assert_int_equal(play_json_count(&dialogue.play, "\"none\""), 0);
    end_well(&dialogue);
    dialogue_close(&dialogue);
}

static const char numbers[] =
    "{\"return\": {\"status\": \"completed\", \"total-time\": 1004, "
    "\"setup-time\": 4, \"downtime\": 21, \"expected-downtime\": 300, "
    "\"cpu-throttle-percentage\": 20, \"ram\": {\"transferred\": 9000, "
    "\"remaining\": 0, \"total\": 9000, \"duplicate\": 1, "
    "\"normal-bytes\": 8192, \"page-size\": 4096, \"dirty-pages-rate\": 7, "
    "\"dirty-sync-count\": 3, \"mbps\": 3}}}";

/* The source's QEMU may be another one than ours. */
static void
a_number_that_the_source_leaves_out_is_not_made_up(void **state)
{
    struct dialogue dialogue;
    char *gapped, message[2048];
    size_t i = 0;

    (void)state;
    for (; (gapped = version_without(numbers, i)) != NULL; i++) {
        json_t *answer = json_loads(gapped, 0, NULL);
        char *body = json_dumps(json_object_get(answer, "return"), 0);

        open_dialogue(&dialogue, 7, 2);
        prepare(&dialogue);
        snprintf(message, sizeof message,
                 "{\"type\":\"progress\",\"progress\":%s}", body);
        dialogue_say(&dialogue, message);
        end_well(&dialogue);
        version_assert_sense(&dialogue.play);
        dialogue_close(&dialogue);
        free(body);
        json_decref(answer);
        free(gapped);
    }
    assert_int_equal(i, 15);
}

static void
a_qemu_that_does_not_tell_its_state_is_left_alone(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-status", done);
    play_start(&play);
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "does not tell the VM's state");
    play_close(&play);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_qemu_that_takes_no_uri_is_told_of),
        cmocka_unit_test(a_qemu_that_takes_no_uri_is_told_of_at_both_hosts),
        cmocka_unit_test(what_qemu_lacks_of_the_plan_is_told_with_its_version),
        cmocka_unit_test(what_qemu_refuses_of_the_plan_is_told),
        cmocka_unit_test(what_only_helps_may_be_missing),
        cmocka_unit_test(without_events_the_arrival_is_seen_all_the_same),
        cmocka_unit_test(commands_that_qemu_does_not_know_yet_are_done_without),
        cmocka_unit_test(a_status_that_nobody_knows_is_one_of_a_vm_that_comes),
        cmocka_unit_test(events_where_nobody_expects_them_change_nothing),
        cmocka_unit_test(a_number_that_the_source_leaves_out_is_not_made_up),
        cmocka_unit_test(a_qemu_that_does_not_tell_its_state_is_left_alone),
    };

    return RUN_TESTS(tests);
}
