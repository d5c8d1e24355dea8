/* The tunnel's own limit, and another one while it runs. */
#include <inttypes.h>
#include <stdio.h>

#include "support_move.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    LIMIT_MIB = 1, /* a second: the calm guest has 64 */
    FIRST_MIB = 4,

    /* What QEMU counts as sent waits in its socket and in the tunnel. */
    WAITING_MIB = 3,
};

static unsigned
sent_mib(struct move *move)
{
    return (unsigned)(vm_migrate_info(move->source, "ram", "transferred") >>
                      20);
}

static void
set_bandwidth(struct e2e *e2e, const char *unix_path, const char *rate)
{
    process_expect(
        tool_start(e2e, "mig-client",
                   ARGS("--unix", unix_path, "--set-bandwidth", rate)),
        0);
}

static void
bandwidth_is_kept_and_may_be_changed_under_way(struct e2e *e2e)
{
    uint64_t start_ms, limited_ms, free_ms;
    unsigned limited_mib;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, ARGS("--bandwidth", "1M"));
    start_ms = wait_now_ms();
    move_start(e2e, &move, NULL, NULL);
    vm_wait_transferred(move.source, FIRST_MIB);
    limited_mib = sent_mib(&move);
    limited_ms = wait_now_ms() - start_ms;
    assert_in_range(limited_mib, FIRST_MIB,
                    LIMIT_MIB * (limited_ms / 1000 + 1) + WAITING_MIB);

    set_bandwidth(e2e, move.tunnel.source, "0");
    start_ms = wait_now_ms();
    move_finish(e2e, &move);
    free_ms = wait_now_ms() - start_ms;
    print_message("             %u MiB in %" PRIu64 " ms, the rest in %" PRIu64
                  " ms\n",
                  limited_mib, limited_ms, free_ms);
    assert_int_equal(
        session_count(move.tunnel.client, "the bandwidth is now without limit"),
        1);
    session_expect_end(&move.tunnel, "completed");

    /* At the old limit the rest would have taken a minute. */
    assert_in_range(free_ms, 0, 45 * 1000);
}

static void
bandwidth_of_nobody_can_not_be_set(struct e2e *e2e)
{
    char control[CASE_PATH_MAX];
    struct process *ask;

    e2e_path(e2e, "nobody.ctl", control);
    ask = tool_start(e2e, "mig-client",
                     ARGS("--control", control, "--set-bandwidth", "1M"));
    process_expect(ask, 1);
    assert_true(process_said(ask, "cannot set the bandwidth"));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(bandwidth_is_kept_and_may_be_changed_under_way),
        E2E_TEST(bandwidth_of_nobody_can_not_be_set),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("bandwidth", tests, NULL, NULL);
}
