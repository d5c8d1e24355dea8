/* Migrations through a session whose network does not fail. */
#include <signal.h>
#include <stdio.h>

#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum { HOPS = 5, HOPS_FULL = 50 };

static void
guest_moves_and_its_memory_is_identical(struct e2e *e2e)
{
    struct guest guest = guest_calm;
    struct move move;

    guest.fill_mib = e2e_full() ? 1024 : 256;
    move_prepare(e2e, &move, &guest);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

static void
guest_moves_many_times_with_4_multifd_channels(struct e2e *e2e)
{
    const char *const *args = ARGS("--multifd", "4");
    unsigned hops = e2e_full() ? HOPS_FULL : HOPS;
    struct move move = { .source = vm_start_source(e2e, &guest_calm) };

    session_start(e2e, &move.tunnel, NULL, NULL);
    for (unsigned i = 0; i < hops; i++) {
        move.destination = vm_start_destination(e2e, move.source);
        move_start(e2e, &move, args, args);
        move_finish(e2e, &move);
        assert_true(vm_migrate_info(move.source, "ram", "multifd-bytes") > 0);
        session_expect_ends(&move.tunnel, "completed", i + 1);
        vm_stop(move.source);
        move.source = move.destination;
    }
}

static void
cancelled_migration_is_followed_by_another_through_the_same_pair(
    struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    process_signal(move.send, SIGINT);
    process_expect(move.send, 3);
    process_expect(move.recv, 1);
    vm_assert_runs(move.source);
    assert_string_equal(vm_migration(move.source), "cancelled");
    session_expect_end(&move.tunnel, "cancelled by source");

    move_again(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_moves_and_its_memory_is_identical),
        E2E_TEST(guest_moves_many_times_with_4_multifd_channels),
        E2E_TEST(
            cancelled_migration_is_followed_by_another_through_the_same_pair),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
