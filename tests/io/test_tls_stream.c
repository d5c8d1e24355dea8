/* TLS over a socket: what arrives, in which records and by how many calls. */
#include "io/tls_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tls.h"
#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

enum {
    FRAME_BYTES = (256 << 10) + 16, /* a session's largest write */
    RECORD_BYTES = 16 << 10,
    HEADER_BYTES = 5,
    OVERHEAD_BYTES = 17, /* content type and tag; RFC 8446, 5.2 */
    TURNS_MAX = 100000,
};

struct ends {
    char dir[NET_PATH_MAX];
    struct tls *tls[2]; /* client, server */
    struct tls_stream *stream[2];
    int fd[2];
};

static void
write_keys(const char *path)
{
    static const char line[] = "qemu:00112233445566778899aabbccddeeff\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_int_equal(write(fd, line, sizeof line - 1), sizeof line - 1);
    close(fd);
}

static void
shake_hands(struct ends *ends)
{
    enum tls_step step[2] = { TLS_WANT_READ, TLS_WANT_READ };

    for (int i = 0; i < 100; i++) {
        for (int side = 0; side < 2; side++)
            if (step[side] != TLS_DONE)
                step[side] = tls_stream_handshake(ends->stream[side]);
        if (step[0] == TLS_DONE && step[1] == TLS_DONE)
            return;
    }
    fail_msg("no handshake: %s, %s", tls_stream_why(ends->stream[0]),
             tls_stream_why(ends->stream[1]));
}

static void
ends_open(struct ends *ends, void (*connect)(int fds[2]))
{
    char path[NET_PATH_MAX + 16], why[TLS_WHY_MAX];

    faults_clear();
    net_temp_dir(ends->dir);
    snprintf(path, sizeof path, "%s/keys.psk", ends->dir);
    write_keys(path);
    connect(ends->fd);
    for (int side = 0; side < 2; side++) {
        ends->tls[side] = tls_new(&(struct tls_options){ .server = side == 1,
                                                         .psk_path = path,
                                                         .psk_user = "qemu" },
                                  why);
        if (ends->tls[side] == NULL)
            fail_msg("%s", why);
        ends->stream[side] = tls_stream_new(ends->tls[side], ends->fd[side]);
        assert_non_null(ends->stream[side]);
    }
    shake_hands(ends);
    faults_clear();
}

static void
ends_close(struct ends *ends)
{
    for (int side = 0; side < 2; side++) {
        tls_stream_free(ends->stream[side]);
        tls_free(ends->tls[side]);
        if (ends->fd[side] >= 0)
            close(ends->fd[side]);
    }
    net_remove_dir(ends->dir);
}

static unsigned char
byte_at(size_t at)
{
    return (unsigned char)(at * 7 + (at >> 8) * 13 + (at >> 16));
}

static unsigned char *
pattern(size_t length)
{
    unsigned char *bytes = malloc(length);

    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(i);
    return bytes;
}

/* Offer ${length} bytes in three pieces, at ${cuts}. */
static ssize_t
write_pieces(struct tls_stream *stream, unsigned char *bytes, size_t length,
             size_t first, size_t second)
{
    struct iovec iov[3];

    first = first < length ? first : length;
    second = second < length - first ? second : length - first;
    iov[0] = (struct iovec){ bytes, first };
    iov[1] = (struct iovec){ bytes + first, second };
    iov[2] = (struct iovec){ bytes + first + second, length - first - second };
    return tls_stream_writev(stream, iov, 3);
}

static ssize_t
read_some(struct tls_stream *stream, void *bytes, size_t length)
{
    struct iovec iov = { bytes, length };

    return tls_stream_readv(stream, &iov, 1);
}

