/* A migration that is interrupted in postcopy comes back over a new tunnel:
 * neither half of the guest's memory is of any use alone. */
#include <signal.h>
#include <string.h>

#include "support_memory.h"
#include "support_move.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_session.h"
#include "support_split.h"
#include "support_vm.h"
#include "support_wait.h"

enum { TIMES = 10 };

#define TELLS "the migration was interrupted in postcopy"

static void
expect_told(struct process *helper)
{
    process_wait_text(helper, helper->err, TELLS);
    process_expect(helper, 5);
}

static void
recover(struct e2e *e2e, struct move *move)
{
    move->recv =
        tunnel_recv(e2e, &move->tunnel, move->destination, ARGS("--recover"));
    move->send =
        tunnel_send(e2e, &move->tunnel, move->source, ARGS("--recover"));
}

/* Compare what the guest does not write to. */
static void
assert_rest_is_same(struct e2e *e2e, struct move *move)
{
    size_t from = (size_t)(1 + SPLIT_WINDOW_MIB) << 20;
    struct memory a, b;

    memory_dump(e2e, move->source, &a);
    memory_dump(e2e, move->destination, &b);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.bytes + from, b.bytes + from, a.size - from);
    memory_fini(&a);
    memory_fini(&b);
}

static void
assert_arrived(struct e2e *e2e, struct move *move, bool runs)
{
    process_expect(move->send, 0);
    process_expect(move->recv, 0);
    if (!runs) {
        move_check_arrival(e2e, move->source, move->destination);
        return;
    }
    assert_string_equal(vm_state(move->source), "postmigrate");
    vm_assert_runs(move->destination);
    vm_assert_continues(move->source, move->destination);
    qmp_do(move->destination->qmp, "stop", NULL);
    assert_rest_is_same(e2e, move);
}

/* Every attempt but the last is interrupted, too. */
static void
interrupt_often(struct e2e *e2e, bool runs, const char *const *how)
{
    struct move move;

    split_start(e2e, &move, runs, how);
    for (int i = 0; i < TIMES; i++) {
        split_break(&move);
        process_wait_text(move.send, move.send->err, TELLS);
        process_wait_text(move.recv, move.recv->err, TELLS);
        process_kill(move.send);
        process_kill(move.recv);
        split_start_tunnel(e2e, &move.tunnel);
        recover(e2e, &move);
        if (i + 1 < TIMES)
            split_wait_goes_on(&move);
    }
    split_hurry(&move);
    assert_arrived(e2e, &move, runs);
    session_expect_end(&move.tunnel, "completed");
}

static void
running_guest_is_recovered_time_and_again(struct e2e *e2e)
{
    interrupt_often(e2e, true, split_plain);
}

static void
paused_guest_is_recovered_time_and_again(struct e2e *e2e)
{
    interrupt_often(e2e, false, split_plain);
}

static void
running_guest_is_recovered_time_and_again_with_preempt(struct e2e *e2e)
{
    interrupt_often(e2e, true, split_preempt);
}

static void
paused_guest_is_recovered_time_and_again_with_preempt(struct e2e *e2e)
{
    interrupt_often(e2e, false, split_preempt);
}

static void
helpers_that_see_it_end_and_say_what_to_do(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_plain);
    split_break(&move);
    expect_told(move.send);
    expect_told(move.recv);
    expect_told(tunnel_send(e2e, &move.tunnel, move.source, ARGS("--attach")));
    expect_told(
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--attach")));
    split_start_tunnel(e2e, &move.tunnel);
    recover(e2e, &move);
    split_hurry(&move);
    assert_arrived(e2e, &move, true);
}

static void
wait_said(struct process *helper, const char *text)
{
    process_wait_text(helper, helper->err, text);
}

static void
leave_alone(struct move *move)
{
    process_kill(move->send);
    process_kill(move->recv);
}

/* Whoever comes first waits, for the tunnel, too. */
static void
helpers_recover_it_in_any_order(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_preempt);
    split_break(&move);
    leave_alone(&move);
    split_start_tunnel(e2e, &move.tunnel);
    move.recv =
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--recover"));
    wait_said(move.recv, "to be resumed");
    move.send = tunnel_send(e2e, &move.tunnel, move.source, ARGS("--recover"));
    split_wait_goes_on(&move);

    split_break(&move);
    leave_alone(&move);
    split_start_tunnel(e2e, &move.tunnel);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, ARGS("--recover"));
    wait_said(move.send, "waits for mig-recv --recover");
    move.recv =
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--recover"));
    split_wait_goes_on(&move);

    split_break(&move);
    leave_alone(&move);
    recover(e2e, &move);
    wait_said(move.recv, "to be resumed");
    wait_said(move.send, "waiting for mig-client");
    split_start_tunnel(e2e, &move.tunnel);
    split_hurry(&move);
    assert_arrived(e2e, &move, true);
}

