/*
 * A session whose connection breaks once at each kind of point: in either
 * greeting, before, within and behind each type of frame, on channel 0 and on
 * QEMU's channels, in both directions.  There is no QEMU: the test is both ends
 * and checks every byte, and that it comes once and in order.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_channels.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_wait.h"

enum { CHANNELS = 3, CHANNEL_BYTES = 600 * 1000 };

/* Where a connection of QEMU's breaks; "bytes" count from the greeting on. */
static const char *const places[] = {
    "bytes 1 times 1", "bytes 20 times 1", "data before",  "data head",
    "data inside",     "data after",       "ack before",   "ack head",
    "ack after",       "fin before",       "fin head",     "fin after",
    "ackfin before",   "ackfin head",      "ackfin after",
};

/* Channel 0 carries READY and END from the server, and the client's end. */
static const char *const control_places[2][16] = {
    { "bytes 1 times 1", "bytes 119 times 1", "ack before", "ack head",
      "ack after", "fin before", "fin head", "fin after", "ackfin before",
      "ackfin head", "ackfin after", NULL },
    { "bytes 1 times 1", "bytes 35 times 1", "bytes 36 times 1", "data before",
      "data head", "data inside", "data after", "fin before", "fin head",
      "fin after", "ackfin before", "ackfin head", "ackfin after", NULL },
};

struct ends {
    struct tunnel tunnel;
    struct proxy *proxy;
    int listener;
    unsigned sessions;
};

static void
start(struct e2e *e2e, struct ends *ends)
{
    *ends = (struct ends){ .listener = -1 };
    ends->proxy = session_start_proxied(e2e, &ends->tunnel, NULL, NULL);
    ends->listener = channels_listen(ends->tunnel.destination);
}

static void
send_all(int fd, const void *bytes, size_t length)
{
    assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

/* What a destination says at the end of a migration that went well. */
static void
say_success(const struct channel_pair *pair)
{
    static const unsigned char shut[] = { 0, 1, 0, 4, 0, 0, 0, 0 };
    struct pollfd pfd = { .fd = pair->near_fd, .events = POLLIN };
    unsigned char bytes[sizeof(shut)];

    send_all(pair->far_fd, shut, sizeof(shut));
    assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(pair->near_fd, bytes, sizeof(bytes), MSG_WAITALL),
                     sizeof(bytes));
    assert_memory_equal(bytes, shut, sizeof(shut));
}

/* A whole migration, of which both ends must say that it is complete. */
static void
run_session(struct ends *ends)
{
    struct channel_pair pairs[CHANNELS];

    proc_wait_unix(ends->tunnel.client, ends->tunnel.source);
    channels_open(ends->tunnel.source, ends->listener, pairs, CHANNELS);
    channels_exchange(pairs, CHANNELS, CHANNEL_BYTES);
    say_success(&pairs[0]);
    channels_finish(pairs, CHANNELS);
    session_expect_ends(&ends->tunnel, "completed", ++ends->sessions);
}

struct awaited_faults {
    struct proxy *proxy;
    unsigned count;
};

static bool
is_cut(void *arg)
{
    const struct awaited_faults *awaited = arg;
    struct proxy_report report;

    proxy_report(awaited->proxy, &report);
    return report.faults >= awaited->count;
}

/* Run a session with the rule, which must come into effect. */
static void
run_cut(struct ends *ends, const char *rule)
{
    struct awaited_faults awaited = { ends->proxy, ends->sessions + 1 };

    proxy_do(ends->proxy, "%s", rule);
    run_session(ends);
    if (!wait_until(PATIENCE_MS, is_cut, &awaited))
        fail_msg("%s: no fault", rule);
}

static void
cut_channel(struct e2e *e2e, unsigned channel)
{
    struct ends ends;
    char rule[80];

    start(e2e, &ends);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        for (int back = 0; back < 2; back++) {
            snprintf(rule, sizeof(rule), "rule %u %c %s reset", channel,
                     back ? '<' : '>', places[i]);
            run_cut(&ends, rule);
        }
    close(ends.listener);
}

static void
main_channel_may_break_anywhere(struct e2e *e2e)
{
    cut_channel(e2e, 1);
}

static void
further_channel_may_break_anywhere(struct e2e *e2e)
{
    cut_channel(e2e, 2);
}

static void
control_channel_may_break_anywhere(struct e2e *e2e)
{
    struct ends ends;
    char rule[80];

    start(e2e, &ends);
    for (int back = 0; back < 2; back++)
        for (size_t i = 0; control_places[back][i] != NULL; i++) {
            snprintf(rule, sizeof(rule), "rule 0 %c %s reset", back ? '<' : '>',
                     control_places[back][i]);
            run_cut(&ends, rule);
        }
    close(ends.listener);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(main_channel_may_break_anywhere),
        E2E_TEST(further_channel_may_break_anywhere),
        E2E_TEST(control_channel_may_break_anywhere),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_cuts", tests, NULL, NULL);
}
