/*
 * Several connections.  QEMU 7.2 takes them by the order of their arrival, so a
 * tunnel that lets one overtake another fails about every second time; hence
 * so many repetitions.  One guest goes from host to host.
 */
#include "support_move.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"

enum { HOPS = 20, HOPS_FULL = 100 };

static void
move_from_host_to_host(struct e2e *e2e, const char *channels)
{
    const char *const *args = ARGS("--multifd", channels);
    unsigned hops = e2e_full() ? HOPS_FULL : HOPS;
    struct move move = { .source = vm_start_source(e2e, &guest_calm) };

    tunnel_start(e2e, &move.tunnel);
    for (unsigned i = 0; i < hops; i++) {
        move.destination = vm_start_destination(e2e, move.source);
        move_start(e2e, &move, args, args);
        move_finish(e2e, &move);
        assert_true(vm_migrate_info(move.source, "ram", "multifd-bytes") > 0);
        vm_stop(move.source);
        move.source = move.destination;
    }
}

static void
guest_moves_many_times_with_2_multifd_channels(struct e2e *e2e)
{
    move_from_host_to_host(e2e, "2");
}

static void
guest_moves_many_times_with_4_multifd_channels(struct e2e *e2e)
{
    move_from_host_to_host(e2e, "4");
}

/*
 * A thread of the destination's multifd fails, and its QEMU stays alive and
 * waits on the main channel.  The source has to hear of it.
 */
static void
fail_one_channel(struct e2e *e2e, struct move *move)
{
    move_start(e2e, move, ARGS("--multifd", "4"),
               ARGS("--multifd", "4", "--multifd-compression", "zlib"));
    process_expect(move->send, 1);
    vm_assert_runs(move->source);
    process_kill(move->destination->process);
    process_expect(move->recv, 1);
}

static void
broken_multifd_channel_ends_the_migration(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    fail_one_channel(e2e, &move);
}

static void
broken_multifd_channel_ends_the_session(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    fail_one_channel(e2e, &move);
    session_expect_end(&move.tunnel, "destination closed");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_moves_many_times_with_2_multifd_channels),
        E2E_TEST(guest_moves_many_times_with_4_multifd_channels),
        E2E_TEST(broken_multifd_channel_ends_the_migration),
        E2E_TEST(broken_multifd_channel_ends_the_session),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("multifd", tests, NULL, NULL);
}
