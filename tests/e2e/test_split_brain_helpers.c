/*
 * mig-send or mig-recv is killed at each step of a migration.
 * See support_fate.h.
 */
#include "support_fate.h"

static void
source_helper_dies_before_the_plan(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_BEFORE,
                                    .again = true,
                                    .end = AT_DESTINATION });
}

static void
source_helper_dies_before_it_begins(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_PREPARED,
                                    .again = true,
                                    .done = "mig-send --attach",
                                    .end = AT_SOURCE });
}

static void
source_helper_dies_while_moving(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_ACTIVE,
                                    .done = "mig-send --attach",
                                    .end = AT_DESTINATION });
}

static void
source_helper_dies_in_the_switchover(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_SWITCHOVER,
                                    .done = "mig-send --attach",
                                    .end = AT_DESTINATION });
}

static void
source_helper_dies_after_completed(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_ARRIVED,
                                    .done = "mig-send --attach",
                                    .end = AT_DESTINATION });
}

static void
source_helper_dies_after_given(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_GIVEN,
                                    .end = AT_DESTINATION });
}

static void
source_helper_dies_after_it_runs(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SEND,
                                    .step = STEP_RUNNING,
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_before_the_plan(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_BEFORE,
                                    .again = true,
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_before_it_begins(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_PREPARED,
                                    .done = "mig-recv --attach",
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_while_moving(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_ACTIVE,
                                    .done = "mig-recv --attach",
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_in_the_switchover(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_SWITCHOVER,
                                    .done = "mig-recv --attach",
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_after_arrived(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_ARRIVED,
                                    .done = "mig-recv --attach",
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_after_given(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_GIVEN,
                                    .done = "mig-recv --attach",
                                    .end = AT_DESTINATION });
}

static void
destination_helper_dies_after_cont(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_RECV,
                                    .step = STEP_RUNNING,
                                    .end = AT_DESTINATION });
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(source_helper_dies_before_the_plan),
        E2E_TEST(source_helper_dies_before_it_begins),
        E2E_TEST(source_helper_dies_while_moving),
        E2E_TEST(source_helper_dies_in_the_switchover),
        E2E_TEST(source_helper_dies_after_completed),
        E2E_TEST(source_helper_dies_after_given),
        E2E_TEST(source_helper_dies_after_it_runs),
        E2E_TEST(destination_helper_dies_before_the_plan),
        E2E_TEST(destination_helper_dies_before_it_begins),
        E2E_TEST(destination_helper_dies_while_moving),
        E2E_TEST(destination_helper_dies_in_the_switchover),
        E2E_TEST(destination_helper_dies_after_arrived),
        E2E_TEST(destination_helper_dies_after_given),
        E2E_TEST(destination_helper_dies_after_cont),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("split_brain_helpers", tests, NULL,
                                       NULL);
}
