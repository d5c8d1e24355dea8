/* Transports: readiness, short calls, and how a connection ends. */
#include "io/transport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_faults.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

/* A transport, the other end of its socket, and what it was told. */
struct pair {
    struct stage stage;
    struct transport *transport;
    int fd;
    unsigned long readable;
    unsigned long writable;
    struct stage *other; /* where it moves to */
};

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct pair *pair = arg;

    pair->readable += readable;
    pair->writable += writable;
}

static void
on_ready_to_free(void *arg, bool readable, bool writable)
{
    struct pair *pair = arg;

    on_ready(arg, readable, writable);
    transport_free(pair->transport);
    pair->transport = NULL;
}

static void
pair_open(struct pair *pair, void (*connect)(int fds[2]))
{
    int fds[2];

    faults_clear();
    *pair = (struct pair){ 0 };
    stage_open(&pair->stage);
    connect(fds);
    pair->transport = transport_new(pair->stage.loop, fds[0]);
    pair->fd = fds[1];
    transport_on_ready(pair->transport, on_ready, pair);
}

static void
pair_close(struct pair *pair)
{
    transport_free(pair->transport);
    if (pair->fd >= 0)
        close(pair->fd);
    stage_close(&pair->stage);
}

static ssize_t
read_some(struct pair *pair, char *bytes, size_t length)
{
    struct iovec iov = { bytes, length };

    return transport_readv(pair->transport, &iov, 1);
}

static ssize_t
write_some(struct pair *pair, char *bytes, size_t length)
{
    struct iovec iov = { bytes, length };

    return transport_writev(pair->transport, &iov, 1);
}

static void
nothing_is_reported_that_is_not_waited_for(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, net_unix_pair);
    assert_int_equal(write(pair.fd, "x", 1), 1);
    assert_int_equal(stage_turns_in(&pair.stage, 50), 0);
    transport_want(pair.transport, true, false);
    STAGE_UNTIL(&pair.stage, pair.readable > 0);
    assert_int_equal(pair.writable, 0);
    transport_want(pair.transport, false, true);
    pair.readable = 0;
    STAGE_UNTIL(&pair.stage, pair.writable > 0);
    assert_int_equal(pair.readable, 0);
    transport_want(pair.transport, false, false);
    assert_int_equal(stage_turns_in(&pair.stage, 50), 0);
    pair_close(&pair);
}

static void
a_hang_up_that_is_not_waited_for_wakes_nobody(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, net_unix_pair);
    transport_want(pair.transport, true, true);
    transport_want(pair.transport, false, false);
    close(pair.fd);
    pair.fd = -1;
    assert_int_equal(stage_turns_in(&pair.stage, 50), 0);
    assert_int_equal(pair.readable + pair.writable, 0);
    pair_close(&pair);
}

static void
a_hang_up_counts_as_readable(void **state)
{
    struct pair pair;
    char byte;

    (void)state;
    pair_open(&pair, net_unix_pair);
    transport_want(pair.transport, true, false);
    close(pair.fd);
    pair.fd = -1;
    STAGE_UNTIL(&pair.stage, pair.readable > 0);
    assert_int_equal(read_some(&pair, &byte, 1), 0);
    pair_close(&pair);
}

