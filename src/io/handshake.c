#include "io/handshake.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/tls_stream.h"
#include "io/transport.h"

/*
 * Theory of operation.  A server looks at the first byte before OpenSSL does,
 * without taking it: a TLS record with a ClientHello begins with 22 (RFC 8446,
 * 5.1), and nothing that mig-client or QEMU says in plain does.
 */
enum { PATIENCE_MS = 5000, TLS_HANDSHAKE_BYTE = 22 };

struct handshake {
    struct handshake_options options;
    struct tls_stream *stream; /* NULL without TLS */
    bool looked;               /* at the first byte, if we are the server */
    bool begun;
    struct event *read_event;
    struct event *write_event;
    struct timer *timer; /* to begin, then for patience */
};

static void
stop(struct handshake *handshake)
{
    event_del(handshake->read_event);
    event_del(handshake->write_event);
    timer_stop(handshake->timer);
}

static void
fail(struct handshake *handshake, enum handshake_end end, const char *why)
{
    stop(handshake);
    handshake->options.on_done(handshake->options.arg, end, NULL, why);
}

/* Hand the connection over, as it is. */
static void
succeed(struct handshake *handshake, enum handshake_end end, const char *why)
{
    struct loop *loop = handshake->options.loop;
    int fd = handshake->options.fd;
    struct tls_stream *stream = handshake->stream;
    struct transport *transport;

    stop(handshake);
    handshake->options.fd = -1;
    handshake->stream = NULL;
    transport = stream != NULL ? transport_new_tls(loop, fd, stream)
                               : transport_new(loop, fd);
    if (transport == NULL) {
        fail(handshake, HANDSHAKE_LOST, strerror(errno));
        return;
    }
    handshake->options.on_done(handshake->options.arg, end, transport, why);
}

static void
lost(struct handshake *handshake)
{
    fail(handshake, HANDSHAKE_LOST,
         errno != 0 ? strerror(errno) : "it hangs up in the TLS handshake");
}

static void
step(struct handshake *handshake)
{
    switch (tls_stream_handshake(handshake->stream)) {
    case TLS_WANT_READ: event_add(handshake->read_event, NULL); break;
    case TLS_WANT_WRITE: event_add(handshake->write_event, NULL); break;
    case TLS_DONE:
        log_debug("TLS with %s: %s", tls_stream_identity(handshake->stream),
                  tls_stream_cipher(handshake->stream));
        succeed(handshake, HANDSHAKE_DONE, NULL);
        break;
    case TLS_LOST: lost(handshake); break;
    case TLS_REFUSED:
        fail(handshake, HANDSHAKE_REFUSED, tls_stream_why(handshake->stream));
        break;
    }
}

/* The server's first look.  Return whether OpenSSL may have its own. */
static bool
look(struct handshake *handshake)
{
    unsigned char first;
    ssize_t n = recv(handshake->options.fd, &first, sizeof first, MSG_PEEK);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        event_add(handshake->read_event, NULL);
    } else if (n <= 0) {
        errno = n < 0 ? errno : 0;
        lost(handshake);
    } else if (first != TLS_HANDSHAKE_BYTE) {
        tls_stream_free(handshake->stream);
        handshake->stream = NULL;
        succeed(handshake, HANDSHAKE_PLAIN,
                "it does not speak TLS, and this end takes nothing else");
    } else {
        handshake->looked = true;
        return true;
    }
    return false; /* the handshake may be gone */
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct handshake *handshake = arg;

    (void)fd;
    (void)what;
    if (handshake->looked || look(handshake))
        step(handshake);
}

/* The beginning, and the end of patience. */
static void
on_timer(void *arg)
{
    struct handshake *handshake = arg;

    if (handshake->begun) {
        fail(handshake, HANDSHAKE_LOST, "too slow in the TLS handshake");
        return;
    }
    handshake->begun = true;
    if (handshake->stream == NULL) {
        succeed(handshake, HANDSHAKE_DONE, NULL);
        return;
    }
    timer_start(handshake->timer, PATIENCE_MS);
    on_event(handshake->options.fd, 0, handshake);
}

static int
prepare(struct handshake *handshake)
{
    const struct handshake_options *options = &handshake->options;
    struct event_base *base = loop_base(options->loop);

    handshake->timer = timer_new(options->loop, on_timer, handshake);
    handshake->read_event =
        event_new(base, options->fd, EV_READ, on_event, handshake);
    handshake->write_event =
        event_new(base, options->fd, EV_WRITE, on_event, handshake);
    if (handshake->timer == NULL || handshake->read_event == NULL ||
        handshake->write_event == NULL)
        return -1;
    if (options->tls == NULL)
        return 0;
    handshake->stream = tls_stream_new(options->tls, options->fd);
    if (handshake->stream == NULL)
        return -1;
    handshake->looked = !tls_stream_is_server(handshake->stream);
    return 0;
}

struct handshake *
handshake_new(const struct handshake_options *options)
{
    struct handshake *handshake = calloc(1, sizeof *handshake);

    if (handshake == NULL) {
        close(options->fd);
        errno = ENOMEM;
        return NULL;
    }
    handshake->options = *options;
    if (prepare(handshake) != 0) {
        handshake_free(handshake);
        errno = ENOMEM;
        return NULL;
    }
    timer_start(handshake->timer, 0); /* no callback before we return */
    return handshake;
}

void
handshake_free(struct handshake *handshake)
{
    if (handshake == NULL)
        return;
    if (handshake->read_event != NULL)
        event_free(handshake->read_event);
    if (handshake->write_event != NULL)
        event_free(handshake->write_event);
    timer_free(handshake->timer);
    tls_stream_free(handshake->stream);
    fd_close(&handshake->options.fd);
    free(handshake);
}