/* Carry ${length} bytes from the client to the server, ${room} at a time. */
static void
carry(struct ends *ends, size_t length, size_t room)
{
    unsigned char *out = pattern(length), *in = malloc(length + 1);
    size_t sent = 0, got = 0;

    assert_non_null(in);
    for (int turn = 0; got < length && turn < TURNS_MAX; turn++) {
        ssize_t n;

        if (sent < length) {
            n = write_pieces(ends->stream[0], out + sent, length - sent, 16,
                             length / 3);
            assert_true(n > 0 || errno == EAGAIN);
            sent += n > 0 ? (size_t)n : 0;
        }
        n = read_some(ends->stream[1], in + got,
                      room < length + 1 - got ? room : length + 1 - got);
        assert_true(n > 0 || errno == EAGAIN);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, length);
    assert_int_equal(sent, length);
    assert_memory_equal(in, out, length);
    free(in);
    free(out);
}

static void
bytes_of_any_number_arrive(void **state)
{
    static const size_t sizes[] = { 1,
                                    2,
                                    RECORD_BYTES - 1,
                                    RECORD_BYTES,
                                    RECORD_BYTES + 1,
                                    FRAME_BYTES,
                                    FRAME_BYTES + 1,
                                    3 << 20 };
    struct ends ends;

    (void)state;
    ends_open(&ends, net_tcp_pair);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        carry(&ends, sizes[i], 1 << 20);
        carry(&ends, sizes[i], 5000);
    }
    ends_close(&ends);
}

static void
small_calls_of_the_system_lose_nothing(void **state)
{
    struct ends ends;

    (void)state;
    ends_open(&ends, net_tcp_pair);
    fault_short(FAULT_SENDMSG, 1000);
    fault_short(FAULT_READV, 700);
    carry(&ends, 200000, 3000);
    faults_clear();
    fault_error(FAULT_SENDMSG, 3, EINTR);
    fault_error(FAULT_READV, 3, EINTR);
    carry(&ends, 200000, 100000);
    ends_close(&ends);
}

/* Read what the client has sent as it is on the wire. */
static size_t
read_wire(const struct ends *ends, unsigned char *bytes, size_t room)
{
    size_t got = 0;
    ssize_t n;

    while (got < room &&
           (n = recv(ends->fd[1], bytes + got, room - got, MSG_DONTWAIT)) > 0)
        got += (size_t)n;
    return got;
}

static void
records_are_filled_and_written_by_one_call(void **state)
{
    struct ends ends;
    unsigned char *out = pattern(FRAME_BYTES), *wire = malloc(2 * FRAME_BYTES);
    size_t got, at, records = 0;

    (void)state;
    ends_open(&ends, net_unix_pair);
    net_send_buffer(ends.fd[0], 4 << 20);
    assert_int_equal(write_pieces(ends.stream[0], out, FRAME_BYTES, 16, 100000),
                     FRAME_BYTES);
    assert_int_equal(fault_count(FAULT_SENDMSG), 1);
    got = read_wire(&ends, wire, 2 * FRAME_BYTES);
    for (at = 0; at < got; records++) {
        size_t length = (size_t)wire[at + 3] << 8 | wire[at + 4];

        if (records < FRAME_BYTES / RECORD_BYTES)
            assert_int_equal(length, RECORD_BYTES + OVERHEAD_BYTES);
        at += HEADER_BYTES + length;
    }
    assert_int_equal(at, got);
    assert_int_equal(records, FRAME_BYTES / RECORD_BYTES + 1);
    free(wire);
    free(out);
    ends_close(&ends);
}

static void
much_is_read_by_few_calls(void **state)
{
    struct ends ends;
    unsigned char *bytes = pattern(FRAME_BYTES);

    (void)state;
    ends_open(&ends, net_unix_pair);
    net_send_buffer(ends.fd[0], 4 << 20);
    assert_int_equal(
        write_pieces(ends.stream[0], bytes, FRAME_BYTES, 16, 100000),
        FRAME_BYTES);
    faults_clear();
    assert_int_equal(read_some(ends.stream[1], bytes, FRAME_BYTES),
                     FRAME_BYTES);
    assert_true(fault_count(FAULT_READV) <= 3); /* 128 KiB each */
    free(bytes);
    ends_close(&ends);
}

