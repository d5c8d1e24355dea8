#include "tunnel/control_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "io/transport.h"
#include "wire/splitter.h"

struct control_port {
    struct control_port_options options;
    struct transport *transport;
    struct splitter splitter;
};

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
        transport_want(port->transport, false, false);
    return false;
}

/* After END the port may be gone; nothing counts after it anyway. */
static void
on_ready(void *arg, bool readable, bool writable)
{
    struct control_port *port = arg;
    struct control_message message;
    const char *text;
    size_t length;

    (void)readable;
    (void)writable;
    for (;;) {
        switch (splitter_next(&port->splitter, &text, &length)) {
        case SPLITTER_NONE:
            if (!read_some(port))
                return;
            continue;
        case SPLITTER_TOO_LONG: break;
        case SPLITTER_TEXT:
            if (control_parse(&message, text, length) != REASON_NONE)
                break;
            if (message.type == CONTROL_OTHER)
                continue;
            if (message.type == CONTROL_END) {
                port->options.on_message(port->options.arg, &message);
                return; /* nothing counts after the end */
            }
            port->options.on_message(port->options.arg, &message);
            continue;
        }
        transport_want(port->transport, false, false);
        port->options.on_bad(port->options.arg);
        return;
    }
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
    transport_want(port->transport, true, false);
    return port;
}

void
control_port_free(struct control_port *port)
{
    if (port == NULL)
        return;
    splitter_fini(&port->splitter);
    transport_free(port->transport);
    free(port);
}

void
control_port_send(struct control_port *port,
                  const struct control_message *message)
{
    char *text = control_text(message);
    struct iovec iov = { text, text != NULL ? strlen(text) : 0 };

    if (text == NULL ||
        transport_writev(port->transport, &iov, 1) != (ssize_t)iov.iov_len)
        log_warnx("a control message is lost");
    free(text);
}

void
control_port_end(struct control_port *port)
{
    (void)transport_shutdown_write(port->transport);
}
