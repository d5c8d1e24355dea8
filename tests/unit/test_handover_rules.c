/* The handover: what is never done, whatever happens. */
#include <string.h>

#include "support_handover.h"
#include "support_test.h"

/* Every state with every event, whatever else is so: what must never be done.
 */
static void
no_event_breaks_a_rule_in_any_state(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 11u * 5 * 3 * 8 * SOURCE_EVENTS; i++) {
        unsigned rest = i / SOURCE_EVENTS;
        enum source_event event = (enum source_event)(i % SOURCE_EVENTS);
        struct handover_source source = { .state = rest % 11,
                                          .heard = rest / 11 % 5,
                                          .run = rest / 55 % 3,
                                          .partner = rest / 165 % 2,
                                          .whole = rest / 330 % 2,
                                          .dead = rest / 660 % 2 };
        enum source_state before = source.state;
        bool dead = source.dead;
        struct handover_acts acts = handover_source_step(&source, event);

        assert_in_range(source.state, SOURCE_BEFORE, SOURCE_BLIND);
        assert_int_not_equal(acts.order, ORDER_QUIT);
        if (acts.order == ORDER_CONT) {
            assert_true(before == SOURCE_GIVEN || before == SOURCE_TAKING ||
                        source.heard == HEARD_EMPTY);
            assert_false(dead);
        }
        if (acts.order == ORDER_CANCEL)
            assert_int_equal(before, SOURCE_CANCELLING);
    }
    for (unsigned i = 0; i < 9u * 5 * 3 * 8 * DESTINATION_EVENTS; i++) {
        unsigned rest = i / DESTINATION_EVENTS;
        enum destination_event event =
            (enum destination_event)(i % DESTINATION_EVENTS);
        struct handover_destination destination = { .state = rest % 9,
                                                    .heard = rest / 9 % 5,
                                                    .run = rest / 45 % 3,
                                                    .partner = rest / 135 % 2,
                                                    .whole = rest / 270 % 2,
                                                    .broken = rest / 540 % 2 };
        enum destination_state before = destination.state;
        struct handover_acts acts =
            handover_destination_step(&destination, event);

        assert_in_range(destination.state, DESTINATION_BEFORE,
                        DESTINATION_BLIND);
        assert_int_not_equal(acts.order, ORDER_CANCEL);
        if (acts.order == ORDER_CONT)
            assert_in_range(before, DESTINATION_BEFORE, DESTINATION_ARRIVED);
        if (acts.order == ORDER_QUIT)
            assert_in_range(before, DESTINATION_BEFORE, DESTINATION_ARRIVED);
    }
}

static const struct handover_commands plain = { "mig-send", "mig-recv" };
static const struct handover_commands full = { "mig-send --qmp /s",
                                               "mig-recv --qmp /d" };

static void
each_instruction_has_words(void **state)
{
    char text[HANDOVER_TEXT_MAX];

    (void)state;
    assert_string_equal(handover_tell_text(text, TELL_NOTHING, &plain), "");
    for (int tell = 1; tell <= TELL_NOTHING_TO_RELEASE; tell++) {
        handover_tell_text(text, (enum handover_tell)tell, &plain);
        assert_int_not_equal(strlen(text), 0);
        assert_null(strchr(text, '{'));
    }
}

static void
instructions_have_the_commands_as_they_are_to_be_given(void **state)
{
    char text[HANDOVER_TEXT_MAX];

    (void)state;
    handover_tell_text(text, TELL_SEE_SOURCE, &full);
    assert_non_null(strstr(text, "\"mig-recv --qmp /d --release\" runs"));
    assert_non_null(strstr(text, "\"mig-send --qmp /s --attach\";"));
    handover_tell_text(text, TELL_SEE_DESTINATION, &full);
    assert_non_null(strstr(text, "\"mig-send --qmp /s --release\" runs"));
    assert_non_null(strstr(text, "\"mig-recv --qmp /d --attach\";"));
}

static void
longest_commands_fit_into_an_instruction(void **state)
{
    char text[HANDOVER_TEXT_MAX], command[HANDOVER_COMMAND_MAX];
    const struct handover_commands commands = { command, command };

    (void)state;
    memset(command, 'c', sizeof command - 1);
    command[sizeof command - 1] = '\0';
    for (int tell = 1; tell <= TELL_NOTHING_TO_RELEASE; tell++) {
        handover_tell_text(text, (enum handover_tell)tell, &commands);
        assert_in_range(strlen(text), 1, HANDOVER_TEXT_MAX - 2);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_event_breaks_a_rule_in_any_state),
        cmocka_unit_test(each_instruction_has_words),
        cmocka_unit_test(
            instructions_have_the_commands_as_they_are_to_be_given),
        cmocka_unit_test(longest_commands_fit_into_an_instruction),
    };

    return RUN_TESTS(tests);
}
