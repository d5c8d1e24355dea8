/*
 * A job may end in the midst of anything.  Whoever is told of that may free it,
 * and one that is not freed does nothing any more; the sanitizers see who uses
 * what is gone.
 */
#include "migrate/job.h"

#include "migrate/sender.h"
#include "support_capture.h"
#include "support_dialogue.h"
#include "support_last_call.h"
#include "support_session_clock.h"
#include "support_test.h"

#define STATUS(name) "{\"return\": {\"status\": \"" name "\"}}"
#define HELLO(program)                                               \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"" program "\"," \
    "\"migration\":\"0a\"}"
#define MARKS                                                         \
    "{\"return\": [{\"name\": \"mig-send-0a\", \"type\": \"child\"}," \
    "{\"name\": \"mig-recv-0a-run\", \"type\": \"child\"}]}"

enum {
    MUCH_FASTER = 1000,
    SLICES = 1000,
    SLICE_MS = 5,
    ENDS_MIN = 4,
    CALLS_MAX = 14 /* one that follows QEMU makes them for ever */
};

/* What a job finds, and what its partner says once it is there. */
struct scene {
    enum job_side side;
    bool attach, release, recover, cancel, standalone;
    const char *vm;
    const char *migration;
    const char *word;
};

static const struct scene scenes[] = {
    { .side = JOB_SENDS,
      .vm = STATUS("running"),
      .migration = "{\"return\": {}}",
      .word = "{\"type\":\"facts\",\"facts\":{\"version\":\"7.2.22\"}}" },
    { .side = JOB_SENDS, .standalone = true },
    { .side = JOB_SENDS,
      .attach = true,
      .vm = STATUS("running"),
      .migration = STATUS("active") },
    { .side = JOB_SENDS,
      .attach = true,
      .vm = STATUS("postmigrate"),
      .migration = STATUS("completed"),
      .word = "{\"type\":\"running\",\"migration\":\"0a\"}" },
    { .side = JOB_SENDS,
      .attach = true,
      .vm = STATUS("paused"),
      .migration = STATUS("failed") },
    { .side = JOB_SENDS,
      .release = true,
      .vm = STATUS("postmigrate"),
      .migration = STATUS("completed"),
      .word = "{\"type\":\"discarded\",\"migration\":\"0a\"}" },
    { .side = JOB_SENDS,
      .cancel = true,
      .vm = STATUS("running"),
      .migration = STATUS("active") },
    { .side = JOB_SENDS,
      .cancel = true,
      .standalone = true,
      .vm = STATUS("running"),
      .migration = STATUS("active") },
    { .side = JOB_SENDS,
      .recover = true,
      .vm = STATUS("finish-migrate"),
      .migration = STATUS("postcopy-paused"),
      .word = "{\"type\":\"listening\",\"migration\":\"0a\"}" },
    { .side = JOB_SENDS,
      .recover = true,
      .standalone = true,
      .vm = STATUS("finish-migrate"),
      .migration = STATUS("postcopy-active") },
    { .side = JOB_RECEIVES },
    { .side = JOB_RECEIVES, .standalone = true },
    { .side = JOB_RECEIVES,
      .attach = true,
      .vm = STATUS("inmigrate"),
      .migration = STATUS("active"),
      .word = "{\"type\":\"kept\",\"migration\":\"0a\"}" },
    { .side = JOB_RECEIVES,
      .attach = true,
      .vm = STATUS("paused"),
      .migration = STATUS("completed"),
      .word = "{\"type\":\"given\",\"migration\":\"0a\",\"run\":true}" },
    { .side = JOB_RECEIVES,
      .release = true,
      .vm = STATUS("paused"),
      .migration = STATUS("completed") },
    { .side = JOB_RECEIVES,
      .recover = true,
      .vm = STATUS("running"),
      .migration = STATUS("postcopy-paused") },
    { .side = JOB_RECEIVES,
      .recover = true,
      .standalone = true,
      .vm = STATUS("running"),
      .migration = STATUS("postcopy-active") },
};

static void
set_up(struct dialogue *dialogue, const struct scene *scene)
{
    struct play *play = &dialogue->play;

    dialogue_open(dialogue, scene->side);
    play->config.attach = scene->attach;
    play->config.release = scene->release;
    play->config.recover = scene->recover;
    play->config.cancel = scene->cancel;
    play->config.standalone = scene->standalone;
    if (scene->vm == NULL)
        return;
    qmp_server_answer(&play->server, "query-status", scene->vm);
    qmp_server_answer(&play->server, "query-migrate", scene->migration);
    qmp_server_answer(&play->server, "qom-list", MARKS);
    qmp_server_answer(&play->server, "migrate-recover", "{\"return\": {}}");
}

