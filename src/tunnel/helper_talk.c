#include "tunnel/helper_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/timer.h"
#include "tunnel/control_port.h"
#include "tunnel/control_socket.h"

/* Of a session's id, as in log lines. */
enum { NAME_BYTES = 4, RETRY_MS = 2000 };

struct helper_talk {
    struct helper_talk_options options;
    char path[CONTROL_PATH_MAX];
    struct control_socket *socket; /* NULL until it can be made */
    struct timer *retry;
    struct helper_talk_session session; /* its port is NULL without one */
    struct tunnel_view view;
    struct timer *farewell;
    void (*on_left)(void *arg); /* NULL while nobody waits for that */
    void *arg;
};

static bool
has_driver(const struct helper_talk *talk)
{
    return talk->socket != NULL && control_socket_driver(talk->socket);
}

static void
tell(struct helper_talk *talk)
{
    if (talk->socket != NULL)
        control_socket_state(talk->socket, &talk->view);
}

static void
hold(struct helper_talk *talk, bool held)
{
    if (talk->socket != NULL)
        control_socket_hold(talk->socket, held);
}

static void
say_attached(struct helper_talk *talk)
{
    if (talk->session.port != NULL)
        control_port_send(talk->session.port, &(struct control_message){
                                                  .type = CONTROL_HELPER,
                                                  .attached = has_driver(talk),
                                              });
}

static void
drivers_changed(struct helper_talk *talk)
{
    if (talk->session.port != NULL && talk->session.on_drivers != NULL)
        talk->session.on_drivers(talk->session.arg);
}

static void
on_driver(void *arg, bool attached)
{
    struct helper_talk *talk = arg;

    if (!attached && talk->on_left != NULL)
        timer_start(talk->farewell, 0);
    say_attached(talk);
    drivers_changed(talk);
}

/* To a partner that is not there it would be lost anyway, but later. */
static void
on_message(void *arg, json_t *message)
{
    struct helper_talk *talk = arg;

    if (!talk->view.partner)
        return;
    control_port_send(talk->session.port,
                      &(struct control_message){ .type = CONTROL_MESSAGE,
                                                 .message = message });
    if (control_port_full(talk->session.port))
        hold(talk, true);
}

static void
on_farewell(void *arg)
{
    struct helper_talk *talk = arg;
    void (*on_left)(void *) = talk->on_left;

    talk->on_left = NULL;
    on_left(talk->arg);
}

static bool
make_socket(struct helper_talk *talk, char why[SOCKET_WHY_MAX])
{
    talk->socket = control_socket_new(
        &(struct control_socket_options){
            .loop = talk->options.loop,
            .path = talk->path,
            .program = talk->options.program,
            .bandwidth = talk->options.bandwidth,
            .on_driver = on_driver,
            .on_message = on_message,
            .arg = talk,
        },
        why);
    tell(talk);
    return talk->socket != NULL;
}

static void
on_retry(void *arg)
{
    struct helper_talk *talk = arg;
    char why[SOCKET_WHY_MAX];

    if (make_socket(talk, why))
        log_info("helpers can attach now, at %s", talk->path);
    else
        timer_start(talk->retry, RETRY_MS);
}

static struct helper_talk *
talk_new(const struct helper_talk_options *options)
{
    struct helper_talk *talk = calloc(1, sizeof *talk);

    if (talk == NULL)
        return NULL;
    talk->options = *options;
    snprintf(talk->path, sizeof talk->path, "%s", options->path);
    talk->options.path = talk->path;
    talk->farewell = timer_new(options->loop, on_farewell, talk);
    talk->retry = timer_new(options->loop, on_retry, talk);
    if (talk->farewell != NULL && talk->retry != NULL)
        return talk;
    helper_talk_free(talk);
    return NULL;
}

/* Return 0; 1 with ${why} if the socket is made later; or -1 with ${why} if it
 * never is. */
static int
open_talk(struct helper_talk **talk, const struct helper_talk_options *options,
          char why[SOCKET_WHY_MAX])
{
    if (!socket_path_fits(options->path)) {
        snprintf(why, SOCKET_WHY_MAX, "%s is too long for a socket",
                 options->path);
        return -1;
    }
    snprintf(why, SOCKET_WHY_MAX, "%s", strerror(ENOMEM));
    *talk = talk_new(options);
    if (*talk == NULL)
        return -1;
    if (make_socket(*talk, why))
        return 0;
    if (options->needed) {
        helper_talk_free(*talk);
        *talk = NULL;
        return -1;
    }
    timer_start((*talk)->retry, RETRY_MS);
    return 1;
}

int
helper_talk_open(struct helper_talk **talk,
                 const struct helper_talk_options *options,
                 char why[SOCKET_WHY_MAX])
{
    int result;

    *talk = NULL;
    if (options->path == NULL)
        return 0;
    result = open_talk(talk, options, why);
    if (result < 0 && options->needed)
        return -1;
    if (result != 0)
        log_warnx("mig-send and mig-recv can't attach here: %s%s", why,
                  result > 0 ? "; it is tried again" : "");
    return 0;
}

void
helper_talk_free(struct helper_talk *talk)
{
    if (talk == NULL)
        return;
    control_socket_free(talk->socket);
    timer_free(talk->farewell);
    timer_free(talk->retry);
    free(talk);
}

void
helper_talk_begin(struct helper_talk *talk,
                  const struct helper_talk_session *session)
{
    if (talk == NULL)
        return;
    talk->session = *session;
    talk->view = (struct tunnel_view){ .state = TUNNEL_WAITING };
    for (size_t i = 0; i < NAME_BYTES; i++)
        snprintf(talk->view.session + 2 * i, 3, "%02x", session->id[i]);
    tell(talk);
    say_attached(talk);
}

void
helper_talk_end(struct helper_talk *talk, const struct control_port *port)
{
    if (talk == NULL || port == NULL || talk->session.port != port)
        return;
    talk->session = (struct helper_talk_session){ 0 };
    talk->view.state = TUNNEL_ENDED;
    talk->view.partner = false;
    tell(talk);
    hold(talk, false);
}

void
helper_talk_state(struct helper_talk *talk, enum tunnel_state state)
{
    if (talk == NULL)
        return;
    talk->view.state = state;
    if (state == TUNNEL_JOINING)
        talk->view.session[0] = '\0';
    tell(talk);
}

void
helper_talk_take(struct helper_talk *talk,
                 const struct control_message *message)
{
    if (talk == NULL || talk->session.port == NULL)
        return;
    if (message->type == CONTROL_MESSAGE) {
        if (talk->socket != NULL)
            control_socket_message(talk->socket, message->message);
    } else if (message->type == CONTROL_HELPER &&
               talk->view.partner != message->attached) {
        talk->view.partner = message->attached;
        tell(talk);
        drivers_changed(talk);
    }
}

void
helper_talk_room(struct helper_talk *talk)
{
    if (talk != NULL)
        hold(talk, false);
}

bool
helper_talk_is(const struct helper_talk *talk, const char *path)
{
    return talk != NULL && talk->socket != NULL &&
           control_socket_is(talk->socket, path);
}

bool
helper_talk_both(const struct helper_talk *talk)
{
    return talk != NULL && talk->view.partner && has_driver(talk);
}

bool
helper_talk_farewell(struct helper_talk *talk, uint64_t ms,
                     void (*on_left)(void *arg), void *arg)
{
    if (talk == NULL || !has_driver(talk))
        return false;
    talk->on_left = on_left;
    talk->arg = arg;
    timer_start(talk->farewell, ms);
    return true;
}
