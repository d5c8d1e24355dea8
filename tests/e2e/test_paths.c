/* A session over several paths at once (MPTCP). */
#include <stdio.h>

#include "support_move.h"
#include "support_paths.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"

enum { MIB = 1 << 20 };

static void
skip_without_paths(void)
{
    const char *missing = paths_missing();

    if (missing == NULL)
        return;
    print_message("             skipped: it needs %s\n", missing);
    skip();
}

/* The client's end and mig-send are on the other host. */
static void
start(struct e2e *e2e, struct tunnel *tunnel, const char *const *there)
{
    tunnel_init(e2e, tunnel);
    tunnel->session = true;
    tunnel->server_host = "";
    tunnel->client_host = "10.77.1.2";
    tunnel_start_server(e2e, tunnel, ARGS("--mptcp"));
    tunnel->source_through = there;
    tunnel_start_client(e2e, tunnel, ARGS("--mptcp"));
    process_wait_text(tunnel->client, tunnel->client->err, ": over MPTCP");
    process_wait_text(tunnel->server, tunnel->server->err, ": over MPTCP");
}

static void
session_uses_two_paths_and_survives_the_loss_of_one(struct e2e *e2e)
{
    struct move move;
    struct paths paths;
    const char *const there[] = { "nsenter", paths.prefix, NULL };
    uint64_t before[PATHS + 1];

    skip_without_paths();
    paths_start(e2e, &paths);
    move_prepare(e2e, &move, &guest_calm);
    start(e2e, &move.tunnel, there);
    for (unsigned path = 1; path <= PATHS; path++)
        before[path] = paths_received(path);
    move_start_slowly(e2e, &move);
    for (unsigned path = 1; path <= PATHS; path++)
        assert_true(paths_received(path) - before[path] >= MIB);
    paths_cut(1);
    move_hurry(&move);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    assert_int_equal(session_count(move.tunnel.client, "resum"), 0);
    assert_int_equal(session_count(move.tunnel.server, "resum"), 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(session_uses_two_paths_and_survives_the_loss_of_one),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
