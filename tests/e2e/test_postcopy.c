/*
 * Postcopy that mig-send starts by itself, with mig-recv as its partner: the
 * guest goes on at the destination before all of its memory is there, and runs
 * at one host at a time.
 */
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

/* 8 MiB/s until postcopy, which comes at once, and in it: 6 s for the rest. */
#define AT_ONCE \
    "--postcopy", "--postcopy-after", "500ms", "--max-bandwidth", "8M"
#define SLOWLY AT_ONCE, "--postcopy-bandwidth", "8M"

#define PROGRESS "\"type\":\"progress\",\"status\":\"postcopy-active\""

static unsigned
rounds(void)
{
    return e2e_full() ? 10 : 1;
}

static void
prepare(struct e2e *e2e, struct move *move)
{
    *move = (struct move){ .source = vm_start_source(e2e, &guest_calm) };
    move->destination = vm_start_incoming(e2e, move->source);
    session_start_partners(e2e, &move->tunnel);
}

/* Asked in this order, one that hands over between the two is not seen twice:
 * the guest never comes back to the source. */
static bool
is_handed_over(void *arg)
{
    struct move *move = arg;
    bool there = strcmp(vm_state(move->destination), "running") == 0;
    bool here = strcmp(vm_state(move->source), "running") == 0;

    assert_false(here && there);
    return there;
}

/* Look at both QEMUs all the while. */
static void
watch_handover(struct move *move)
{
    if (!wait_until(PATIENCE_MS, is_handed_over, move))
        fail_msg("the guest does not run at the destination");
}

/* Compare what the guest does not write to. */
static void
assert_rest_is_same(struct e2e *e2e, struct move *move)
{
    size_t from = (size_t)(1 + guest_calm.window_mib) << 20;
    struct memory here, there;

    qmp_do(move->destination->qmp, "stop", NULL);
    memory_dump(e2e, move->source, &here);
    memory_dump(e2e, move->destination, &there);
    assert_int_equal(here.size, there.size);
    assert_in_range(memory_distinct_pages(&here), 1000, SIZE_MAX);
    assert_memory_equal(here.bytes + from, there.bytes + from,
                        here.size - from);
    memory_fini(&here);
    memory_fini(&there);
}

static void
assert_moved(struct e2e *e2e, struct move *move)
{
    process_expect(move->send, 0);
    process_expect(move->recv, 0);
    assert_string_equal(vm_state(move->source), "postmigrate");
    assert_string_equal(vm_migration(move->source), "completed");
    assert_string_equal(vm_migration(move->destination), "completed");
    vm_assert_runs(move->destination);
    vm_assert_continues(move->source, move->destination);
    assert_rest_is_same(e2e, move);
    assert_true(process_said(move->send, "starting postcopy after 500 ms"));
    assert_true(process_said(move->send, "downtime"));
    assert_true(process_said(move->recv, "VM: has arrived and runs: "));
    session_expect_end(&move->tunnel, "completed");
}

/* Move a guest that runs on while its memory follows. */
static void
move_once(struct e2e *e2e, const char *further)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, ARGS("--json"), ARGS(SLOWLY, "--json", further));
    watch_handover(&move);
    vm_assert_runs(move.destination);
    process_wait_text(move.send, move.send->out, PROGRESS);
    process_wait_text(move.recv, move.recv->out, PROGRESS);
    assert_string_equal(vm_migration(move.source), "postcopy-active");
    move_hurry_postcopy(&move);
    assert_moved(e2e, &move);
    assert_true(vm_migrate_info(move.source, "ram", "postcopy-requests") > 0);
    if (further != NULL)
        assert_true(process_said(move.tunnel.client, "completed; 2 channels"));
    process_kill(move.tunnel.client);
    process_kill(move.tunnel.server);
    vm_stop(move.source);
    vm_stop(move.destination);
}

static void
guest_runs_at_one_host_and_its_memory_follows(struct e2e *e2e)
{
    for (unsigned i = 0; i < rounds(); i++)
        move_once(e2e, NULL);
}

static void
preempting_guest_gets_its_pages_over_a_channel_of_their_own(struct e2e *e2e)
{
    for (unsigned i = 0; i < rounds(); i++)
        move_once(e2e, "--postcopy-preempt");
}

static void
paused_guest_arrives_paused(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    qmp_do(move.source->qmp, "stop", NULL);
    move_start(e2e, &move, NULL, ARGS(AT_ONCE));
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    assert_true(process_said(move.send, "starting postcopy"));
    move_check_arrival(e2e, move.source, move.destination);
}

/* QEMU would lose the guest: mig-send says that it can't be, and goes on. */
static void
ctrl_c_in_postcopy_cancels_nothing(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL, ARGS(SLOWLY));
    watch_handover(&move);
    process_signal(move.send, SIGINT);
    process_wait_text(move.send, move.send->err,
                      "can't be cancelled in postcopy");
    process_signal(move.recv, SIGINT);
    process_wait_text(move.recv, move.recv->err, "can't be cancelled");
    assert_string_equal(vm_migration(move.source), "postcopy-active");
    move_hurry_postcopy(&move);
    assert_moved(e2e, &move);
}

/* Both ends say what it is and leave both QEMUs as they are. */
static void
broken_postcopy_is_named_at_both_ends(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    move_start(e2e, &move, NULL, ARGS(SLOWLY));
    watch_handover(&move);
    process_kill(move.tunnel.client);
    process_kill(move.tunnel.server);
    process_expect(move.send, 5);
    process_expect(move.recv, 5);
    assert_true(process_said(move.send, "so end neither"));
    assert_true(process_said(move.recv, "so end neither"));
    assert_string_equal(vm_migration(move.source), "postcopy-paused");
    assert_string_equal(vm_migration(move.destination), "postcopy-paused");
    assert_false(strcmp(vm_state(move.source), "running") == 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_runs_at_one_host_and_its_memory_follows),
        E2E_TEST(preempting_guest_gets_its_pages_over_a_channel_of_their_own),
        E2E_TEST(paused_guest_arrives_paused),
        E2E_TEST(ctrl_c_in_postcopy_cancels_nothing),
        E2E_TEST(broken_postcopy_is_named_at_both_ends),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("postcopy", tests, NULL, NULL);
}
