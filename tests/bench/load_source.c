#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "endpoint.h"
#include "load_group.h"

/* Write all of ${iov}, which is changed.  Return 0, or -1 with errno. */
static int
write_all(int fd, struct iovec *iov, int count)
{
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)count };

    while (msg.msg_iovlen > 0) {
        ssize_t wrote = sendmsg(fd, &msg, MSG_NOSIGNAL);
        size_t left;

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        left = (size_t)wrote;
        while (msg.msg_iovlen > 0 && left >= msg.msg_iov->iov_len) {
            left -= msg.msg_iov->iov_len;
            msg.msg_iov++;
            msg.msg_iovlen--;
        }
        if (left > 0) {
            msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + left;
            msg.msg_iov->iov_len -= left;
        }
    }
    return 0;
}

static int
write_magic(int fd, bool is_main)
{
    struct iovec iov = {
        .iov_base = (void *)stream_magic(is_main),
        .iov_len = STREAM_MAGIC_BYTES,
    };

    return write_all(fd, &iov, 1);
}

static int
channel_open(struct load_channel *channel)
{
    return endpoint_connect(channel->group->config->connect);
}

static int
channel_write(struct load_channel *channel)
{
    const struct load_group *group = channel->group;
    uint64_t total = load_channel_bytes(group->config);
    uint64_t sent = STREAM_MAGIC_BYTES;
    struct iovec iov[STREAM_IOV_MAX];
    int outcome = write_magic(channel->fd, channel->number == 1);

    while (outcome == 0 && sent < total) {
        uint64_t bytes = 0;
        int count = stream_iov(group->stream, group->config->shape, sent,
                               total - sent, iov);

        for (int i = 0; i < count; i++)
            bytes += iov[i].iov_len;
        outcome = write_all(channel->fd, iov, count);
        sent += bytes;
    }
    if (outcome != 0 && !group->aborted)
        log_warn("channel %u: write failed near byte %llu of %llu",
                 channel->number, (unsigned long long)sent,
                 (unsigned long long)total);
    return outcome;
}

static int
await_answer(int fd)
{
    unsigned char answer[LOAD_ANSWER_BYTES];
    ssize_t got = recv(fd, answer, sizeof(answer), MSG_WAITALL);

    if (got == LOAD_ANSWER_BYTES)
        return 0;
    if (got < 0)
        log_warn("main channel: no answer");
    else
        log_warnx("main channel: closed after %zd of %d bytes of the answer",
                  got, LOAD_ANSWER_BYTES);
    return -1;
}

/* Who reads the line knows that from now on there is nothing to carry. */
static void
hold(const struct load_config *config)
{
    struct timespec left = { (time_t)(config->hold_ms / 1000),
                             (long)(config->hold_ms % 1000) * 1000000L };

    if (config->hold_ms == 0)
        return;
    puts("holding");
    fflush(stdout);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

int
load_source(const struct load_config *config, const struct stream *stream,
            struct load_result *result)
{
    static const struct load_end end = { channel_open, channel_write };
    struct load_group *group;
    double start;
    int outcome;

    if (endpoint_await(config->connect, config->timeout_ms) != 0)
        return -1;
    group = load_group_new(config, stream, -1);
    start = load_now();
    if (group == NULL)
        return -1;
    outcome = load_group_run(group, &end);
    if (outcome == 0)
        outcome = await_answer(group->channels[0].fd);
    result->seconds = load_now() - start;
    result->bytes = load_channel_bytes(config) * config->channels;
    if (outcome == 0)
        hold(config);
    load_group_free(group);
    return outcome;
}
