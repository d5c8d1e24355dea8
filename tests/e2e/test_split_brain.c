/*
 * Each of the processes and the link dies at each step of a migration: never do
 * both QEMUs run the guest, and what the lines ask for brings it back where
 * nobody runs it.
 */
#include "support_fate.h"

/* The three of which the tunnel consists; for a helper they are the same. */
static void
prove_all(struct e2e *e2e, const struct fate fates[3])
{
    for (int i = 0; i < 3; i++)
        fate_prove(e2e, &fates[i]);
}

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

static void
tunnel_dies_before_the_plan(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT,
          .step = STEP_BEFORE,
          .again = true,
          .end = AT_DESTINATION },
        { .victim = VICTIM_SERVER,
          .step = STEP_BEFORE,
          .again = true,
          .end = AT_DESTINATION },
        { .victim = VICTIM_LINK,
          .step = STEP_BEFORE,
          .again = true,
          .end = AT_DESTINATION },
    };

    prove_all(e2e, fates);
}

static void
tunnel_dies_before_it_begins(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT,
          .step = STEP_PREPARED,
          .again = true,
          .done = "mig-send --attach",
          .end = AT_SOURCE },
        { .victim = VICTIM_SERVER,
          .step = STEP_PREPARED,
          .again = true,
          .done = "mig-send --attach",
          .end = AT_SOURCE },
        { .victim = VICTIM_LINK,
          .step = STEP_PREPARED,
          .again = true,
          .done = "mig-send --attach",
          .end = AT_SOURCE },
    };

    prove_all(e2e, fates);
}

static void
tunnel_dies_while_moving(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT, .step = STEP_ACTIVE, .end = AT_SOURCE },
        { .victim = VICTIM_SERVER, .step = STEP_ACTIVE, .end = AT_SOURCE },
        { .victim = VICTIM_LINK, .step = STEP_ACTIVE, .end = AT_SOURCE },
    };

    prove_all(e2e, fates);
}

static void
tunnel_dies_in_the_switchover(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT,
          .step = STEP_SWITCHOVER,
          .new_tunnel = true,
          .done = "mig-send --attach",
          .end = AT_SOURCE },
        { .victim = VICTIM_SERVER,
          .step = STEP_SWITCHOVER,
          .done = "quit",
          .end = AT_SOURCE },
        { .victim = VICTIM_LINK,
          .step = STEP_SWITCHOVER,
          .new_tunnel = true,
          .done = "mig-send --attach",
          .end = AT_SOURCE },
    };

    prove_all(e2e, fates);
}

static void
tunnel_dies_after_completed(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT,
          .step = STEP_ARRIVED,
          .new_tunnel = true,
          .end = AT_DESTINATION },
        { .victim = VICTIM_SERVER,
          .step = STEP_ARRIVED,
          .done = "mig-recv --release",
          .end = AT_DESTINATION },
        { .victim = VICTIM_LINK,
          .step = STEP_ARRIVED,
          .new_tunnel = true,
          .end = AT_DESTINATION },
    };

    prove_all(e2e, fates);
}

static void
tunnel_dies_after_given(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT, .step = STEP_GIVEN, .end = AT_DESTINATION },
        { .victim = VICTIM_SERVER, .step = STEP_GIVEN, .end = AT_DESTINATION },
        { .victim = VICTIM_LINK, .step = STEP_GIVEN, .end = AT_DESTINATION },
    };

    prove_all(e2e, fates);
}

static void
tunnel_dies_after_it_runs(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT,
          .step = STEP_RUNNING,
          .end = AT_DESTINATION },
        { .victim = VICTIM_SERVER,
          .step = STEP_RUNNING,
          .end = AT_DESTINATION },
        { .victim = VICTIM_LINK, .step = STEP_RUNNING, .end = AT_DESTINATION },
    };

    prove_all(e2e, fates);
}

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
        E2E_TEST(tunnel_dies_before_the_plan),
        E2E_TEST(tunnel_dies_before_it_begins),
        E2E_TEST(tunnel_dies_while_moving),
        E2E_TEST(tunnel_dies_in_the_switchover),
        E2E_TEST(tunnel_dies_after_completed),
        E2E_TEST(tunnel_dies_after_given),
        E2E_TEST(tunnel_dies_after_it_runs),
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
    return cmocka_run_group_tests_name("split_brain", tests, NULL, NULL);
}