static void
only_what_the_kernel_has_counts_as_taken(void **state)
{
    struct ends ends;
    unsigned char *out = pattern(1 << 20), *in = malloc(1 << 20);
    ssize_t taken, more, got;

    (void)state;
    ends_open(&ends, net_unix_pair);
    fault_short(FAULT_SENDMSG, 3 * (RECORD_BYTES + 22) + 100);
    taken = write_pieces(ends.stream[0], out, 1 << 20, 0, 0);
    assert_int_equal(taken, 3 * RECORD_BYTES);
    assert_true(tls_stream_unsent(ends.stream[0]) > 0);
    got = read_some(ends.stream[1], in, 1 << 20);
    assert_int_equal(got, taken); /* it may be answered by now */
    faults_clear();
    more = write_pieces(ends.stream[0], out + taken, (1 << 20) - (size_t)taken,
                        0, 0);
    assert_true(more > 0);
    got += read_some(ends.stream[1], in + got, (1 << 20) - (size_t)got);
    assert_int_equal(got, taken + more);
    assert_memory_equal(in, out, (size_t)got);
    free(in);
    free(out);
    ends_close(&ends);
}

static void
a_full_socket_takes_nothing(void **state)
{
    struct ends ends;
    unsigned char *out = pattern(FRAME_BYTES);
    ssize_t n = 1;

    (void)state;
    ends_open(&ends, net_tcp_pair);
    for (int i = 0; i < 1000 && n > 0; i++)
        n = write_pieces(ends.stream[0], out, FRAME_BYTES, 0, 0);
    assert_int_equal(n, -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tls_stream_end(ends.stream[0]), -1);
    assert_int_equal(errno, EAGAIN);
    free(out);
    ends_close(&ends);
}

static void
what_is_left_in_the_buffers_is_pending(void **state)
{
    struct ends ends;
    unsigned char *bytes = pattern(3 * RECORD_BYTES);

    (void)state;
    ends_open(&ends, net_unix_pair);
    assert_int_equal(
        write_pieces(ends.stream[0], bytes, 3 * RECORD_BYTES, 0, 0),
        3 * RECORD_BYTES);
    assert_false(tls_stream_pending(ends.stream[1]));
    assert_int_equal(read_some(ends.stream[1], bytes, 10), 10);
    assert_true(tls_stream_pending(ends.stream[1])); /* of the same record */
    assert_int_equal(read_some(ends.stream[1], bytes, RECORD_BYTES - 10),
                     RECORD_BYTES - 10);
    assert_true(tls_stream_pending(ends.stream[1])); /* of the next ones */
    assert_int_equal(read_some(ends.stream[1], bytes, 2 * RECORD_BYTES),
                     2 * RECORD_BYTES);
    assert_false(tls_stream_pending(ends.stream[1]));
    assert_int_equal(read_some(ends.stream[1], bytes, 1), -1);
    assert_int_equal(errno, EAGAIN);
    free(bytes);
    ends_close(&ends);
}

