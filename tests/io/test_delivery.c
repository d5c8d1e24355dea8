/* What has come for a local stream: in a pipe, and behind that in a ring. */
#include "tunnel/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tls.h"
#include "io/tls_stream.h"
#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_small_pipes.h"
#include "support_stage.h"
#include "support_test.h"

enum { RING = 256 << 10, SEED = 7, NARROW = 4096, AHEAD = 8 << 10 };

/*
 * One stream, from a socket of the test to another: ends[SOURCE] says it and
 * ends[SINK] hears it, with the delivery and its transports between them.
 */
enum { SOURCE, SINK };

struct rig {
    struct stage stage;
    struct delivery delivery;
    int ends[2];
    struct transport *from;
    struct transport *local;
    uint64_t said;    /* by the source, */
    uint64_t come;    /* into the delivery, */
    uint64_t written; /* out of it, */
    uint64_t heard;   /* by the sink */
    unsigned fds;
};

static void
connect_source(struct rig *rig, void (*connect)(int fds[2]))
{
    int fds[2];

    connect(fds);
    rig->ends[SOURCE] = fds[0];
    rig->from = transport_new(rig->stage.loop, fds[1]);
}

static void
rig_open_over(struct rig *rig, void (*connect)(int fds[2]))
{
    int fds[2];

    faults_clear();
    *rig = (struct rig){ .fds = net_open_fds() };
    stage_open(&rig->stage);
    connect_source(rig, connect);
    net_unix_pair(fds);
    rig->ends[SINK] = fds[0];
    rig->local = transport_new(rig->stage.loop, fds[1]);
    assert_int_equal(delivery_init(&rig->delivery, RING), 0);
    delivery_allow_splice(&rig->delivery);
}

static void
rig_open(struct rig *rig)
{
    rig_open_over(rig, net_tcp_pair);
}

/* No descriptor stays behind. */
static void
rig_close(struct rig *rig)
{
    delivery_fini(&rig->delivery);
    transport_free(rig->from);
    transport_free(rig->local);
    close(rig->ends[SOURCE]);
    close(rig->ends[SINK]);
    stage_close(&rig->stage);
    assert_int_equal(net_open_fds(), rig->fds);
}

static void
await(int fd, short what)
{
    struct pollfd pollfd = { .fd = fd, .events = what };

    assert_int_equal(poll(&pollfd, 1, 10000), 1);
}

/* Return how many of the ${bytes} there was room for. */
static size_t
say(struct rig *rig, size_t bytes)
{
    unsigned char *text = malloc(bytes + 1);
    ssize_t n;

    assert_non_null(text);
    peer_stream(SEED, rig->said, text, bytes);
    n = send(rig->ends[SOURCE], text, bytes, MSG_NOSIGNAL);
    free(text);
    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return 0;
    }
    rig->said += (uint64_t)n;
    return (size_t)n;
}

/* Copy ${bytes} that were said into the ring, as frame_reader does. */
static void
copy_in(struct rig *rig, size_t bytes)
{
    while (bytes > 0) {
        struct iovec iov[2];
        int count = ring_room_iov(&rig->delivery.ring, iov);
        ssize_t n;

        assert_int_not_equal(count, 0);
        if (iov[0].iov_len > bytes)
            iov[0].iov_len = bytes;
        await(transport_fd(rig->from), POLLIN);
        n = transport_readv(rig->from, iov, 1);
        assert_true(n > 0);
        ring_filled(&rig->delivery.ring, (size_t)n);
        rig->come += (uint64_t)n;
        bytes -= (size_t)n;
    }
}

/* Splice once, at most ${bytes} of what was said. */
static ssize_t
splice_in(struct rig *rig, size_t bytes)
{
    ssize_t n;

    assert_true(delivery_splices(&rig->delivery));
    await(transport_fd(rig->from), POLLIN);
    n = delivery_splice(&rig->delivery, rig->from, bytes);
    if (n > 0)
        rig->come += (uint64_t)n;
    return n;
}

/* Return whether the local stream took anything. */
static bool
write_out(struct rig *rig)
{
    ssize_t n = delivery_write(&rig->delivery, rig->local);

    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return false;
    }
    rig->written += (uint64_t)n;
    return n > 0;
}

/* The sink hears ${bytes} at most, and they are the stream. */
static void
hear(struct rig *rig, size_t bytes)
{
    static unsigned char got[1 << 20], expected[1 << 20];
    ssize_t n;

    if (bytes > sizeof got)
        bytes = sizeof got;
    n = recv(rig->ends[SINK], got, bytes, 0);
    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        return;
    }
    peer_stream(SEED, rig->heard, expected, (size_t)n);
    assert_memory_equal(got, expected, (size_t)n);
    rig->heard += (uint64_t)n;
}

