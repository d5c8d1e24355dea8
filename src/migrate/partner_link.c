/*
 * Theory of operation.
 *
 *   state     waits for                        then
 *   DIALLING  the timer, to connect            GREETING
 *   GREETING  the tunnel's hello               UP
 *   UP        lines                            ENDED, or DIALLING again
 *   ENDED     to be freed
 *
 * A callback may free the object, so the memory stays until the last of the
 * object's own functions on the stack has returned: "busy" counts them.
 */
#include "migrate/partner_link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/outbox.h"
#include "io/timer.h"
#include "io/transport.h"
#include "io/unix_socket.h"
#include "wire/splitter.h"

enum {
    HELLO_MS = 5000,
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 2000,
    QUEUE_BYTES = 1 << 20,
    WHY_MAX = SOCKET_WHY_MAX,
};

enum link_state { DIALLING, GREETING, UP, ENDED };

struct partner_link {
    struct partner_link_options options;
    char path[CONTROL_PATH_MAX];
    enum link_state state;
    unsigned busy;
    bool freed;
    bool was_up;
    uint64_t pause_ms; /* before the next attempt */
    struct timer *timer;
    struct transport *transport;
    struct splitter splitter;
    struct outbox outbox;
    struct tunnel_view view;
    bool partner; /* as the owner was told */
};

static void
disconnect(struct partner_link *link)
{
    transport_free(link->transport);
    link->transport = NULL;
    timer_stop(link->timer);
    splitter_fini(&link->splitter);
    outbox_fini(&link->outbox);
}

static void
destroy(struct partner_link *link)
{
    timer_free(link->timer);
    free(link);
}

static void
enter(struct partner_link *link)
{
    link->busy++;
}

/* Return whether the object is still there. */
static bool
leave(struct partner_link *link)
{
    if (--link->busy > 0 || !link->freed)
        return true;
    destroy(link);
    return false;
}

void
partner_link_free(struct partner_link *link)
{
    if (link == NULL)
        return;
    link->state = ENDED;
    link->freed = true;
    disconnect(link);
    if (link->busy == 0)
        destroy(link);
}

static void
rearm(struct partner_link *link)
{
    if (link->transport != NULL)
        transport_want(link->transport, true, outbox_left(&link->outbox) > 0);
}

/* Tell the owner of a partner that has come or gone. */
static void
tell_partner(struct partner_link *link)
{
    if (link->state == ENDED || link->partner == link->view.partner)
        return;
    link->partner = link->view.partner;
    if (link->options.on_partner != NULL)
        link->options.on_partner(link->options.arg, link->partner);
}

static void
tell_state(struct partner_link *link)
{
    if (link->options.on_state != NULL)
        link->options.on_state(link->options.arg, &link->view);
    tell_partner(link);
}

/* There will be another tunnel: wait for it. */
static void
dial_again(struct partner_link *link)
{
    bool was_up = link->state == UP;

    disconnect(link);
    link->state = DIALLING;
    link->view = (struct tunnel_view){ .state = TUNNEL_UNKNOWN };
    timer_start(link->timer, link->pause_ms);
    link->pause_ms *= 2;
    if (link->pause_ms > PAUSE_MAX_MS)
        link->pause_ms = PAUSE_MAX_MS;
    if (was_up)
        tell_state(link);
}

static void end(struct partner_link *link, enum partner_link_end how,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
end(struct partner_link *link, enum partner_link_end how, const char *format,
    ...)
{
    char why[WHY_MAX];
    va_list args;

    if (link->state == ENDED)
        return;
    if (link->options.again && link->was_up &&
        (how == LINK_ABSENT || how == LINK_CLOSED || how == LINK_SILENT)) {
        dial_again(link);
        return;
    }
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    link->state = ENDED;
    disconnect(link);
    if (link->options.on_end != NULL)
        link->options.on_end(link->options.arg, how, why);
}

/* If it can't be written to, what can still be read says why. */
static void
write_some(struct partner_link *link)
{
    if (outbox_write(&link->outbox, link->transport) != 0)
        outbox_fini(&link->outbox);
    rearm(link);
}

static int
say(struct partner_link *link, const struct helper_line *line)
{
    char *text = helper_line_text(line);
    int result = -1;

    errno = ENOMEM;
    if (text != NULL)
        result = outbox_add(&link->outbox, text, strlen(text));
    free(text);
    if (result == 0)
        write_some(link);
    return result;
}

static void
on_hello(struct partner_link *link, const struct tunnel_line *line)
{
    if (link->state != GREETING)
        return;
    if (line->version != CONTROL_LINE_VERSION) {
        end(link, LINK_BROKEN,
            "the tunnel speaks version %u of the control lines, not %d",
            line->version, (int)CONTROL_LINE_VERSION);
        return;
    }
    timer_stop(link->timer);
    link->state = UP;
    link->was_up = true;
    link->pause_ms = PAUSE_FIRST_MS;
    link->view = line->view;
    if (link->options.on_up != NULL)
        link->options.on_up(link->options.arg, &link->view);
    tell_partner(link);
}

static void
on_line(struct partner_link *link, const struct tunnel_line *line)
{
    const struct partner_link_options *options = &link->options;

    if (line->type == LINE_HELLO)
        on_hello(link, line);
    else if (line->type == LINE_REFUSED)
        end(link, LINK_REFUSED, "the tunnel refuses: %s", line->why);
    if (link->state != UP)
        return;
    switch (line->type) {
    case LINE_STATE:
        link->view = line->view;
        tell_state(link);
        break;
    case LINE_MESSAGE:
        if (options->on_message != NULL)
            options->on_message(options->arg, line->message, line->from);
        break;
    case LINE_REQUEST:
        if (options->on_request != NULL)
            options->on_request(options->arg, line->request);
        break;
    default: break;
    }
}

static void
on_text(struct partner_link *link, const char *text, size_t length)
{
    struct tunnel_line line;

    if (tunnel_line_parse(&line, text, length) != REASON_NONE) {
        end(link, LINK_BROKEN, "what is there does not speak as a tunnel does");
        return;
    }
    on_line(link, &line);
    json_decref(line.message);
}

static void
take_lines(struct partner_link *link)
{
    enum splitter_result result = SPLITTER_TEXT;
    const char *text;
    size_t length;

    while (link->transport != NULL && result == SPLITTER_TEXT) {
        result = splitter_next(&link->splitter, &text, &length);
        if (result == SPLITTER_TEXT)
            on_text(link, text, length);
    }
    if (result == SPLITTER_TOO_LONG)
        end(link, LINK_BROKEN, "the tunnel sent a line of more than 64 KiB");
}

static void
read_some(struct partner_link *link)
{
    size_t room;
    struct iovec iov = { .iov_base = splitter_room(&link->splitter, &room) };
    ssize_t n;

    if (iov.iov_base == NULL) {
        end(link, LINK_BROKEN, "out of memory");
        return;
    }
    iov.iov_len = room;
    n = transport_readv(link->transport, &iov, 1);
    if (n > 0) {
        splitter_add(&link->splitter, (size_t)n);
        take_lines(link);
    } else if (n == 0 || errno == ECONNRESET) {
        end(link, LINK_CLOSED, "the tunnel has gone away");
    } else if (errno != EAGAIN) {
        end(link, LINK_BROKEN, "%s", strerror(errno));
    }
}

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct partner_link *link = arg;

    enter(link);
    if (writable)
        write_some(link);
    if (readable)
        read_some(link);
    leave(link);
}

