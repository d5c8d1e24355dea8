#include "tunnel/control_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "io/outbox.h"
#include "io/transport.h"
#include "wire/splitter.h"

/* What may wait before helpers have to, and with what the session says itself.
 */
enum { FULL_BYTES = 256 << 10, QUEUE_BYTES = 1 << 20 };

struct control_port {
    struct control_port_options options;
    struct transport *transport;
    struct splitter splitter;
    struct outbox outbox;
    bool reading;
    bool full;  /* has been found to be so, and on_room is due */
    bool ended; /* shut the stream when all is written */
};

static void
rearm(struct control_port *port)
{
    transport_want(port->transport, port->reading,
                   port->full || outbox_left(&port->outbox) > 0);
}

static void
stop_reading(struct control_port *port)
{
    port->reading = false;
    rearm(port);
}

/* Read what there is into the splitter.  Return whether there was something. */
static bool
read_some(struct control_port *port)
{
    size_t room;
    char *at = splitter_room(&port->splitter, &room);
    struct iovec iov = { at, room };
    ssize_t n = at != NULL ? transport_readv(port->transport, &iov, 1) : -1;

    if (n > 0) {
        splitter_add(&port->splitter, (size_t)n);
        return true;
    }
    if (n == 0 || errno != EAGAIN)
        stop_reading(port);
    return false;
}

/* Nobody takes what waits, if the channel has given its end up.  Then there is
 * room again, which on_ready tells. */
static void
write_some(struct control_port *port)
{
    if (outbox_write(&port->outbox, port->transport) != 0)
        outbox_fini(&port->outbox);
    if (port->ended && outbox_left(&port->outbox) == 0)
        (void)transport_shutdown_write(port->transport);
    rearm(port);
}

/* Hand one line on.  Return whether there may be another: after END the port
 * may be gone, and nothing counts after it anyway. */
static bool
take(struct control_port *port, const char *text, size_t length)
{
    struct control_message message;
    bool last;

    if (control_parse(&message, text, length) != REASON_NONE) {
        stop_reading(port);
        port->options.on_bad(port->options.arg);
        return false;
    }
    last = message.type == CONTROL_END;
    if (message.type != CONTROL_OTHER)
        port->options.on_message(port->options.arg, &message);
    control_message_fini(&message);
    return !last;
}

static void
read_messages(struct control_port *port)
{
    const char *text;
    size_t length;

    for (;;) {
        switch (splitter_next(&port->splitter, &text, &length)) {
        case SPLITTER_NONE:
            if (!read_some(port))
                return;
            continue;
        case SPLITTER_TEXT:
            if (!take(port, text, length))
                return;
            continue;
        case SPLITTER_TOO_LONG:
            stop_reading(port);
            port->options.on_bad(port->options.arg);
            return;
        }
    }
}

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct control_port *port = arg;

    if (writable) {
        write_some(port);
        if (port->full && !control_port_full(port)) {
            port->full = false;
            rearm(port);
            if (port->options.on_room != NULL)
                port->options.on_room(port->options.arg);
        }
    }
    if (readable && port->reading)
        read_messages(port);
}

struct control_port *
control_port_new(const struct control_port_options *options,
                 struct transport **local)
{
    struct control_port *port = calloc(1, sizeof *port);
    int pair[2];

    if (port == NULL)
        return NULL;
    port->options = *options;
    splitter_init(&port->splitter, CONTROL_LINE_MAX);
    outbox_init(&port->outbox, QUEUE_BYTES);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   pair) != 0) {
        free(port);
        return NULL;
    }
    port->transport = transport_new(options->loop, pair[0]);
    *local =
        port->transport != NULL ? transport_new(options->loop, pair[1]) : NULL;
    if (*local == NULL) {
        if (port->transport == NULL)
            close(pair[1]);
        control_port_free(port);
        errno = ENOMEM;
        return NULL;
    }
    transport_on_ready(port->transport, on_ready, port);
    port->reading = true;
    rearm(port);
    return port;
}

void
control_port_free(struct control_port *port)
{
    if (port == NULL)
        return;
    splitter_fini(&port->splitter);
    outbox_fini(&port->outbox);
    transport_free(port->transport);
    free(port);
}

void
control_port_send(struct control_port *port,
                  const struct control_message *message)
{
    char *text = control_text(message);

    if (text == NULL || outbox_add(&port->outbox, text, strlen(text)) != 0)
        log_warnx("a control message is lost");
    free(text);
    write_some(port);
    port->full |= control_port_full(port);
}

bool
control_port_full(const struct control_port *port)
{
    return outbox_left(&port->outbox) > FULL_BYTES;
}

void
control_port_end(struct control_port *port)
{
    port->ended = true;
    write_some(port);
}
