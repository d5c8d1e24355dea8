/* Channels on several threads: the memory that arrives is the same. */
#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

/* Compression has threads of its own, so it is off. */
enum { THREADS = 4, RESETS = 10, FILL_MIB = 128 };

#define WITH_THREADS ARGS("--threads", "4")
#define WITH_MULTIFD ARGS("--multifd", "4")

struct expected {
    const struct tunnel *tunnel;
    unsigned threads;
};

static bool
have_threads(void *arg)
{
    const struct expected *expected = arg;
    struct proc_usage client, server;

    proc_read_usage(expected->tunnel->client->pid, &client);
    proc_read_usage(expected->tunnel->server->pid, &server);
    return client.threads == expected->threads &&
           server.threads == expected->threads;
}

static void
expect_threads(const struct tunnel *tunnel, unsigned threads)
{
    struct expected expected = { .tunnel = tunnel, .threads = threads };

    assert_true(wait_until(PATIENCE_MS, have_threads, &expected));
}

/* QEMU makes a main channel and four others: each thread has one at least, and
 * with the last of them goes all but the first thread.  Slow enough to look. */
static void
move_with_threads(struct e2e *e2e, struct move *move)
{
    expect_threads(&move->tunnel, 1);
    move_start(e2e, move, WITH_MULTIFD,
               ARGS("--multifd", "4", "--max-bandwidth", "64M"));
    expect_threads(&move->tunnel, THREADS);
    move_finish(e2e, move);
    expect_threads(&move->tunnel, 1);
}

static void
session_on_four_threads_survives(struct e2e *e2e, const char *action)
{
    struct guest guest = guest_calm;
    struct proxy *proxy;
    struct proxy_report report;
    struct move move;

    guest.fill_mib = FILL_MIB;
    move_prepare(e2e, &move, &guest);
    proxy = session_start_proxied(e2e, &move.tunnel, WITH_THREADS,
                                  ARGS("--threads", "4", "--compress", "off"));
    proxy_do(proxy, "rule * > bytes %u times %u %s",
             (guest.fill_mib << 20) / (RESETS + 1), RESETS, action);
    move_with_threads(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    proxy_report(proxy, &report);
    assert_int_equal(report.faults, RESETS);
}

static void
session_on_four_threads_survives_resets_of_single_connections(struct e2e *e2e)
{
    session_on_four_threads_survives(e2e, "reset");
}

static void
session_on_four_threads_survives_resets_of_all_connections(struct e2e *e2e)
{
    session_on_four_threads_survives(e2e, "resetall");
}

static void
start_raw(struct e2e *e2e, struct move *move, unsigned fill_mib)
{
    struct guest guest = guest_calm;

    guest.fill_mib = fill_mib;
    move_prepare(e2e, move, &guest);
    tunnel_init(e2e, &move->tunnel);
    tunnel_start_server(e2e, &move->tunnel, WITH_THREADS);
    tunnel_start_client(e2e, &move->tunnel, WITH_THREADS);
}

static void
raw_guest_moves_on_four_threads(struct e2e *e2e)
{
    struct move move;

    start_raw(e2e, &move, FILL_MIB);
    move_with_threads(e2e, &move);
}

static void
raw_guest_moves_on_four_threads_after_a_destination_was_killed(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    start_raw(e2e, &move, guest_calm.fill_mib);
    move_start(e2e, &move, WITH_MULTIFD,
               ARGS("--multifd", "4", "--max-bandwidth", "8M"));
    expect_threads(&move.tunnel, THREADS);
    since_ms = wait_now_ms();
    process_kill(move.destination->process);
    move_assert_failed(&move, since_ms);
    expect_threads(&move.tunnel, 1);
    move.destination = vm_start_destination(e2e, move.source);
    move_with_threads(e2e, &move);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(session_on_four_threads_survives_resets_of_single_connections),
        E2E_TEST(session_on_four_threads_survives_resets_of_all_connections),
        E2E_TEST(raw_guest_moves_on_four_threads),
        E2E_TEST(
            raw_guest_moves_on_four_threads_after_a_destination_was_killed),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
