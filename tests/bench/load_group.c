#include "load_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

struct body {
    const struct load_end *end;
    struct load_channel *channel;
};

uint64_t
load_channel_bytes(const struct load_config *config)
{
    uint64_t each = config->bytes / config->channels;

    return each > STREAM_MAGIC_BYTES ? each : STREAM_MAGIC_BYTES;
}

double
load_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct load_group *
load_group_new(const struct load_config *config, const struct stream *stream,
               int listener)
{
    size_t count = (size_t)config->channels;
    struct load_group *group =
        calloc(1, sizeof(*group) + count * sizeof(group->channels[0]));

    if (group == NULL)
        return NULL;
    group->config = config;
    group->stream = stream;
    group->listener = listener;
    group->count = count;
    for (size_t i = 0; i < count; i++) {
        group->channels[i].group = group;
        group->channels[i].number = (unsigned)i + 1;
        atomic_init(&group->channels[i].fd, -1);
    }
    return group;
}

void
load_group_free(struct load_group *group)
{
    if (group == NULL)
        return;
    for (size_t i = 0; i < group->count; i++)
        if (group->channels[i].fd >= 0)
            close(group->channels[i].fd);
    free(group);
}

/*
 * The flag is set before the sockets are looked at, and channel_start stores a
 * socket before it looks at the flag: whichever comes second shuts it down.
 */
static void
group_abort(struct load_group *group)
{
    group->aborted = true;
    if (group->listener >= 0)
        shutdown(group->listener, SHUT_RDWR);
    for (size_t i = 0; i < group->count; i++)
        if (group->channels[i].fd >= 0)
            shutdown(group->channels[i].fd, SHUT_RDWR);
}

static void *
run_body(void *arg)
{
    struct body *body = arg;

    if (body->end->body(body->channel) != 0)
        group_abort(body->channel->group);
    free(body);
    return NULL;
}

static int
channel_start(struct load_channel *channel, const struct load_end *end)
{
    struct body *body = malloc(sizeof(*body));
    int error;

    if (body == NULL)
        return -1;
    *body = (struct body){ .end = end, .channel = channel };
    channel->fd = end->open(channel);
    if (channel->fd < 0 || channel->group->aborted) {
        free(body);
        return -1;
    }
    if (channel->number == 1)
        channel->group->start = load_now();
    error = pthread_create(&channel->thread, NULL, run_body, body);
    channel->running = error == 0;
    if (error == 0)
        return 0;
    log_warnx("channel %u: no thread: %s", channel->number, strerror(error));
    free(body);
    return -1;
}

int
load_group_run(struct load_group *group, const struct load_end *end)
{
    for (size_t i = 0; i < group->count && !group->aborted; i++)
        if (channel_start(&group->channels[i], end) != 0)
            group_abort(group);
    for (size_t i = 0; i < group->count; i++)
        if (group->channels[i].running)
            pthread_join(group->channels[i].thread, NULL);
    return group->aborted ? -1 : 0;
}
