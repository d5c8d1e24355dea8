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
enum { NAME_BYTES = 4 };

struct helper_talk {
    struct control_socket *socket;
    struct helper_talk_session session; /* its port is NULL without one */
    struct tunnel_view view;
    struct timer *farewell;
    void (*on_left)(void *arg); /* NULL while nobody waits for that */
    void *arg;
};

static void
tell(struct helper_talk *talk)
{
    control_socket_state(talk->socket, &talk->view);
}

static void
say_attached(struct helper_talk *talk)
{
    if (talk->session.port != NULL)
        control_port_send(talk->session.port,
                          &(struct control_message){
                              .type = CONTROL_HELPER,
                              .attached = control_socket_driver(talk->socket),
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
        control_socket_hold(talk->socket, true);
}

static void
on_farewell(void *arg)
{
    struct helper_talk *talk = arg;
    void (*on_left)(void *) = talk->on_left;

    talk->on_left = NULL;
    on_left(talk->arg);
}

static struct helper_talk *
talk_new(const struct helper_talk_options *options, char why[SOCKET_WHY_MAX])
{
    struct helper_talk *talk = calloc(1, sizeof *talk);

    snprintf(why, SOCKET_WHY_MAX, "%s", strerror(ENOMEM));
    if (talk == NULL)
        return NULL;
    talk->farewell = timer_new(options->loop, on_farewell, talk);
    if (talk->farewell != NULL)
        talk->socket = control_socket_new(
            &(struct control_socket_options){
                .loop = options->loop,
                .path = options->path,
                .program = options->program,
                .on_driver = on_driver,
                .on_message = on_message,
                .arg = talk,
            },
            why);
    if (talk->socket != NULL)
        return talk;
    helper_talk_free(talk);
    return NULL;
}

int
helper_talk_open(struct helper_talk **talk,
                 const struct helper_talk_options *options,
                 char why[SOCKET_WHY_MAX])
{
    *talk = NULL;
    if (options->path == NULL)
        return 0;
    *talk = talk_new(options, why);
    if (*talk != NULL)
        return 0;
    if (options->needed)
        return -1;
    log_warnx("helpers can't attach: %s", why);
    return 0;
}

void
helper_talk_free(struct helper_talk *talk)
{
    if (talk == NULL)
        return;
    control_socket_free(talk->socket);
    timer_free(talk->farewell);
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
    control_socket_hold(talk->socket, false);
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
        control_socket_hold(talk->socket, false);
}

bool
helper_talk_both(const struct helper_talk *talk)
{
    return talk != NULL && talk->view.partner &&
           control_socket_driver(talk->socket);
}

bool
helper_talk_farewell(struct helper_talk *talk, uint64_t ms,
                     void (*on_left)(void *arg), void *arg)
{
    if (talk == NULL || !control_socket_driver(talk->socket))
        return false;
    talk->on_left = on_left;
    talk->arg = arg;
    timer_start(talk->farewell, ms);
    return true;
}
