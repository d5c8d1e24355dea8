#include "tunnel/control_helper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/timer.h"
#include "io/transport.h"

enum {
    HELLO_MS = 5000,
    LOOK_MS = 250, /* whether one that is held, and not read, still lives */
    QUEUE_BYTES = 1 << 20
};

static const char left_unread[] =
    "it has ended while it had to wait; what it has said since is lost";

static void
rearm(struct control_helper *helper)
{
    bool writes = outbox_left(&helper->outbox) > 0 && !helper->gone;

    transport_want(helper->transport, !helper->gone && !helper->held, writes);
}

void
control_helper_drop(struct control_helper *helper, const char *why)
{
    if (helper->gone)
        return;
    helper->gone = true;
    helper->why = why;
    rearm(helper);
    timer_start(helper->timer, 0); /* it may be in use further up */
}

static void
on_timer(void *arg)
{
    struct control_helper *helper = arg;

    if (helper->gone)
        helper->options.on_gone(helper->options.arg, helper);
    else if (!helper->attached)
        control_helper_drop(helper, "it does not say hello");
    else if (transport_hung_up(helper->transport))
        control_helper_drop(helper, left_unread);
    else
        timer_start(helper->timer, LOOK_MS);
}

static void
on_text(struct control_helper *helper, const char *text, size_t length)
{
    struct helper_line line;

    if (helper_line_parse(&line, text, length) != REASON_NONE) {
        control_helper_drop(helper, "what it says is no control line");
        return;
    }
    if (line.type != LINE_OTHER)
        helper->options.on_line(helper->options.arg, helper, &line);
    json_decref(line.message);
}

/* Hand on what has been read.  Return whether there may be more to read. */
static bool
take_lines(struct control_helper *helper)
{
    const char *text;
    size_t length;

    while (!helper->gone && !helper->held) {
        switch (splitter_next(&helper->splitter, &text, &length)) {
        case SPLITTER_TEXT: on_text(helper, text, length); break;
        case SPLITTER_NONE: return true;
        case SPLITTER_TOO_LONG:
            control_helper_drop(helper, "a line of it is longer than 64 KiB");
            break;
        }
    }
    return false;
}

/* Read once.  Return whether something came. */
static bool
read_some(struct control_helper *helper)
{
    size_t room;
    char *at = splitter_room(&helper->splitter, &room);
    struct iovec iov = { at, room };
    ssize_t n;

    if (at == NULL) {
        control_helper_drop(helper, "out of memory");
        return false;
    }
    n = transport_readv(helper->transport, &iov, 1);
    if (n > 0)
        splitter_add(&helper->splitter, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        control_helper_drop(helper, NULL);
    return n > 0;
}

/* Nobody adds to what a helper has said that has ended, so there is an end to
 * reading it; what one says that goes on might have none. */
bool
control_helper_over(struct control_helper *helper)
{
    if (helper->gone || !transport_hung_up(helper->transport))
        return helper->gone;
    while (take_lines(helper) && read_some(helper))
        continue;
    control_helper_drop(helper, left_unread);
    return true;
}

/* What it said before it closed is worth more than the news that it can't be
 * written to, so that is no end yet. */
static void
write_some(struct control_helper *helper)
{
    if (outbox_write(&helper->outbox, helper->transport) != 0) {
        helper->mute = true;
        outbox_fini(&helper->outbox);
    }
}

static void
put(struct control_helper *helper, const char *text)
{
    if (helper->gone || helper->mute)
        return;
    if (text == NULL)
        control_helper_drop(helper, "out of memory");
    else if (outbox_add(&helper->outbox, text, strlen(text)) != 0)
        control_helper_drop(helper, "it does not read what it is told");
    else
        write_some(helper);
}

static void
put_line(struct control_helper *helper, const struct tunnel_line *line)
{
    char *text = tunnel_line_text(line);

    put(helper, text);
    free(text);
}

static void
put_view(struct control_helper *helper)
{
    struct tunnel_line line = { .type = LINE_STATE, .view = helper->view };

    if (!helper->view_due)
        return;
    helper->view_due = false;
    if (helper->partner_missed && helper->view.partner) {
        line.view.partner = false;
        put_line(helper, &line);
    }
    line.view = helper->view;
    helper->partner_missed = false;
    put_line(helper, &line);
}

/* One read at a time, so that a busy helper does not starve the migration. */
static void
on_ready(void *arg, bool readable, bool writable)
{
    struct control_helper *helper = arg;

    if (writable)
        write_some(helper);
    if (outbox_left(&helper->outbox) == 0)
        put_view(helper);
    if (readable && take_lines(helper) && read_some(helper))
        (void)take_lines(helper);
    rearm(helper);
}

struct control_helper *
control_helper_new(const struct control_helper_options *options)
{
    struct control_helper *helper = calloc(1, sizeof *helper);

    if (helper == NULL) {
        close(options->fd);
        errno = ENOMEM;
        return NULL;
    }
    helper->options = *options;
    splitter_init(&helper->splitter, CONTROL_LINE_MAX);
    outbox_init(&helper->outbox, QUEUE_BYTES);
    helper->transport = transport_new(options->loop, options->fd);
    helper->timer = timer_new(options->loop, on_timer, helper);
    if (helper->transport == NULL || helper->timer == NULL) {
        control_helper_free(helper);
        errno = ENOMEM;
        return NULL;
    }
    transport_on_ready(helper->transport, on_ready, helper);
    timer_start(helper->timer, HELLO_MS);
    rearm(helper);
    return helper;
}

void
control_helper_free(struct control_helper *helper)
{
    if (helper == NULL)
        return;
    splitter_fini(&helper->splitter);
    outbox_fini(&helper->outbox);
    timer_free(helper->timer);
    transport_free(helper->transport);
    free(helper);
}

void
control_helper_attach(struct control_helper *helper,
                      const struct helper_line *hello)
{
    helper->attached = true;
    helper->role = hello->role;
    snprintf(helper->program, sizeof helper->program, "%s", hello->program);
    timer_stop(helper->timer);
}

void
control_helper_send(struct control_helper *helper, const char *text)
{
    put_view(helper);
    put(helper, text);
    rearm(helper);
}

void
control_helper_say(struct control_helper *helper,
                   const struct tunnel_line *line)
{
    char *text = tunnel_line_text(line);

    control_helper_send(helper, text);
    free(text);
}

void
control_helper_state(struct control_helper *helper,
                     const struct tunnel_view *view)
{
    helper->partner_missed |= helper->view_due && !helper->view.partner;
    helper->view = *view;
    helper->view_due = true;
    if (outbox_left(&helper->outbox) == 0)
        put_view(helper);
    rearm(helper);
}

void
control_helper_ask(struct control_helper *helper, enum helper_request request)
{
    unsigned bit = 1U << request;

    if (outbox_left(&helper->outbox) == 0)
        helper->asked = 0;
    if ((helper->asked & bit) != 0)
        return;
    helper->asked |= bit;
    control_helper_say(helper, &(struct tunnel_line){ .type = LINE_REQUEST,
                                                      .request = request });
}

void
control_helper_hold(struct control_helper *helper, bool held)
{
    if (helper->gone)
        return;
    helper->held = held;
    if (held)
        timer_start(helper->timer, LOOK_MS);
    else
        timer_stop(helper->timer);
    (void)take_lines(helper);
    rearm(helper);
}
