#include "tunnel/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/value.h"
#include "io/listener.h"
#include "io/loop.h"
#include "tunnel/control_helper.h"
#include "wire/bucket.h"

/*
 * Theory of operation.  A connection becomes a helper with its hello; until
 * then it takes nobody's place.  One helper at most is the driver; the others
 * observe.  The driver's messages are
 * handed to the owner one by one, in order, and what the partner says goes to
 * all.  A helper is dropped inside of some callback, but leaves the list, and
 * the owner hears of a driver that has left, only when the loop comes round.
 */
struct control_socket {
    struct control_socket_options options;
    struct socket_file file;
    struct listener *listener;
    struct control_helper_list helpers;
    struct control_helper *driver; /* one of them, or NULL */
    bool held;
    struct tunnel_view view;
    struct log_limit limit; /* of lines that helpers cause */
};

static bool
may_log(struct control_socket *socket)
{
    uint64_t dropped;

    return log_limit_pass(&socket->limit, loop_now_ms(socket->options.loop),
                          &dropped);
}

static void
refuse(struct control_socket *socket, struct control_helper *helper,
       const char *why)
{
    struct tunnel_line line = { .type = LINE_REFUSED };

    snprintf(line.why, sizeof line.why, "%s", why);
    if (may_log(socket))
        log_warnx("%s: a helper (process %d) is refused: %s", socket->file.path,
                  (int)helper->options.pid, why);
    control_helper_say(helper, &line);
    control_helper_drop(helper, NULL);
}

static void
driver_left(struct control_socket *socket)
{
    if (may_log(socket))
        log_info("%s: %s (process %d) has left", socket->file.path,
                 socket->driver->program, (int)socket->driver->options.pid);
    socket->driver = NULL;
    socket->options.on_driver(socket->options.arg, false);
}

/*
 * Return whether there is a driver already.  One that has ended may not have
 * been noticed yet, and the next must not be refused for that.
 */
static bool
has_driver(struct control_socket *socket)
{
    if (socket->driver == NULL)
        return false;
    if (!control_helper_over(socket->driver))
        return true;
    if (socket->driver != NULL) /* its last words may have ended it, too */
        driver_left(socket);
    return false;
}

static bool
is_observer(const struct control_helper *helper)
{
    return !helper->gone && helper->attached && helper->role == HELPER_OBSERVER;
}

static bool
is_stranger(const struct control_helper *helper)
{
    return !helper->gone && !helper->attached;
}

static unsigned
count(const struct control_socket *socket,
      bool (*is)(const struct control_helper *helper))
{
    const struct control_helper *helper;
    unsigned found = 0;

    TAILQ_FOREACH (helper, &socket->helpers, entry)
        found += is(helper);
    return found;
}

/* Return whether ${helper} may attach; if not, write into ${why} why not.  The
 * driver always finds a place. */
static bool
has_place(struct control_socket *socket, const struct helper_line *hello,
          char why[CONTROL_WHY_MAX])
{
    unsigned observers = count(socket, is_observer);

    if (hello->version != CONTROL_LINE_VERSION)
        snprintf(why, CONTROL_WHY_MAX,
                 "version %u of the control lines is not spoken here, only %d",
                 hello->version, (int)CONTROL_LINE_VERSION);
    else if (hello->role == HELPER_DRIVER && has_driver(socket))
        snprintf(why, CONTROL_WHY_MAX, "%s (process %d) is attached already",
                 socket->driver->program, (int)socket->driver->options.pid);
    else if (hello->role == HELPER_OBSERVER &&
             observers >= CONTROL_HELPERS_MAX - 1)
        snprintf(why, CONTROL_WHY_MAX, "%u observers are attached already",
                 observers);
    else
        return true;
    return false;
}

