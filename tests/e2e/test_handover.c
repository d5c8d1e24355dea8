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
    session_start(e2e, &move->tunnel, NULL, NULL);
    move->tunnel.partners = true;
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
    move_start(e2e, &move, NULL,
               ARGS("--multifd", "4", "--parameter",
                    "multifd-compression=zlib"));
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    assert_true(vm_migrate_info(move.source, "ram", "multifd-bytes") > 0);
    move_check_arrival(e2e, move.source, move.destination);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_runs_at_the_destination_and_nowhere_else),
        E2E_TEST(paused_guest_arrives_paused_with_the_same_memory),
        E2E_TEST(settings_of_mig_send_hold_at_both_ends),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
