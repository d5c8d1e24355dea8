/*
 * The handover, case by case: messages that are lost, and the operator.  Each
 * test is named as its row in the table of DESIGN.md, "Handover".
 */
#include "support_handover.h"
#include "support_test.h"

static struct pair pair;

static void
given_is_lost(void **state)
{
    (void)state;
    pair_given(&pair);
    pair_part(&pair);
    AT_SOURCE(CAME, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
}

static void
kept_is_lost(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    pair_part(&pair);
    AT_SOURCE(CAME, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
gone_is_lost(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(QEMU_GONE, NOTHING, GONE, SOURCE_DIED);
    pair_part(&pair);
    AT_SOURCE(CAME, NOTHING, GONE, NOTHING);
    AT_DESTINATION(HEARD_GONE, NOTHING, NOTHING, SOURCE_GONE);
}

static void
take_back_is_lost(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_SOURCE(LEFT, NOTHING, NOTHING, SEE_DESTINATION);
    AT_SOURCE(CAME, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, QUIT, NOTHING, NOTHING);
}

static void
prepared_is_lost(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_part(&pair);
    AT_DESTINATION(CAME, NOTHING, PREPARED, NOTHING);
}

static void
arrived_is_lost(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    pair_part(&pair);
    AT_DESTINATION(CAME, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(HEARD_ARRIVED, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, GIVEN, SEE_DESTINATION);
}

static void
running_is_lost(void **state)
{
    (void)state;
    pair_running(&pair);
    pair_part(&pair);
    AT_DESTINATION(CAME, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
failed_is_lost(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(QEMU_GONE, NOTHING, FAILED, NOTHING);
    pair_part(&pair);
    AT_DESTINATION(CAME, NOTHING, FAILED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, CONT, NOTHING, NOTHING);
}

static void
discarded_is_lost(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    pair_part(&pair);
    AT_DESTINATION(CAME, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, CONT, NOTHING, NOTHING);
}

static void
release_asked_is_lost(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(RELEASE, NOTHING, RELEASE_ASKED, WAIT_FOR_SOURCE);
    pair_part(&pair);
    AT_SOURCE(CAME, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
}

static void
cancel_is_lost(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(CANCEL, NOTHING, CANCEL, NOTHING);
    pair_part(&pair);
    AT_DESTINATION(CANCEL, NOTHING, NOTHING, CANCEL_AT_SOURCE);
    pair_meet(&pair);
    AT_DESTINATION(CANCEL, NOTHING, CANCEL, NOTHING);
    AT_SOURCE(HEARD_CANCEL, ASK, NOTHING, NOTHING);
}

static void
bye_is_lost(void **state)
{
    (void)state;
    pair_running(&pair);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, NOTHING);
    AT_DESTINATION(LEFT, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(LEAVE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_DONE);
}

static void
cancelled_at_the_source(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(CANCEL, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_MOVING, CANCEL, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_CANCELLED);
}

static void
cancelled_at_the_destination(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(CANCEL, NOTHING, CANCEL, NOTHING);
    AT_SOURCE(HEARD_CANCEL, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_MOVING, CANCEL, NOTHING, NOTHING);
}

static void
cancelled_at_the_destination_without_a_partner(void **state)
{
    (void)state;
    pair_moving(&pair);
    pair_part(&pair);
    AT_DESTINATION(CANCEL, NOTHING, NOTHING, CANCEL_AT_SOURCE);
}

static void
cancelled_in_the_switchover(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_SOURCE(CANCEL, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, GIVEN, CANCEL_TOO_LATE);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_TOO_LATE);
}

static void
cancelled_after_completed(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(CANCEL, NOTHING, NOTHING, CANCEL_TOO_LATE);
    AT_DESTINATION(CANCEL, NOTHING, CANCEL, NOTHING);
    AT_SOURCE(HEARD_CANCEL, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    AT_DESTINATION(CANCEL, NOTHING, NOTHING, CANCEL_TOO_LATE);
}

static void
taken_back_before_it_runs(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
taken_back_by_one_who_comes_for_that(void **state)
{
    (void)state;
    pair_completed(&pair);
    handover_source_init(&pair.source, RUN_YES);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, GIVEN, SEE_DESTINATION);
    AT_SOURCE(CAME_WANTED, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(HEARD_ARRIVED, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);

    /* Nothing to take back: then it hears what anybody would who comes. */
    handover_source_init(&pair.source, RUN_YES);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_SOURCE(CAME_WANTED, NOTHING, KEPT, NOT_GIVEN);
}

static void
taken_back_after_it_runs(void **state)
{
    (void)state;
    pair_running(&pair);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, RUNS_THERE);
    ended(&pair, STATUS_DONE);
}

static void
taken_back_while_it_starts(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, NOTHING, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(HEARD_RUNNING, NOTHING, BYE, RUNS_THERE);
}

static void
taken_back_without_a_partner(void **state)
{
    (void)state;
    pair_given(&pair);
    pair_part(&pair);
    AT_SOURCE(RELEASE, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, NOTHING);
    pair_meet(&pair);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
taken_back_paused(void **state)
{
    (void)state;
    pair_given(&pair);
    pair.source.run = RUN_NO;
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
taken_back_and_not_continued(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_DESTINATION(HEARD_TAKE_BACK, QUIT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_GONE, NOTHING, DISCARDED, NOTHING);
    AT_SOURCE(HEARD_EMPTY, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    ended(&pair, STATUS_FAILED);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_FAILED);
}

static void
source_qemu_dies_while_it_is_taken_back(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(RELEASE, NOTHING, TAKE_BACK, NOTHING);
    AT_SOURCE(QEMU_GONE, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
}

static void
released_with_a_partner(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_DESTINATION(RELEASE, NOTHING, RELEASE_ASKED, WAIT_FOR_SOURCE);
    AT_SOURCE(HEARD_RELEASE_ASKED, NOTHING, NOTHING, NOTHING);
    AT_SOURCE(QEMU_COMPLETED, NOTHING, GIVEN, NOTHING);
    AT_DESTINATION(HEARD_GIVEN, CONT, NOTHING, NOTHING);
}

static void
released_where_the_source_kept_it(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_ARRIVED, NOTHING, ARRIVED, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(RELEASE, NOTHING, RELEASE_ASKED, WAIT_FOR_SOURCE);
    AT_SOURCE(HEARD_RELEASE_ASKED, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
released_before_it_can_be(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(RELEASE, NOTHING, NOTHING, NOT_ARRIVED);
    AT_SOURCE(RELEASE, NOTHING, NOTHING, NOT_GIVEN);
}

static void
released_at_both_ends_by_hand(void **state)
{
    (void)state;
    pair_given(&pair);
    pair_part(&pair);
    AT_SOURCE(RELEASE, CONT, NOTHING, NOTHING);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(RELEASE, CONT, NOTHING, NOTHING);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, NOTHING);
    AT_SOURCE(CAME, NOTHING, KEPT, NOTHING);
    AT_DESTINATION(CAME, NOTHING, RUNNING, NOTHING);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, TWO_GUESTS);
    AT_DESTINATION(LEAVE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_UNKNOWN);
    AT_SOURCE(HEARD_RUNNING, NOTHING, NOTHING, TWO_GUESTS);
    AT_SOURCE(LEAVE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_UNKNOWN);
}

static void
source_was_continued_by_hand(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(QEMU_RUNS, NOTHING, KEPT, RUNS_BY_HAND);
    AT_DESTINATION(HEARD_KEPT, QUIT, NOTHING, NOTHING);
}

static void
source_was_continued_by_hand_while_it_runs_there(void **state)
{
    (void)state;
    pair_running(&pair);
    pair_attach_source(&pair, SOURCE_QEMU_RUNS);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, TWO_GUESTS);
    AT_SOURCE(HEARD_RUNNING, NOTHING, NOTHING, TWO_GUESTS);
    AT_SOURCE(HEARD_GONE, NOTHING, NOTHING, NOTHING); /* that one is ended */
    ended(&pair, STATUS_FAILED);
}

static void
destination_was_continued_by_hand(void **state)
{
    (void)state;
    pair_moving(&pair);
    AT_DESTINATION(QEMU_RUNS, NOTHING, RUNNING, RUNS_BY_HAND);
    AT_SOURCE(HEARD_RUNNING, ASK, NOTHING, NOTHING);
    AT_SOURCE(QEMU_KEPT, NOTHING, KEPT, TWO_GUESTS);
    AT_DESTINATION(HEARD_KEPT, NOTHING, NOTHING, TWO_GUESTS);
    AT_DESTINATION(HEARD_BYE, NOTHING, NOTHING, NOTHING);
    ended(&pair, STATUS_UNKNOWN);
}

static void
left_without_the_outcome(void **state)
{
    (void)state;
    pair_given(&pair);
    AT_SOURCE(LEAVE, NOTHING, NOTHING, SEE_DESTINATION);
    ended(&pair, STATUS_UNKNOWN);
    AT_DESTINATION(LEAVE, NOTHING, NOTHING, SEE_SOURCE);
    ended(&pair, STATUS_UNKNOWN);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_is_lost),
        cmocka_unit_test(kept_is_lost),
        cmocka_unit_test(gone_is_lost),
        cmocka_unit_test(take_back_is_lost),
        cmocka_unit_test(prepared_is_lost),
        cmocka_unit_test(arrived_is_lost),
        cmocka_unit_test(running_is_lost),
        cmocka_unit_test(failed_is_lost),
        cmocka_unit_test(discarded_is_lost),
        cmocka_unit_test(release_asked_is_lost),
        cmocka_unit_test(cancel_is_lost),
        cmocka_unit_test(bye_is_lost),
        cmocka_unit_test(cancelled_at_the_source),
        cmocka_unit_test(cancelled_at_the_destination),
        cmocka_unit_test(cancelled_at_the_destination_without_a_partner),
        cmocka_unit_test(cancelled_in_the_switchover),
        cmocka_unit_test(cancelled_after_completed),
        cmocka_unit_test(taken_back_before_it_runs),
        cmocka_unit_test(taken_back_by_one_who_comes_for_that),
        cmocka_unit_test(taken_back_after_it_runs),
        cmocka_unit_test(taken_back_while_it_starts),
        cmocka_unit_test(taken_back_without_a_partner),
        cmocka_unit_test(taken_back_paused),
        cmocka_unit_test(taken_back_and_not_continued),
        cmocka_unit_test(source_qemu_dies_while_it_is_taken_back),
        cmocka_unit_test(released_with_a_partner),
        cmocka_unit_test(released_where_the_source_kept_it),
        cmocka_unit_test(released_before_it_can_be),
        cmocka_unit_test(released_at_both_ends_by_hand),
        cmocka_unit_test(source_was_continued_by_hand),
        cmocka_unit_test(source_was_continued_by_hand_while_it_runs_there),
        cmocka_unit_test(destination_was_continued_by_hand),
        cmocka_unit_test(left_without_the_outcome),
    };

    return RUN_TESTS(tests);
}
