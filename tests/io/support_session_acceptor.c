#include "support_session_acceptor.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

enum { WINDOW_BYTES = 1 << 20, BACKLOG = 64 };

/* An honest answer; a refusal is followed by the end. */
static void
on_greeted(void *arg, struct session_peer *peer)
{
    struct session_acceptor *acceptor = arg;
    uint32_t channel = peer->client.channel;
    struct server_greeting greeting = acceptor->how;
    const struct session_peer *before;

    if (acceptor->mute)
        return;
    assert_in_range(channel, 0, SESSION_CHANNELS_MAX - 1);
    before = acceptor->channels[channel];
    if (before != NULL) {
        peer->received = before->received;
        peer->got_end = before->got_end;
        memcpy(peer->text, before->text, sizeof peer->text);
    }
    greeting.channel = channel;
    greeting.position.window = WINDOW_BYTES;
    greeting.position.delivered = peer->received;
    greeting.position.fin_delivered = peer->got_end;
    peer->sent = peer->client.position.delivered;
    acceptor->channels[channel] = peer;
    session_peer_answer(peer, &greeting);
    if (greeting.reason != REASON_NONE)
        shutdown(peer->fd, SHUT_WR);
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
    struct session_acceptor *acceptor = arg;
    int fd = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct session_peer *peer;

    (void)what;
    if (fd < 0)
        return;
    assert_in_range(acceptor->count, 0, SESSION_TRANSPORTS_MAX - 1);
    peer = &acceptor->peers[acceptor->count++];
    session_peer_open(peer, acceptor->stage, fd, ROLE_SERVER);
    peer->on_greeted = on_greeted;
    peer->arg = acceptor;
}

void
session_acceptor_open(struct session_acceptor *acceptor, struct stage *stage)
{
    memset(acceptor, 0, sizeof *acceptor);
    acceptor->stage = stage;
    acceptor->how.version = PROTOCOL_VERSION_MAX;
    acceptor->fd = net_listen_tcp(&acceptor->port, BACKLOG);
    acceptor->event = event_new(loop_base(stage->loop), acceptor->fd,
                                EV_READ | EV_PERSIST, on_connection, acceptor);
    event_add(acceptor->event, NULL);
}

void
session_acceptor_stop(struct session_acceptor *acceptor)
{
    if (acceptor->fd < 0)
        return;
    event_free(acceptor->event);
    close(acceptor->fd);
    acceptor->fd = -1;
}

void
session_acceptor_close(struct session_acceptor *acceptor)
{
    session_acceptor_stop(acceptor);
    for (unsigned i = 0; i < acceptor->count; i++)
        session_peer_close(&acceptor->peers[i]);
}
