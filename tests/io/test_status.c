/* --status and --cancel: what the helper at work answers, and what is done
 * where none is; QEMU and the tunnel are the test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migrate/asker.h"
#include "migrate/doorbell.h"
#include "migrate/inspector.h"
#include "migrate/partner_link.h"
#include "support_dialogue.h"
#include "support_test.h"
#include "wire/standing.h"

#define STATUS(name) "{\"return\": {\"status\": \"" name "\"}}"

static const char active[] =
    "{\"return\": {\"status\": \"active\", \"total-time\": 500, \"ram\": "
    "{\"transferred\": 1000, \"remaining\": 5000, \"total\": 9000}}}";
static const char done[] = "{\"return\": {}}";

struct question {
    struct asker *asker;
    struct standing standing;
    bool answered;
    bool asked;
    enum exit_status status;
};

static void
on_asked(void *arg, bool asked, enum exit_status status)
{
    struct question *question = arg;

    assert_false(question->answered);
    question->answered = true;
    question->asked = asked;
    question->status = status;
}

/* Ask the helper that is attached, and wait for the answer. */
static enum exit_status
ask(struct dialogue *dialogue, struct question *question,
    enum helper_request request)
{
    struct play *play = &dialogue->play;

    *question =
        (struct question){ .standing.source = play->config.side == JOB_SENDS };
    question->asker = asker_new(&(struct asker_options){
        .loop = play->stage.loop,
        .path = play->config.control_path,
        .program = "mig-send",
        .request = request,
        .standing = &question->standing,
        .on_done = on_asked,
        .arg = question,
    });
    assert_non_null(question->asker);
    STAGE_UNTIL(&play->stage, question->answered);
    asker_free(question->asker);
    return question->status;
}

static void
go_on(struct qmp_server *server, const char *name)
{
    if (strcmp(name, "migrate") == 0)
        qmp_server_migration(server, "active", active);
    else if (strcmp(name, "migrate_cancel") == 0)
        qmp_server_migration(server, "cancelled", STATUS("cancelled"));
}

static void
open_active(struct dialogue *dialogue)
{
    dialogue_open(dialogue, JOB_SENDS);
    dialogue->play.server.on_command = go_on;
    qmp_server_answer(&dialogue->play.server, "migrate_cancel", done);
    dialogue_start(dialogue);
    dialogue_say(dialogue, "{\"type\":\"facts\",\"facts\":{\"version\":"
                           "\"7.2.22\"}}");
    dialogue_hear(dialogue, "plan");
    dialogue_say(dialogue, "{\"type\":\"prepared\"}");
    STAGE_UNTIL(&dialogue->play.stage, dialogue->progress > 0);
}

static unsigned
cancels(const struct play *play)
{
    return qmp_server_count(&play->server, "migrate_cancel");
}

static void
the_helper_at_work_says_how_it_stands(void **state)
{
    struct dialogue dialogue;
    struct question question;

    (void)state;
    open_active(&dialogue);
    assert_int_equal(ask(&dialogue, &question, REQUEST_STATUS), STATUS_DONE);
    assert_true(question.asked);
    assert_true(question.standing.helper);
    assert_true(question.standing.begun);
    assert_int_equal(question.standing.tunnel, STANDING_PARTNER);
    assert_string_equal(question.standing.vm, "running");
    assert_int_equal(question.standing.migration.remaining_bytes, 5000);
    assert_int_equal(cancels(&dialogue.play), 0);
    assert_false(dialogue.play.done);
    dialogue_close(&dialogue);
}

static void
the_helper_at_work_cancels_and_goes_on_to_the_outcome(void **state)
{
    struct dialogue dialogue;
    struct question question;

    (void)state;
    open_active(&dialogue);
    assert_int_equal(ask(&dialogue, &question, REQUEST_CANCEL), STATUS_DONE);
    assert_int_equal(cancels(&dialogue.play), 1);
    dialogue_say(&dialogue, "{\"type\":\"discarded\"}");
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    dialogue_close(&dialogue);
}