/* What holds at any time. */
static void
check(const struct rig *rig)
{
    assert_int_equal(delivery_held(&rig->delivery), rig->come - rig->written);
    assert_int_equal(rig->delivery.ring.end, rig->come);
    assert_true(rig->heard <= rig->written);
}

/* All that has come is written and heard, and nothing else. */
static void
deliver_all(struct rig *rig)
{
    while (delivery_held(&rig->delivery) > 0) {
        (void)write_out(rig);
        check(rig);
        hear(rig, SIZE_MAX);
    }
    assert_int_equal(rig->written, rig->come);
    while (rig->heard < rig->written)
        hear(rig, SIZE_MAX);
    hear(rig, SIZE_MAX);
    assert_int_equal(rig->heard, rig->written);
}

/* Splice once and deliver that.  Return how much it was. */
static size_t
splice_through(struct rig *rig, size_t bytes)
{
    ssize_t n = splice_in(rig, bytes);

    assert_true(n > 0);
    check(rig);
    deliver_all(rig);
    return (size_t)n;
}

/* The last bytes come through the ring, as they have to. */
static void
assert_tail(struct rig *rig)
{
    unsigned char expected[VERDICT_TAIL_BYTES];

    peer_stream(SEED, rig->written - sizeof expected, expected,
                sizeof expected);
    assert_memory_equal(rig->delivery.tail.bytes, expected, sizeof expected);
}

static void
end_with_a_tail(struct rig *rig, size_t bytes)
{
    while (bytes > 0) {
        size_t n = say(rig, bytes);

        copy_in(rig, n);
        bytes -= n;
    }
    deliver_all(rig);
    assert_tail(rig);
}

static void
what_the_ring_has_goes_first(void **state)
{
    static const size_t sizes[] = { 0, 1, 64, 4095, AHEAD };
    struct rig rig;

    (void)state;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(say(&rig, sizes[i] + 50000), sizes[i] + 50000);
        copy_in(&rig, sizes[i]);
        while (rig.come < rig.said)
            (void)splice_through(&rig, 50000);
    }
    assert_int_equal(rig.delivery.spliced,
                     50000 * (sizeof sizes / sizeof *sizes));
    end_with_a_tail(&rig, VERDICT_TAIL_BYTES);
    rig_close(&rig);
}

/* Bytes after the tail's own were spliced: the end that was copied counts. */
static void
the_tail_is_of_the_last_bytes_that_were_copied(void **state)
{
    static const size_t ends[] = { VERDICT_TAIL_BYTES, 64, 1000 };
    struct rig rig;

    (void)state;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        assert_int_equal(say(&rig, 40000 + ends[i]), 40000 + ends[i]);
        copy_in(&rig, 100);
        for (size_t left = 39900; left > 0;)
            left -= splice_through(&rig, left);
        copy_in(&rig, ends[i]);
        deliver_all(&rig);
        assert_tail(&rig);
    }
    rig_close(&rig);
}

/* Splice until the local stream takes no more, and the pipe stays held. */
static void
fill_up(struct rig *rig)
{
    do {
        (void)say(rig, 100000);
        assert_true(splice_in(rig, 100000) > 0);
        (void)write_out(rig);
        check(rig);
    } while (rig->delivery.pipe.held == 0);
    assert_false(delivery_splices(&rig->delivery));
}

/* Take everything that was said to the ring. */
static void
copy_the_rest(struct rig *rig)
{
    size_t rest = (size_t)(rig->said - rig->come);

    if (rest > ring_room(&rig->delivery.ring))
        rest = ring_room(&rig->delivery.ring);
    copy_in(rig, rest);
}

static void
while_the_pipe_is_held_the_ring_takes_what_comes_behind_it(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    net_send_buffer(transport_fd(rig.local), NARROW);
    fill_up(&rig);
    while (write_out(&rig))
        ;
    (void)say(&rig, 70000);
    copy_the_rest(&rig);
    assert_int_not_equal(ring_length(&rig.delivery.ring), 0);
    assert_int_not_equal(rig.delivery.pipe.held, 0);
    check(&rig);
    assert_false(write_out(&rig));
    deliver_all(&rig);
    assert_tail(&rig);

    /* And the pipe is of use again. */
    assert_true(delivery_splices(&rig.delivery));
    fill_up(&rig);
    deliver_all(&rig);
    rig_close(&rig);
}

