/* A migration that is interrupted in postcopy comes back over a new tunnel:
 * neither half of the guest's memory is of any use alone. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support_memory.h"
#include "support_move.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum { SWITCH_MIB = 16, TIMES = 10, STEP_KIB = 512 };

#define CAPABILITY "--capability"
#define SLOWLY                                                             \
    "--max-bandwidth", "8M", CAPABILITY, "postcopy-ram=on", "--parameter", \
        "max-postcopy-bandwidth=4194304"
#define TELLS "mig-recv --recover at the destination and mig-send --recover"

static const char *const plain[] = { SLOWLY, NULL };
static const char *const preempt[] = { SLOWLY, CAPABILITY,
                                       "postcopy-preempt=on", NULL };

static void
start_tunnel(struct e2e *e2e, struct move *move)
{
    char server[CASE_PATH_MAX + 8], client[CASE_PATH_MAX + 8];

    if (!move->tunnel.session) {
        tunnel_start_server(e2e, &move->tunnel, NULL);
        tunnel_start_client(e2e, &move->tunnel, NULL);
        return;
    }
    snprintf(server, sizeof(server), "%s.ctl", move->tunnel.destination);
    snprintf(client, sizeof(client), "%s.ctl", move->tunnel.source);
    tunnel_start_server(e2e, &move->tunnel, ARGS("--control", server));
    tunnel_start_client(e2e, &move->tunnel, ARGS("--control", client));
}

/* Move a guest so far that it needs both hosts for some seconds more. */
static void
split(struct e2e *e2e, struct move *move, bool runs, const char *const *how)
{
    struct guest guest = guest_calm;

    guest.window_mib = 24;
    *move = (struct move){ .source = vm_start_source(e2e, &guest) };
    move->destination = vm_start_incoming(e2e, move->source);
    if (!runs)
        qmp_do(move->source->qmp, "stop", NULL);
    tunnel_init(e2e, &move->tunnel);
    move->tunnel.session = true;
    move->tunnel.partners = true;
    start_tunnel(e2e, move);
    move_start(e2e, move, NULL, how);
    vm_wait_transferred(move->source, SWITCH_MIB);
    qmp_do(move->source->qmp, "migrate-start-postcopy", NULL);
    vm_wait_migration(move->source, "postcopy-active");
    vm_wait_migration(move->destination, "postcopy-active");
    if (runs)
        vm_wait_state(move->destination, "running");
}

static void
break_tunnel(struct move *move)
{
    process_kill(move->tunnel.client);
    process_kill(move->tunnel.server);
    vm_wait_migration(move->source, "postcopy-paused");
    vm_wait_migration(move->destination, "postcopy-paused");
}

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

struct sent {
    struct vm *source;
    int64_t bytes;
};

static bool
has_sent(void *arg)
{
    const struct sent *sent = arg;

    return vm_migrate_info(sent->source, "ram", "transferred") >= sent->bytes;
}

static void
wait_goes_on(struct move *move)
{
    struct sent sent = { move->source, 0 };

    vm_wait_migration(move->source, "postcopy-active");
    vm_wait_migration(move->destination, "postcopy-active");
    sent.bytes =
        vm_migrate_info(move->source, "ram", "transferred") + (STEP_KIB << 10);
    assert_true(wait_until(PATIENCE_MS, has_sent, &sent));
}

static void
hurry(struct move *move)
{
    qmp_do(move->source->qmp, "migrate-set-parameters",
           json_pack("{s:i}", "max-postcopy-bandwidth", 0));
}

/* Compare what the guest does not write to. */
static void
assert_rest_is_same(struct e2e *e2e, struct move *move)
{
    size_t from = (size_t)(1 + 24) << 20;
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

    split(e2e, &move, runs, how);
    for (int i = 0; i < TIMES; i++) {
        break_tunnel(&move);
        process_wait_text(move.send, move.send->err, TELLS);
        process_wait_text(move.recv, move.recv->err, TELLS);
        process_kill(move.send);
        process_kill(move.recv);
        start_tunnel(e2e, &move);
        recover(e2e, &move);
        if (i + 1 < TIMES)
            wait_goes_on(&move);
    }
    hurry(&move);
    assert_arrived(e2e, &move, runs);
    session_expect_end(&move.tunnel, "completed");
}