/* The partner greets once it is greeted.  Return whether it does so now. */
static bool
greet(struct dialogue *dialogue, const struct scene *scene, bool greeted)
{
    if (greeted || dialogue->play.done ||
        dialogue_heard(dialogue, "hello") == 0)
        return false;
    dialogue_say(dialogue, scene->side == JOB_SENDS ? HELLO("mig-recv")
                                                    : HELLO("mig-send"));
    if (scene->word != NULL)
        dialogue_say(dialogue, scene->word);
    return true;
}

/* Serve the loop until the job has ended, or for so long that it never will. */
static void
serve(struct dialogue *dialogue, const struct scene *scene)
{
    bool greeted = false;

    for (unsigned i = 0; i < SLICES && !dialogue->play.done; i++) {
        stage_turns_in(&dialogue->play.stage, SLICE_MS);
        greeted |= greet(dialogue, scene, greeted);
    }
}

/* Neither QEMU nor the partner, nor who called it, hears of it again. */
static void
assert_at_rest(struct dialogue *dialogue)
{
    struct play *play = &dialogue->play;
    size_t commands, words;

    stage_turns_in(&play->stage, SLICE_MS); /* what is under way arrives */
    commands = play->server.command_count;
    words = dialogue->count;
    session_clock_speed(MUCH_FASTER);
    for (unsigned i = 0; i < 2; i++) {
        play_cancel(play);
        stage_turns_in(&play->stage, SLICE_MS);
    }
    session_clock_speed(1);
    assert_int_equal(play->server.command_count, commands);
    assert_int_equal(dialogue->count, words);
}

/* All that is told after the end is told by the tunnel. */
static void
assert_wordless(void)
{
    const char *text = capture_stop();

    if (capture_count(text, "\n") != capture_count(text, "/mig.ctl: "))
        fail_msg("%s", text);
}

/* Return how many calls the job makes if none of them is its last. */
static unsigned
count_calls(const struct scene *scene)
{
    struct dialogue dialogue;
    unsigned made;

    set_up(&dialogue, scene);
    last_call(0);
    play_start(&dialogue.play);
    stage_rest(&dialogue.play.stage);
    if (greet(&dialogue, scene, false))
        stage_rest(&dialogue.play.stage);
    made = last_call_count();
    dialogue_close(&dialogue);
    return made;
}

/* Return whether the job has come to the call with the number ${at}, at which
 * it has to end.  One that goes another way is freed as it is. */
static bool
ends_at(const struct scene *scene, unsigned at, bool frees)
{
    struct dialogue dialogue;
    bool made;

    set_up(&dialogue, scene);
    dialogue.play.frees = frees;
    last_call(at);
    play_start(&dialogue.play);
    serve(&dialogue, scene);
    made = last_call_count() >= at;
    if (made) {
        play_end(&dialogue.play);
        if (!frees)
            assert_at_rest(&dialogue);
        assert_wordless();
    }
    dialogue_close(&dialogue);
    return made;
}

static void
wherever_a_job_ends_it_may_be_freed_and_does_nothing_any_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        unsigned calls = count_calls(&scenes[i]), ends = 0;

        for (unsigned at = 1; at <= calls && at <= CALLS_MAX; at++)
            for (unsigned frees = 0; frees < 2; frees++)
                ends += ends_at(&scenes[i], at, frees == 1);
        assert_true(ends >= ENDS_MIN);
    }
}

/* Who ends it may be in the midst of something, too. */
static void
the_end_is_told_from_the_loop(void **state)
{
    static const enum job_side sides[] = { JOB_SENDS, JOB_RECEIVES };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct play play;

        play_open(&play, sides[i]);
        play.frees = true;
        play_start(&play);
        play_cancel(&play);
        assert_false(play.done);
        play_cancel(&play);
        assert_int_equal(play_end(&play), STATUS_CANCELLED);
        play_close(&play);
    }
}

static void
a_job_that_is_freed_before_its_end_is_told_does_not_tell_it(void **state)
{
    struct play play;

    (void)state;
    play_open(&play, JOB_SENDS);
    play_start(&play);
    play_cancel(&play);
    sender_free(play.sender);
    play.sender = NULL;
    stage_rest(&play.stage);
    assert_false(play.done);
    play_close(&play);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            wherever_a_job_ends_it_may_be_freed_and_does_nothing_any_more),
        cmocka_unit_test(the_end_is_told_from_the_loop),
        cmocka_unit_test(
            a_job_that_is_freed_before_its_end_is_told_does_not_tell_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
