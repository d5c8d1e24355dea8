#include "migrate/connector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/dialer.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/unix_socket.h"

enum { RETRY_MS = 50, ATTEMPT_MS = 5000 };

struct connector {
    struct loop *loop;
    struct connector_options options;
    uint64_t deadline_ms;
    struct timer *timer;   /* for a Unix socket */
    struct dialer *dialer; /* for TCP */
};

static const char *
reason(int error)
{
    switch (error) {
    case ENOENT: return "there is no such socket";
    case ECONNREFUSED: return "no QEMU listens there";
    case EAGAIN: return "too many programs wait for it already";
    default: return strerror(error);
    }
}

/* Each of these may pass: the QEMU is starting, or has not yet taken an
 * earlier connection. */
static bool
may_pass(int error)
{
    return error == ENOENT || error == ECONNREFUSED || error == EAGAIN;
}

static void
on_timer(void *arg)
{
    struct connector *connector = arg;
    int fd = unix_connect(connector->options.target.path);

    if (fd == -1 && may_pass(errno) &&
        loop_now_ms(connector->loop) < connector->deadline_ms)
        timer_start(connector->timer, RETRY_MS);
    else
        connector->options.on_done(connector->options.arg, fd,
                                   fd == -1 ? reason(errno) : NULL);
}

static void
on_dialed(void *arg, int fd, const char *why)
{
    struct connector *connector = arg;

    connector->options.on_done(connector->options.arg, fd, why);
}

static int
start(struct connector *connector)
{
    const struct dialer_options dial = {
        .address = connector->options.target.address,
        .wait_ms = connector->options.wait_ms,
        .attempt_ms = ATTEMPT_MS,
        .on_done = on_dialed,
        .arg = connector,
    };

    if (connector->options.target.path[0] == '\0') {
        connector->dialer = dialer_new(connector->loop, &dial);
        return connector->dialer != NULL ? 0 : -1;
    }
    connector->timer = timer_new(connector->loop, on_timer, connector);
    if (connector->timer == NULL)
        return -1;
    timer_start(connector->timer, 0);
    return 0;
}

struct connector *
connector_new(struct loop *loop, const struct connector_options *options)
{
    struct connector *connector = calloc(1, sizeof *connector);

    if (connector == NULL)
        return NULL;
    connector->loop = loop;
    connector->options = *options;
    connector->deadline_ms = loop_now_ms(loop) + options->wait_ms;
    if (start(connector) != 0) {
        connector_free(connector);
        return NULL;
    }
    return connector;
}

void
connector_free(struct connector *connector)
{
    if (connector == NULL)
        return;
    timer_free(connector->timer);
    dialer_free(connector->dialer);
    free(connector);
}
