/* Guests that go over compressed, and arrive as they were. */
#include <stdio.h>

#include "support_move.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_tls.h"
#include "support_vm.h"

enum { RESETS = 10, RESETS_FULL = 50, FILL_MIB = 128, FILL_FULL_MIB = 1024 };

static void
prepare(struct e2e *e2e, struct move *move)
{
    struct guest guest = guest_calm;

    guest.soft = true;
    guest.fill_mib = e2e_full() ? FILL_FULL_MIB : FILL_MIB;
    move_prepare(e2e, move, &guest);
}

/* Both ends say so, and how much was saved: about three quarters. */
static void
expect_compressed(const struct move *move)
{
    const struct process *ends[] = { move->tunnel.client, move->tunnel.server };

    session_expect_end(&move->tunnel, "completed");
    for (int i = 0; i < 2; i++)
        assert_int_equal(session_count(ends[i], ", compressed 3.") +
                             session_count(ends[i], ", compressed 2."),
                         1);
}

static void
move_compressed(struct e2e *e2e, const char *const *client_args)
{
    struct move move;

    prepare(e2e, &move);
    session_start(e2e, &move.tunnel, NULL, client_args);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    expect_compressed(&move);
}

static void
guest_moves_compressed(struct e2e *e2e)
{
    move_compressed(e2e, ARGS("--compress", "zstd"));
}

static void
guest_moves_compressed_with_a_long_window(struct e2e *e2e)
{
    move_compressed(e2e,
                    ARGS("--compress", "zstd:1", "--compress-window", "128M"));
}

static void
server_with_a_smaller_window_still_takes_it_compressed(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    session_start(e2e, &move.tunnel, ARGS("--compress-window", "64K"),
                  ARGS("--compress", "zstd:1", "--compress-window", "128M"));
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    expect_compressed(&move);
}

/* Connections break evenly over what the memory takes when it is compressed. */
static void
move_through_resets(struct e2e *e2e, const char *action,
                    const char *const *args)
{
    unsigned resets = e2e_full() ? RESETS_FULL : RESETS;
    unsigned fill_mib = e2e_full() ? FILL_FULL_MIB : FILL_MIB;
    struct proxy_report report;
    struct proxy *proxy;
    struct move move;

    prepare(e2e, &move);
    proxy = session_start_proxied(e2e, &move.tunnel, NULL,
                                  ARGS("--compress", "zstd:1"));
    proxy_do(proxy, "rule * > bytes %u times %u %s",
             (fill_mib << 20) / 5 / (resets + 1), resets, action);
    move_start(e2e, &move, args, args);
    move_finish(e2e, &move);
    expect_compressed(&move);
    proxy_report(proxy, &report);
    /* They are close together: one that is due while all go is one with that.
     */
    assert_in_range(report.faults, resets / 2, resets);
}

static void
compressed_precopy_survives_resets(struct e2e *e2e)
{
    move_through_resets(e2e, "reset", NULL);
}

static void
compressed_multifd_survives_resets_of_all_connections(struct e2e *e2e)
{
    move_through_resets(e2e, "resetall", ARGS("--multifd", "4"));
}

/* Compressed, then encrypted; the proxy counts the bytes of all channels. */
static void
compressed_precopy_with_a_shared_key_survives_resets(struct e2e *e2e)
{
    char path[CASE_PATH_MAX];
    struct proxy_report report;
    struct proxy *proxy;
    struct move move;

    prepare(e2e, &move);
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    psk_make(e2e, path, "qemu");
    move.tunnel.server_security = psk_options(e2e, path, NULL);
    move.tunnel.client_security = psk_options(e2e, path, NULL);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    proxy = proxy_start(e2e, move.tunnel.port);
    move.tunnel.dest_port = proxy_port(proxy);
    proxy_do(proxy, "rule * > bytes %u times 5 reset", 5 << 20);
    tunnel_start_client(e2e, &move.tunnel, ARGS("--compress", "zstd:1"));
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    expect_compressed(&move);
    proxy_report(proxy, &report);
    assert_int_equal(report.faults, 5);
}

static void
server_that_takes_nothing_compressed_gets_it_plain(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move);
    session_start(e2e, &move.tunnel, ARGS("--no-compress"),
                  ARGS("--compress", "zstd"));
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    assert_int_equal(session_count(move.tunnel.client, ", compressed "), 0);
    assert_int_equal(
        session_count(move.tunnel.client, "takes nothing compressed"), 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_moves_compressed),
        E2E_TEST(guest_moves_compressed_with_a_long_window),
        E2E_TEST(server_with_a_smaller_window_still_takes_it_compressed),
        E2E_TEST(compressed_precopy_survives_resets),
        E2E_TEST(compressed_multifd_survives_resets_of_all_connections),
        E2E_TEST(compressed_precopy_with_a_shared_key_survives_resets),
        E2E_TEST(server_that_takes_nothing_compressed_gets_it_plain),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("compress", tests, NULL, NULL);
}