static void
in_postcopy_nothing_is_cancelled(void **state)
{
    static const char *const split[] = { "postcopy-active", "postcopy-recover",
                                         "postcopy-new" };
    struct dialogue dialogue;
    struct question question;

    (void)state;
    open_active(&dialogue);
    qmp_server_migration(&dialogue.play.server, split[0],
                         STATUS("postcopy-active"));
    stage_rest(&dialogue.play.stage);
    assert_int_equal(ask(&dialogue, &question, REQUEST_CANCEL), STATUS_FAILED);
    assert_int_equal(cancels(&dialogue.play), 0);
    assert_false(dialogue.play.done);
    dialogue_close(&dialogue);

    for (size_t i = 0; i < sizeof split / sizeof *split; i++) {
        char answer[64];
        struct play play;

        snprintf(answer, sizeof answer, STATUS("%s"), split[i]);
        play_open(&play, JOB_SENDS);
        play.config.standalone = play.config.cancel = true;
        qmp_server_answer(&play.server, "query-migrate", answer);
        play_start(&play);
        assert_int_equal(play_end(&play), STATUS_FAILED);
        play_assert_message(&play, "in postcopy");
        assert_int_equal(cancels(&play), 0);
        play_close(&play);
    }
}

static void
a_helper_that_has_not_begun_ends(void **state)
{
    struct dialogue dialogue;
    struct question question;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    dialogue_start(&dialogue);
    assert_int_equal(ask(&dialogue, &question, REQUEST_CANCEL), STATUS_DONE);
    assert_int_equal(play_end(&dialogue.play), STATUS_CANCELLED);
    assert_int_equal(cancels(&dialogue.play), 0);
    dialogue_close(&dialogue);
}

static void
on_up(void *arg, const struct tunnel_view *view)
{
    (void)view;
    *(bool *)arg = true;
}

/* It would be the second Ctrl-C, from a person at a terminal. */
static void
a_second_request_does_not_make_the_helper_leave(void **state)
{
    struct dialogue dialogue;
    struct partner_link *link;
    bool up = false;

    (void)state;
    open_active(&dialogue);
    dialogue.play.server.on_command = NULL; /* it stays active */
    link = partner_link_new(&(struct partner_link_options){
        .loop = dialogue.play.stage.loop,
        .path = dialogue.play.config.control_path,
        .program = "mig-send",
        .role = HELPER_OBSERVER,
        .on_up = on_up,
        .arg = &up,
    });
    STAGE_UNTIL(&dialogue.play.stage, up);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(partner_link_request(link, REQUEST_CANCEL), 0);
        stage_rest(&dialogue.play.stage);
    }
    assert_true(cancels(&dialogue.play) > 0);
    assert_false(dialogue.play.done);
    partner_link_free(link);
    dialogue_close(&dialogue);
}

static void
without_a_tunnel_there_is_nobody_to_ask(void **state)
{
    struct dialogue dialogue;
    struct question question;

    (void)state;
    dialogue_open(&dialogue, JOB_SENDS);
    snprintf(dialogue.play.config.control_path,
             sizeof dialogue.play.config.control_path, "%s/none",
             dialogue.play.dir);
    ask(&dialogue, &question, REQUEST_CANCEL);
    assert_false(question.asked);
    assert_int_equal(question.standing.tunnel, STANDING_NO_TUNNEL);
    play_start(&dialogue.play);
    dialogue_close(&dialogue);
}

/* QEMU is told itself, where no helper is at work. */
static void
open_alone(struct play *play, bool postcopy)
{
    play_open(play, JOB_SENDS);
    play->config.standalone = play->config.cancel = true;
    play->server.on_command = go_on;
    qmp_server_answer(&play->server, "query-migrate", active);
    qmp_server_answer(&play->server, "migrate_cancel", done);
    if (postcopy)
        qmp_server_answer(&play->server, "query-migrate-capabilities",
                          "{\"return\": [{\"capability\": \"postcopy-ram\", "
                          "\"state\": true}]}");
    else
        qmp_server_answer(&play->server, "query-migrate-capabilities",
                          "{\"return\": [{\"capability\": \"postcopy-ram\", "
                          "\"state\": false}]}");
    play_start(play);
}

static void
without_a_helper_qemu_is_told_itself(void **state)
{
    struct play play;

    (void)state;
    for (int postcopy = 0; postcopy < 2; postcopy++) {
        open_alone(&play, postcopy);
        assert_int_equal(play_end(&play), STATUS_DONE);
        play_assert_message(&play, "cancelled");
        assert_int_equal(cancels(&play), 1);
        play_close(&play);
    }
}