static void
greet(struct partner_link *link, int fd)
{
    struct helper_line hello = { .type = LINE_HELLO,
                                 .version = CONTROL_LINE_VERSION,
                                 .role = link->options.role };

    snprintf(hello.program, sizeof hello.program, "%s", link->options.program);
    splitter_init(&link->splitter, CONTROL_LINE_MAX);
    outbox_init(&link->outbox, QUEUE_BYTES);
    link->state = GREETING;
    link->transport = transport_new(link->options.loop, fd);
    if (link->transport == NULL) {
        end(link, LINK_BROKEN, "out of memory");
        return;
    }
    transport_on_ready(link->transport, on_ready, link);
    timer_start(link->timer, HELLO_MS);
    rearm(link);
    if (say(link, &hello) != 0)
        end(link, LINK_BROKEN, "out of memory");
}

/*
 * The file says who made it, and not who listens.  Whoever does is told all
 * that is said to the partner, and says what the partner does.
 */
static bool
is_ours(struct partner_link *link, int fd)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        end(link, LINK_BROKEN, "cannot see who listens on %s: %s", link->path,
            strerror(errno));
        return false;
    }
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    end(link, LINK_BROKEN,
        "user %u listens on %s, who is neither root nor this user; run both as "
        "one user",
        (unsigned)peer.uid, link->path);
    return false;
}

static void
dial(struct partner_link *link)
{
    char why[SOCKET_WHY_MAX];
    int fd;

    if (!socket_file_trusted(link->path, why)) {
        end(link, LINK_BROKEN, "%s", why);
        return;
    }
    fd = unix_connect(link->path);
    if (fd >= 0 && is_ours(link, fd))
        greet(link, fd);
    else if (fd >= 0)
        close(fd);
    else if (errno == EAGAIN) /* its backlog is full */
        end(link, LINK_SILENT, "what listens on %s does not take anybody in",
            link->path);
    else if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED)
        end(link, LINK_ABSENT, "no tunnel listens on %s", link->path);
    else
        end(link, LINK_BROKEN, "cannot connect to %s: %s", link->path,
            strerror(errno));
}

static void
on_timer(void *arg)
{
    struct partner_link *link = arg;

    enter(link);
    if (link->state == DIALLING)
        dial(link);
    else
        end(link, LINK_SILENT,
            "what listens on %s does not answer as a tunnel does", link->path);
    leave(link);
}

struct partner_link *
partner_link_new(const struct partner_link_options *options)
{
    struct partner_link *link = calloc(1, sizeof *link);

    if (link == NULL)
        return NULL;
    link->options = *options;
    link->options.path = link->path;
    if (socket_path_fits(options->path)) /* or else it can't be connected to */
        snprintf(link->path, sizeof link->path, "%s", options->path);
    link->pause_ms = PAUSE_FIRST_MS;
    link->view.state = TUNNEL_UNKNOWN;
    link->timer = timer_new(options->loop, on_timer, link);
    if (link->timer == NULL) {
        free(link);
        return NULL;
    }
    timer_start(link->timer, 0);
    return link;
}

int
partner_link_send(struct partner_link *link, json_t *message)
{
    if (link->state != UP) {
        errno = ENOTCONN;
        return -1;
    }
    if (!control_message_fits(message)) {
        errno = EMSGSIZE;
        return -1;
    }
    return say(link, &(struct helper_line){ .type = LINE_MESSAGE,
                                            .message = message });
}

int
partner_link_request(struct partner_link *link, enum helper_request request)
{
    if (link->state == UP)
        return say(link, &(struct helper_line){ .type = LINE_REQUEST,
                                                .request = request });
    errno = ENOTCONN;
    return -1;
}

const struct tunnel_view *
partner_link_view(const struct partner_link *link)
{
    return link->state == UP ? &link->view : NULL;
}