/* The source says again what was not written, over a connection of its own. */
static void
restart(struct rig *rig)
{
    transport_free(rig->from);
    close(rig->ends[SOURCE]);
    connect_source(rig, net_tcp_pair);
    delivery_restart(&rig->delivery, rig->written);
    delivery_allow_splice(&rig->delivery);
    rig->said = rig->come = rig->written;
    check(rig);
    assert_true(delivery_splices(&rig->delivery));
}

static void
a_restart_forgets_just_what_was_not_written(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    net_send_buffer(transport_fd(rig.local), NARROW);
    for (int i = 0; i < 4; i++) {
        fill_up(&rig);
        if (i % 2 == 0)
            copy_the_rest(&rig);
        hear(&rig, 100);
        restart(&rig);
    }
    end_with_a_tail(&rig, 100000);
    rig_close(&rig);
}

static void
a_drop_counts_the_pipe_and_the_ring(void **state)
{
    struct rig rig;
    size_t held;

    (void)state;
    rig_open(&rig);
    net_send_buffer(transport_fd(rig.local), NARROW);
    assert_int_equal(delivery_drop(&rig.delivery), 0);
    fill_up(&rig);
    assert_int_equal(say(&rig, 1000), 1000);
    copy_the_rest(&rig);
    held = rig.delivery.pipe.held + ring_length(&rig.delivery.ring);
    assert_true(held > 1000);
    assert_int_equal(delivery_drop(&rig.delivery), held);
    assert_int_equal(delivery_held(&rig.delivery), 0);
    assert_int_equal(rig.delivery.ring.end, rig.come);
    assert_int_equal(delivery_drop(&rig.delivery), 0);
    rig_close(&rig);
}

/* What can't be spliced is copied instead, and nothing of it is gone. */
static void
assert_copies_instead(struct rig *rig)
{
    assert_false(delivery_splices(&rig->delivery));
    assert_int_equal(rig->delivery.spliced, 0);
    check(rig);
    deliver_all(rig);
    assert_tail(rig);
    copy_the_rest(rig);
    deliver_all(rig);
    assert_tail(rig);
}

static void
a_socket_that_cannot_be_spliced_is_copied(void **state)
{
    static const int errors[] = { EINVAL, EOPNOTSUPP, ENOSYS, EPERM };
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        rig_open(&rig);
        assert_int_equal(say(&rig, 50000), 50000);
        copy_in(&rig, 5000);
        fault_error(FAULT_SPLICE, 1, errors[i]);
        assert_int_equal(splice_in(&rig, 40000), -1);
        assert_int_equal(errno, EINVAL);
        assert_copies_instead(&rig);
        delivery_allow_splice(&rig.delivery);
        assert_true(delivery_splices(&rig.delivery));
        rig_close(&rig);
    }
}

static void
other_errors_are_told_and_the_next_try_is_good(void **state)
{
    static const int errors[] = { EAGAIN, ECONNRESET };
    struct rig rig;

    (void)state;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        assert_int_equal(say(&rig, 50000), 50000);
        copy_in(&rig, 5000);
        fault_error(FAULT_SPLICE, 1, errors[i]);
        assert_int_equal(splice_in(&rig, 45000), -1);
        assert_int_equal(errno, errors[i]);
        check(&rig);
        deliver_all(&rig);
        for (size_t left = 45000; left > 0;)
            left -= splice_through(&rig, left);
    }
    rig_close(&rig);
}

static void
the_end_of_the_source_is_told(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    assert_int_equal(say(&rig, 1000), 1000);
    shutdown(rig.ends[SOURCE], SHUT_WR);
    copy_in(&rig, 600);
    while (rig.come < rig.said)
        assert_true(splice_in(&rig, 50000) > 0 && write_out(&rig));
    assert_int_equal(splice_in(&rig, 50000), 0);
    deliver_all(&rig);
    rig_close(&rig);
}

