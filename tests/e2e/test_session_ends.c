/* How a migration ended: the same words at both ends, and an exit status. */
#include <signal.h>

#include "support_channels.h"
#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

/* Nothing has to wait for a grace period of 5 s; the rest is for a busy
 * machine. */
enum { GRACE_MS = 5 * 1000 };

static void
start_once(struct e2e *e2e, struct move *move)
{
    move_prepare(e2e, move, &guest_calm);
    session_start(e2e, &move->tunnel, ARGS("--once"), ARGS("--once"));
}

static void
expect_exit(struct move *move, int status, const char *words)
{
    session_expect_end(&move->tunnel, words);
    process_expect(move->tunnel.client, status);
    process_expect(move->tunnel.server, status);
    assert_false(proc_unix_listening(move->tunnel.source));
}

static void
once_ends_with_0_after_a_migration_that_went_well(struct e2e *e2e)
{
    struct move move;

    start_once(e2e, &move);
    move_start(e2e, &move, ARGS("--multifd", "2"), ARGS("--multifd", "2"));
    move_finish(e2e, &move);
    expect_exit(&move, 0, "completed");
}

static void
once_ends_with_3_after_a_migration_that_was_cancelled(struct e2e *e2e)
{
    struct move move;

    start_once(e2e, &move);
    move_start_slowly(e2e, &move);
    process_signal(move.send, SIGINT);
    process_expect(move.send, 3);
    expect_exit(&move, 3, "cancelled by source");
    vm_assert_runs(move.source);
}

static void
once_ends_with_1_after_the_destination_was_killed(struct e2e *e2e)
{
    struct move move;

    start_once(e2e, &move);
    move_start_slowly(e2e, &move);
    process_kill(move.destination->process);
    move_assert_failed(&move, wait_now_ms());
    expect_exit(&move, 1, "destination closed");
}

static void
killed_source_counts_as_cancelled(struct e2e *e2e)
{
    struct move move;

    start_once(e2e, &move);
    move_start_slowly(e2e, &move);
    process_kill(move.source->process);
    process_wait(move.send);
    process_expect(move.recv, 1);
    process_expect(move.destination->process, 1);
    expect_exit(&move, 3, "cancelled by source");
}

static bool
is_not_there(void *path)
{
    return !proc_unix_listening(path);
}

/* The socket stands for a destination that listens: mig-send may look. */
static void
socket_is_there_while_the_destination_listens(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    process_wait_text(move.tunnel.client, move.tunnel.client->err,
                      "waiting for the destination");
    assert_false(proc_unix_listening(move.tunnel.source));

    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    proc_wait_unix(move.tunnel.client, move.tunnel.source);
    vm_stop(move.destination);
    process_wait_text(move.tunnel.client, move.tunnel.client->err,
                      "not ready any more");
    assert_false(proc_unix_listening(move.tunnel.source));
    process_expect(move.recv, 1);

    move.destination = vm_start_destination(e2e, move.source);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    assert_true(wait_until(PATIENCE_MS, is_not_there, move.tunnel.source));
}

static void
client_waits_for_a_server_that_comes_later(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    tunnel_start_client(e2e, &move.tunnel, NULL);
    process_wait_text(move.tunnel.client, move.tunnel.client->err,
                      "cannot connect to mig-server");
    move_start(e2e, &move, NULL, NULL);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

static void
client_that_finds_no_server_says_why_and_exits(struct e2e *e2e)
{
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    tunnel.session = true;
    tunnel_start_client(e2e, &tunnel, ARGS("--wait", "1"));
    process_expect(tunnel.client, 1);
    assert_true(process_said(tunnel.client, "Connection refused"));
}

static void
idle_ends_exit_at_once_on_a_signal(struct e2e *e2e)
{
    struct tunnel tunnel;
    uint64_t since_ms;

    session_start(e2e, &tunnel, NULL, NULL);
    process_wait_text(tunnel.client, tunnel.client->err, "joined");
    since_ms = wait_now_ms();
    process_signal(tunnel.client, SIGTERM);
    process_expect(tunnel.client, 0);
    tunnel_start_client(e2e, &tunnel, NULL);
    process_wait_text(tunnel.client, tunnel.client->err, "joined");
    process_signal(tunnel.server, SIGTERM);
    process_expect(tunnel.server, 0);
    process_wait_text(tunnel.client, tunnel.client->err, ": stopped");
    process_signal(tunnel.client, SIGTERM);
    process_expect(tunnel.client, 0);
    assert_in_range(wait_now_ms() - since_ms, 0, GRACE_MS);
}

static void
signalled_ends_let_a_migration_finish(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "48M"));
    vm_wait_transferred(move.source, 8);
    process_signal(move.tunnel.client, SIGTERM);
    process_signal(move.tunnel.server, SIGTERM);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    process_expect(move.tunnel.client, 0);
    process_expect(move.tunnel.server, 0);
}

static void
signalled_end_cuts_a_migration_that_takes_too_long(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    process_signal(move.tunnel.server, SIGTERM);
    session_expect_end(&move.tunnel, "stopped");
    process_expect(move.tunnel.server, 3);
    move_assert_failed(&move, wait_now_ms());
    process_expect(move.destination->process, 1);
    assert_true(process_running(move.tunnel.client));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(once_ends_with_0_after_a_migration_that_went_well),
        E2E_TEST(once_ends_with_3_after_a_migration_that_was_cancelled),
        E2E_TEST(once_ends_with_1_after_the_destination_was_killed),
        E2E_TEST(killed_source_counts_as_cancelled),
        E2E_TEST(socket_is_there_while_the_destination_listens),
        E2E_TEST(client_waits_for_a_server_that_comes_later),
        E2E_TEST(client_that_finds_no_server_says_why_and_exits),
        E2E_TEST(idle_ends_exit_at_once_on_a_signal),
        E2E_TEST(signalled_ends_let_a_migration_finish),
        E2E_TEST(signalled_end_cuts_a_migration_that_takes_too_long),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_ends", tests, NULL, NULL);
}
