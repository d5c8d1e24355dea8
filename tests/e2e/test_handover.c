/* mig-send and mig-recv as partners: what is given to mig-send holds for both,
 * and the guest runs at one host at a time. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support_memory.h"
#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

static void
prepare(struct e2e *e2e, struct move *move, const struct guest *guest)
{
    *move = (struct move){ .source = vm_start_source(e2e, guest) };
    move->destination = vm_start_incoming(e2e, move->source);
    session_start_partners(e2e, &move->tunnel);
}

/* The guest goes on at the destination where it stopped at the source. */
static void
assert_moved(struct move *move)
{
    process_expect(move->send, 0);
    process_expect(move->recv, 0);
    assert_string_equal(vm_state(move->source), "postmigrate");
    vm_assert_runs(move->destination);
    vm_assert_continues(move->source, move->destination);
    assert_true(process_said(move->send, "downtime"));
    assert_true(process_said(move->recv, "downtime"));
}

static void
guest_runs_at_the_destination_and_nowhere_else(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, &guest_calm);
    move_start(e2e, &move, NULL, NULL);
    assert_moved(&move);
    session_expect_end(&move.tunnel, "completed");
}

static void
paused_guest_arrives_paused_with_the_same_memory(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, &guest_calm);
    qmp_do(move.source->qmp, "stop", NULL);
    move_start(e2e, &move, NULL, NULL);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    move_check_arrival(e2e, move.source, move.destination);
}

static void
settings_of_mig_send_hold_at_both_ends(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, &guest_calm);
    qmp_do(move.source->qmp, "stop", NULL);
    move_start(
        e2e, &move, NULL,
        ARGS("--multifd", "4", "--parameter", "multifd-compression=zlib"));
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    assert_true(vm_migrate_info(move.source, "ram", "multifd-bytes") > 0);
    move_check_arrival(e2e, move.source, move.destination);
}

static void
helpers_that_start_before_the_tunnel_find_each_other(struct e2e *e2e)
{
    struct move move = { .source = vm_start_source(e2e, &guest_calm) };
    char control[CASE_PATH_MAX + 8];

    move.destination = vm_start_incoming(e2e, move.source);
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    move.tunnel.partners = true;
    snprintf(control, sizeof(control), "%s.ctl", move.tunnel.destination);
    move_start(e2e, &move, ARGS("--control", control), NULL);
    process_wait_text(move.recv, move.recv->err, "waits for mig-server");
    process_wait_text(move.send, move.send->err, "waiting for mig-client");
    tunnel_start_server(e2e, &move.tunnel, NULL);
    tunnel_start_client(e2e, &move.tunnel, NULL);
    assert_moved(&move);
}

/* Raw mode has no way for the partners to talk. */
static void
without_sessions_each_works_alone(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move.tunnel.partners = true;
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    assert_true(process_said(move.send, "works alone"));
    assert_true(process_said(move.recv, "works alone"));
}

/* A migration slow enough to do something in the middle of it. */
static void
start_slowly(struct e2e *e2e, struct move *move)
{
    prepare(e2e, move, &guest_calm);
    move_start_slowly(e2e, move);
}

/* The guest is here or there, but not at both. */
static void
assert_one_at_most(struct move *move)
{
    assert_false(strcmp(vm_state(move->source), "running") == 0 &&
                 strcmp(vm_state(move->destination), "running") == 0);
}

/* QEMU completes while mig-send can't see it. */
static void
complete_unseen(struct e2e *e2e, struct move *move)
{
    start_slowly(e2e, move);
    process_signal(move->send, SIGSTOP);
    move_hurry(move);
    vm_wait_migration(move->source, "completed");
    vm_wait_state(move->destination, "paused");
    assert_string_equal(vm_state(move->source), "postmigrate");
}

static struct process *
attach_send(struct e2e *e2e, struct move *move, const char *how)
{
    return tunnel_send(e2e, &move->tunnel, move->source, ARGS(how));
}