static void
half_a_record_is_not_pending(void **state)
{
    struct ends ends;
    unsigned char bytes[1000] = { 0 };

    (void)state;
    ends_open(&ends, net_unix_pair);
    fault_short(FAULT_SENDMSG, 500);
    assert_int_equal(write_pieces(ends.stream[0], bytes, sizeof bytes, 0, 0),
                     -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(read_some(ends.stream[1], bytes, sizeof bytes), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(tls_stream_pending(ends.stream[1]));
    ends_close(&ends);
}

static void
new_keys_change_nothing_of_the_bytes(void **state)
{
    struct ends ends;

    (void)state;
    ends_open(&ends, net_tcp_pair);
    tls_stream_rekey_after(ends.stream[0], 1);
    carry(&ends, FRAME_BYTES, 1 << 20);
    tls_stream_rekey_after(ends.stream[0], 3);
    carry(&ends, 1 << 20, 30000);
    ends_close(&ends);
}

static void
a_goodbye_is_an_end_of_stream(void **state)
{
    struct ends ends;
    char bytes[10] = "last";

    (void)state;
    ends_open(&ends, net_tcp_pair);
    assert_int_equal(
        write_pieces(ends.stream[0], (unsigned char *)bytes, 4, 0, 0), 4);
    assert_int_equal(tls_stream_end(ends.stream[0]), 0);
    assert_int_equal(tls_stream_end(ends.stream[0]), 0);
    assert_int_equal(read_some(ends.stream[1], bytes, sizeof bytes), 4);
    assert_true(tls_stream_pending(ends.stream[1]));
    for (int i = 0; i < 3; i++)
        assert_int_equal(read_some(ends.stream[1], bytes, sizeof bytes), 0);

    /* The other direction goes on. */
    assert_int_equal(
        write_pieces(ends.stream[1], (unsigned char *)bytes, 4, 0, 0), 4);
    assert_int_equal(read_some(ends.stream[0], bytes, sizeof bytes), 4);
    ends_close(&ends);
}

static void
an_end_without_a_goodbye_is_a_failure(void **state)
{
    struct ends ends;
    char bytes[10];

    (void)state;
    ends_open(&ends, net_tcp_pair);
    assert_int_equal(shutdown(ends.fd[0], SHUT_WR), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_some(ends.stream[1], bytes, sizeof bytes), -1);
        assert_int_equal(errno, ECONNRESET);
    }
    ends_close(&ends);
}

static void
an_error_of_the_socket_comes_out(void **state)
{
    struct ends ends;
    unsigned char bytes[10] = { 0 };

    (void)state;
    ends_open(&ends, net_tcp_pair);
    fault_error(FAULT_READV, 1, ETIMEDOUT);
    assert_int_equal(read_some(ends.stream[1], bytes, sizeof bytes), -1);
    assert_int_equal(errno, ETIMEDOUT);
    fault_error(FAULT_SENDMSG, 1, EPIPE);
    assert_int_equal(write_pieces(ends.stream[0], bytes, sizeof bytes, 0, 0),
                     -1);
    assert_int_equal(errno, EPIPE);
    ends_close(&ends);
}

static void
a_changed_byte_fails_both_ends(void **state)
{
    struct ends ends;
    unsigned char bytes[1000] = { 0 }, wire[2000];
    size_t length;

    (void)state;
    ends_open(&ends, net_tcp_pair);
    assert_int_equal(write_pieces(ends.stream[0], bytes, sizeof bytes, 0, 0),
                     sizeof bytes);
    length = read_wire(&ends, wire, sizeof wire);
    wire[length / 2] ^= 1;
    /* Send it to the server from the client's side of the socket. */
    assert_int_equal(write(ends.fd[0], wire, length), length);
    assert_int_equal(read_some(ends.stream[1], bytes, sizeof bytes), -1);
    assert_int_equal(errno, EPROTO);
    assert_true(strlen(tls_stream_why(ends.stream[1])) > 0);
    assert_int_equal(read_some(ends.stream[0], bytes, sizeof bytes), -1);
    assert_int_equal(errno, EPROTO);
    assert_true(strlen(tls_stream_why(ends.stream[0])) > 0);
    ends_close(&ends);
}

/* A transport whose owner reads 100 bytes a time. */
struct slow {
    struct transport *transport;
    size_t got;
    unsigned long calls;
    bool ended;
};

static void
on_slow_ready(void *arg, bool readable, bool writable)
{
    struct slow *slow = arg;
    unsigned char bytes[100];
    struct iovec iov = { bytes, sizeof bytes };
    ssize_t n = transport_readv(slow->transport, &iov, 1);

    assert_true(readable && !writable);
    slow->calls++;
    slow->got += n > 0 ? (size_t)n : 0;
    slow->ended |= n == 0;
    if (slow->ended)
        transport_want(slow->transport, false, false);
}

static void
a_transport_comes_back_to_what_was_left(void **state)
{
    enum { BYTES = 10000 };
    struct ends ends;
    struct stage stage;
    struct slow slow = { 0 };
    unsigned char *bytes = pattern(BYTES);

    (void)state;
    ends_open(&ends, net_tcp_pair);
    stage_open(&stage);
    slow.transport = transport_new_tls(stage.loop, ends.fd[1], ends.stream[1]);
    ends.fd[1] = -1;
    ends.stream[1] = NULL;
    assert_non_null(slow.transport);
    assert_string_equal(transport_identity(slow.transport), "PSK user qemu");
    transport_on_ready(slow.transport, on_slow_ready, &slow);
    transport_want(slow.transport, true, false);
    assert_int_equal(write_pieces(ends.stream[0], bytes, BYTES, 0, 0), BYTES);
    STAGE_UNTIL(&stage, slow.got == BYTES);
    assert_true(slow.calls <= BYTES / 100 + 2);
    stage_rest(&stage);

    /* What is not wanted is not told, and not forgotten. */
    transport_want(slow.transport, false, false);
    assert_int_equal(write_pieces(ends.stream[0], bytes, 250, 0, 0), 250);
    assert_int_equal(stage_turns_in(&stage, 50), 0);
    transport_want(slow.transport, true, false);
    STAGE_UNTIL(&stage, slow.got == BYTES + 250);
    assert_int_equal(tls_stream_end(ends.stream[0]), 0);
    STAGE_UNTIL(&stage, slow.ended);
    transport_free(slow.transport);
    stage_close(&stage);
    free(bytes);
    ends_close(&ends);
}

static void
a_transport_that_is_freed_says_goodbye_and_one_that_is_aborted_does_not(
    void **state)
{
    (void)state;
    for (int aborted = 0; aborted < 2; aborted++) {
        struct ends ends;
        struct stage stage;
        struct transport *transport;
        char byte;

        ends_open(&ends, net_tcp_pair);
        stage_open(&stage);
        transport = transport_new_tls(stage.loop, ends.fd[0], ends.stream[0]);
        ends.fd[0] = -1;
        ends.stream[0] = NULL;
        if (aborted)
            transport_abort(transport);
        else
            transport_free(transport);
        assert_int_equal(read_some(ends.stream[1], &byte, 1), aborted ? -1 : 0);
        stage_close(&stage);
        ends_close(&ends);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_any_number_arrive),
        cmocka_unit_test(small_calls_of_the_system_lose_nothing),
        cmocka_unit_test(records_are_filled_and_written_by_one_call),
        cmocka_unit_test(much_is_read_by_few_calls),
        cmocka_unit_test(only_what_the_kernel_has_counts_as_taken),
        cmocka_unit_test(a_full_socket_takes_nothing),
        cmocka_unit_test(what_is_left_in_the_buffers_is_pending),
        cmocka_unit_test(half_a_record_is_not_pending),
        cmocka_unit_test(new_keys_change_nothing_of_the_bytes),
        cmocka_unit_test(a_goodbye_is_an_end_of_stream),
        cmocka_unit_test(an_end_without_a_goodbye_is_a_failure),
        cmocka_unit_test(an_error_of_the_socket_comes_out),
        cmocka_unit_test(a_changed_byte_fails_both_ends),
        cmocka_unit_test(a_transport_comes_back_to_what_was_left),
        cmocka_unit_test(
            a_transport_that_is_freed_says_goodbye_and_one_that_is_aborted_does_not),
    };

    return RUN_TESTS(tests);
}
