#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CUT_PATIENCE_MS = 2000 };

static void
prepare(int fd)
{
    const int on = 1;

    if (fd < 0)
        return;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

struct link *
link_new(int client, int server)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        abort();
    prepare(client);
    prepare(server);
    link->fds[0] = client;
    link->fds[1] = server;
    link->streams[0].record = link->streams[1].record = -1;
    link->channel = NO_CHANNEL;
    link->dead = server < 0;
    link->cut = -1;
    return link;
}

static void
reset(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

void
link_free(struct link *link)
{
    reset(link->fds[0]);
    reset(link->fds[1]);
    for (int side = 0; side < 2; side++)
        if (link->streams[side].record >= 0)
            close(link->streams[side].record);
    free(link);
}

void
link_record(struct link *link, const char *prefix)
{
    static const char *const ends[2] = { "there", "back" };
    char path[PATH_MAX];

    for (int side = 0; side < 2; side++) {
        snprintf(path, sizeof(path), "%s.%s", prefix, ends[side]);
        link->streams[side].record =
            open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (link->streams[side].record < 0)
            abort();
    }
}

/* A record with a hole in it would prove nothing. */
static void
record(const struct stream *stream, const unsigned char *bytes, ssize_t length)
{
    if (stream->record >= 0 && length > 0 &&
        write(stream->record, bytes, (size_t)length) != length)
        abort();
}

void
link_poll(const struct link *link, struct pollfd fds[2])
{
    for (int side = 0; side < 2; side++) {
        const struct stream *in = &link->streams[side];
        const struct stream *out = &link->streams[!side];
        bool reads = !in->ended && in->length < sizeof(in->bytes) &&
                     (link->cut < 0 || link->dead);
        bool writes = out->passed > 0 && link->cut != side && !link->dead;

        fds[side].events =
            (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
        /* A side that waits for nothing would report its hang-up for ever. */
        fds[side].fd = fds[side].events != 0 ? link->fds[side] : -1;
        fds[side].revents = 0;
    }
}

/* Whatever comes is gone; a side that closes does so alone. */
static bool
swallow(struct link *link, const struct pollfd fds[2])
{
    for (int side = 0; side < 2; side++) {
        ssize_t n = 1;

        if (fds[side].revents != 0 && link->fds[side] >= 0)
            n = recv(link->fds[side], link->streams[side].bytes,
                     LINK_BUFFER_BYTES, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            close(link->fds[side]);
            link->fds[side] = -1;
        }
    }
    return link->fds[0] >= 0 || link->fds[1] >= 0;
}

static bool
read_side(struct link *link, int side)
{
    struct stream *stream = &link->streams[side];
    ssize_t n = recv(link->fds[side], stream->bytes + stream->length,
                     sizeof(stream->bytes) - stream->length, 0);
    bool cut = false;

    if (n < 0)
        return errno == EAGAIN;
    record(stream, stream->bytes + stream->length, n);
    stream->ended = n == 0;
    stream->length += (size_t)n;
    stream->passed += watch_pass(&stream->watch, &link->channel, side,
                                 stream->bytes + stream->passed,
                                 stream->length - stream->passed, &cut);
    if (cut)
        link->cut = side;
    if (stream->ended && !cut)
        stream->passed = stream->length; /* also what was not understood */
    return true;
}

static bool
write_side(struct link *link, int side)
{
    struct stream *stream = &link->streams[!side];
    ssize_t n;

    if (stream->passed == 0)
        return true;
    n = send(link->fds[side], stream->bytes, stream->passed, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN;
    stream->forwarded += (uint64_t)n;
    stream->length -= (size_t)n;
    stream->passed -= (size_t)n;
    memmove(stream->bytes, stream->bytes + n, stream->length);
    return true;
}

static void
pass_ends(struct link *link)
{
    for (int side = 0; side < 2; side++) {
        struct stream *stream = &link->streams[side];

        if (stream->ended && stream->passed == 0 && !stream->end_sent &&
            link->cut < 0) {
            shutdown(link->fds[!side], SHUT_WR);
            stream->end_sent = true;
        }
    }
}

static void
close_in_order(struct link *link)
{
    close(link->fds[0]);
    close(link->fds[1]);
    link->fds[0] = link->fds[1] = -1;
}

bool
link_step(struct link *link, const struct pollfd fds[2])
{
    if (link->dead)
        return swallow(link, fds);
    for (int side = 0; side < 2; side++)
        if ((fds[side].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
            (fds[side].events & POLLIN) != 0 && link->cut < 0 &&
            !read_side(link, side))
            return false;
    for (int side = 0; side < 2; side++)
        if (link->cut != side && (link->cut < 0 || link->cut == !side) &&
            !write_side(link, side))
            return false;
    pass_ends(link);
    if (link->streams[0].end_sent && link->streams[1].end_sent) {
        close_in_order(link);
        return false;
    }
    return true;
}

bool
link_cut_due(const struct link *link, int64_t now_ms)
{
    int unacked = 0;

    if (link->cut < 0 || link->dead)
        return false;
    if (now_ms - link->cut_ms >= CUT_PATIENCE_MS)
        return true;
    return link->streams[link->cut].passed == 0 &&
           ioctl(link->fds[!link->cut], SIOCOUTQ, &unacked) == 0 &&
           unacked == 0;
}
