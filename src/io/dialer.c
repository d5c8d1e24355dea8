#include "io/dialer.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "io/loop.h"
#include "io/net_options.h"
#include "io/resolver.h"
#include "io/sockopt.h"
#include "io/timer.h"

/*
 * Theory of operation.  A round looks the name up and tries its addresses one
 * after the other; the timer bounds each.  When a round has failed, the timer
 * counts the pause before the next one, until the deadline.
 *
 *   state       waits for                      then
 *   RESOLVING   resolver                       CONNECTING, or PAUSING
 *   CONNECTING  socket writable, or timer      done, next address, or PAUSING
 *   PAUSING     timer                          RESOLVING
 */
enum { WHY_MAX = 256, BACKOFF_FIRST_MS = 100, BACKOFF_LAST_MS = 2000 };

struct dialer {
    struct loop *loop;
    struct dialer_options options;
    uint64_t deadline_ms;
    uint64_t backoff_ms;
    struct resolver *resolver;
    struct addrinfo *list;
    const struct addrinfo *next;
    struct timer *timer;
    struct event *connected;
    int fd;
    int error;
    char why[WHY_MAX];
};

static void round_start(struct dialer *dialer);
static void try_next(struct dialer *dialer);

static void
drop_attempt(struct dialer *dialer)
{
    if (dialer->connected != NULL)
        event_free(dialer->connected);
    dialer->connected = NULL;
    fd_close(&dialer->fd);
}

static void
drop_round(struct dialer *dialer)
{
    drop_attempt(dialer);
    resolver_free(dialer->resolver);
    dialer->resolver = NULL;
    if (dialer->list != NULL)
        freeaddrinfo(dialer->list);
    dialer->list = NULL;
}

static void
succeed(struct dialer *dialer)
{
    int fd = dialer->fd;

    dialer->fd = -1;
    drop_round(dialer);
    timer_stop(dialer->timer);
    dialer->options.on_done(dialer->options.arg, fd, NULL);
}

static void
fail(struct dialer *dialer)
{
    char why[WHY_MAX]; /* the callback may free the dialer, and then read it */

    memcpy(why, dialer->why, sizeof why);
    dialer->options.on_done(dialer->options.arg, -1, why);
}

static void
round_failed(struct dialer *dialer)
{
    uint64_t now = loop_now_ms(dialer->loop), pause_ms = dialer->backoff_ms;

    drop_round(dialer);
    timer_stop(dialer->timer);
    if (now >= dialer->deadline_ms) {
        fail(dialer);
        return;
    }
    if (dialer->options.on_retry != NULL)
        dialer->options.on_retry(dialer->options.arg, dialer->why);
    if (pause_ms > dialer->deadline_ms - now)
        pause_ms = dialer->deadline_ms - now; /* the last attempt */
    timer_start(dialer->timer, pause_ms);
    dialer->backoff_ms *= 2;
    if (dialer->backoff_ms > BACKOFF_LAST_MS)
        dialer->backoff_ms = BACKOFF_LAST_MS;
}

static void
note_error(struct dialer *dialer, int error)
{
    dialer->error = error;
    snprintf(dialer->why, sizeof dialer->why, "%s", strerror(error));
    drop_attempt(dialer);
}

static void
attempt_failed(struct dialer *dialer, int error)
{
    note_error(dialer, error);
    try_next(dialer);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct dialer *dialer = arg;
    int error = 0;
    socklen_t length = sizeof error;

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        attempt_failed(dialer, error);
        return;
    }
    succeed(dialer);
}

/* Start one attempt: 0, or an error number. */
static int
attempt(struct dialer *dialer, const struct addrinfo *ai)
{
    dialer->fd = net_socket(dialer->options.net, ai->ai_family);
    if (dialer->fd < 0)
        return errno;
    sockopt_tcp_bulk(dialer->fd);
    if (connect(dialer->fd, ai->ai_addr, ai->ai_addrlen) != 0 &&
        errno != EINPROGRESS)
        return errno;
    dialer->connected = event_new(loop_base(dialer->loop), dialer->fd, EV_WRITE,
                                  on_writable, dialer);
    if (dialer->connected == NULL || event_add(dialer->connected, NULL) != 0)
        return ENOMEM;
    timer_start(dialer->timer, dialer->options.attempt_ms);
    return 0;
}

static void
try_next(struct dialer *dialer)
{
    while (dialer->next != NULL) {
        const struct addrinfo *ai = dialer->next;
        int error;

        dialer->next = ai->ai_next;
        error = attempt(dialer, ai);
        if (error == 0)
            return;
        note_error(dialer, error);
    }
    round_failed(dialer);
}

static void
on_resolved(void *arg, struct addrinfo *list, const char *why)
{
    struct dialer *dialer = arg;

    resolver_free(dialer->resolver);
    dialer->resolver = NULL;
    dialer->list = list;
    dialer->next = list;
    dialer->error = 0;
    if (list == NULL)
        snprintf(dialer->why, sizeof dialer->why, "%s", why);
    try_next(dialer);
}

static void
on_timer(void *arg)
{
    struct dialer *dialer = arg;

    if (dialer->connected != NULL)
        attempt_failed(dialer, ETIMEDOUT);
    else
        round_start(dialer);
}

static void
round_start(struct dialer *dialer)
{
    dialer->resolver = resolver_new(dialer->loop, &dialer->options.address,
                                    on_resolved, dialer);
    if (dialer->resolver != NULL)
        return;
    snprintf(dialer->why, sizeof dialer->why, "%s", strerror(errno));
    round_failed(dialer);
}

struct dialer *
dialer_new(struct loop *loop, const struct dialer_options *options)
{
    struct dialer *dialer = calloc(1, sizeof *dialer);

    if (dialer == NULL)
        return NULL;
    dialer->loop = loop;
    dialer->options = *options;
    dialer->deadline_ms = loop_now_ms(loop) + options->wait_ms;
    dialer->backoff_ms = BACKOFF_FIRST_MS;
    dialer->fd = -1;
    dialer->timer = timer_new(loop, on_timer, dialer);
    if (dialer->timer == NULL) {
        free(dialer);
        return NULL;
    }
    timer_start(dialer->timer, 0); /* no callback before we return */
    return dialer;
}

void
dialer_free(struct dialer *dialer)
{
    if (dialer == NULL)
        return;
    drop_round(dialer);
    timer_free(dialer->timer);
    free(dialer);
}

int
dialer_error(const struct dialer *dialer)
{
    return dialer->error;
}
