/* A running guest moves, with one connection. */
#include <stdio.h>

#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_vm.h"
#include "support_wait.h"

static void
running_guest_moves_and_its_memory_is_identical(struct e2e *e2e)
{
    struct guest guest = guest_calm;
    struct move move;

    guest.fill_mib = e2e_full() ? 1024 : 256;
    move_prepare(e2e, &move, &guest);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
}

/* As move_prepare, but the destination does not keep the guest paused. */
static void
prepare_unpaused(struct e2e *e2e, struct move *move)
{
    struct vm_options options = { .name = "destination", .incoming = true };

    *move = (struct move){ .source = vm_start_source(e2e, &guest_calm) };
    options.image = move->source->image;
    options.memory_mib = move->source->memory_mib;
    move->destination = vm_start(e2e, &options);
}

static void
running_guest_runs_on_at_once_where_that_is_asked_for(struct e2e *e2e)
{
    struct move move;

    prepare_unpaused(e2e, &move);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, ARGS("--run-at-once"), NULL);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    vm_wait_state(move.destination, "running");
    vm_assert_runs(move.destination);
    vm_assert_continues(move.source, move.destination);
}

static void
paused_guest_arrives_paused_and_identical(struct e2e *e2e)
{
    struct move move;

    prepare_unpaused(e2e, &move);
    qmp_do(move.source->qmp, "stop", NULL);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
}

static void
helpers_that_come_first_wait_for_the_tunnel(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, NULL);
    proc_wait_unix(move.recv, move.tunnel.destination);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_finish(e2e, &move);
}

static void
tunnel_waits_for_the_destination(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    vm_wait_migration(move.source, "active");
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    move_finish(e2e, &move);
}

static void
monitor_is_found_by_the_pid_of_the_qemu(struct e2e *e2e)
{
    char source_pid[16], destination_pid[16];
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    snprintf(source_pid, sizeof(source_pid), "%d", move.source->process->pid);
    snprintf(destination_pid, sizeof(destination_pid), "%d",
             move.destination->process->pid);
    move.recv = tool_start(
        e2e, "mig-recv",
        ARGS("--pid", destination_pid, "--unix", move.tunnel.destination));
    move.send =
        tool_start(e2e, "mig-send",
                   ARGS("--pid", source_pid, "--unix", move.tunnel.source));
    move_finish(e2e, &move);
}

static void
xbzrle_sends_changed_pages_as_deltas(struct e2e *e2e)
{
    const struct guest guest = { .window_mib = 16,
                                 .round_pages = 64,
                                 .round_ticks = 1 };
    struct move move;

    move_prepare(e2e, &move, &guest);
    tunnel_start(e2e, &move.tunnel);
    /* Deltas begin with the third pass: what is left after the second is more
     * than 20 ms of the bandwidth. */
    move_start(
        e2e, &move, NULL,
        ARGS("--xbzrle", "--max-bandwidth", "32M", "--downtime-limit", "20"));
    move_finish(e2e, &move);
    assert_true(vm_migrate_info(move.source, "xbzrle-cache", "pages") > 0);
}

static bool
is_throttled(void *arg)
{
    return vm_migrate_info(arg, NULL, "cpu-throttle-percentage") > 0;
}

static void
auto_converge_slows_the_guest_until_it_fits(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_busy);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL,
               ARGS("--auto-converge", "--max-bandwidth", "48M", "--parameter",
                    "cpu-throttle-initial=50", "--parameter",
                    "cpu-throttle-increment=20"));
    assert_true(wait_until(PATIENCE_MS, is_throttled, move.source));
    move_finish(e2e, &move);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(running_guest_moves_and_its_memory_is_identical),
        E2E_TEST(running_guest_runs_on_at_once_where_that_is_asked_for),
        E2E_TEST(paused_guest_arrives_paused_and_identical),
        E2E_TEST(helpers_that_come_first_wait_for_the_tunnel),
        E2E_TEST(tunnel_waits_for_the_destination),
        E2E_TEST(monitor_is_found_by_the_pid_of_the_qemu),
        E2E_TEST(xbzrle_sends_changed_pages_as_deltas),
        E2E_TEST(auto_converge_slows_the_guest_until_it_fits),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("precopy", tests, NULL, NULL);
}