static struct process *
attach_recv(struct e2e *e2e, struct move *move, const char *how)
{
    return tunnel_recv(e2e, &move->tunnel, move->destination, ARGS(how));
}

static void
source_helper_may_attach_while_it_moves(struct e2e *e2e)
{
    struct move move;

    start_slowly(e2e, &move);
    process_kill(move.send);
    vm_assert_runs(move.source);
    assert_one_at_most(&move);
    move.send = attach_send(e2e, &move, "--attach");
    process_wait_text(move.send, move.send->err, "its status is 'active'");
    move_hurry(&move);
    assert_moved(&move);
}

static void
both_helpers_die_after_completed(struct e2e *e2e)
{
    struct move move;

    complete_unseen(e2e, &move);
    process_kill(move.send);
    process_kill(move.recv);
    assert_string_equal(vm_state(move.destination), "paused");
    move.send = attach_send(e2e, &move, "--attach");
    move.recv = attach_recv(e2e, &move, "--attach");
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
    assert_one_at_most(&move);
}

/* The same, and the operator has looked at the source. */
static void
guest_is_released_at_the_destination_without_a_tunnel(struct e2e *e2e)
{
    struct move move;

    complete_unseen(e2e, &move);
    process_kill(move.tunnel.client);
    process_kill(move.tunnel.server);
    process_kill(move.send);
    process_kill(move.recv);
    move.recv = attach_recv(e2e, &move, "--release");
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
    assert_one_at_most(&move);
    assert_string_equal(vm_state(move.source), "postmigrate");
}

/* mig-recv is still there, and alone may speak to QEMU. */
static void
guest_is_released_by_the_mig_recv_that_waits(struct e2e *e2e)
{
    struct move move;
    struct process *release;

    complete_unseen(e2e, &move);
    process_kill(move.send);
    process_wait_text(move.recv, move.recv->err, " --release\"");
    release = attach_recv(e2e, &move, "--release");
    process_expect(release, 0);
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
    assert_one_at_most(&move);
}

static void
guest_is_released_at_the_source_when_the_destination_is_gone(struct e2e *e2e)
{
    struct move move;

    complete_unseen(e2e, &move);
    process_kill(move.recv);
    process_kill(move.send);
    vm_stop(move.destination);
    move.send = attach_send(e2e, &move, "--release");
    process_expect(move.send, 0);
    vm_assert_runs(move.source);
}

static void
cancelled_at_either_end_the_guest_stays_at_the_source(struct e2e *e2e)
{
    for (int at_source = 0; at_source < 2; at_source++) {
        struct move move;

        start_slowly(e2e, &move);
        process_signal(at_source ? move.send : move.recv, SIGINT);
        process_expect(move.send, 3);
        process_expect(move.recv, at_source ? 1 : 3);
        vm_assert_runs(move.source);
        assert_string_equal(vm_state(move.destination), "gone");
        process_kill(move.tunnel.client);
        process_kill(move.tunnel.server);
        vm_stop(move.source);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_runs_at_the_destination_and_nowhere_else),
        E2E_TEST(paused_guest_arrives_paused_with_the_same_memory),
        E2E_TEST(settings_of_mig_send_hold_at_both_ends),
        E2E_TEST(helpers_that_start_before_the_tunnel_find_each_other),
        E2E_TEST(without_sessions_each_works_alone),
        E2E_TEST(cancelled_at_either_end_the_guest_stays_at_the_source),
        E2E_TEST(source_helper_may_attach_while_it_moves),
        E2E_TEST(both_helpers_die_after_completed),
        E2E_TEST(guest_is_released_at_the_destination_without_a_tunnel),
        E2E_TEST(guest_is_released_by_the_mig_recv_that_waits),
        E2E_TEST(guest_is_released_at_the_source_when_the_destination_is_gone),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
