/* Connections that are reset under a migration, which must not notice. */
#include <stdio.h>

#include "support_move.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_vm.h"

enum { RESETS = 10, RESETS_FULL = 50, FILL_MIB = 128, FILL_FULL_MIB = 1024 };

static void
check_faults(struct proxy *proxy, unsigned faults)
{
    struct proxy_report report;

    proxy_report(proxy, &report);
    print_message("             %u faults, %u connections\n", report.faults,
                  report.connections);
    assert_int_equal(report.faults, faults);
    assert_in_range(report.connections, faults + 2, UINT32_MAX);
}

/* Move a guest while connections are reset, evenly over its memory. */
static void
move_through_resets(struct e2e *e2e, const char *action,
                    const char *const *args)
{
    unsigned resets = e2e_full() ? RESETS_FULL : RESETS;
    struct guest guest = guest_calm;
    struct proxy *proxy;
    struct move move;

    guest.fill_mib = e2e_full() ? FILL_FULL_MIB : FILL_MIB;
    move_prepare(e2e, &move, &guest);
    proxy = session_start_proxied(e2e, &move.tunnel, NULL, NULL);
    proxy_do(proxy, "rule * > bytes %u times %u %s",
             (guest.fill_mib << 20) / (resets + 1), resets, action);
    move_start(e2e, &move, args, args);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    check_faults(proxy, resets);
}

static void
precopy_survives_resets(struct e2e *e2e)
{
    move_through_resets(e2e, "reset", NULL);
}

static void
multifd_survives_resets_of_single_connections(struct e2e *e2e)
{
    move_through_resets(e2e, "reset", ARGS("--multifd", "4"));
}

static void
multifd_survives_resets_of_all_connections(struct e2e *e2e)
{
    move_through_resets(e2e, "resetall", ARGS("--multifd", "4"));
}

struct last_reset {
    const char *what;
    const char *rule;
};

/* The last bytes there are the description of the devices, in JSON; the last
 * bytes back are MIG_RP_MSG_SHUT with success. */
static const struct last_reset last_resets[] = {
    { "in the last bytes to the destination",
      "rule 1 > match 22706167655f73697a6522 inside reset" },
    { "behind them, before the last word back",
      "rule 1 < match 0001000400000000 inside reset" },
    { "behind the last word back",
      "rule 1 < match 0001000400000000 after reset" },
    { "before the source's end", "rule 1 > fin before reset" },
    { "between the source's end and its ACK", "rule 1 < ackfin before reset" },
    { "behind that ACK", "rule 1 < ackfin after reset" },
    { "before the destination's end", "rule 1 < fin before reset" },
    { "between the destination's end and its ACK",
      "rule 1 > ackfin before reset" },
    { "behind that ACK", "rule 1 > ackfin after reset" },
};
enum { LAST_RESETS = sizeof(last_resets) / sizeof(last_resets[0]) };

/* One guest goes from host to host, and the connection breaks at another point
 * of the end each time. */
static void
precopy_survives_a_reset_at_each_point_of_its_end(struct e2e *e2e)
{
    struct move move = { .source = vm_start_source(e2e, &guest_calm) };
    struct proxy *proxy = session_start_proxied(
        e2e, &move.tunnel, NULL,
        ARGS("--compress", "off")); /* it looks for bytes of QEMU's */

    for (unsigned i = 0; i < LAST_RESETS; i++) {
        print_message("             %s\n", last_resets[i].what);
        move.destination = vm_start_destination(e2e, move.source);
        proxy_do(proxy, "%s", last_resets[i].rule);
        move_start(e2e, &move, NULL, NULL);
        move_finish(e2e, &move);
        session_expect_ends(&move.tunnel, "completed", i + 1);
        check_faults(proxy, i + 1);
        vm_stop(move.source);
        move.source = move.destination;
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(precopy_survives_resets),
        E2E_TEST(multifd_survives_resets_of_single_connections),
        E2E_TEST(multifd_survives_resets_of_all_connections),
        E2E_TEST(precopy_survives_a_reset_at_each_point_of_its_end),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_reset", tests, NULL, NULL);
}
