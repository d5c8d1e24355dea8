/* What a helper hears of its partner, and what it leaves out. */
#include "migrate/partner_talk.h"

#include <stdio.h>
#include <string.h>

#include "support_capture.h"
#include "support_control.h"
#include "support_test.h"

#define HELLO                                                     \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-recv\"," \
    "\"program-version\":\"1\"}"
#define HELLO_OF(id)                                              \
    "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-recv\"," \
    "\"program-version\":\"1\",\"migration\":\"" id "\"}"
#define ARRIVED(id) "{\"type\":\"arrived\",\"migration\":\"" id "\"}"

static const struct tunnel_view together = { .state = TUNNEL_WAITING,
                                             .session = "3f2a1b2c",
                                             .partner = true };

struct ears {
    struct control_rig rig;
    struct partner_talk *talk;
    unsigned ups;
    unsigned came;
    unsigned left;
    unsigned heard;
    unsigned ends;
    bool absent;
    enum partner_type last;
};

static void
on_up(void *arg, bool partner)
{
    struct ears *ears = arg;

    (void)partner;
    ears->ups++;
}

static void
on_came(void *arg)
{
    ((struct ears *)arg)->came++;
}

static void
on_left(void *arg)
{
    ((struct ears *)arg)->left++;
}

static void
on_message(void *arg, const struct partner_message *message)
{
    struct ears *ears = arg;

    ears->heard++;
    ears->last = message->type;
}

static void
on_end(void *arg, bool absent, bool refused, const char *why)
{
    struct ears *ears = arg;

    (void)refused;
    (void)why;
    ears->ends++;
    ears->absent = absent;
}

static void
start(struct ears *ears)
{
    ears->talk = partner_talk_new(
        &(struct partner_talk_options){ .loop = ears->rig.stage.loop,
                                        .path = ears->rig.path,
                                        .program = "mig-send",
                                        .on_up = on_up,
                                        .on_came = on_came,
                                        .on_left = on_left,
                                        .on_message = on_message,
                                        .on_end = on_end,
                                        .arg = ears });
    assert_non_null(ears->talk);
}

static void
open_ears(struct ears *ears)
{
    *ears = (struct ears){ .ups = 0 };
    control_rig_open(&ears->rig);
    start(ears);
    STAGE_UNTIL(&ears->rig.stage, ears->ups == 1);
    control_socket_state(ears->rig.socket, &together);
    STAGE_UNTIL(&ears->rig.stage, ears->rig.messages == 1);
}

static void
close_ears(struct ears *ears)
{
    partner_talk_free(ears->talk);
    control_rig_close(&ears->rig);
}

/* The partner says this, and it has been dealt with. */
static void
hear(struct ears *ears, const char *text)
{
    control_rig_message(&ears->rig, text);
    stage_rest(&ears->rig.stage);
}

static void
each_greets_and_is_greeted_whenever_the_other_comes(void **state)
{
    struct tunnel_view alone = together;
    struct ears ears;

    (void)state;
    open_ears(&ears);
    assert_non_null(strstr(ears.rig.last, "\"type\":\"hello\""));
    assert_false(partner_talk_there(ears.talk));
    hear(&ears, HELLO);
    assert_true(partner_talk_there(ears.talk));
    assert_int_equal(ears.came, 1);
    alone.partner = false;
    control_socket_state(ears.rig.socket, &alone);
    STAGE_UNTIL(&ears.rig.stage, ears.left == 1);
    assert_false(partner_talk_there(ears.talk));
    control_socket_state(ears.rig.socket, &together);
    STAGE_UNTIL(&ears.rig.stage, ears.rig.messages == 2);
    close_ears(&ears);
}

static void
what_is_no_partner_is_not_taken_for_one(void **state)
{
    static const char *const others[] = {
        "{\"type\":\"hello\",\"version\":2,\"program\":\"mig-recv\"}",
        "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send\"}",
        "{\"type\":\"hello\"}",
        "{\"x\":1}",
    };
    struct ears ears;

    (void)state;
    open_ears(&ears);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        hear(&ears, others[i]);
    hear(&ears, "{\"type\":\"facts\",\"facts\":{}}");
    assert_int_equal(ears.came, 0);
    assert_int_equal(ears.heard, 0);
    hear(&ears, HELLO);
    hear(&ears, "{\"type\":\"something-new\"}");
    assert_int_equal(ears.heard, 0);
    hear(&ears, "{\"type\":\"facts\",\"facts\":{}}");
    assert_int_equal(ears.heard, 1);
    close_ears(&ears);
}

/* Its command would be told as one to paste at the other host. */
static void
only_the_other_program_is_a_partner(void **state)
{
    static const char rm[] =
        "{\"type\":\"hello\",\"version\":1,\"program\":\"rm\","
        "\"command\":\"rm -rf /\",\"migration\":\"0e\"}";
    static const char *const others[] = {
        rm,
        "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-recv2\"}",
        "{\"type\":\"hello\",\"version\":1,\"program\":\"mig-send\"}",
        "{\"type\":\"hello\",\"version\":1,\"command\":\" id\"}",
    };
    struct ears ears;

    (void)state;
    open_ears(&ears);
    partner_talk_adopt_id(ears.talk);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        hear(&ears, others[i]);
    assert_int_equal(ears.came, 0);
    assert_null(partner_talk_their_command(ears.talk));
    assert_string_equal(partner_talk_id(ears.talk), "");
    assert_true(capture_count(capture_text(), "calls itself 'rm'") > 0);
    hear(&ears, HELLO_OF("0c"));
    assert_int_equal(ears.came, 1);
    assert_string_equal(partner_talk_id(ears.talk), "0c");
    close_ears(&ears);
}

