#include "support_handover.h"

#include "support_test.h"

static void
start(struct pair *pair, enum handover_run run)
{
    handover_source_init(&pair->source, run);
    handover_destination_init(&pair->destination, run);
    pair_meet(pair);
    at_destination(pair, DESTINATION_QEMU_WAITING, ORDER_NOTHING, SAY_PREPARED,
                   TELL_NOTHING);
    at_source(pair, SOURCE_BEGIN, ORDER_NOTHING, SAY_NOTHING, TELL_NOTHING);
}

void
pair_moving(struct pair *pair)
{
    start(pair, RUN_YES);
}

void
pair_completed(struct pair *pair)
{
    pair_moving(pair);
    at_source(pair, SOURCE_QEMU_COMPLETED, ORDER_NOTHING, SAY_GIVEN,
              TELL_NOTHING);
}

void
pair_given(struct pair *pair)
{
    pair_completed(pair);
    at_destination(pair, DESTINATION_QEMU_ARRIVED, ORDER_NOTHING, SAY_ARRIVED,
                   TELL_NOTHING);
    at_source(pair, SOURCE_HEARD_ARRIVED, ORDER_NOTHING, SAY_NOTHING,
              TELL_NOTHING);
}

void
pair_running(struct pair *pair)
{
    pair_given(pair);
    at_destination(pair, DESTINATION_HEARD_GIVEN, ORDER_CONT, SAY_NOTHING,
                   TELL_NOTHING);
    at_destination(pair, DESTINATION_QEMU_RUNS, ORDER_NOTHING, SAY_RUNNING,
                   TELL_NOTHING);
}

void
pair_split(struct pair *pair)
{
    pair_moving(pair);
    at_source(pair, SOURCE_POSTCOPY, ORDER_START_POSTCOPY, SAY_NOTHING,
              TELL_NOTHING);
    at_source(pair, SOURCE_QEMU_POSTCOPY, ORDER_NOTHING, SAY_NOTHING,
              TELL_NOTHING);
    at_destination(pair, DESTINATION_QEMU_POSTCOPY, ORDER_NOTHING, SAY_ARRIVED,
                   TELL_NOTHING);
    at_source(pair, SOURCE_HEARD_ARRIVED, ORDER_ASK, SAY_NOTHING, TELL_NOTHING);
}

void
pair_attach_source(struct pair *pair, enum source_event event)
{
    handover_destination_step(&pair->destination, DESTINATION_LEFT);
    handover_source_init(&pair->source, RUN_UNKNOWN);
    pair->acts = handover_source_step(&pair->source, event);
    handover_destination_step(&pair->destination, DESTINATION_CAME);
}

void
pair_attach_destination(struct pair *pair, enum destination_event event)
{
    handover_source_step(&pair->source, SOURCE_LEFT);
    handover_destination_init(&pair->destination, RUN_UNKNOWN);
    pair->acts = handover_destination_step(&pair->destination, event);
    handover_source_step(&pair->source, SOURCE_CAME);
}

void
pair_part(struct pair *pair)
{
    handover_source_step(&pair->source, SOURCE_LEFT);
    handover_destination_step(&pair->destination, DESTINATION_LEFT);
}

void
pair_meet(struct pair *pair)
{
    handover_source_step(&pair->source, SOURCE_CAME);
    handover_destination_step(&pair->destination, DESTINATION_CAME);
}

void
answered(const struct pair *pair, enum handover_order order,
         enum handover_say say, enum handover_tell tell)
{
    assert_int_equal(pair->acts.order, order);
    assert_int_equal(pair->acts.say, say);
    assert_int_equal(pair->acts.tell, tell);
}

void
at_source(struct pair *pair, enum source_event event, enum handover_order order,
          enum handover_say say, enum handover_tell tell)
{
    pair->acts = handover_source_step(&pair->source, event);
    answered(pair, order, say, tell);
}

void
at_destination(struct pair *pair, enum destination_event event,
               enum handover_order order, enum handover_say say,
               enum handover_tell tell)
{
    pair->acts = handover_destination_step(&pair->destination, event);
    answered(pair, order, say, tell);
}

void
ended(const struct pair *pair, enum exit_status status)
{
    assert_true(pair->acts.finish);
    assert_int_equal(pair->acts.status, status);
}

void
goes_on(const struct pair *pair)
{
    assert_false(pair->acts.finish);
}
