/* A network, or an end of the tunnel, that is gone: for a while, or for good.
 */
#include <signal.h>
#include <unistd.h>

#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    /* A transport is dead after 5 s of silence; what is asserted leaves room
     * for a busy machine. */
    SHORT_STALL_S = 3,
    LOST_WITHIN_MS = 20 * 1000,

    /* After that, so that the black hole is 20 s in the long form. */
    HOLE_S = 1,
    HOLE_FULL_S = 15
};

#define RESUME_TIMEOUT ARGS("--resume-timeout", "2")

static const char lost_text[] = ": transport lost: ";
static const char timeout_words[] =
    "transport lost for longer than resume-timeout";

static struct proxy *
start_all(struct e2e *e2e, struct move *move, const char *const *args)
{
    struct proxy *proxy;

    move_prepare(e2e, move, &guest_calm);
    proxy = session_start_proxied(e2e, &move->tunnel, args, args);
    move_start_slowly(e2e, move);
    return proxy;
}

/* Check that both ends have said that the main channel was lost and came back.
 * Of what was dialled meanwhile the server may see more than one come, and go.
 * Channel 0 may come back when the migration is over already. */
static void
assert_resumed(const struct tunnel *tunnel)
{
    static const char lost[] = "channel 1: transport lost: ";
    static const char resumed[] = "channel 1: resumed after ";

    assert_int_equal(session_count(tunnel->client, lost), 1);
    assert_int_equal(session_count(tunnel->client, resumed), 1);
    assert_in_range(session_count(tunnel->server, lost), 1, UINT32_MAX);
    assert_in_range(session_count(tunnel->server, resumed), 1, UINT32_MAX);
}

/* Wait until both ends have given up both transports. */
static void
wait_lost(const struct tunnel *tunnel)
{
    uint64_t since_ms = wait_now_ms();

    session_wait_count(tunnel->client, lost_text, 2);
    session_wait_count(tunnel->server, lost_text, 2);
    assert_in_range(wait_now_ms() - since_ms, 0, LOST_WITHIN_MS);
}

static void
finish(struct e2e *e2e, struct move *move)
{
    assert_string_equal(vm_migration(move->source), "active");
    move_hurry(move);
    move_finish(e2e, move);
    session_expect_end(&move->tunnel, "completed");
}

/* Go on when both transports are dead at both ends, and dialled again in vain;
 * in the long form a while later. */
static void
move_through_silence(struct e2e *e2e, const char *how)
{
    struct move move;
    struct proxy *proxy = start_all(e2e, &move, NULL);

    proxy_do(proxy, "%s", how);
    wait_lost(&move.tunnel);
    sleep(e2e_full() ? HOLE_FULL_S : HOLE_S); /* this is what is tested */
    proxy_do(proxy, "resume");
    finish(e2e, &move);
    assert_resumed(&move.tunnel);
}

static void
short_silence_costs_no_transport(struct e2e *e2e)
{
    struct move move;
    struct proxy *proxy = start_all(e2e, &move, NULL);

    proxy_do(proxy, "stall");
    sleep(SHORT_STALL_S); /* this is what is tested */
    proxy_do(proxy, "resume");
    finish(e2e, &move);
    assert_false(process_said(move.tunnel.client, lost_text));
    assert_false(process_said(move.tunnel.server, lost_text));
}

static void
black_hole_is_survived(struct e2e *e2e)
{
    move_through_silence(e2e, "blackhole");
}

static void
long_stall_is_survived(struct e2e *e2e)
{
    move_through_silence(e2e, "stall");
}

/* An end of the tunnel that does not run looks like a network that is gone. */
static void
stop_an_end(struct e2e *e2e, bool server)
{
    struct process *stopped, *other;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    stopped = server ? move.tunnel.server : move.tunnel.client;
    other = server ? move.tunnel.client : move.tunnel.server;
    process_signal(stopped, SIGSTOP);
    session_wait_count(other, lost_text, 2);
    sleep(e2e_full() ? HOLE_FULL_S : HOLE_S); /* this is what is tested */
    process_signal(stopped, SIGCONT);
    finish(e2e, &move);
}

static void
stopped_server_is_survived(struct e2e *e2e)
{
    stop_an_end(e2e, true);
}

static void
stopped_client_is_survived(struct e2e *e2e)
{
    stop_an_end(e2e, false);
}

/* A firewall that is being restarted refuses, too. */
static void
refusals_for_a_moment_are_survived(struct e2e *e2e)
{
    struct move move;
    struct proxy *proxy = start_all(e2e, &move, NULL);

    proxy_do(proxy, "refuse");
    session_wait_count(move.tunnel.client, lost_text, 2);
    sleep(1); /* this is what is tested */
    proxy_do(proxy, "resume");
    finish(e2e, &move);
    assert_resumed(&move.tunnel);
}

static void
silence_beyond_the_resume_timeout_fails_at_both_ends(struct e2e *e2e)
{
    struct move move;
    struct proxy *proxy = start_all(e2e, &move, RESUME_TIMEOUT);

    proxy_do(proxy, "blackhole");
    session_expect_end(&move.tunnel, timeout_words);
    move_assert_failed(&move, wait_now_ms());
    process_expect(move.destination->process, 1);

    proxy_do(proxy, "resume");
    move_again(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

static void
killed_server_fails_the_migration_soon(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    since_ms = wait_now_ms();
    process_kill(move.tunnel.server);
    move_assert_failed(&move, since_ms);
    process_expect(move.destination->process, 1);
    assert_true(process_running(move.tunnel.client));

    tunnel_start_server(e2e, &move.tunnel, NULL);
    move_again(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

/* As a supervisor would do it: the old session is not known to the new one. */
static void
restarted_server_fails_the_migration_at_once(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    since_ms = wait_now_ms();
    process_kill(move.tunnel.server);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    move_assert_failed(&move, since_ms);
    process_expect(move.destination->process, 1);
    session_wait_count(move.tunnel.client, ": the session is not known there; ",
                       1);
    move_again(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

static void
killed_client_fails_the_migration_at_once(struct e2e *e2e)
{
    struct move move;
    uint64_t since_ms;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, RESUME_TIMEOUT, NULL);
    move_start_slowly(e2e, &move);
    since_ms = wait_now_ms();
    process_kill(move.tunnel.client);
    move_assert_failed(&move, since_ms);
    process_expect(move.destination->process, 1);
    session_wait_count(move.tunnel.server, timeout_words, 1);
    assert_true(process_running(move.tunnel.server));

    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_again(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(short_silence_costs_no_transport),
        E2E_TEST(black_hole_is_survived),
        E2E_TEST(long_stall_is_survived),
        E2E_TEST(stopped_server_is_survived),
        E2E_TEST(stopped_client_is_survived),
        E2E_TEST(refusals_for_a_moment_are_survived),
        E2E_TEST(silence_beyond_the_resume_timeout_fails_at_both_ends),
        E2E_TEST(killed_server_fails_the_migration_soon),
        E2E_TEST(restarted_server_fails_the_migration_at_once),
        E2E_TEST(killed_client_fails_the_migration_at_once),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_lost", tests, NULL, NULL);
}
