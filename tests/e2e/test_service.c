/* How the tunnel's two ends run and end: --once, signals, taken ports. */
#include <signal.h>

#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    /* Channels that run when a signal comes have 5 s to finish; the rest is
     * room for a busy machine. */
    GRACE_MS = 5 * 1000,
    GRACE_AT_MOST_MS = 15 * 1000
};

static void
start_once(struct e2e *e2e, struct move *move)
{
    move_prepare(e2e, move, &guest_calm);
    tunnel_init(e2e, &move->tunnel);
    tunnel_start_server(e2e, &move->tunnel, ARGS("--once"));
    tunnel_start_client(e2e, &move->tunnel, ARGS("--once"));
}

static void
once_ends_with_0_after_a_migration_that_went_well(struct e2e *e2e)
{
    struct move move;

    start_once(e2e, &move);
    move_start(e2e, &move, ARGS("--multifd", "2"), ARGS("--multifd", "2"));
    move_finish(e2e, &move);
    process_expect(move.tunnel.client, 0);
    process_expect(move.tunnel.server, 0);
    assert_false(proc_unix_listening(move.tunnel.source));
}

/* Killed in the middle of the stream: it is stopped first, so that it leaves
 * bytes unread.  Without any, raw mode could not tell this from an end. */
static void
once_ends_with_1_after_a_migration_that_failed(struct e2e *e2e)
{
    struct move move;

    start_once(e2e, &move);
    move_start_slowly(e2e, &move);
    process_signal(move.destination->process, SIGSTOP);
    vm_wait_transferred(move.source, 20);
    process_kill(move.destination->process);
    move_assert_failed(&move, wait_now_ms());
    process_expect(move.tunnel.client, 1);
    process_expect(move.tunnel.server, 1);
}

static void
idle_ends_exit_at_once_on_a_signal(struct e2e *e2e)
{
    static const int signals[] = { SIGTERM, SIGINT };

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct tunnel tunnel;
        uint64_t since_ms;

        tunnel_start(e2e, &tunnel);
        since_ms = wait_now_ms();
        process_signal(tunnel.client, signals[i]);
        process_signal(tunnel.server, signals[i]);
        process_expect(tunnel.client, 0);
        process_expect(tunnel.server, 0);
        assert_in_range(wait_now_ms() - since_ms, 0, GRACE_MS);
    }
}

static void
signalled_ends_let_a_migration_finish(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "48M"));
    vm_wait_transferred(move.source, 8);
    process_signal(move.tunnel.client, SIGTERM);
    process_signal(move.tunnel.server, SIGTERM);
    move_finish(e2e, &move);
    process_expect(move.tunnel.client, 0);
    process_expect(move.tunnel.server, 0);
}

static void
signalled_end_cuts_a_migration_that_takes_too_long(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start_slowly(e2e, &move);
    since_ms = wait_now_ms();
    process_signal(move.tunnel.client, SIGTERM);
    process_expect(move.tunnel.client, 3);
    assert_in_range(wait_now_ms() - since_ms, GRACE_MS / 2, GRACE_AT_MOST_MS);
    move_assert_failed(&move, wait_now_ms());
    assert_true(process_running(move.tunnel.server));
}

static void
second_signal_cuts_a_migration_at_once(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start_slowly(e2e, &move);
    since_ms = wait_now_ms();
    process_signal(move.tunnel.server, SIGTERM);
    /* Two signals of a kind may merge: wait until the first was taken. */
    while (proc_tcp_listening(move.tunnel.port))
        assert_true(wait_now_ms() - since_ms < GRACE_MS);
    process_signal(move.tunnel.server, SIGTERM);
    process_expect(move.tunnel.server, 3);
    assert_in_range(wait_now_ms() - since_ms, 0, GRACE_MS - 1000);
    move_assert_failed(&move, since_ms);
}

static void
taken_port_is_named(struct e2e *e2e)
{
    struct process *second;
    struct tunnel tunnel;
    char listen[32], port[16];

    tunnel_init(e2e, &tunnel);
    tunnel_start_server(e2e, &tunnel, NULL);
    snprintf(port, sizeof(port), "%u", tunnel.port);
    snprintf(listen, sizeof(listen), "127.0.0.1:%s", port);
    second = tool_start(
        e2e, "mig-server",
        ARGS("--insecure", "--listen", listen, "--unix", tunnel.destination));
    assert_int_equal(process_wait(second), 1);
    assert_true(process_said(second, port));
    assert_true(process_running(tunnel.server));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(once_ends_with_0_after_a_migration_that_went_well),
        E2E_TEST(once_ends_with_1_after_a_migration_that_failed),
        E2E_TEST(idle_ends_exit_at_once_on_a_signal),
        E2E_TEST(signalled_ends_let_a_migration_finish),
        E2E_TEST(signalled_end_cuts_a_migration_that_takes_too_long),
        E2E_TEST(second_signal_cuts_a_migration_at_once),
        E2E_TEST(taken_port_is_named),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
