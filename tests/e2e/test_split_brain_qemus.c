/*
 * The source's or the destination's QEMU is killed at each step of a migration.
 * See support_fate.h.
 */
#include "support_fate.h"

static void
source_qemu_dies_before_the_plan(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_BEFORE,
                                    .recv_waits = true,
                                    .end = AT_NEITHER });
}

static void
source_qemu_dies_before_it_begins(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_PREPARED,
                                    .end = AT_NEITHER });
}

static void
source_qemu_dies_while_moving(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_ACTIVE,
                                    .end = AT_NEITHER });
}

static void
source_qemu_dies_in_the_switchover(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_SWITCHOVER,
                                    .done = "mig-recv --release",
                                    .end = AT_DESTINATION });
}

static void
source_qemu_dies_after_all_was_sent(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_ARRIVED,
                                    .done = "mig-recv --release",
                                    .end = AT_DESTINATION });
}

static void
source_qemu_dies_after_completed(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_GIVEN,
                                    .end = AT_DESTINATION });
}

static void
source_qemu_dies_after_it_runs(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_SOURCE,
                                    .step = STEP_RUNNING,
                                    .end = AT_DESTINATION });
}

static void
destination_qemu_dies_before_the_plan(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_BEFORE,
                                    .again = true,
                                    .end = AT_DESTINATION });
}

static void
destination_qemu_dies_before_it_begins(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_PREPARED,
                                    .end = AT_SOURCE });
}

static void
destination_qemu_dies_while_moving(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_ACTIVE,
                                    .end = AT_SOURCE });
}

static void
destination_qemu_dies_in_the_switchover(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_SWITCHOVER,
                                    .end = AT_SOURCE });
}

static void
destination_qemu_dies_after_arrived(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_ARRIVED,
                                    .end = AT_SOURCE });
}

static void
destination_qemu_dies_after_given(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_GIVEN,
                                    .end = AT_SOURCE });
}

static void
destination_qemu_dies_after_running(struct e2e *e2e)
{
    fate_prove(e2e, &(struct fate){ .victim = VICTIM_DESTINATION,
                                    .step = STEP_RUNNING,
                                    .done = "mig-send --release",
                                    .end = AT_SOURCE });
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(source_qemu_dies_before_the_plan),
        E2E_TEST(source_qemu_dies_before_it_begins),
        E2E_TEST(source_qemu_dies_while_moving),
        E2E_TEST(source_qemu_dies_in_the_switchover),
        E2E_TEST(source_qemu_dies_after_all_was_sent),
        E2E_TEST(source_qemu_dies_after_completed),
        E2E_TEST(source_qemu_dies_after_it_runs),
        E2E_TEST(destination_qemu_dies_before_the_plan),
        E2E_TEST(destination_qemu_dies_before_it_begins),
        E2E_TEST(destination_qemu_dies_while_moving),
        E2E_TEST(destination_qemu_dies_in_the_switchover),
        E2E_TEST(destination_qemu_dies_after_arrived),
        E2E_TEST(destination_qemu_dies_after_given),
        E2E_TEST(destination_qemu_dies_after_running),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("split_brain_qemus", tests, NULL, NULL);
}
