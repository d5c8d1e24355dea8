/*
 * The handover, case by case: postcopy.  Each test is named as its row
 * in the table of DESIGN.md, "Handover".
 */
#include "support_handover.h"
#include "support_test.h"

static struct pair pair;

static void
postcopy_runs_when_both_are_in_it(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, NOTHING, NOTHING);
    goes_on(&pair);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
    AT_DESTINATION(HEARD_BYE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
postcopy_given_before_it_arrives(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(HEARD_GIVEN, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_POSTCOPY, CONT, NOTHING, NOTHING);
}

static void
postcopy_falls_back_before_it_is_given(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
postcopy_fails_after_it_is_given(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, NOTHING, TWO_GUESTS);
}

static void
tunnel_dies_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    pair_part(&pair);
    AT_SOURCE(QEMU_BROKEN, NOTHING, NOTHING, RECOVER);
    AT_DESTINATION(QEMU_BROKEN, NOTHING, NOTHING, RECOVER);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_POSTCOPY);
    AT_SOURCE(RELEASE, NOTHING, NOTHING, RELEASE_POSTCOPY);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, NOTHING, NOTHING);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, NOTHING, SEE_DESTINATION);
    AT_DESTINATION(LEAVE, NOTHING, NOTHING, RECOVER);
    assert_int_equal(pair.acts.status, STATUS_UNKNOWN);
    AT_DESTINATION(QEMU_POSTCOPY, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(LEAVE, NOTHING, NOTHING, NOTHING);
    assert_int_equal(pair.acts.status, STATUS_DONE);
}

static void
tunnel_dies_before_postcopy_runs(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_BROKEN, NOTHING, GIVEN, RECOVER);
    AT_DESTINATION(QEMU_BROKEN, NOTHING, NOTHING, RECOVER);
    AT_DESTINATION(HEARD_GIVEN, NOTHING, NOTHING, RECOVER);
    AT_DESTINATION(RELEASE, NOTHING, NOTHING, RECOVER);
    AT_DESTINATION(QEMU_POSTCOPY, CONT, NOTHING, NOTHING);
}

static void
source_helper_dies_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_POSTCOPY);
    answered(&pair, ORDER_NOTHING, SAY_NOTHING, TELL_NOTHING);
    AT_SOURCE(HEARD_ARRIVED, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, SEE_DESTINATION);
}

static void
destination_helper_dies_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    pair_attach_destination(&pair, DESTINATION_QEMU_POSTCOPY);
    answered(&pair, ORDER_NOTHING, SAY_ARRIVED, TELL_SEE_SOURCE);
    AT_SOURCE(HEARD_ARRIVED, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
}

static void
source_qemu_dies_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_SOURCE(QEMU_GONE, NOTHING, NOTHING, GUEST_LOST);
}

static void
source_qemu_dies_before_postcopy_is_given(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_GONE, NOTHING, GONE, GUEST_LOST);
}

static void
destination_qemu_fails_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_DESTINATION(QEMU_FAILED, NOTHING, NOTHING, GUEST_LOST);
    AT_DESTINATION(QEMU_FAILED, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(HEARD_BYE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_UNKNOWN);
    AT_DESTINATION(LEAVE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_UNKNOWN);
}

static void
destination_qemu_dies_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, NOTHING, NOTHING, GUEST_LOST);
}

static void
destination_qemu_dies_before_postcopy_is_given(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, NOTHING, GUEST_LOST);
}

static void
cancelled_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_POSTCOPY);
    AT_DESTINATION(CANCEL, NOTHING, CANCEL, NOTHING);
    AT_SOURCE(HEARD_CANCEL, NOTHING, NOTHING, NOTHING);
}

static void
cancelled_after_postcopy_was_ordered(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(POSTCOPY, START_POSTCOPY, NOTHING, NOTHING);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_POSTCOPY);
}

static void
postcopy_ordered_after_cancel(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(CANCEL, ASK, NOTHING, NOTHING);
    AT_SOURCE(POSTCOPY, NOTHING, NOTHING, NOTHING);
}

static void
postcopy_is_refused_by_qemu(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(POSTCOPY, START_POSTCOPY, NOTHING, NOTHING);
    AT_SOURCE(QEMU_REFUSED, NOTHING, NOTHING, NOTHING);
    AT_SOURCE(CANCEL, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_MOVING, CANCEL, NOTHING, NOTHING);
}

static void
postcopy_ordered_once_more_by_the_next_helper(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_MAY_SPLIT);
    AT_SOURCE(POSTCOPY, START_POSTCOPY, NOTHING, NOTHING);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_POSTCOPY);
}

static void
taken_back_in_postcopy(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, GIVEN, NOTHING);
    AT_SOURCE(RELEASE, NOTHING, NOTHING, RELEASE_POSTCOPY);
    AT_DESTINATION(HEARD_TAKE_BACK, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_ARRIVED, QUIT, NOTHING, NOTHING);
}

static void
released_in_postcopy_without_a_partner(void **state)
{
    (void)state;
    pair_split(&pair);
    AT_DESTINATION(LEFT, NOTHING, NOTHING, SEE_SOURCE);
    AT_DESTINATION(RELEASE, CONT, NOTHING, NOTHING);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(postcopy_runs_when_both_are_in_it),
        cmocka_unit_test(postcopy_given_before_it_arrives),
        cmocka_unit_test(postcopy_falls_back_before_it_is_given),
        cmocka_unit_test(postcopy_fails_after_it_is_given),
        cmocka_unit_test(tunnel_dies_in_postcopy),
        cmocka_unit_test(tunnel_dies_before_postcopy_runs),
        cmocka_unit_test(source_helper_dies_in_postcopy),
        cmocka_unit_test(destination_helper_dies_in_postcopy),
        cmocka_unit_test(source_qemu_dies_in_postcopy),
        cmocka_unit_test(source_qemu_dies_before_postcopy_is_given),
        cmocka_unit_test(destination_qemu_fails_in_postcopy),
        cmocka_unit_test(destination_qemu_dies_in_postcopy),
        cmocka_unit_test(destination_qemu_dies_before_postcopy_is_given),
        cmocka_unit_test(cancelled_in_postcopy),
        cmocka_unit_test(cancelled_after_postcopy_was_ordered),
        cmocka_unit_test(postcopy_ordered_after_cancel),
        cmocka_unit_test(postcopy_is_refused_by_qemu),
        cmocka_unit_test(postcopy_ordered_once_more_by_the_next_helper),
        cmocka_unit_test(taken_back_in_postcopy),
        cmocka_unit_test(released_in_postcopy_without_a_partner),
    };

    return RUN_TESTS(tests);
}