static void
running_guest_is_recovered_time_and_again(struct e2e *e2e)
{
    interrupt_often(e2e, true, plain);
}

static void
paused_guest_is_recovered_time_and_again(struct e2e *e2e)
{
    interrupt_often(e2e, false, plain);
}

static void
running_guest_is_recovered_time_and_again_with_preempt(struct e2e *e2e)
{
    interrupt_often(e2e, true, preempt);
}

static void
paused_guest_is_recovered_time_and_again_with_preempt(struct e2e *e2e)
{
    interrupt_often(e2e, false, preempt);
}

static void
helpers_that_see_it_end_and_say_what_to_do(struct e2e *e2e)
{
    struct move move;

    split(e2e, &move, true, plain);
    break_tunnel(&move);
    expect_told(move.send);
    expect_told(move.recv);
    start_tunnel(e2e, &move);
    recover(e2e, &move);
    hurry(&move);
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

    split(e2e, &move, true, preempt);
    break_tunnel(&move);
    leave_alone(&move);
    start_tunnel(e2e, &move);
    move.recv =
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--recover"));
    wait_said(move.recv, "to be resumed");
    move.send = tunnel_send(e2e, &move.tunnel, move.source, ARGS("--recover"));
    wait_goes_on(&move);

    break_tunnel(&move);
    leave_alone(&move);
    start_tunnel(e2e, &move);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, ARGS("--recover"));
    wait_said(move.send, "waits for mig-recv --recover");
    move.recv =
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--recover"));
    wait_goes_on(&move);

    break_tunnel(&move);
    leave_alone(&move);
    recover(e2e, &move);
    wait_said(move.recv, "to be resumed");
    wait_said(move.send, "waiting for mig-client");
    start_tunnel(e2e, &move);
    hurry(&move);
    assert_arrived(e2e, &move, true);
}

/* Through a session, and then through raw mode. */
static void
helpers_recover_it_each_alone(struct e2e *e2e)
{
    for (int runs = 0; runs < 2; runs++) {
        struct move move;

        split(e2e, &move, runs, runs ? preempt : plain);
        move.tunnel.partners = false;
        for (int i = 0; i < 2; i++) {
            break_tunnel(&move);
            leave_alone(&move);
            move.tunnel.session = i == 0;
            start_tunnel(e2e, &move);
            move.recv = tunnel_recv(e2e, &move.tunnel, move.destination,
                                    ARGS("--recover"));
            wait_said(move.recv, "to be resumed");
            move.send =
                tunnel_send(e2e, &move.tunnel, move.source, ARGS("--recover"));
            wait_goes_on(&move);
        }
        hurry(&move);
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
    struct guest guest = guest_calm;
    struct move move = { .source = vm_start_source(e2e, &guest) };

    move.destination = vm_start_incoming(e2e, move.source);
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    move.tunnel.partners = true;
    start_tunnel(e2e, &move);
    move_start(e2e, &move, NULL, plain);
    vm_wait_transferred(move.source, SWITCH_MIB);
    process_signal(move.send, SIGSTOP);
    qmp_do(move.source->qmp, "migrate-start-postcopy", NULL);
    vm_wait_migration(move.destination, "postcopy-active");
    vm_wait_state(move.destination, "paused");
    break_tunnel(&move);
    leave_alone(&move);
    assert_string_equal(vm_state(move.destination), "paused");
    start_tunnel(e2e, &move);
    recover(e2e, &move);
    vm_wait_state(move.destination, "running");
    hurry(&move);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
    vm_assert_continues(move.source, move.destination);
}

static void
source_helper_dies_in_postcopy(struct e2e *e2e)
{
    struct move move;

    split(e2e, &move, true, plain);
    process_kill(move.send);
    wait_goes_on(&move);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, ARGS("--attach"));
    wait_said(move.send, "its status is 'postcopy-active'");
    hurry(&move);
    assert_arrived(e2e, &move, true);
}

static void
destination_helper_dies_in_postcopy(struct e2e *e2e)
{
    struct move move;

    split(e2e, &move, true, plain);
    process_kill(move.recv);
    wait_goes_on(&move);
    move.recv =
        tunnel_recv(e2e, &move.tunnel, move.destination, ARGS("--attach"));
    wait_said(move.recv, "its status is 'postcopy-active'");
    hurry(&move);
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
