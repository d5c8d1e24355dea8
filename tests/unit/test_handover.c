/*
 * The handover, case by case: the QEMUs, the helpers and the tunnels.  Each
 * test is named as its row in the table of DESIGN.md, "Handover".
 */
#include "support_handover.h"
#include "support_test.h"

static struct pair pair;

static void
nothing_goes_wrong(void **state)
{
    (void)state;
    pair_running(&pair);
    goes_on(&pair);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
    AT_DESTINATION(HEARD_BYE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
paused_guest_arrives_paused(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair.source.run = RUN_NO;
    AT_SOURCE(QEMU_COMPLETED, NOTHING, GIVEN, NOTHING);
    pair.destination.run = RUN_NO;
    AT_DESTINATION(HEARD_GIVEN, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
source_fails_while_moving(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
last_bytes_back_are_lost(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(HEARD_ARRIVED, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
destination_fails_while_moving(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_FAILED, QUIT, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_MOVING, NOTHING, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
source_qemu_dies_while_moving(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(QEMU_GONE, NOTHING, GONE, SOURCE_DIED);
    AT_DESTINATION(HEARD_GONE, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, NOTHING, NOTHING, GUEST_LOST);
}

static void
source_qemu_dies_after_all_was_sent(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(QEMU_GONE, NOTHING, GONE, SOURCE_DIED);
    AT_DESTINATION(HEARD_GONE, NOTHING, NOTHING, SOURCE_GONE);
    AT_DESTINATION(RELEASE, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
source_qemu_dies_after_completed(void **state)
{
    (void)state;
    pair_completed(&pair);
    AT_SOURCE(QEMU_GONE, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_ARRIVED, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
destination_qemu_dies_while_moving(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
destination_qemu_dies_after_arrived(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, NOTHING, NOTHING);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
destination_qemu_dies_after_cont(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, GONE, DESTINATION_DIED);
    AT_SOURCE(HEARD_GONE, NOTHING, NOTHING, DESTINATION_GONE);
    AT_SOURCE(RELEASE, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
destination_qemu_dies_after_running(void **state)
{
    (void)state;
    pair_running(&pair);
    AT_DESTINATION(QEMU_GONE, NOTHING, NOTHING, DESTINATION_DIED);
    AT_DESTINATION(CAME, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
both_qemus_die(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(QEMU_GONE, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, NOTHING, NOTHING, GUEST_LOST);
}

static void
source_qemu_can_not_be_reached(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(QEMU_LOST, NOTHING, NOTHING, ATTACH);
    ended(&pair, STATUS_UNKNOWN);
}

static void
source_qemu_can_not_be_reached_after_completed(void **state)
{
    (void)state;
    pair_completed(&pair);
    AT_SOURCE(QEMU_LOST, NOTHING, NOTHING, NOTHING);
    goes_on(&pair);
    AT_SOURCE(CAME, NOTHING, GIVEN, NOTHING);
}

static void
destination_qemu_can_not_be_reached(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(QEMU_LOST, NOTHING, NOTHING, ATTACH);
    ended(&pair, STATUS_UNKNOWN);
}

static void
source_helper_dies_before_it_begins(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_KEPT);
    answered(&pair, ORDER_NOTHING, SAY_KEPT, TELL_NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
source_helper_dies_while_moving(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_MOVING);
    answered(&pair, ORDER_NOTHING, SAY_NOTHING, TELL_NOTHING);
    AT_SOURCE(CANCEL, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_MOVING, CANCEL, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
}

static void
source_helper_dies_after_postcopy_was_ordered(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_MAY_SPLIT);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_POSTCOPY);
    AT_SOURCE(QEMU_MAY_SPLIT, NOTHING, NOTHING, NOTHING);
    AT_SOURCE(QEMU_POSTCOPY, NOTHING, NOTHING, NOTHING);
}

static void
source_helper_dies_after_failed(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    pair_attach_source(&pair, SOURCE_QEMU_KEPT);
    answered(&pair, ORDER_NOTHING, SAY_KEPT, TELL_NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
source_helper_dies_after_completed(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_DESTINATION(LEFT, NOTHING, NOTHING, SEE_SOURCE);
    pair_attach_source(&pair, SOURCE_QEMU_COMPLETED);
    answered(&pair, ORDER_NOTHING, SAY_GIVEN, TELL_SEE_DESTINATION);
    AT_SOURCE(CAME, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
}

static void
source_helper_dies_after_release(void **state)
{
    (void)state;
    pair_given(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_RUNS);
    answered(&pair, ORDER_NOTHING, SAY_KEPT, TELL_RUNS_BY_HAND);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
destination_helper_dies_while_moving(void **state)
{
    (void)state;
    pair_completed(&pair);
    pair_attach_destination(&pair, DESTINATION_QEMU_WAITING);
    answered(&pair, ORDER_NOTHING, SAY_PREPARED, TELL_NOTHING);
    pair.destination.run = RUN_YES;
    AT_DESTINATION(HEARD_GIVEN, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_ARRIVED, CONT, NOTHING, NOTHING);
}

static void
destination_helper_dies_after_arrived(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(LEFT, NOTHING, NOTHING, SEE_DESTINATION);
    pair_attach_destination(&pair, DESTINATION_QEMU_ARRIVED);
    answered(&pair, ORDER_NOTHING, SAY_ARRIVED, TELL_SEE_SOURCE);
    AT_SOURCE(CAME, NOTHING, GIVEN, NOTHING);
    pair.destination.run = RUN_YES;
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
}

static void
destination_helper_dies_after_cont(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    pair_attach_destination(&pair, DESTINATION_QEMU_RUNS);
    answered(&pair, ORDER_NOTHING, SAY_RUNNING, TELL_NOTHING);
    AT_DESTINATION(HEARD_GIVEN, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
}

static void
destination_helper_dies_after_discarding(void **state)
{
    (void)state;
    pair_given(&pair);
    pair_attach_destination(&pair, DESTINATION_QEMU_GONE);
    answered(&pair, ORDER_NOTHING, SAY_GONE, TELL_DESTINATION_DIED);
    AT_SOURCE(HEARD_GONE, NOTHING, NOTHING, DESTINATION_GONE);
    AT_SOURCE(RELEASE, CONT, NOTHING, NOTHING);
}

static void
both_helpers_die_after_completed(void **state)
{
    (void)state;
    pair_given(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_COMPLETED);
    pair_attach_destination(&pair, DESTINATION_QEMU_ARRIVED);
    AT_DESTINATION(CAME, NOTHING, ARRIVED, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, NOTHING, NOTHING, RUN_UNKNOWN);
    AT_DESTINATION(RELEASE, CONT, NOTHING, NOTHING);
}

static void
tunnel_dies_while_moving(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_part(&pair);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    pair_meet(&pair);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
tunnel_dies_in_the_switchover(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_part(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, SEE_SOURCE);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_SOURCE(CAME, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
tunnel_dies_after_completed(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(LEFT, NOTHING, NOTHING, SEE_DESTINATION);
    AT_DESTINATION(LEFT, NOTHING, NOTHING, SEE_SOURCE);
    AT_DESTINATION(RELEASE, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(CAME, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(CAME, NOTHING, RUNNING, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_wrong),
        cmocka_unit_test(paused_guest_arrives_paused),
        cmocka_unit_test(source_fails_while_moving),
        cmocka_unit_test(last_bytes_back_are_lost),
        cmocka_unit_test(destination_fails_while_moving),
        cmocka_unit_test(source_qemu_dies_while_moving),
        cmocka_unit_test(source_qemu_dies_after_all_was_sent),
        cmocka_unit_test(source_qemu_dies_after_completed),
        cmocka_unit_test(destination_qemu_dies_while_moving),
        cmocka_unit_test(destination_qemu_dies_after_arrived),
        cmocka_unit_test(destination_qemu_dies_after_cont),
        cmocka_unit_test(destination_qemu_dies_after_running),
        cmocka_unit_test(both_qemus_die),
        cmocka_unit_test(source_qemu_can_not_be_reached),
        cmocka_unit_test(source_qemu_can_not_be_reached_after_completed),
        cmocka_unit_test(destination_qemu_can_not_be_reached),
        cmocka_unit_test(source_helper_dies_before_it_begins),
        cmocka_unit_test(source_helper_dies_while_moving),
        cmocka_unit_test(source_helper_dies_after_postcopy_was_ordered),
        cmocka_unit_test(source_helper_dies_after_failed),
        cmocka_unit_test(source_helper_dies_after_completed),
        cmocka_unit_test(source_helper_dies_after_release),
        cmocka_unit_test(destination_helper_dies_while_moving),
        cmocka_unit_test(destination_helper_dies_after_arrived),
        cmocka_unit_test(destination_helper_dies_after_cont),
        cmocka_unit_test(destination_helper_dies_after_discarding),
        cmocka_unit_test(both_helpers_die_after_completed),
        cmocka_unit_test(tunnel_dies_while_moving),
        cmocka_unit_test(tunnel_dies_in_the_switchover),
        cmocka_unit_test(tunnel_dies_after_completed),
    };

    return RUN_TESTS(tests);
}
