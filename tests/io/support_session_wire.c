#include "support_session_wire.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

void
session_wire_cut(struct session_wire *wire)
{
    if (wire->is_cut)
        return;
    wire->is_cut = true;
    for (int i = 0; i < 2; i++) {
        event_free(wire->halves[i].readable);
        event_free(wire->halves[i].writable);
        event_free(wire->halves[i].rested);
    }
    for (int i = 0; i < 2; i++) /* each is in events of both halves */
        close(wire->fds[i]);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct wire_half *half = arg;
    struct session_wire *wire = half->wire;
    ssize_t n = recv((int)fd, half->bytes, wire->chunk, 0);

    (void)what;
    if (n < 0 && errno == EAGAIN)
        return;
    event_del(half->readable);
    half->at = 0;
    half->length = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        shutdown(half->to, SHUT_WR);
    else
        event_add(half->writable, NULL);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct wire_half *half = arg;
    struct session_wire *wire = half->wire;
    size_t length = half->length - half->at;
    ssize_t n;

    (void)what;
    if (length > wire->left)
        length = (size_t)wire->left;
    n = send((int)fd, half->bytes + half->at, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0) {
        half->at += (size_t)n;
        wire->left -= (uint64_t)n;
        wire->moved += (uint64_t)n;
    }
    if (n < 0 || wire->left == 0) {
        session_wire_cut(wire);
        return;
    }
    if (half->at == half->length) {
        const struct timeval pause = { .tv_usec = wire->pause_ms * 1000 };

        event_del(half->writable);
        if (wire->pause_ms > 0)
            event_add(half->rested, &pause);
        else
            event_add(half->readable, NULL);
    }
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
    struct wire_half *half = arg;

    (void)fd;
    (void)what;
    event_add(half->readable, NULL);
}

static void (*make_pair)(int fds[2]) = net_unix_pair;

void
session_wire_over(void (*pair)(int fds[2]))
{
    make_pair = pair;
}

void
session_wire_open(struct session_wire *wire, struct stage *stage, size_t chunk,
                  uint64_t bytes, int ends[2])
{
    struct event_base *base = loop_base(stage->loop);

    assert_in_range(chunk, 1, WIRE_CHUNK_MAX);
    *wire =
        (struct session_wire){ .stage = stage, .chunk = chunk, .left = bytes };
    for (int i = 0; i < 2; i++) {
        int pair[2];

        make_pair(pair);
        wire->fds[i] = pair[0];
        ends[i] = pair[1];
    }
    for (int i = 0; i < 2; i++) {
        struct wire_half *half = &wire->halves[i];

        half->wire = wire;
        half->from = wire->fds[i];
        half->to = wire->fds[!i];
        half->readable = event_new(base, half->from, EV_READ | EV_PERSIST,
                                   on_readable, half);
        half->writable =
            event_new(base, half->to, EV_WRITE | EV_PERSIST, on_writable, half);
        half->rested = event_new(base, -1, 0, on_rested, half);
        event_add(half->readable, NULL);
    }
    if (bytes == 0)
        session_wire_cut(wire);
}
