#include "support_channels.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support_case.h"

enum { CHUNK_BYTES = 16 * 1024 };

static const char qemu_magic[] = { 'Q', 'E', 'V', 'M' };

static int
unix_socket(const char *path, struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    *sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", path);
    return fd;
}

int
channels_connect(const char *path)
{
    struct sockaddr_un sun;
    int fd = unix_socket(path, &sun);

    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    return fd;
}

int
channels_listen(const char *path)
{
    struct sockaddr_un sun;
    int fd = unix_socket(path, &sun);

    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    assert_int_equal(listen(fd, 1), 0); /* QEMU's own backlog */
    return fd;
}

static void
await(int fd, short events)
{
    struct pollfd pfd = { .fd = fd, .events = events };

    assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
}

int
channels_accept(int listener)
{
    int fd;

    await(listener, POLLIN);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Check that the two ends of each pair belong together, by a byte. */
static void
check_order(const struct channel_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char out = (unsigned char)i, in;

        assert_int_equal(send(pairs[i].near_fd, &out, 1, 0), 1);
        await(pairs[i].far_fd, POLLIN);
        assert_int_equal(recv(pairs[i].far_fd, &in, 1, 0), 1);
        assert_int_equal(in, out);
    }
}

void
channels_open(const char *near_path, int listener, struct channel_pair *pairs,
              size_t count)
{
    char magic[sizeof(qemu_magic)];

    memset(pairs, 0, count * sizeof(*pairs));
    for (size_t i = 0; i < count; i++) {
        pairs[i].near_fd = channels_connect(near_path);
        if (i == 0)
            assert_int_equal(
                send(pairs[i].near_fd, qemu_magic, sizeof(qemu_magic), 0),
                sizeof(qemu_magic));
    }
    for (size_t i = 0; i < count; i++)
        pairs[i].far_fd = channels_accept(listener);
    await(pairs[0].far_fd, POLLIN);
    assert_int_equal(recv(pairs[0].far_fd, magic, sizeof(magic), MSG_WAITALL),
                     sizeof(magic));
    assert_memory_equal(magic, qemu_magic, sizeof(magic));
    check_order(pairs, count);
}

/* The byte at ${offset} of a direction of a channel; any two differ soon. */
static unsigned char
byte_at(size_t channel, int direction, uint64_t offset)
{
    uint64_t x = offset * UINT64_C(0x9e3779b97f4a7c15) +
                 (channel * 2 + (size_t)direction) * 0x1234567;

    return (unsigned char)(x >> 32);
}

static void
send_some(struct channel_pair *pair, size_t channel, int direction,
          uint64_t bytes)
{
    int fd = direction == 0 ? pair->near_fd : pair->far_fd;
    unsigned char chunk[CHUNK_BYTES];
    uint64_t from = pair->sent[direction];
    size_t len =
        bytes - from < sizeof(chunk) ? (size_t)(bytes - from) : sizeof(chunk);
    ssize_t n;

    for (size_t i = 0; i < len; i++)
        chunk[i] = byte_at(channel, direction, from + i);
    n = send(fd, chunk, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(n > 0 || errno == EAGAIN);
    if (n > 0)
        pair->sent[direction] += (uint64_t)n;
}

static void
receive_some(struct channel_pair *pair, size_t channel, int direction)
{
    int fd = direction == 0 ? pair->far_fd : pair->near_fd;
    unsigned char chunk[CHUNK_BYTES];
    ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

    assert_true(n > 0 || (n < 0 && errno == EAGAIN));
    for (ssize_t i = 0; i < n; i++)
        if (chunk[i] !=
            byte_at(channel, direction, pair->received[direction]++))
            fail_msg("channel %zu: wrong byte at %llu", channel,
                     (unsigned long long)pair->received[direction] - 1);
}

/* What an end of a channel waits for: the ends are [0] near and [1] far, and
 * each is the sender of the direction of its own number. */
static short
wanted(const struct channel_pair *pair, int end, uint64_t bytes)
{
    int events = 0;

    if (pair->received[!end] < bytes)
        events |= POLLIN;
    if (pair->sent[end] < bytes)
        events |= POLLOUT;
    return (short)events;
}

/* Return whether there is anything left to wait for. */
static bool
fill_poll(const struct channel_pair *pairs, struct pollfd *fds, size_t count,
          uint64_t bytes)
{
    bool any = false;

    for (size_t i = 0; i < count * 2; i++) {
        const struct channel_pair *pair = &pairs[i / 2];
        int end = (int)(i % 2);
        short events = wanted(pair, end, bytes);

        /* An end that is done would report a hang-up for ever. */
        fds[i].fd = events == 0 ? -1 : end == 0 ? pair->near_fd : pair->far_fd;
        fds[i].events = events;
        any |= events != 0;
    }
    return any;
}

void
channels_exchange(struct channel_pair *pairs, size_t count, uint64_t bytes)
{
    struct pollfd *fds = calloc(count * 2, sizeof(*fds));

    assert_non_null(fds);
    while (fill_poll(pairs, fds, count, bytes)) {
        assert_true(poll(fds, count * 2, PATIENCE_MS) > 0);
        for (size_t i = 0; i < count * 2; i++) {
            int end = (int)(i % 2);

            if (fds[i].fd >= 0 && (fds[i].revents & POLLOUT) != 0)
                send_some(&pairs[i / 2], i / 2, end, bytes);
            if (fds[i].fd >= 0 && (fds[i].revents & ~POLLOUT) != 0)
                receive_some(&pairs[i / 2], i / 2, !end);
        }
    }
    free(fds);
}

static void
expect_end(int fd)
{
    char byte;

    await(fd, POLLIN);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

void
channels_finish(struct channel_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(shutdown(pairs[i].near_fd, SHUT_WR), 0);
    for (size_t i = 0; i < count; i++)
        expect_end(pairs[i].far_fd);
    for (size_t i = 0; i < count; i++)
        close(pairs[i].far_fd);
    for (size_t i = 0; i < count; i++) {
        expect_end(pairs[i].near_fd);
        close(pairs[i].near_fd);
    }
}
