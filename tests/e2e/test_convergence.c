/*
 * A guest that dirties memory faster than the link carries it: mig-send says
 * so, and does about it what it was asked to.
 */
#include <signal.h>
#include <string.h>

#include "support_move.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

/* 100 MiB/s in 16 MiB, all of which is dirty again after each pass. */
static const struct guest hot = {
    .fill_mib = 32, .window_mib = 16, .round_pages = 256, .round_ticks = 1
};

/* A pass takes 0.7 s. */
#define SLOWLY "--max-bandwidth", "24M", "--downtime-limit", "50"

/* The same in 8 MiB: QEMU looks three times a second whether to slow it down.
 */
static const struct guest small = {
    .fill_mib = 32, .window_mib = 8, .round_pages = 256, .round_ticks = 1
};

static void
prepare_guest(struct e2e *e2e, struct move *move, const struct guest *guest)
{
    *move = (struct move){ .source = vm_start_source(e2e, guest) };
    move->destination = vm_start_incoming(e2e, move->source);
    session_start_partners(e2e, &move->tunnel);
}

static void
prepare(struct e2e *e2e, struct move *move)
{
    prepare_guest(e2e, move, &hot);
}

static void
assert_moved(struct move *move)
{
    process_expect(move->send, 0);
    process_expect(move->recv, 0);
    assert_string_equal(vm_state(move->source), "postmigrate");
    vm_assert_runs(move->destination);
    vm_assert_continues(move->source, move->destination);
}

static void
assert_stayed(struct move *move, int send_status, int recv_status)
{
    process_expect(move->send, send_status);
    process_expect(move->recv, recv_status);
    vm_assert_runs(move->source);
    assert_string_equal(vm_state(move->destination), "gone");
}

static void
stalled_migration_is_named_and_postcopy_ends_it(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL, ARGS(SLOWLY, "--postcopy"));
    assert_moved(&move);
    assert_true(process_said(move.send, "stalled: remaining has not fallen for "
                                        "3 iterations; the guest dirties "));
    assert_true(process_said(move.send, ", the link carries "));
    assert_true(process_said(move.send, "; starting postcopy"));
    assert_int_equal(session_count(move.send, "the link carries"), 1);
}

static void
postcopy_begins_after_so_many_passes(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL,
               ARGS(SLOWLY, "--postcopy", "--postcopy-after", "1"));
    assert_moved(&move);
    assert_true(process_said(move.send, "starting postcopy after 1 pass"));
    assert_false(process_said(move.send, "stalled"));
}

static void
time_is_up_and_the_guest_stays(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL, ARGS(SLOWLY, "--timeout", "1"));
    assert_stayed(&move, 4, 1);
    assert_true(process_said(move.send, "its time is up: cancelling it"));
}

static void
time_is_up_and_postcopy_begins(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL,
               ARGS(SLOWLY, "--timeout", "1", "--on-timeout", "postcopy"));
    assert_moved(&move);
    assert_true(process_said(move.send, "its time is up: starting postcopy"));
}

/* It is paused for that only: it runs at the destination. */
static void
time_is_up_and_the_guest_is_paused_until_it_has_moved(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL,
               ARGS(SLOWLY, "--timeout", "1", "--on-timeout", "pause"));
    qmp_wait_event(move.source->qmp, "STOP");
    assert_moved(&move);
    assert_true(process_said(move.send, "its time is up: pausing the guest"));
    assert_true(process_said(move.recv, "VM: has arrived and runs"));
}

/* Or here, if it is cancelled after that. */
static void
guest_that_was_paused_in_vain_is_continued(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL,
               ARGS("--max-bandwidth", "4M", "--timeout", "500ms",
                    "--on-timeout", "pause"));
    qmp_wait_event(move.source->qmp, "STOP");
    vm_wait_state(move.source, "paused");
    process_signal(move.send, SIGINT);
    qmp_wait_event(move.source->qmp, "RESUME");
    assert_stayed(&move, 3, 1);
    assert_true(process_said(move.send, "the VM runs on here"));
}

static bool
is_slowed(void *arg)
{
    struct move *move = arg;

    return vm_migrate_info(move->source, NULL, "cpu-throttle-percentage") > 1;
}

static void
time_is_up_and_the_guest_is_slowed_down(struct e2e *e2e)
{
    struct move move;
    bool slowed;

    prepare_guest(e2e, &move, &small);
    move_start(e2e, &move, NULL,
               ARGS(SLOWLY, "--timeout", "5", "--on-timeout", "auto-converge"));
    vm_wait_transferred(move.source, 64); /* three passes */
    slowed = is_slowed(&move);
    assert_true(!slowed || process_said(move.send, "slowing the guest down"));
    process_wait_text(move.send, move.send->err, "slowing the guest down");
    if (!wait_until(PATIENCE_MS, is_slowed, &move))
        fail_msg("the guest is not slowed down");
    move_hurry(&move);
    assert_moved(&move);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(stalled_migration_is_named_and_postcopy_ends_it),
        E2E_TEST(postcopy_begins_after_so_many_passes),
        E2E_TEST(time_is_up_and_the_guest_stays),
        E2E_TEST(time_is_up_and_postcopy_begins),
        E2E_TEST(time_is_up_and_the_guest_is_paused_until_it_has_moved),
        E2E_TEST(guest_that_was_paused_in_vain_is_continued),
        E2E_TEST(time_is_up_and_the_guest_is_slowed_down),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("convergence", tests, NULL, NULL);
}
