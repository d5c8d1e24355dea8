/*
 * A link that takes its time: forwards TCP connections on this host, and each
 * byte comes out as much later as was asked for, however many there are.
 *
 * Theory of operation.  What is read is kept in chunks, in order, each with the
 * time at which it is due; the end of a direction is a chunk without bytes.  A
 * direction is read while it holds less than HELD_MAX_BYTES, which is more than
 * loopback carries during the delay, so that only time is added.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/value.h"
#include "endpoint.h"

enum {
    LINKS_MAX = 64,
    CHUNK_BYTES = 65536,
    HELD_MAX_BYTES = 256 << 20,
    BACKLOG = 16,
    URI_ROOM = 64
};

static const int64_t NS_PER_MS = 1000000;

struct chunk {
    STAILQ_ENTRY(chunk) next;
    int64_t due_ns;
    size_t bytes; /* 0: the end */
    size_t written;
    char data[];
};

/* One direction of a connection. */
struct half {
    STAILQ_HEAD(, chunk) chunks;
    size_t held_bytes;
    bool ended;   /* its end was read */
    bool drained; /* and forwarded */
    bool full;    /* who reads has no room */
};

/* A connection: what is read from fd[i] goes through half[i] to fd[!i]. */
struct link {
    int fd[2]; /* -1 if there is none */
    struct half half[2];
};

struct config {
    uint64_t listen_port;
    uint64_t to_port;
    uint64_t delay_us;
};

struct proxy {
    int64_t delay_ns;
    char to[URI_ROOM];
    int listener;
    struct link links[LINKS_MAX];
};

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;
    int bad;

    if (key == 'd') {
        bad = value_count(value, 0, 10000000, &config->delay_us);
        return bad ? "microseconds up to 10 s" : NULL;
    }
    bad = value_count(value, 1, UINT16_MAX,
                      key == 'l' ? &config->listen_port : &config->to_port);
    return bad ? "a port" : NULL;
}

static const struct cli_option options[] = {
    { 'l', "listen", "PORT", "take connections here, on 127.0.0.1" },
    { 't', "to", "PORT", "and forward them there" },
    { 'd', "delay", "US", "microseconds in each direction" },
};

static const struct cli cli = {
    .program = "mig-delay",
    .synopsis = "--listen PORT --to PORT --delay US",
    .summary = "Forward TCP connections; what goes through comes out later.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
    .footer = "It ends when it is killed.",
};

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static void
link_close(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        struct half *half = &link->half[i];
        struct chunk *chunk;

        if (link->fd[i] >= 0)
            close(link->fd[i]);
        link->fd[i] = -1;
        while ((chunk = STAILQ_FIRST(&half->chunks)) != NULL) {
            STAILQ_REMOVE_HEAD(&half->chunks, next);
            free(chunk);
        }
    }
}

