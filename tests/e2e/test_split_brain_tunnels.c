/*
 * mig-client, mig-server or the link between them goes at each step of a
 * migration.  See support_fate.h.
 */
#include "support_fate.h"

enum { PARTS = 3 };

/* The three of which the tunnel consists. */
static void
prove_all(struct e2e *e2e, const struct fate fates[PARTS])
{
    for (int i = 0; i < PARTS; i++)
        fate_prove(e2e, &fates[i]);
}

/* For a helper they are the same: one of them at each step, unless there is
 * time for all. */
static void
prove_one(struct e2e *e2e, const struct fate fates[PARTS])
{
    if (e2e_full())
        prove_all(e2e, fates);
    else
        fate_prove(e2e, &fates[(unsigned)fates[0].step % PARTS]);
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

    prove_one(e2e, fates);
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

    prove_one(e2e, fates);
}

static void
tunnel_dies_while_moving(struct e2e *e2e)
{
    static const struct fate fates[] = {
        { .victim = VICTIM_CLIENT, .step = STEP_ACTIVE, .end = AT_SOURCE },
        { .victim = VICTIM_SERVER, .step = STEP_ACTIVE, .end = AT_SOURCE },
        { .victim = VICTIM_LINK, .step = STEP_ACTIVE, .end = AT_SOURCE },
    };

    prove_one(e2e, fates);
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

    prove_one(e2e, fates);
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

    prove_one(e2e, fates);
}

/* All connections are reset, at the byte where the step is held. */
static void
link_may_break_at_every_step_if_it_comes_back(struct e2e *e2e)
{
    static const enum fate_step steps[] = { STEP_PREPARED, STEP_ACTIVE,
                                            STEP_SWITCHOVER, STEP_GIVEN };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        fate_prove(e2e, &(struct fate){ .victim = VICTIM_NOBODY,
                                        .step = steps[i],
                                        .end = AT_DESTINATION });
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(tunnel_dies_before_the_plan),
        E2E_TEST(tunnel_dies_before_it_begins),
        E2E_TEST(tunnel_dies_while_moving),
        E2E_TEST(tunnel_dies_in_the_switchover),
        E2E_TEST(tunnel_dies_after_completed),
        E2E_TEST(tunnel_dies_after_given),
        E2E_TEST(tunnel_dies_after_it_runs),
        E2E_TEST(link_may_break_at_every_step_if_it_comes_back),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("split_brain_tunnels", tests, NULL,
                                       NULL);
}
