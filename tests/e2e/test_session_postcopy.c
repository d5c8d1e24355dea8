/*
 * Postcopy through a session: once the guest runs at the destination neither
 * half of its memory is of any use alone, so a connection that is lost then
 * must come back.
 */
#include <string.h>

#include "support_memory.h"
#include "support_move.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_qmp.h"
#include "support_session.h"
#include "support_vm.h"

/* A reset for each so many bytes; 40 MiB or more are left at the source. */
enum {
    RESETS = 5,
    BETWEEN_MIB = 6,
    RESETS_FULL = 25,
    BETWEEN_FULL_MIB = 1,
    SWITCH_MIB = 16
};

#define POSTCOPY "--capability", "postcopy-ram=on"

/* Begin a migration and switch it to postcopy, which then takes 5 s. */
static void
switch_to_postcopy(struct e2e *e2e, struct move *move)
{
    move_start(e2e, move, ARGS(POSTCOPY),
               ARGS(POSTCOPY, "--max-bandwidth", "8M", "--parameter",
                    "max-postcopy-bandwidth=8388608"));
    vm_wait_transferred(move->source, SWITCH_MIB);
    qmp_do(move->source->qmp, "migrate-start-postcopy", NULL);
    vm_wait_migration(move->source, "postcopy-active");
    vm_wait_migration(move->destination, "postcopy-active");
}

static void
reset_often(struct proxy *proxy)
{
    if (e2e_full())
        proxy_do(proxy, "rule * > bytes %u times %u resetall",
                 BETWEEN_FULL_MIB << 20, RESETS_FULL);
    else
        proxy_do(proxy, "rule * > bytes %u times %u resetall",
                 BETWEEN_MIB << 20, RESETS);
}

static void
assert_reset_often(struct proxy *proxy)
{
    struct proxy_report report;

    proxy_report(proxy, &report);
    assert_in_range(report.faults, e2e_full() ? RESETS_FULL : RESETS,
                    UINT32_MAX);
}

static void
guest_moves_and_its_memory_is_identical(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    switch_to_postcopy(e2e, &move);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

static void
paused_guest_survives_resets_after_the_switch(struct e2e *e2e)
{
    struct proxy *proxy;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    proxy = session_start_proxied(e2e, &move.tunnel, NULL, NULL);
    switch_to_postcopy(e2e, &move);
    reset_often(proxy);
    move_finish(e2e, &move);
    assert_reset_often(proxy);
    session_expect_end(&move.tunnel, "completed");
}

/* Compare what the guest does not write to. */
static void
assert_rest_is_same(struct e2e *e2e, struct vm *a, struct vm *b,
                    unsigned from_mib)
{
    size_t from = (size_t)from_mib << 20;
    struct memory in_a, in_b;

    memory_dump(e2e, a, &in_a);
    memory_dump(e2e, b, &in_b);
    assert_int_equal(in_a.size, in_b.size);
    assert_in_range(from, 1, in_a.size / 2);
    assert_memory_equal(in_a.bytes + from, in_b.bytes + from, in_a.size - from);
    memory_fini(&in_a);
    memory_fini(&in_b);
}

/* It fetches pages while connections come and go. */
static void
running_guest_survives_resets_after_the_switch(struct e2e *e2e)
{
    struct guest guest = guest_calm;
    struct proxy *proxy;
    struct move move;

    guest.window_mib = 24;
    move_prepare(e2e, &move, &guest);
    proxy = session_start_proxied(e2e, &move.tunnel, NULL, NULL);
    switch_to_postcopy(e2e, &move);
    reset_often(proxy);
    /* Once in the middle of a request for pages, too. */
    proxy_do(proxy, "rule 1 < data inside reset");
    qmp_do(move.destination->qmp, "cont", NULL);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    assert_reset_often(proxy);
    assert_true(vm_migrate_info(move.source, "ram", "postcopy-requests") > 0);
    vm_assert_runs(move.destination);
    vm_assert_continues(move.source, move.destination);
    qmp_do(move.destination->qmp, "stop", NULL);
    assert_rest_is_same(e2e, move.source, move.destination,
                        1 + guest.window_mib);
    session_expect_end(&move.tunnel, "completed");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_moves_and_its_memory_is_identical),
        E2E_TEST(paused_guest_survives_resets_after_the_switch),
        E2E_TEST(running_guest_survives_resets_after_the_switch),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_postcopy", tests, NULL, NULL);
}