static void
a_reset_counts_as_what_is_waited_for(void **state)
{
    static const struct linger now = { .l_onoff = 1 };
    static char bytes[64 << 10];
    struct pair pair;
    char byte;

    (void)state;
    pair_open(&pair, net_tcp_pair);
    /* Until there is no room, so that only the reset can wake it. */
    while (write_some(&pair, bytes, sizeof bytes) > 0)
        continue;
    transport_want(pair.transport, false, true);
    setsockopt(pair.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(pair.fd);
    pair.fd = -1;
    STAGE_UNTIL(&pair.stage, pair.writable > 0);
    assert_int_equal(read_some(&pair, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    pair_close(&pair);
}

static void
a_transport_may_be_freed_in_its_callback(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, net_unix_pair);
    transport_on_ready(pair.transport, on_ready_to_free, &pair);
    transport_want(pair.transport, true, true);
    assert_int_equal(write(pair.fd, "x", 1), 1);
    STAGE_UNTIL(&pair.stage, pair.transport == NULL);
    assert_int_equal(stage_turns_in(&pair.stage, 20), 0);
    assert_int_equal(pair.readable + pair.writable, 1);
    pair_close(&pair);
}

static void
reading_gives_bytes_then_eagain_then_the_end(void **state)
{
    struct pair pair;
    char bytes[4];

    (void)state;
    pair_open(&pair, net_unix_pair);
    assert_int_equal(read_some(&pair, bytes, sizeof bytes), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(pair.fd, "abcdef", 6), 6);
    assert_int_equal(read_some(&pair, bytes, sizeof bytes), 4);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(read_some(&pair, bytes, sizeof bytes), 2);
    close(pair.fd);
    pair.fd = -1;
    assert_int_equal(read_some(&pair, bytes, sizeof bytes), 0);
    pair_close(&pair);
}

static void
two_pieces_are_read_and_written_in_their_order(void **state)
{
    struct pair pair;
    char first[2], second[3], bytes[] = "abcdef", seen[6];
    struct iovec out[] = { { bytes + 3, 3 }, { bytes, 3 } };
    struct iovec in[] = { { first, 2 }, { second, 3 } };

    (void)state;
    pair_open(&pair, net_unix_pair);
    assert_int_equal(transport_writev(pair.transport, out, 2), 6);
    assert_int_equal(read(pair.fd, seen, 6), 6);
    assert_memory_equal(seen, "defabc", 6);
    assert_int_equal(write(pair.fd, "12345", 5), 5);
    assert_int_equal(transport_readv(pair.transport, in, 2), 5);
    assert_memory_equal(first, "12", 2);
    assert_memory_equal(second, "345", 3);
    pair_close(&pair);
}

static void
eintr_does_not_come_out(void **state)
{
    struct pair pair;
    char byte = 'x';

    (void)state;
    pair_open(&pair, net_unix_pair);
    fault_error(FAULT_SENDMSG, 3, EINTR);
    assert_int_equal(write_some(&pair, &byte, 1), 1);
    assert_int_equal(fault_count(FAULT_SENDMSG), 4);
    assert_int_equal(write(pair.fd, "y", 1), 1);
    fault_error(FAULT_READV, 3, EINTR);
    assert_int_equal(read_some(&pair, &byte, 1), 1);
    assert_int_equal(fault_count(FAULT_READV), 4);
    assert_int_equal(byte, 'y');
    pair_close(&pair);
}

static void
other_errors_come_out_at_once(void **state)
{
    struct pair pair;
    char byte = 'x';

    (void)state;
    pair_open(&pair, net_unix_pair);
    fault_error(FAULT_SENDMSG, 1, EINVAL);
    assert_int_equal(write_some(&pair, &byte, 1), -1);
    assert_int_equal(errno, EINVAL);
    fault_error(FAULT_READV, 1, EINVAL);
    assert_int_equal(read_some(&pair, &byte, 1), -1);
    assert_int_equal(errno, EINVAL);
    pair_close(&pair);
}

static void
writing_to_a_peer_that_is_gone_is_epipe_and_no_signal(void **state)
{
    struct pair pair;
    char byte = 'x';

    (void)state;
    pair_open(&pair, net_unix_pair);
    close(pair.fd);
    pair.fd = -1;
    assert_int_equal(write_some(&pair, &byte, 1), -1);
    assert_int_equal(errno, EPIPE);
    pair_close(&pair);
}

static void
an_end_of_writing_follows_what_was_written(void **state)
{
    struct pair pair;
    char bytes[] = "abc", seen[4];

    (void)state;
    pair_open(&pair, net_unix_pair);
    assert_int_equal(write_some(&pair, bytes, 3), 3);
    assert_int_equal(transport_shutdown_write(pair.transport), 0);
    assert_int_equal(read(pair.fd, seen, sizeof seen), 3);
    assert_int_equal(read(pair.fd, seen, sizeof seen), 0);
    assert_int_equal(write(pair.fd, "d", 1), 1);
    assert_int_equal(read_some(&pair, seen, sizeof seen), 1);
    pair_close(&pair);
}

static void
ending_towards_a_peer_that_is_gone_is_no_error(void **state)
{
    static const struct linger now = { .l_onoff = 1 };
    struct pair pair;
    char byte;

    (void)state;
    pair_open(&pair, net_tcp_pair);
    setsockopt(pair.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(pair.fd);
    pair.fd = -1;
    assert_int_equal(read_some(&pair, &byte, 1), -1);
    assert_int_equal(transport_shutdown_write(pair.transport), 0);
    pair_close(&pair);
    pair_open(&pair, net_unix_pair);
    close(pair.fd);
    pair.fd = -1;
    assert_int_equal(transport_shutdown_write(pair.transport), 0);
    pair_close(&pair);
}

static void
a_unix_peer_gets_epipe_when_nobody_reads_any_more(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, net_unix_pair);
    transport_shutdown_read(pair.transport);
    assert_int_equal(send(pair.fd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    pair_close(&pair);
}

static void
a_freed_transport_ends_cleanly(void **state)
{
    struct pair pair;
    char bytes[] = "abc", seen[4];

    (void)state;
    pair_open(&pair, net_tcp_pair);
    assert_int_equal(write_some(&pair, bytes, 3), 3);
    transport_free(pair.transport);
    pair.transport = NULL;
    assert_int_equal(read(pair.fd, seen, sizeof seen), 3);
    assert_int_equal(read(pair.fd, seen, sizeof seen), 0);
    pair_close(&pair);
}

static void
an_aborted_transport_is_reset(void **state)
{
    struct pair pair;
    char bytes[] = "abc", seen[4];

    (void)state;
    pair_open(&pair, net_tcp_pair);
    assert_int_equal(write_some(&pair, bytes, 3), 3);
    transport_abort(pair.transport);
    pair.transport = NULL;
    while (read(pair.fd, seen, sizeof seen) > 0)
        continue;
    assert_int_equal(errno, ECONNRESET);
    pair_close(&pair);
}

static void
no_transport_may_be_freed_and_aborted(void **state)
{
    (void)state;
    transport_free(NULL);
    transport_abort(NULL);
}

static void
unsent_bytes_are_those_that_the_peer_has_not_read(void **state)
{
    struct pair pair;
    char bytes[100] = { 0 };

    (void)state;
    pair_open(&pair, net_unix_pair);
    assert_int_equal(transport_unsent(pair.transport), 0);
    assert_int_equal(write_some(&pair, bytes, sizeof bytes), sizeof bytes);
    assert_in_range(transport_unsent(pair.transport), sizeof bytes, 1 << 20);
    assert_int_equal(read(pair.fd, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(transport_unsent(pair.transport), 0);
    pair_close(&pair);
}

static void
a_hang_up_is_seen_behind_unread_bytes(void (*connect)(int fds[2]))
{
    struct pair pair;

    pair_open(&pair, connect);
    assert_false(transport_hung_up(pair.transport));
    assert_int_equal(write(pair.fd, "x", 1), 1);
    assert_false(transport_hung_up(pair.transport));
    shutdown(pair.fd, SHUT_WR);
    assert_true(transport_hung_up(pair.transport));
    pair_close(&pair);
}

static void
a_hang_up_is_seen_behind_unread_bytes_on_unix_and_tcp(void **state)
{
    (void)state;
    a_hang_up_is_seen_behind_unread_bytes(net_unix_pair);
    a_hang_up_is_seen_behind_unread_bytes(net_tcp_pair);
}

static void
what_is_awaited_is_told_when_it_is_whole(void **state)
{
    char bytes[30000] = "";
    struct pair pair;

    (void)state;
    pair_open(&pair, net_tcp_pair);
    transport_want(pair.transport, true, false);
    transport_await(pair.transport, sizeof bytes);
    assert_int_equal(write(pair.fd, bytes, sizeof bytes - 1), sizeof bytes - 1);
    assert_int_equal(stage_turns_in(&pair.stage, 50), 0);
    assert_int_equal(write(pair.fd, bytes, 1), 1);
    STAGE_UNTIL(&pair.stage, pair.readable > 0);
    assert_int_equal(transport_unread(pair.transport), sizeof bytes);
    pair_close(&pair);
}

static void
less_than_is_awaited_is_told_with_an_end_or_when_no_more_is(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, net_tcp_pair);
    transport_want(pair.transport, true, false);
    transport_await(pair.transport, 20000);
    assert_int_equal(write(pair.fd, "x", 1), 1);
    assert_int_equal(stage_turns_in(&pair.stage, 50), 0);
    transport_await(pair.transport, 1);
    STAGE_UNTIL(&pair.stage, pair.readable > 0);
    transport_await(pair.transport, UINT32_MAX);
    stage_turns_in(&pair.stage, 20); /* what was told already */
    pair.readable = 0;
    shutdown(pair.fd, SHUT_WR);
    STAGE_UNTIL(&pair.stage, pair.readable > 0);
    pair_close(&pair);
}

/* Nobody serves the first loop any more: what happens is the second one's. */
static void
a_transport_that_has_moved_is_served_by_the_other_loop(void **state)
{
    struct stage other;
    struct pair pair;

    (void)state;
    pair_open(&pair, net_unix_pair);
    stage_open(&other);
    transport_want(pair.transport, true, true);
    STAGE_UNTIL(&pair.stage, pair.writable > 0);
    assert_int_equal(write(pair.fd, "x", 1), 1);
    transport_move(pair.transport, other.loop);
    pair.writable = 0;
    assert_int_equal(stage_turns_in(&pair.stage, 20), 0);
    assert_int_equal(stage_turns_in(&other, 20), 0); /* it waits for nothing */
    transport_want(pair.transport, true, true);
    STAGE_UNTIL(&other, pair.readable > 0 && pair.writable > 0);
    transport_move(pair.transport, pair.stage.loop);
    pair.readable = 0;
    transport_want(pair.transport, true, false);
    STAGE_UNTIL(&pair.stage, pair.readable > 0);
    stage_close(&other);
    pair_close(&pair);
}

static void
on_ready_to_move(void *arg, bool readable, bool writable)
{
    struct pair *pair = arg;

    on_ready(arg, readable, writable);
    transport_move(pair->transport, pair->other->loop);
    transport_on_ready(pair->transport, on_ready, pair);
    transport_want(pair->transport, true, true);
}

static void
a_transport_may_move_in_its_callback(void **state)
{
    struct stage other;
    struct pair pair;

    (void)state;
    pair_open(&pair, net_unix_pair);
    stage_open(&other);
    pair.other = &other;
    assert_int_equal(write(pair.fd, "x", 1), 1);
    transport_on_ready(pair.transport, on_ready_to_move, &pair);
    transport_want(pair.transport, true, true);
    STAGE_UNTIL(&pair.stage, pair.readable + pair.writable > 0);
    assert_int_equal(pair.readable + pair.writable, 1);
    STAGE_UNTIL(&other, pair.readable + pair.writable > 2);
    assert_int_equal(stage_turns_in(&pair.stage, 20), 0);
    transport_free(pair.transport);
    pair.transport = NULL;
    stage_close(&other);
    pair_close(&pair);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_reported_that_is_not_waited_for),
        cmocka_unit_test(a_hang_up_that_is_not_waited_for_wakes_nobody),
        cmocka_unit_test(a_hang_up_counts_as_readable),
        cmocka_unit_test(a_reset_counts_as_what_is_waited_for),
        cmocka_unit_test(a_transport_may_be_freed_in_its_callback),
        cmocka_unit_test(reading_gives_bytes_then_eagain_then_the_end),
        cmocka_unit_test(two_pieces_are_read_and_written_in_their_order),
        cmocka_unit_test(eintr_does_not_come_out),
        cmocka_unit_test(other_errors_come_out_at_once),
        cmocka_unit_test(writing_to_a_peer_that_is_gone_is_epipe_and_no_signal),
        cmocka_unit_test(an_end_of_writing_follows_what_was_written),
        cmocka_unit_test(ending_towards_a_peer_that_is_gone_is_no_error),
        cmocka_unit_test(a_unix_peer_gets_epipe_when_nobody_reads_any_more),
        cmocka_unit_test(a_freed_transport_ends_cleanly),
        cmocka_unit_test(an_aborted_transport_is_reset),
        cmocka_unit_test(no_transport_may_be_freed_and_aborted),
        cmocka_unit_test(unsent_bytes_are_those_that_the_peer_has_not_read),
        cmocka_unit_test(a_hang_up_is_seen_behind_unread_bytes_on_unix_and_tcp),
        cmocka_unit_test(
            a_transport_that_has_moved_is_served_by_the_other_loop),
        cmocka_unit_test(what_is_awaited_is_told_when_it_is_whole),
        cmocka_unit_test(
            less_than_is_awaited_is_told_with_an_end_or_when_no_more_is),
        cmocka_unit_test(a_transport_may_move_in_its_callback),
    };

    return RUN_TESTS(tests);
}