static void
a_sink_that_is_gone_is_told_and_nothing_is_forgotten(void **state)
{
    struct rig rig;
    size_t held;

    (void)state;
    rig_open(&rig);
    assert_int_equal(say(&rig, 50000), 50000);
    assert_true(splice_in(&rig, 50000) > 0);
    close(rig.ends[SINK]);
    held = delivery_held(&rig.delivery);
    assert_int_equal(delivery_write(&rig.delivery, rig.local), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(delivery_held(&rig.delivery), held);
    assert_int_equal(delivery_drop(&rig.delivery), held);
    rig.ends[SINK] = -1;
    rig_close(&rig);
}

static void
tls_is_copied(void **state)
{
    static const char line[] = "qemu:00112233445566778899aabbccddeeff\n";
    char dir[NET_PATH_MAX], path[NET_PATH_MAX + 16], why[TLS_WHY_MAX];
    struct tls *tls;
    struct rig rig;
    int fd;

    (void)state;
    net_temp_dir(dir);
    snprintf(path, sizeof path, "%s/keys.psk", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, line, sizeof line - 1), sizeof line - 1);
    close(fd);
    tls = tls_new(&(struct tls_options){ .psk_path = path, .psk_user = "qemu" },
                  why);
    assert_non_null(tls);
    rig_open(&rig);
    assert_int_equal(say(&rig, 50000), 50000);
    copy_in(&rig, 5000);
    fd = dup(transport_fd(rig.from));
    transport_free(rig.from);
    rig.from = transport_new_tls(rig.stage.loop, fd, tls_stream_new(tls, fd));
    assert_int_equal(splice_in(&rig, 40000), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(fault_count(FAULT_SPLICE), 0);
    assert_false(delivery_splices(&rig.delivery));
    check(&rig);
    deliver_all(&rig);
    rig_close(&rig);
    tls_free(tls);
    net_remove_dir(dir);
}

static void
without_a_pipe_everything_is_copied(void **state)
{
    struct rlimit usual, none = { 0 };
    struct rig rig;

    (void)state;
    rig_open(&rig);
    assert_int_equal(say(&rig, 50000), 50000);
    copy_in(&rig, 5000);
    getrlimit(RLIMIT_NOFILE, &usual);
    none.rlim_max = usual.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(delivery_splice(&rig.delivery, rig.from, 40000), -1);
    setrlimit(RLIMIT_NOFILE, &usual);
    assert_int_equal(errno, EINVAL);
    assert_copies_instead(&rig);

    /* The next transport has one. */
    delivery_allow_splice(&rig.delivery);
    assert_int_equal(say(&rig, 50000), 50000);
    assert_true(splice_in(&rig, 50000) > 0);
    deliver_all(&rig);
    rig_close(&rig);
}

/* A user who has many pipes already gets small ones. */
static void
a_pipe_that_holds_little_is_none(void **state)
{
    struct rig rig;
    unsigned before;

    (void)state;
    rig_open(&rig);
    before = net_open_fds();
    assert_int_equal(say(&rig, 50000), 50000);
    copy_in(&rig, 5000);
    small_pipes(8192);
    assert_int_equal(splice_in(&rig, 40000), -1);
    small_pipes(0);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(net_open_fds(), before);
    assert_copies_instead(&rig);
    rig_close(&rig);
}

/* A stream that has no bulk costs no descriptors. */
static void
a_pipe_is_made_when_there_is_something_for_it(void **state)
{
    struct rig rig;
    unsigned before;

    (void)state;
    rig_open(&rig);
    before = net_open_fds();
    assert_int_equal(say(&rig, 1000), 1000);
    assert_true(delivery_splices(&rig.delivery));
    copy_in(&rig, 500);
    deliver_all(&rig);
    restart(&rig);
    assert_int_equal(delivery_drop(&rig.delivery), 0);
    assert_int_equal(net_open_fds(), before);
    assert_int_equal(say(&rig, 500), 500);
    assert_true(splice_in(&rig, 500) > 0);
    assert_int_equal(net_open_fds(), before + 2);
    rig_close(&rig);
}

/* One that is full is no reason to stand still. */
static void
a_pipe_of_one_page_loses_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    assert_true(pipe_open(&rig.delivery.pipe));
    assert_true(fcntl(rig.delivery.pipe.fds[1], F_SETPIPE_SZ, 1) >= 0);
    assert_int_equal(say(&rig, 100000), 100000);
    copy_in(&rig, AHEAD);
    for (int i = 0; rig.come < rig.said; i++) {
        ssize_t n = splice_in(&rig, 100000);

        assert_true(i < 1000);
        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        check(&rig);
        deliver_all(&rig);
    }
    assert_int_equal(rig.heard, 100000);
    rig_close(&rig);
}

static void
short_splices_lose_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    fault_short(FAULT_SPLICE, 777);
    assert_int_equal(say(&rig, 100000), 100000);
    copy_in(&rig, 4000);
    while (rig.come < rig.said) {
        assert_true(splice_in(&rig, 100000) > 0);
        if (rig.said - rig.come > 1000)
            copy_in(&rig, 100);
        check(&rig);
        deliver_all(&rig);
    }
    rig_close(&rig);
}

