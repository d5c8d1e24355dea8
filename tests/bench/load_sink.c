#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "load_group.h"

enum {
    /* What QEMU's stream buffer reads at once, and a multifd channel. */
    READ_STREAM_BYTES = 32768,
    READ_MULTIFD_BYTES = 219264,
    SAMPLE_BYTES = 64,
};

static size_t
read_size(const struct load_config *config)
{
    if (config->read_bytes != 0)
        return (size_t)config->read_bytes;
    return config->shape == STREAM_MULTIFD ? READ_MULTIFD_BYTES
                                           : READ_STREAM_BYTES;
}

static bool
matches(const struct load_group *group, const unsigned char *buf, size_t bytes,
        uint64_t offset)
{
    bool all = group->config->verify || bytes < SAMPLE_BYTES;

    return memcmp(buf, stream_at(group->stream, offset),
                  all ? bytes : SAMPLE_BYTES) == 0;
}

static int
channel_open(struct load_channel *channel)
{
    int fd;

    do
        fd = accept4(channel->group->listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && !channel->group->aborted)
        log_warn("accept");
    return fd;
}

/* Read the magic, and learn from it what this channel is. */
static int
read_magic(struct load_channel *channel)
{
    unsigned char magic[STREAM_MAGIC_BYTES];
    ssize_t got = recv(channel->fd, magic, sizeof(magic), MSG_WAITALL);

    if (got != STREAM_MAGIC_BYTES) {
        log_warnx("channel %u: ended before its magic", channel->number);
        return -1;
    }
    channel->is_main = memcmp(magic, stream_magic(true), sizeof(magic)) == 0;
    if (channel->is_main ||
        memcmp(magic, stream_magic(false), sizeof(magic)) == 0)
        return 0;
    log_warnx("channel %u: begins with what nobody sent", channel->number);
    return -1;
}

/* Read up to byte ${total} through ${buf}.  Return 0, or -1 after a line. */
static int
read_body(const struct load_channel *channel, unsigned char *buf,
          uint64_t total)
{
    size_t size = read_size(channel->group->config);
    uint64_t got = STREAM_MAGIC_BYTES;

    while (got < total) {
        uint64_t left = total - got;
        ssize_t n =
            recv(channel->fd, buf, left < size ? (size_t)left : size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (!channel->group->aborted)
                log_warnx("channel %u: %s after %llu of %llu bytes",
                          channel->number, n < 0 ? strerror(errno) : "closed",
                          (unsigned long long)got, (unsigned long long)total);
            return -1;
        }
        if (!matches(channel->group, buf, (size_t)n, got)) {
            log_warnx("channel %u: wrong contents at byte %llu",
                      channel->number, (unsigned long long)got);
            return -1;
        }
        got += (uint64_t)n;
    }
    return 0;
}

static int
channel_read(struct load_channel *channel)
{
    const struct load_config *config = channel->group->config;
    unsigned char *buf = malloc(read_size(config));
    int outcome = -1;

    if (buf != NULL && read_magic(channel) == 0)
        outcome = read_body(channel, buf, load_channel_bytes(config));
    free(buf);
    return outcome;
}

/* Tell the source that everything has arrived.  Return 0 or -1. */
static int
send_answer(const struct load_group *group)
{
    /* MIG_RP_MSG_SHUT (1), 4 bytes, status 0: big-endian, as QEMU sends it */
    static const unsigned char answer[LOAD_ANSWER_BYTES] = { 0, 1, 0, 4 };

    for (size_t i = 0; i < group->count; i++)
        if (group->channels[i].is_main)
            return send(group->channels[i].fd, answer, sizeof(answer),
                        MSG_NOSIGNAL) == LOAD_ANSWER_BYTES
                       ? 0
                       : -1;
    log_warnx("no channel was the main one");
    return -1;
}

/* A source that holds its channels closes them first. */
static void
await_close(const struct load_group *group)
{
    char byte;

    if (group->config->hold_ms == 0)
        return;
    for (size_t i = 0; i < group->count; i++)
        while (recv(group->channels[i].fd, &byte, 1, 0) < 0 && errno == EINTR)
            ;
}

int
load_sink(const struct load_config *config, const struct stream *stream,
          int listener, struct load_result *result)
{
    static const struct load_end end = { channel_open, channel_read };
    struct load_group *group = load_group_new(config, stream, listener);
    int outcome;

    if (group == NULL)
        return -1;
    outcome = load_group_run(group, &end);
    if (outcome == 0)
        outcome = send_answer(group);
    result->seconds = load_now() - group->start;
    result->bytes = load_channel_bytes(config) * config->channels;
    if (outcome == 0)
        await_close(group);
    load_group_free(group);
    return outcome;
}
