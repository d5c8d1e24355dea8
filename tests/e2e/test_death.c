/* Something dies in the middle; the guest must not. */
#include "support_move.h"
#include "support_process.h"
#include "support_vm.h"
#include "support_wait.h"

static void
start_all(struct e2e *e2e, struct move *move)
{
    move_prepare(e2e, move, &guest_calm);
    tunnel_start(e2e, &move->tunnel);
    move_start_slowly(e2e, move);
}

static void
killed_destination_leaves_the_guest_running_at_the_source(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    start_all(e2e, &move);
    since_ms = wait_now_ms();
    process_kill(move.destination->process);
    move_assert_failed(&move, since_ms);
    move_again(e2e, &move);
}

static void
killed_source_is_told_at_both_ends(struct e2e *e2e)
{
    struct move move;
    int status;

    start_all(e2e, &move);
    process_kill(move.source->process);
    /* It has failed, or nobody can tell: only a look at the hosts can. */
    status = process_wait(move.send);
    assert_true(status == 1 || status == 5);
    process_expect(move.recv, 1);
    process_expect(move.destination->process, 1);
    assert_true(process_running(move.tunnel.client));
    assert_true(process_running(move.tunnel.server));
}

static void
killed_server_can_be_started_anew(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    start_all(e2e, &move);
    since_ms = wait_now_ms();
    process_kill(move.tunnel.server);
    move_assert_failed(&move, since_ms);
    process_expect(move.destination->process, 1);
    assert_true(process_running(move.tunnel.client));

    tunnel_start_server(e2e, &move.tunnel, NULL);
    move_again(e2e, &move);
}

static void
killed_client_can_be_started_anew(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    start_all(e2e, &move);
    since_ms = wait_now_ms();
    process_kill(move.tunnel.client);
    move_assert_failed(&move, since_ms);
    process_expect(move.destination->process, 1);
    assert_true(process_running(move.tunnel.server));

    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_again(e2e, &move);
}

static void
killed_helpers_leave_the_migration_alone(struct e2e *e2e)
{
    struct move move;

    start_all(e2e, &move);
    process_kill(move.send);
    process_kill(move.recv);
    vm_wait_migration(move.source, "completed");
    move_check_arrival(e2e, move.source, move.destination);
}

static void
missing_server_leaves_both_vms_as_they_are(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    tunnel_start_client(e2e, &move.tunnel, ARGS("--wait", "1"));
    move_start(e2e, &move, NULL, NULL);
    process_expect(move.send, 1);
    vm_assert_runs(move.source);
    assert_true(process_running(move.tunnel.client));
    assert_true(process_running(move.recv));
    assert_string_equal(vm_state(move.destination), "inmigrate");

    tunnel_start_server(e2e, &move.tunnel, NULL);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    move_finish(e2e, &move);
}

static void
missing_destination_fails_the_migration_after_the_wait(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    tunnel_start_server(e2e, &move.tunnel, ARGS("--wait", "2"));
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    process_expect(move.send, 1);
    vm_assert_runs(move.source);
    assert_string_equal(vm_state(move.destination), "inmigrate");

    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
}

static void
wrong_machine_type_fails_and_the_guest_runs_on(struct e2e *e2e)
{
    struct move move = { .source = vm_start_source(e2e, &guest_calm) };
    const struct vm_options other = { .name = "destination",
                                      .machine = "pc-i440fx-7.0",
                                      .image = move.source->image,
                                      .memory_mib = move.source->memory_mib,
                                      .incoming = true };

    move.destination = vm_start(e2e, &other);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, NULL);
    process_expect(move.send, 1);
    process_expect(move.recv, 1);
    process_expect(move.destination->process, 1);
    assert_true(process_said(move.destination->process, "Machine type"));
    vm_assert_runs(move.source);
    move_again(e2e, &move);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(killed_destination_leaves_the_guest_running_at_the_source),
        E2E_TEST(killed_source_is_told_at_both_ends),
        E2E_TEST(killed_server_can_be_started_anew),
        E2E_TEST(killed_client_can_be_started_anew),
        E2E_TEST(killed_helpers_leave_the_migration_alone),
        E2E_TEST(missing_server_leaves_both_vms_as_they_are),
        E2E_TEST(missing_destination_fails_the_migration_after_the_wait),
        E2E_TEST(wrong_machine_type_fails_and_the_guest_runs_on),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("death", tests, NULL, NULL);
}
