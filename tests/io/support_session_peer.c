#include "support_session_peer.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_peer.h"
#include "support_stage.h"
#include "support_test.h"

enum { WINDOW_BYTES = 1 << 20 };

static void
drop(struct session_peer *peer, size_t bytes)
{
    peer->buffered -= bytes;
    memmove(peer->buffer, peer->buffer + bytes, peer->buffered);
}

static bool
take_greeting(struct session_peer *peer)
{
    enum greeting_progress progress;
    size_t used;

    if (peer->role == ROLE_CLIENT)
        progress = server_greeting_parse(&peer->server, peer->buffer,
                                         peer->buffered, &used);
    else
        progress = client_greeting_parse(&peer->client, peer->buffer,
                                         peer->buffered, &used);
    assert_int_not_equal(progress, GREETING_FOREIGN);
    if (progress != GREETING_DONE)
        return false;
    peer->greeted = true;
    drop(peer, used);
    if (peer->on_greeted != NULL)
        peer->on_greeted(peer->arg, peer);
    return true;
}

static void
acknowledge(struct session_peer *peer)
{
    if (!peer->silent)
        session_peer_frame(
            peer, (struct frame){ .type = FRAME_ACK,
                                  .flags = peer->got_end ? FRAME_FLAG_FIN : 0,
                                  .offset = peer->received });
}

static void
take_payload(struct session_peer *peer)
{
    unsigned char expected[SESSION_PEER_BUFFER];
    size_t length = peer->buffered < peer->payload_left ? peer->buffered
                                                        : peer->payload_left;

    for (size_t i = 0; i < length; i++)
        if (peer->received + i < sizeof peer->text - 1)
            peer->text[peer->received + i] = (char)peer->buffer[i];
    if (peer->expects) {
        peer_stream(peer->expected_seed, peer->received, expected, length);
        if (memcmp(expected, peer->buffer, length) != 0)
            peer->mismatch = true;
    }
    peer->received += length;
    peer->payload_left -= (uint32_t)length;
    drop(peer, length);
    if (peer->payload_left == 0)
        acknowledge(peer);
}

static void
take_frame(struct session_peer *peer)
{
    struct frame frame;

    if (frame_parse(&frame, peer->buffer) != REASON_NONE) {
        peer->broken = true;
        return;
    }
    drop(peer, FRAME_HEADER_BYTES);
    peer->frames[frame.type]++;
    peer->last[frame.type] = frame;
    if ((frame.type == FRAME_DATA || frame.type == FRAME_FIN) &&
        frame.offset != peer->received)
        peer->broken = true;
    if (frame.type == FRAME_DATA)
        peer->payload_left = frame.length;
    if (frame.type == FRAME_FIN) {
        peer->got_end = true;
        acknowledge(peer);
    }
    if (frame.type == FRAME_PING && !peer->silent)
        session_peer_frame(
            peer, (struct frame){ .type = FRAME_PONG, .offset = frame.offset });
}

static void
take(struct session_peer *peer)
{
    if (peer->role != ROLE_FRAMES && !peer->greeted && !take_greeting(peer))
        return;
    while (!peer->broken && peer->buffered > 0) {
        if (peer->payload_left > 0)
            take_payload(peer);
        else if (peer->buffered >= FRAME_HEADER_BYTES)
            take_frame(peer);
        else
            return;
    }
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct session_peer *peer = arg;
    ssize_t n = recv((int)fd, peer->buffer + peer->buffered,
                     sizeof peer->buffer - peer->buffered, 0);

    (void)what;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0) {
        peer->buffered += (size_t)n;
        take(peer);
        if (peer->broken)
            peer->buffered = 0;
        return;
    }
    peer->read_error = n < 0 ? errno : 0;
    peer->eof = n == 0;
    peer->ended_ms = stage_now_ms();
    event_del(peer->readable);
}

void
session_peer_open(struct session_peer *peer, struct stage *stage, int fd,
                  enum session_role role)
{
    static const int on = 1;

    *peer = (struct session_peer){ .stage = stage, .fd = fd, .role = role };
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* if it is TCP */
    peer->readable = event_new(loop_base(stage->loop), fd, EV_READ | EV_PERSIST,
                               on_readable, peer);
    event_add(peer->readable, NULL);
}

void
session_peer_close(struct session_peer *peer)
{
    if (peer->readable != NULL)
        event_free(peer->readable);
    peer->readable = NULL;
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

void
session_peer_reset(struct session_peer *peer)
{
    static const struct linger now = { .l_onoff = 1 };

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    session_peer_close(peer);
}

void
session_peer_read(struct session_peer *peer, bool on)
{
    if (on)
        event_add(peer->readable, NULL);
    else
        event_del(peer->readable);
}

/* A connection that is gone takes whatever is said. */
void
session_peer_say(struct session_peer *peer, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t n = send(peer->fd, at, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            stage_turn(peer->stage);
            continue;
        }
        if (n < 0)
            return;
        at += n;
        length -= (size_t)n;
    }
}

void
session_peer_greet(struct session_peer *peer,
                   const struct client_greeting *greeting)
{
    unsigned char bytes[GREETING_CLIENT_BYTES];

    client_greeting_encode(greeting, bytes);
    session_peer_say(peer, bytes, sizeof bytes);
}

void
session_peer_answer(struct session_peer *peer,
                    const struct server_greeting *greeting)
{
    unsigned char bytes[GREETING_SERVER_BYTES];

    server_greeting_encode(greeting, bytes);
    session_peer_say(peer, bytes, sizeof bytes);
}

void
session_peer_frame(struct session_peer *peer, struct frame frame)
{
    unsigned char bytes[FRAME_HEADER_BYTES];

    frame_encode(&frame, bytes);
    session_peer_say(peer, bytes, sizeof bytes);
}

void
session_peer_data(struct session_peer *peer, uint64_t seed, uint64_t offset,
                  uint32_t length)
{
    unsigned char *bytes = malloc(length);

    assert_non_null(bytes);
    peer_stream(seed, offset, bytes, length);
    session_peer_frame(peer, (struct frame){ .type = FRAME_DATA,
                                             .length = length,
                                             .offset = offset });
    session_peer_say(peer, bytes, length);
    free(bytes);
}

void
session_peer_text(struct session_peer *peer, const char *text)
{
    size_t length = strlen(text);

    session_peer_frame(peer, (struct frame){ .type = FRAME_DATA,
                                             .length = (uint32_t)length,
                                             .offset = peer->sent });
    session_peer_say(peer, text, length);
    peer->sent += length;
}

bool
session_peer_ended(const struct session_peer *peer)
{
    return peer->eof || peer->read_error != 0;
}

enum reason
session_peer_reset_with(const struct session_peer *peer)
{
    return peer->frames[FRAME_RESET] > 0
               ? (enum reason)peer->last[FRAME_RESET].code
               : REASON_NONE;
}

struct client_greeting
session_greeting(char session, const char *name, uint32_t channel)
{
    struct client_greeting greeting = {
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .channel = channel,
        .position.window = WINDOW_BYTES,
    };

    memset(greeting.session, session, sizeof greeting.session);
    snprintf(greeting.name, sizeof greeting.name, "%s", name);
    return greeting;
}
