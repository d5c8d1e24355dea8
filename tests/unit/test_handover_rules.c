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

static void
each_instruction_has_words(void **state)
{
    (void)state;
    assert_string_equal(handover_tell_text(TELL_NOTHING), "");
    for (int tell = 1; tell <= TELL_NOTHING_TO_RELEASE; tell++)
        assert_int_not_equal(
            strlen(handover_tell_text((enum handover_tell)tell)), 0);
    assert_non_null(
        strstr(handover_tell_text(TELL_SEE_SOURCE), "mig-recv --release"));
    assert_non_null(
        strstr(handover_tell_text(TELL_SEE_DESTINATION), "mig-send --release"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_event_breaks_a_rule_in_any_state),
        cmocka_unit_test(each_instruction_has_words),
    };

    return RUN_TESTS(tests);
}