static void
attach(struct control_socket *socket, struct control_helper *helper,
       const struct helper_line *hello)
{
    struct tunnel_line answer = { .type = LINE_HELLO,
                                  .version = CONTROL_LINE_VERSION };
    char why[CONTROL_WHY_MAX];

    if (!has_place(socket, hello, why)) {
        refuse(socket, helper, why);
        return;
    }
    control_helper_attach(helper, hello);
    snprintf(answer.program, sizeof answer.program, "%s",
             socket->options.program);
    answer.view = socket->view;
    control_helper_say(helper, &answer);
    if (hello->role == HELPER_DRIVER) {
        socket->driver = helper;
        if (may_log(socket))
            log_info("%s: %s (process %d) is attached", socket->file.path,
                     helper->program, (int)helper->options.pid);
        if (socket->held) /* else it would be heard before it has come */
            control_helper_hold(helper, true);
        socket->options.on_driver(socket->options.arg, true);
    } else if (has_driver(socket)) {
        control_helper_ask(socket->driver, REQUEST_STATUS);
    }
}

/* Say ${line} to the observers, and to the driver if ${to_driver}. */
static void
tell(struct control_socket *socket, const struct tunnel_line *line,
     bool to_driver)
{
    char *text = tunnel_line_text(line);
    struct control_helper *helper;

    if (text == NULL && may_log(socket)) /* the other end can cause it */
        log_warnx("%s: a message is lost: no memory, or too long",
                  socket->file.path);
    TAILQ_FOREACH (helper, &socket->helpers, entry)
        if (text != NULL && helper->attached &&
            (to_driver || helper->role != HELPER_DRIVER))
            control_helper_send(helper, text);
    free(text);
}

static void
on_driver_message(struct control_socket *socket, struct control_helper *helper,
                  json_t *message)
{
    const struct tunnel_line line = { .type = LINE_MESSAGE,
                                      .from = FROM_HERE,
                                      .message = message };

    if (!control_message_fits(message)) {
        control_helper_drop(helper, "a message of it is longer than 60 KiB");
        return;
    }
    tell(socket, &line, false);
    socket->options.on_message(socket->options.arg, message);
}

static void
set_bandwidth(struct control_socket *socket, struct control_helper *helper,
              uint64_t rate)
{
    char text[TEXT_MAX];

    if (socket->options.bandwidth == NULL) {
        refuse(socket, helper, "there is no bandwidth to set here");
        return;
    }
    if (rate > 0 && rate < VALUE_BANDWIDTH_MIN) {
        refuse(socket, helper,
               "a bandwidth is 0 or at least 16384 bytes a second");
        return;
    }
    bucket_set_rate(socket->options.bandwidth, rate);
    if (may_log(socket))
        log_info("%s: the bandwidth is now %s%s, for all sessions together",
                 socket->file.path,
                 rate != 0 ? text_size(text, rate) : "without limit",
                 rate != 0 ? "/s" : "");
    control_helper_say(
        helper, &(struct tunnel_line){ .type = LINE_BANDWIDTH, .rate = rate });
}

/* A helper that asks for what its role is not for is left without an answer. */
static void
on_line(void *arg, struct control_helper *helper,
        const struct helper_line *line)
{
    struct control_socket *socket = arg;

    if (!helper->attached) {
        if (line->type == LINE_HELLO)
            attach(socket, helper, line);
        else
            control_helper_drop(helper, "it does not begin with a hello");
    } else if (line->type == LINE_BANDWIDTH) {
        set_bandwidth(socket, helper, line->rate);
    } else if (line->type == LINE_MESSAGE && helper == socket->driver) {
        on_driver_message(socket, helper, line->message);
    } else if (line->type == LINE_REQUEST && helper->role == HELPER_OBSERVER) {
        if (has_driver(socket))
            control_helper_ask(socket->driver, line->request);
        else
            refuse(socket, helper, "no mig-send or mig-recv is attached");
    }
}

static void
on_gone(void *arg, struct control_helper *helper)
{
    struct control_socket *socket = arg;

    if (helper->why != NULL && may_log(socket))
        log_warnx("%s: a helper (process %d) is dropped: %s", socket->file.path,
                  (int)helper->options.pid, helper->why);
    if (helper == socket->driver)
        driver_left(socket);
    TAILQ_REMOVE(&socket->helpers, helper, entry);
    control_helper_free(helper);
}