static void
what_may_be_in_postcopy_at_any_moment_is_looked_at_twice(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play, true);
    STAGE_UNTIL(&play.stage,
                qmp_server_count(&play.server, "query-migrate-capabilities"));
    qmp_server_answer(&play.server, "query-migrate", STATUS("postcopy-active"));
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "in postcopy");
    assert_int_equal(cancels(&play), 0);
    play_close(&play);
}

static void
what_is_not_under_way_is_not_cancelled(void **state)
{
    struct play play;

    (void)state;
    open_alone(&play, false);
    qmp_server_answer(&play.server, "query-migrate", STATUS("completed"));
    qmp_server_answer(&play.server, "query-status", STATUS("postmigrate"));
    assert_int_equal(play_end(&play), STATUS_FAILED);
    play_assert_message(&play, "given the guest away");
    assert_int_equal(cancels(&play), 0);
    play_close(&play);
}

struct look {
    bool over;
    enum exit_status status;
};

static void
on_looked(void *arg, enum exit_status status)
{
    struct look *look = arg;

    look->over = true;
    look->status = status;
}

/* Return what --status says. */
static char *
look(struct play *play, enum exit_status status, bool json)
{
    struct look seen = { .over = false };
    struct inspector *inspector;
    size_t length;
    char *text;
    FILE *out = open_memstream(&text, &length);

    inspector = inspector_new(&(struct inspector_options){
        .loop = play->stage.loop,
        .config = &play->config,
        .program = "mig-recv",
        .out = json ? NULL : out,
        .json = json ? out : NULL,
        .on_done = on_looked,
        .arg = &seen,
    });
    assert_non_null(inspector);
    STAGE_UNTIL(&play->stage, seen.over);
    assert_int_equal(seen.status, status);
    inspector_free(inspector);
    fclose(out);
    return text;
}

static void
close_unstarted(struct play *play)
{
    play->json = open_memstream(&play->json_text, &play->json_len);
    play_close(play);
}

static void
status_reads_the_marks_of_an_earlier_mig_recv(void **state)
{
    struct play play;
    char *text;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-status", STATUS("paused"));
    qmp_server_answer(&play.server, "query-migrate", STATUS("completed"));
    qmp_server_answer(&play.server, "qom-list",
                      "{\"return\": [{\"name\": \"mig-recv-0a-run\"}]}");
    text = look(&play, STATUS_DONE, false);
    assert_non_null(strstr(text, "waits for the source's word"));
    assert_non_null(strstr(text, "mig-recv --attach"));
    free(text);
    qmp_server_answer(&play.server, "qom-list",
                      "{\"return\": [{\"name\": \"mig-recv-0a-run\"}, "
                      "{\"name\": \"mig-recv-0a-started\"}]}");
    text = look(&play, STATUS_DONE, true);
    assert_non_null(strstr(text, "\"guest\":\"here\""));
    assert_non_null(strstr(text, "\"type\":\"result\""));
    free(text);
    for (size_t i = 0; i < play.server.command_count; i++) {
        const char *name = json_string_value(
            json_object_get(play.server.commands[i], "execute"));

        assert_true(strncmp(name, "query-", 6) == 0 ||
                    strcmp(name, "qom-list") == 0 ||
                    strcmp(name, "qmp_capabilities") == 0);
    }
    close_unstarted(&play);
}

static void
status_of_a_qemu_that_does_not_answer_is_no_status(void **state)
{
    struct play play;
    char *text;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(
        &play.server, "query-status",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}");
    text = look(&play, STATUS_FAILED, true);
    assert_non_null(strstr(text, "no way"));
    assert_null(strstr(text, "\"type\":\"state\""));
    free(text);
    close_unstarted(&play);
}

