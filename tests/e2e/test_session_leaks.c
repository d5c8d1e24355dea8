/*
 * Many sessions in a row through one mig-server and one mig-client: neither
 * may keep a descriptor or memory of one that is over.  There is no QEMU: the
 * test is both ends.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_burden.h"
#include "support_channels.h"
#include "support_probe.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"

enum {
    SESSIONS = 50,
    SESSIONS_FULL = 500,
    WARM_UP = 10, /* what is taken once has been taken by then */
    CHANNELS = 3,
    CHANNEL_BYTES = 200 * 1000,

    /* What an allocator may keep.  A leak of a session's rings alone, 1 MiB
     * for each channel and half of it touched, is much more. */
    GROWTH_KIB = 4 * 1024,

    VANISHING = 200,
    ROUNDS = 3,
    GREETING_BYTES = 116
};

/* Freed memory is to be used again, also under AddressSanitizer. */
static void
limit_quarantine(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    char text[512];

    snprintf(text, sizeof(text), "%s%squarantine_size_mb=1",
             options != NULL ? options : "", options != NULL ? ":" : "");
    setenv("ASAN_OPTIONS", text, 1);
}

static unsigned
session_goal(void)
{
    return e2e_full() ? SESSIONS_FULL : SESSIONS;
}

struct row {
    struct tunnel tunnel;
    int listener;
    unsigned sessions;
};

static void
start_row(struct e2e *e2e, struct row *row)
{
    limit_quarantine();
    *row = (struct row){ .listener = -1 };
    session_start(e2e, &row->tunnel, NULL, NULL);
    row->listener = channels_listen(row->tunnel.destination);
}

static void
say_success(const struct channel_pair *pair)
{
    static const char shut[] = { 0, 1, 0, 4, 0, 0, 0, 0 };
    char bytes[sizeof(shut)];

    assert_int_equal(send(pair->far_fd, shut, sizeof(shut), 0), sizeof(shut));
    assert_int_equal(recv(pair->near_fd, bytes, sizeof(bytes), MSG_WAITALL),
                     sizeof(bytes));
}

/* One session; without ${success} it counts as cancelled. */
static void
run_session(struct row *row, bool success)
{
    struct channel_pair pairs[CHANNELS];

    proc_wait_unix(row->tunnel.client, row->tunnel.source);
    channels_open(row->tunnel.source, row->listener, pairs, CHANNELS);
    channels_exchange(pairs, CHANNELS, CHANNEL_BYTES);
    if (success)
        say_success(&pairs[0]);
    channels_finish(pairs, CHANNELS);
    row->sessions++;
    session_wait_count(row->tunnel.client, " sent again, ", row->sessions);
    session_wait_count(row->tunnel.server, " sent again, ", row->sessions);
}

static void
assert_no_growth(const char *name, const struct proc_usage *before,
                 const struct proc_usage *after)
{
    print_message("             %s: %u descriptors, %llu KiB; then %u, %llu\n",
                  name, before->fds, (unsigned long long)before->resident_kib,
                  after->fds, (unsigned long long)after->resident_kib);
    assert_in_range(after->fds, 0, before->fds);
    assert_in_range(after->resident_kib, 0, before->resident_kib + GROWTH_KIB);
}

/* Wait until the next session stands as the one did at ${before}. */
static void
assert_no_leak(struct row *row, const struct burden *before)
{
    struct burden after;

    proc_wait_unix(row->tunnel.client, row->tunnel.source);
    burden_assert_fds_back(row->tunnel.client, &before->client);
    burden_assert_fds_back(row->tunnel.server, &before->server);
    burden_read(&row->tunnel, &after);
    assert_no_growth("mig-client", &before->client, &after.client);
    assert_no_growth("mig-server", &before->server, &after.server);
}

static void
run_row(struct e2e *e2e, unsigned sessions, bool success)
{
    struct burden before;
    struct row row;

    start_row(e2e, &row);
    while (row.sessions < WARM_UP)
        run_session(&row, success);
    proc_wait_unix(row.tunnel.client, row.tunnel.source);
    burden_read(&row.tunnel, &before);
    while (row.sessions < WARM_UP + sessions)
        run_session(&row, success);
    assert_no_leak(&row, &before);
    close(row.listener);
}

static void
sessions_that_complete_leave_nothing_behind(struct e2e *e2e)
{
    run_row(e2e, session_goal(), true);
}

/* Each takes more than a second: QEMU must not see its failure earlier. */
static void
sessions_that_are_cancelled_leave_nothing_behind(struct e2e *e2e)
{
    run_row(e2e, session_goal() / 10, false);
}

/* Begin a session for a VM with this name, and vanish. */
static void
greet_and_vanish(unsigned port, unsigned number)
{
    const struct linger reset = { .l_onoff = number % 2, .l_linger = 0 };
    unsigned char greeting[GREETING_BYTES] = "mig-tun\n", answer[32];
    int fd = probe_connect(port);

    greeting[8] = greeting[9] = 1;                  /* version */
    greeting[11] = GREETING_BYTES;                  /* length */
    memcpy(greeting + 20, &number, sizeof(number)); /* session */
    greeting[44] = 1;                               /* window */
    greeting[48] =
        (unsigned char)snprintf((char *)greeting + 49, 64, "vm-%u", number);
    assert_int_equal(send(fd, greeting, sizeof(greeting), 0), sizeof(greeting));
    assert_int_equal(recv(fd, answer, sizeof(answer), MSG_WAITALL),
                     sizeof(answer));
    assert_int_equal(answer[15], 0); /* accepted */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
}

static void
sessions_whose_clients_vanish_are_forgotten(struct e2e *e2e)
{
    struct proc_usage idle, before, after;
    struct tunnel tunnel;

    limit_quarantine();
    tunnel_init(e2e, &tunnel);
    tunnel.session = true;
    snprintf(tunnel.destination, sizeof(tunnel.destination), "%s/%%n.sock",
             e2e->dir);
    tunnel_start_server(e2e, &tunnel, ARGS("--resume-timeout", "1"));
    proc_read_usage(tunnel.server->pid, &idle);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < VANISHING; i++)
            greet_and_vanish(tunnel.port, round * VANISHING + i);
        session_wait_count(tunnel.server, "for longer than resume-timeout",
                           (round + 1) * VANISHING);
        burden_assert_fds_back(tunnel.server, &idle);
        proc_read_usage(tunnel.server->pid, round == 0 ? &before : &after);
    }
    assert_no_growth("mig-server", &before, &after);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(sessions_that_complete_leave_nothing_behind),
        E2E_TEST(sessions_that_are_cancelled_leave_nothing_behind),
        E2E_TEST(sessions_whose_clients_vanish_are_forgotten),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_leaks", tests, NULL, NULL);
}