/* Through a session, and then through raw mode. */
static void
helpers_recover_it_each_alone(struct e2e *e2e)
{
    for (int runs = 0; runs < 2; runs++) {
        struct move move;

        split_start(e2e, &move, runs, runs ? split_preempt : split_plain);
        move.tunnel.partners = false;
        for (int i = 0; i < 2; i++) {
            split_break(&move);
            leave_alone(&move);
            move.tunnel.session = i == 0;
            split_start_tunnel(e2e, &move.tunnel);
            move.recv = tunnel_recv(e2e, &move.tunnel, move.destination,
                                    ARGS("--recover"));
            wait_said(move.recv, "to be resumed");
            move.send =
                tunnel_send(e2e, &move.tunnel, move.source, ARGS("--recover"));
            split_wait_goes_on(&move);
        }
        split_hurry(&move);
        assert_arrived(e2e, &move, runs);
        process_kill(move.tunnel.client);
        process_kill(move.tunnel.server);
        vm_stop(move.source);
        vm_stop(move.destination);
    }
}

/* mig-recv has not heard the source's word yet, which --recover brings. */
static void
guest_that_has_not_run_yet_runs_once_it_is_recovered(struct e2e *e2e)
{
    struct move move;

    split_start_slowly(e2e, &move, true, split_plain);
    process_signal(move.send, SIGSTOP);
    qmp_do(move.source->qmp, "migrate-start-postcopy", NULL);
    vm_wait_migration(move.destination, "postcopy-active");
    vm_wait_state(move.destination, "paused");
    split_break(&move);
    leave_alone(&move);
    assert_string_equal(vm_state(move.destination), "paused");
    split_start_tunnel(e2e, &move.tunnel);
    recover(e2e, &move);
    vm_wait_state(move.destination, "running");
    split_hurry(&move);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
    vm_assert_continues(move.source, move.destination);
}

/* mig-server waits for the client that it has lost, and the destination's QEMU
 * notices only when it is ended. */
static void
destination_that_has_not_noticed_yet_is_recovered_when_it_does(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_plain);
    process_kill(move.tunnel.client);
    vm_wait_migration(move.source, "postcopy-paused");
    expect_told(move.send);
    process_kill(move.recv);
    recover(e2e, &move);
    wait_said(move.recv, "is not interrupted");
    split_break(&move);
    split_start_tunnel(e2e, &move.tunnel);
    split_hurry(&move);
    assert_arrived(e2e, &move, true);
}

static void
source_helper_dies_in_postcopy(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_plain);
    process_kill(move.send);
    split_wait_goes_on(&move);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, ARGS("--attach"));
    wait_said(move.send, "its status is 'postcopy-active'");
    split_hurry(&move);
    assert_arrived(e2e, &move, true);
}

static void
destination_helper_dies_in_postcopy(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_plain);
    process_kill(move.recv);
    split_wait_goes_on(&move);
    move.recv =
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--attach"));
    wait_said(move.recv, "its status is 'postcopy-active'");
    split_hurry(&move);
    assert_arrived(e2e, &move, true);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(helpers_that_see_it_end_and_say_what_to_do),
        E2E_TEST(helpers_recover_it_in_any_order),
        E2E_TEST(helpers_recover_it_each_alone),
        E2E_TEST(guest_that_has_not_run_yet_runs_once_it_is_recovered),
        E2E_TEST(
            destination_that_has_not_noticed_yet_is_recovered_when_it_does),
        E2E_TEST(source_helper_dies_in_postcopy),
        E2E_TEST(destination_helper_dies_in_postcopy),
        E2E_TEST(running_guest_is_recovered_time_and_again),
        E2E_TEST(paused_guest_is_recovered_time_and_again),
        E2E_TEST(running_guest_is_recovered_time_and_again_with_preempt),
        E2E_TEST(paused_guest_is_recovered_time_and_again_with_preempt),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