/* Marks that can't be read are not marks that are not there. */
static void
status_does_not_guess_what_qemu_does_not_tell(void **state)
{
    struct play play;
    char *text;

    (void)state;
    play_open(&play, JOB_RECEIVES);
    qmp_server_answer(&play.server, "query-status", STATUS("paused"));
    qmp_server_answer(&play.server, "query-migrate", STATUS("completed"));
    qmp_server_answer(
        &play.server, "qom-list",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not today\"}}");
    text = look(&play, STATUS_FAILED, true);
    assert_non_null(strstr(text, "not today"));
    assert_null(strstr(text, "\"type\":\"state\""));
    free(text);
    close_unstarted(&play);
}

/* A helper that has no tunnel, and is asked at its doorbell. */
struct alone {
    struct stage stage;
    struct qmp_target target;
    struct doorbell *doorbell;
    struct question question;
    unsigned rung;
};

static void
on_ring(void *arg)
{
    struct alone *alone = arg;

    alone->rung++;
}

static void
open_unreached(struct alone *alone)
{
    memset(alone, 0, sizeof *alone);
    snprintf(alone->target.path, sizeof alone->target.path, "/nowhere/%d",
             (int)getpid());
    stage_open(&alone->stage);
    alone->doorbell =
        doorbell_new(alone->stage.loop, &alone->target, on_ring, alone);
    assert_non_null(alone->doorbell);
    alone->question.asker = asker_new(&(struct asker_options){
        .loop = alone->stage.loop,
        .path = "/nowhere/control",
        .target = &alone->target,
        .program = "mig-send",
        .request = REQUEST_RELEASE,
        .standing = &alone->question.standing,
        .on_done = on_asked,
        .arg = &alone->question,
    });
    assert_non_null(alone->question.asker);
}

static void
close_unreached(struct alone *alone)
{
    asker_free(alone->question.asker);
    doorbell_free(alone->doorbell);
    stage_close(&alone->stage);
}

static void
a_helper_without_a_tunnel_is_asked_to_release_all_the_same(void **state)
{
    static const enum exit_status answers[] = { STATUS_DONE, STATUS_FAILED,
                                                STATUS_UNKNOWN };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct alone alone;

        open_unreached(&alone);
        STAGE_UNTIL(&alone.stage, alone.rung == 1);
        assert_false(alone.question.answered);
        doorbell_answer(alone.doorbell, answers[i]);
        STAGE_UNTIL(&alone.stage, alone.question.answered);
        assert_true(alone.question.asked);
        assert_int_equal(alone.question.status, answers[i]);
        close_unreached(&alone);
    }
}

static void
a_release_that_is_not_waited_for_is_unanswered(void **state)
{
    struct alone alone;

    (void)state;
    open_unreached(&alone);
    assert_false(asker_leave(alone.question.asker));
    assert_false(alone.question.answered);
    STAGE_UNTIL(&alone.stage, alone.rung == 1);
    for (unsigned i = 0; i < 2; i++)
        assert_true(asker_leave(alone.question.asker));
    assert_true(alone.question.asked);
    assert_int_equal(alone.question.status, STATUS_UNKNOWN);
    doorbell_answer(alone.doorbell, STATUS_DONE);
    stage_rest(&alone.stage);
    assert_int_equal(alone.question.status, STATUS_UNKNOWN);
    close_unreached(&alone);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_helper_at_work_says_how_it_stands),
        cmocka_unit_test(the_helper_at_work_cancels_and_goes_on_to_the_outcome),
        cmocka_unit_test(in_postcopy_nothing_is_cancelled),
        cmocka_unit_test(a_helper_that_has_not_begun_ends),
        cmocka_unit_test(a_second_request_does_not_make_the_helper_leave),
        cmocka_unit_test(without_a_tunnel_there_is_nobody_to_ask),
        cmocka_unit_test(without_a_helper_qemu_is_told_itself),
        cmocka_unit_test(
            what_may_be_in_postcopy_at_any_moment_is_looked_at_twice),
        cmocka_unit_test(what_is_not_under_way_is_not_cancelled),
        cmocka_unit_test(status_reads_the_marks_of_an_earlier_mig_recv),
        cmocka_unit_test(status_does_not_guess_what_qemu_does_not_tell),
        cmocka_unit_test(status_of_a_qemu_that_does_not_answer_is_no_status),
        cmocka_unit_test(
            a_helper_without_a_tunnel_is_asked_to_release_all_the_same),
        cmocka_unit_test(a_release_that_is_not_waited_for_is_unanswered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