static void
set_up(int fd)
{
    int on = 1;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void
accept_link(struct proxy *proxy)
{
    int fd = accept(proxy->listener, NULL, NULL);
    struct link *link = proxy->links;

    if (fd < 0)
        return;
    while (link < proxy->links + LINKS_MAX && link->fd[0] >= 0)
        link++;
    if (link == proxy->links + LINKS_MAX) {
        close(fd);
        return;
    }
    *link = (struct link){ .fd = { fd, endpoint_connect(proxy->to) } };
    STAILQ_INIT(&link->half[0].chunks);
    STAILQ_INIT(&link->half[1].chunks);
    if (link->fd[1] < 0) {
        link_close(link);
        return;
    }
    set_up(link->fd[0]);
    set_up(link->fd[1]);
}

/* Return 0, or -1 if the connection is broken. */
static int
take(const struct proxy *proxy, struct half *half, int fd)
{
    static char data[CHUNK_BYTES];
    ssize_t n = recv(fd, data, sizeof(data), 0);
    struct chunk *chunk;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    chunk = malloc(sizeof(*chunk) + (size_t)n);
    if (chunk == NULL)
        return -1;
    chunk->due_ns = now_ns() + proxy->delay_ns;
    chunk->bytes = (size_t)n;
    chunk->written = 0;
    memcpy(chunk->data, data, (size_t)n);
    STAILQ_INSERT_TAIL(&half->chunks, chunk, next);
    half->held_bytes += (size_t)n;
    half->ended = n == 0;
    return 0;
}

/* Forward what is due.  Return 0, or -1 if the connection is broken. */
static int
give(struct half *half, int fd)
{
    struct chunk *chunk;
    int64_t now = now_ns();

    half->full = false;
    while ((chunk = STAILQ_FIRST(&half->chunks)) != NULL &&
           chunk->due_ns <= now) {
        size_t left = chunk->bytes - chunk->written;
        ssize_t n = left == 0 ? 0
                              : send(fd, chunk->data + chunk->written, left,
                                     MSG_NOSIGNAL);

        if (n < 0) {
            half->full = errno == EAGAIN;
            return half->full || errno == EINTR ? 0 : -1;
        }
        if (chunk->bytes == 0) {
            shutdown(fd, SHUT_WR);
            half->drained = true;
        }
        chunk->written += (size_t)n;
        if (chunk->written < chunk->bytes)
            continue;
        STAILQ_REMOVE_HEAD(&half->chunks, next);
        half->held_bytes -= chunk->bytes;
        free(chunk);
    }
    return 0;
}

/* What to wait for at both ends.  Return when something is due next. */
static int64_t
arm(const struct link *link, struct pollfd fds[2], int64_t until_ns)
{
    for (int i = 0; i < 2; i++) {
        const struct half *half = &link->half[i];
        const struct chunk *first = STAILQ_FIRST(&half->chunks);

        fds[i].fd = link->fd[i];
        if (link->fd[i] < 0)
            continue;
        if (!half->ended && half->held_bytes < HELD_MAX_BYTES)
            fds[i].events |= POLLIN;
        if (half->full)
            fds[!i].events |= POLLOUT;
        else if (first != NULL && first->due_ns < until_ns)
            until_ns = first->due_ns;
    }
    /* What has nothing to wait for would only report its end again. */
    for (int i = 0; i < 2; i++)
        if (fds[i].events == 0)
            fds[i].fd = -1;
    return until_ns;
}

static void
serve_link(const struct proxy *proxy, struct link *link,
           const struct pollfd fds[2])
{
    if (link->fd[0] < 0)
        return;
    for (int i = 0; i < 2; i++) {
        struct half *half = &link->half[i];

        if ((fds[i].events & POLLIN) != 0 && fds[i].revents != 0 &&
            take(proxy, half, link->fd[i]) != 0)
            goto broken;
        if (give(half, link->fd[!i]) != 0)
            goto broken;
    }
    if (!link->half[0].drained || !link->half[1].drained)
        return;
broken:
    link_close(link);
}

static void
serve(struct proxy *proxy)
{
    static struct pollfd fds[2 * LINKS_MAX + 1];
    struct pollfd *listener = &fds[2 * LINKS_MAX];
    const int64_t idle_ns = 1000 * NS_PER_MS;
    int64_t now = now_ns(), until = now + idle_ns, left;
    struct timespec wait;

    memset(fds, 0, sizeof(fds));
    for (size_t i = 0; i < LINKS_MAX; i++)
        until = arm(&proxy->links[i], &fds[2 * i], until);
    *listener = (struct pollfd){ .fd = proxy->listener, .events = POLLIN };
    left = until > now ? until - now : 0;
    wait.tv_sec = left / (1000 * NS_PER_MS);
    wait.tv_nsec = left % (1000 * NS_PER_MS);
    if (ppoll(fds, 2 * LINKS_MAX + 1, &wait, NULL) < 0)
        return;
    for (size_t i = 0; i < LINKS_MAX; i++)
        serve_link(proxy, &proxy->links[i], &fds[2 * i]);
    if (listener->revents != 0)
        accept_link(proxy);
}

int
main(int argc, char **argv)
{
    static struct proxy proxy;
    struct config config = { 0 };
    char from[URI_ROOM];

    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    default: break;
    }
    if (config.listen_port == 0 || config.to_port == 0)
        return cli_error(&cli, "--listen and --to are needed");
    snprintf(from, sizeof(from), "tcp:127.0.0.1:%u",
             (unsigned)config.listen_port);
    snprintf(proxy.to, sizeof(proxy.to), "tcp:127.0.0.1:%u",
             (unsigned)config.to_port);
    proxy.delay_ns = (int64_t)config.delay_us * 1000;
    for (size_t i = 0; i < LINKS_MAX; i++)
        proxy.links[i].fd[0] = proxy.links[i].fd[1] = -1;
    proxy.listener = endpoint_listen(from, BACKLOG);
    if (proxy.listener < 0)
        return STATUS_FAILED;
    for (;;)
        serve(&proxy);
}