static void
drop_oldest_stranger(struct control_socket *socket)
{
    struct control_helper *helper;

    TAILQ_FOREACH (helper, &socket->helpers, entry)
        if (is_stranger(helper)) {
            control_helper_drop(helper, "too many do not say hello");
            return;
        }
}

/* The file's mode keeps others out already; this holds where it was changed. */
static bool
may_attach(int fd, struct ucred *peer)
{
    socklen_t length = sizeof *peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length) == 0 &&
           (peer->uid == 0 || peer->uid == geteuid());
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct control_socket *socket = arg;
    struct ucred who = { 0 };
    struct control_helper *helper;

    (void)peer;
    (void)peer_len;
    if (!may_attach(fd, &who)) {
        if (may_log(socket))
            log_warnx("%s: user %u may not attach", socket->file.path,
                      (unsigned)who.uid);
        close(fd);
        return;
    }
    helper = control_helper_new(&(struct control_helper_options){
        .loop = socket->options.loop,
        .fd = fd,
        .pid = who.pid,
        .on_line = on_line,
        .on_gone = on_gone,
        .arg = socket,
    });
    if (helper == NULL) {
        log_warn("%s: a helper is lost", socket->file.path);
        return;
    }
    if (count(socket, is_stranger) >= CONTROL_STRANGERS_MAX)
        drop_oldest_stranger(socket);
    TAILQ_INSERT_TAIL(&socket->helpers, helper, entry);
}

struct control_socket *
control_socket_new(const struct control_socket_options *options,
                   char why[SOCKET_WHY_MAX])
{
    struct control_socket *socket = calloc(1, sizeof *socket);
    int fd;

    snprintf(why, SOCKET_WHY_MAX, "%s", strerror(ENOMEM));
    if (socket == NULL)
        return NULL;
    socket->options = *options;
    socket->limit = (struct log_limit){ .burst = 20, .interval_ms = 1000 };
    TAILQ_INIT(&socket->helpers);
    fd = socket_file_listen(&socket->file, options->path, why);
    socket->options.path = NULL; /* the file has it */
    if (fd >= 0) {
        snprintf(why, SOCKET_WHY_MAX, "%s", strerror(ENOMEM));
        socket->listener =
            listener_new_fd(options->loop, fd,
                            &(struct listener_options){ .on_accept = on_accept,
                                                        .arg = socket });
    }
    if (socket->listener != NULL)
        return socket;
    control_socket_free(socket);
    return NULL;
}

void
control_socket_free(struct control_socket *socket)
{
    struct control_helper *helper;

    if (socket == NULL)
        return;
    listener_free(socket->listener);
    socket_file_remove(&socket->file);
    while ((helper = TAILQ_FIRST(&socket->helpers)) != NULL) {
        TAILQ_REMOVE(&socket->helpers, helper, entry);
        control_helper_free(helper);
    }
    free(socket);
}

void
control_socket_state(struct control_socket *socket,
                     const struct tunnel_view *view)
{
    struct control_helper *helper;

    if (view->state == socket->view.state &&
        view->partner == socket->view.partner &&
        strcmp(view->session, socket->view.session) == 0)
        return;
    socket->view = *view;
    TAILQ_FOREACH (helper, &socket->helpers, entry)
        if (helper->attached)
            control_helper_state(helper, view);
}

void
control_socket_message(struct control_socket *socket, json_t *message)
{
    tell(socket,
         &(struct tunnel_line){
             .type = LINE_MESSAGE, .from = FROM_PARTNER, .message = message },
         true);
}

void
control_socket_hold(struct control_socket *socket, bool held)
{
    socket->held = held;
    if (socket->driver != NULL)
        control_helper_hold(socket->driver, held);
}

bool
control_socket_is(const struct control_socket *socket, const char *path)
{
    return socket_file_is(&socket->file, path);
}

bool
control_socket_driver(const struct control_socket *socket)
{
    return socket->driver != NULL;
}
