/* A migration that is called off, and what can be done after it. */
#include <signal.h>
#include <string.h>

#include "support_move.h"
#include "support_process.h"
#include "support_vm.h"

/*
 * A QEMU with a return path may call a migration failed that was cancelled,
 * when it learns from there first; mig-send says what it was all the same.
 */
static void
assert_called_off(struct move *move, int status)
{
    const char *end;

    process_expect(move->send, status);
    vm_assert_runs(move->source);
    end = vm_migration(move->source);
    assert_true(strcmp(end, "cancelled") == 0 || strcmp(end, "failed") == 0);
    process_expect(move->recv, 1);
    assert_true(process_running(move->tunnel.client));
    assert_true(process_running(move->tunnel.server));
}

static void
ctrl_c_cancels_and_the_same_tunnel_takes_the_next_migration(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start_slowly(e2e, &move);
    process_signal(move.send, SIGINT);
    assert_called_off(&move, 3);
    move_again(e2e, &move);
}

static void
timeout_cancels(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL,
               ARGS("--max-bandwidth", "8M", "--timeout", "3"));
    assert_called_off(&move, 4);
}

static void
guest_that_dirties_faster_than_the_link_carries_is_named(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_busy);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "32M"));
    process_wait_text(move.send, move.send->err,
                      "stalled: remaining has not fallen for 3 iterations");
    assert_true(process_said(move.send, "what would help: "));
    process_signal(move.send, SIGINT);
    assert_called_off(&move, 3);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(ctrl_c_cancels_and_the_same_tunnel_takes_the_next_migration),
        E2E_TEST(timeout_cancels),
        E2E_TEST(guest_that_dirties_faster_than_the_link_carries_is_named),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