static void
statements_about_another_migration_are_left_out(void **state)
{
    struct ears ears;

    (void)state;
    open_ears(&ears);
    hear(&ears, HELLO_OF("0a"));
    hear(&ears, ARRIVED("0a"));
    assert_int_equal(ears.heard, 0); /* there is none yet */
    partner_talk_set_id(ears.talk, "0b");
    hear(&ears, ARRIVED("0a"));
    hear(&ears, "{\"type\":\"arrived\"}");
    hear(&ears, ARRIVED("0B"));
    assert_int_equal(ears.heard, 0);
    assert_int_equal(capture_count(capture_text(), "of the migration '"), 1);
    hear(&ears, ARRIVED("0b"));
    assert_int_equal(ears.heard, 1);
    assert_int_equal(ears.last, PARTNER_ARRIVED);
    partner_talk_say(ears.talk,
                     &(struct partner_message){ .type = PARTNER_BYE });
    STAGE_UNTIL(&ears.rig.stage, ears.rig.messages == 2);
    assert_non_null(strstr(ears.rig.last, "\"migration\":\"0b\""));
    close_ears(&ears);
}

static void
one_that_attaches_learns_the_migration_from_the_greeting(void **state)
{
    struct ears ears;

    (void)state;
    open_ears(&ears);
    partner_talk_adopt_id(ears.talk);
    hear(&ears, HELLO_OF("0c"));
    assert_string_equal(partner_talk_id(ears.talk), "0c");
    hear(&ears, HELLO_OF("0d")); /* it is not learnt twice */
    assert_string_equal(partner_talk_id(ears.talk), "0c");
    hear(&ears, ARRIVED("0c"));
    assert_int_equal(ears.heard, 1);
    close_ears(&ears);
}

static bool
is_even(void *arg, const char *id)
{
    (void)arg;
    return (id[1] - '0') % 2 == 0;
}

static void
one_that_knows_several_migrations_learns_which_of_them_it_is(void **state)
{
    struct ears ears;

    (void)state;
    open_ears(&ears);
    hear(&ears, HELLO_OF("03"));
    partner_talk_adopt_one(ears.talk, is_even);
    hear(&ears, ARRIVED("05"));
    assert_string_equal(partner_talk_id(ears.talk), "");
    assert_int_equal(ears.heard, 0);
    hear(&ears, ARRIVED("06"));
    assert_string_equal(partner_talk_id(ears.talk), "06");
    assert_int_equal(ears.heard, 1);
    close_ears(&ears);
}

static void
one_that_attaches_late_learns_the_migration_all_the_same(void **state)
{
    struct ears ears;

    (void)state;
    open_ears(&ears);
    hear(&ears, HELLO_OF("04"));
    assert_string_equal(partner_talk_id(ears.talk), "");
    partner_talk_adopt_one(ears.talk, is_even);
    assert_string_equal(partner_talk_id(ears.talk), "04");
    close_ears(&ears);
}

static void
a_tunnel_that_is_not_there_is_told(void **state)
{
    struct ears ears = { .ups = 0 };

    (void)state;
    control_rig_open(&ears.rig);
    control_rig_stop(&ears.rig);
    start(&ears);
    STAGE_UNTIL(&ears.rig.stage, ears.ends == 1);
    assert_true(ears.absent);
    close_ears(&ears);
}

/* Whoever it is, it must not fill a log. */
static void
a_partner_that_says_nonsense_is_not_told_of_without_end(void **state)
{
    struct ears ears;
    unsigned lines;

    (void)state;
    open_ears(&ears);
    for (int i = 0; i < 500; i++) {
        control_rig_message(&ears.rig, "{\"type\":7}");
        control_rig_message(&ears.rig,
                            "{\"type\":\"hello\",\"version\":1,\"program\":"
                            "\"mig-send\"}");
    }
    hear(&ears, HELLO);
    assert_true(partner_talk_there(ears.talk));
    lines = capture_count(capture_text(), "partner: it says what") +
            capture_count(capture_text(), "runs at both ends");
    assert_true(lines > 0 && lines < 100);
    close_ears(&ears);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_greets_and_is_greeted_whenever_the_other_comes),
        cmocka_unit_test(what_is_no_partner_is_not_taken_for_one),
        cmocka_unit_test(only_the_other_program_is_a_partner),
        cmocka_unit_test(statements_about_another_migration_are_left_out),
        cmocka_unit_test(
            one_that_attaches_learns_the_migration_from_the_greeting),
        cmocka_unit_test(
            one_that_knows_several_migrations_learns_which_of_them_it_is),
        cmocka_unit_test(
            one_that_attaches_late_learns_the_migration_all_the_same),
        cmocka_unit_test(a_tunnel_that_is_not_there_is_told),
        cmocka_unit_test(
            a_partner_that_says_nonsense_is_not_told_of_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
