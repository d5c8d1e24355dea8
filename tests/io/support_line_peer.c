#include "support_line_peer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_capture.h"
#include "support_stage.h"
#include "support_test.h"

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct line_peer *peer = arg;
    char bytes[65536];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    (void)what;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        peer->eof = true;
        event_del(peer->readable);
        return;
    }
    peer->text = realloc(peer->text, peer->length + (size_t)n + 1);
    assert_non_null(peer->text);
    memcpy(peer->text + peer->length, bytes, (size_t)n);
    peer->length += (size_t)n;
    peer->text[peer->length] = '\0';
}

void
line_peer_open(struct line_peer *peer, struct stage *stage, int fd)
{
    assert_true(fd >= 0);
    *peer = (struct line_peer){ .stage = stage, .fd = fd };
    peer->readable = event_new(loop_base(stage->loop), fd, EV_READ | EV_PERSIST,
                               on_readable, peer);
    event_add(peer->readable, NULL);
}

void
line_peer_close(struct line_peer *peer)
{
    if (peer->readable == NULL)
        return;
    event_free(peer->readable);
    peer->readable = NULL;
    close(peer->fd);
    free(peer->text);
    peer->text = NULL;
}

void
line_peer_read(struct line_peer *peer, bool on)
{
    if (on)
        event_add(peer->readable, NULL);
    else
        event_del(peer->readable);
}

void
line_peer_say(struct line_peer *peer, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = send(peer->fd, text, left, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EPIPE)
            return; /* the other end has had enough */
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            stage_turn(peer->stage);
            continue;
        }
        text += n;
        left -= (size_t)n;
    }
}

unsigned
line_peer_count(const struct line_peer *peer, const char *part)
{
    return peer->text != NULL ? capture_count(peer->text, part) : 0;
}

void
line_peer_wait(struct line_peer *peer, const char *part)
{
    STAGE_UNTIL(peer->stage, line_peer_count(peer, part) > 0);
}
