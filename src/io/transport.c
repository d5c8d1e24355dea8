#include "io/transport.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/timer.h"
#include "io/tls_stream.h"

struct transport {
    int fd;
    struct tls_stream *tls; /* NULL if plain */
    struct timer *again;    /* with TLS: something is read, but not taken */
    bool want_read;
    bool want_write;
    uint32_t awaited; /* bytes; SO_RCVLOWAT */
    struct event *read_event;
    struct event *write_event;
    void (*on_ready)(void *arg, bool readable, bool writable);
    void *arg;
};

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct transport *transport = arg;

    (void)fd;
    transport->on_ready(transport->arg, (what & EV_READ) != 0,
                        (what & EV_WRITE) != 0);
}

/* The socket will not say that TLS has something left. */
static void
on_again(void *arg)
{
    struct transport *transport = arg;

    if (transport->want_read && tls_stream_pending(transport->tls))
        transport->on_ready(transport->arg, true, false);
}

static void
look_again(struct transport *transport)
{
    int error = errno;

    if (!transport->want_read || !tls_stream_pending(transport->tls))
        timer_stop(transport->again);
    else if (!timer_pending(transport->again))
        timer_start(transport->again, 0);
    errno = error;
}

struct transport *
transport_new(struct loop *loop, int fd)
{
    struct transport *transport = calloc(1, sizeof *transport);

    if (transport == NULL) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    transport->fd = fd;
    transport->awaited = 1;
    transport->read_event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST,
                                      on_event, transport);
    transport->write_event = event_new(
        loop_base(loop), fd, EV_WRITE | EV_PERSIST, on_event, transport);
    if (transport->read_event == NULL || transport->write_event == NULL) {
        transport_free(transport);
        errno = ENOMEM;
        return NULL;
    }
    return transport;
}

struct transport *
transport_new_tls(struct loop *loop, int fd, struct tls_stream *stream)
{
    struct transport *transport = transport_new(loop, fd);

    if (transport == NULL) {
        tls_stream_free(stream);
        errno = ENOMEM;
        return NULL;
    }
    transport->tls = stream;
    transport->again = timer_new(loop, on_again, transport);
    if (transport->again != NULL)
        return transport;
    transport_free(transport);
    errno = ENOMEM;
    return NULL;
}

static void
destroy(struct transport *transport)
{
    if (transport->read_event != NULL)
        event_free(transport->read_event);
    if (transport->write_event != NULL)
        event_free(transport->write_event);
    timer_free(transport->again);
    tls_stream_free(transport->tls);
    close(transport->fd);
    free(transport);
}

void
transport_free(struct transport *transport)
{
    if (transport == NULL)
        return;
    if (transport->tls != NULL)
        (void)tls_stream_end(transport->tls); /* as far as there is room */
    destroy(transport);
}

void
transport_abort(struct transport *transport)
{
    static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (transport == NULL)
        return;
    setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    destroy(transport);
}

const char *
transport_identity(const struct transport *transport)
{
    return transport->tls != NULL ? tls_stream_identity(transport->tls) : "";
}

const char *
transport_why(const struct transport *transport)
{
    if (transport->tls != NULL && errno == EPROTO)
        return tls_stream_why(transport->tls);
    return strerror(errno); /* for any thread, with glibc since 2.32 */
}

void
transport_on_ready(struct transport *transport,
                   void (*on_ready)(void *arg, bool readable, bool writable),
                   void *arg)
{
    transport->on_ready = on_ready;
    transport->arg = arg;
}

static void
want(struct event *event, bool *wanted, bool now)
{
    if (*wanted == now)
        return;
    *wanted = now;
    if (now)
        event_add(event, NULL);
    else
        event_del(event);
}

void
transport_want(struct transport *transport, bool readable, bool writable)
{
    want(transport->read_event, &transport->want_read, readable);
    want(transport->write_event, &transport->want_write, writable);
    if (transport->tls != NULL)
        look_again(transport);
}

void
transport_move(struct transport *transport, struct loop *loop)
{
    transport_want(transport, false, false); /* stops the timer, too */
    event_base_set(loop_base(loop), transport->read_event);
    event_base_set(loop_base(loop), transport->write_event);
    if (transport->again != NULL)
        timer_move(transport->again, loop);
}

void
transport_await(struct transport *transport, uint32_t bytes)
{
    int least = bytes < INT_MAX ? (int)bytes : INT_MAX;

    if (transport->tls != NULL || transport->awaited == bytes)
        return;
    transport->awaited = bytes;
    setsockopt(transport->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
}

ssize_t
transport_readv(struct transport *transport, const struct iovec *iov, int count)
{
    ssize_t n;

    if (transport->tls != NULL) {
        n = tls_stream_readv(transport->tls, iov, count);
        look_again(transport);
        return n;
    }
    do
        n = readv(transport->fd, iov, count);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t
transport_writev(struct transport *transport, struct iovec *iov, int count)
{
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)count };
    ssize_t n;

    if (transport->tls != NULL)
        return tls_stream_writev(transport->tls, iov, count);
    do
        n = sendmsg(transport->fd, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Bytes have to be encrypted here, and not by the kernel. */
static bool
no_splice(const struct transport *transport)
{
    errno = EINVAL;
    return transport->tls != NULL;
}

ssize_t
transport_splice_in(struct transport *transport, int pipe_fd, size_t bytes)
{
    ssize_t n;

    if (no_splice(transport))
        return -1;
    do
        n = splice(transport->fd, NULL, pipe_fd, NULL, bytes,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM))
        errno = EINVAL; /* the protocol can't, or a sandbox forbids it */
    return n;
}

ssize_t
transport_splice_out(struct transport *transport, int pipe_fd, size_t bytes)
{
    ssize_t n;

    if (no_splice(transport))
        return -1;
    do
        n = splice(pipe_fd, NULL, transport->fd, NULL, bytes,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    return n;
}

int
transport_shutdown_write(struct transport *transport)
{
    if (transport->tls != NULL && tls_stream_end(transport->tls) != 0 &&
        errno != EPIPE && errno != ECONNRESET)
        return -1;
    if (shutdown(transport->fd, SHUT_WR) == 0 || errno == ENOTCONN ||
        errno == ECONNRESET || errno == EPIPE)
        return 0;
    return -1;
}

void
transport_shutdown_read(struct transport *transport)
{
    shutdown(transport->fd, SHUT_RD);
}

size_t
transport_unsent(const struct transport *transport)
{
    size_t sealed =
        transport->tls != NULL ? tls_stream_unsent(transport->tls) : 0;
    int bytes = 0;

    if (ioctl(transport->fd, SIOCOUTQ, &bytes) != 0 || bytes < 0)
        return sealed;
    return sealed + (size_t)bytes;
}

size_t
transport_unread(const struct transport *transport)
{
    int bytes = 0;

    if (ioctl(transport->fd, FIONREAD, &bytes) != 0 || bytes < 0)
        return 0;
    return (size_t)bytes;
}

bool
transport_hung_up(const struct transport *transport)
{
    struct pollfd pollfd = { .fd = transport->fd, .events = POLLRDHUP };

    return poll(&pollfd, 1, 0) > 0;
}

int
transport_error(struct transport *transport)
{
    int error = 0;
    socklen_t length = sizeof error;

    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        return errno;
    return error;
}

int
transport_fd(const struct transport *transport)
{
    return transport->fd;
}