static void
connect_mptcp(int fds[2])
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t length = sizeof in;
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_return_code(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
    assert_return_code(listen(listener, 1), 0);
    assert_return_code(getsockname(listener, (struct sockaddr *)&in, &length),
                       0);
    fds[0] = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    assert_return_code(connect(fds[0], (struct sockaddr *)&in, sizeof in), 0);
    assert_return_code(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_return_code(fds[1], 0);
    close(listener);
}

static void
mptcp_is_spliced_or_copied(void **state)
{
    struct rig rig;
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

    (void)state;
    if (fd < 0) {
        print_message("this kernel has no MPTCP: %s\n", strerror(errno));
        skip();
    }
    close(fd);
    rig_open_over(&rig, connect_mptcp);
    for (int i = 0; i < 50; i++) {
        (void)say(&rig, 50000);
        while (rig.come < rig.said) {
            if (!delivery_splices(&rig.delivery))
                copy_the_rest(&rig);
            else if (splice_in(&rig, 50000) <= 0)
                assert_true(errno == EAGAIN || errno == EINVAL);
            check(&rig);
            deliver_all(&rig);
        }
    }
    print_message("%u of %u bytes were spliced from MPTCP\n",
                  (unsigned)rig.delivery.spliced, (unsigned)rig.come);
    end_with_a_tail(&rig, 64);
    rig_close(&rig);
}

/* A number up to ${limit}, mostly small. */
static size_t
draw(unsigned *random, size_t limit)
{
    size_t bound = limit >> ((unsigned)rand_r(random) % 8 * 2);

    return (size_t)rand_r(random) % (bound + 1);
}

static void
step_at_random(struct rig *rig, unsigned *random)
{
    size_t rest;

    (void)say(rig, draw(random, 300000) + 1);
    rest = (size_t)(rig->said - rig->come);
    if (rest > ring_room(&rig->delivery.ring))
        rest = ring_room(&rig->delivery.ring);
    if (rest > 0 && delivery_splices(&rig->delivery) && rand_r(random) % 4 > 0)
        assert_true(splice_in(rig, draw(random, 300000) + 1) > 0);
    else if (rest > 0)
        copy_in(rig, draw(random, rest));
    check(rig);
    if (rand_r(random) % 3 > 0)
        (void)write_out(rig);
    check(rig);
    hear(rig, draw(random, 100000) + 1);
    if (rand_r(random) % 40 == 0)
        restart(rig);
}

static void
whatever_the_sizes_and_turns_the_stream_is_whole(void **state)
{
    enum { SEEDS = 40, STEPS = 200 };
    struct rig rig;

    (void)state;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        unsigned random = seed;

        rig_open(&rig);
        if (seed % 2 == 0)
            net_send_buffer(transport_fd(rig.local), NARROW);
        if (seed % 5 == 0)
            fault_short(FAULT_SPLICE, seed * 100);
        for (int i = 0; i < STEPS; i++)
            step_at_random(&rig, &random);
        deliver_all(&rig);
        while (rig.come < rig.said) {
            copy_the_rest(&rig);
            deliver_all(&rig);
        }
        assert_true(rig.delivery.spliced > 0);
        end_with_a_tail(&rig, 64);
        rig_close(&rig);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_ring_has_goes_first),
        cmocka_unit_test(the_tail_is_of_the_last_bytes_that_were_copied),
        cmocka_unit_test(
            while_the_pipe_is_held_the_ring_takes_what_comes_behind_it),
        cmocka_unit_test(a_restart_forgets_just_what_was_not_written),
        cmocka_unit_test(a_drop_counts_the_pipe_and_the_ring),
        cmocka_unit_test(a_socket_that_cannot_be_spliced_is_copied),
        cmocka_unit_test(other_errors_are_told_and_the_next_try_is_good),
        cmocka_unit_test(the_end_of_the_source_is_told),
        cmocka_unit_test(a_sink_that_is_gone_is_told_and_nothing_is_forgotten),
        cmocka_unit_test(tls_is_copied),
        cmocka_unit_test(without_a_pipe_everything_is_copied),
        cmocka_unit_test(a_pipe_that_holds_little_is_none),
        cmocka_unit_test(a_pipe_is_made_when_there_is_something_for_it),
        cmocka_unit_test(a_pipe_of_one_page_loses_nothing),
        cmocka_unit_test(short_splices_lose_nothing),
        cmocka_unit_test(mptcp_is_spliced_or_copied),
        cmocka_unit_test(whatever_the_sizes_and_turns_the_stream_is_whole),
    };

    return RUN_TESTS(tests);
}
