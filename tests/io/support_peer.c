#include "support_peer.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_stage.h"
#include "support_test.h"

enum { BLOCK_BYTES = 64 << 10 };

/* A word of the stream: the finaliser of splitmix64. */
static uint64_t
stream_word(uint64_t seed, uint64_t index)
{
    uint64_t x = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

    if (seed >= PEER_SOFT && index % 4 != 0)
        return 0;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void
peer_stream(uint64_t seed, uint64_t offset, unsigned char *bytes, size_t length)
{
    while (length > 0) {
        uint64_t word = stream_word(seed, offset / sizeof word);
        size_t skip = offset % sizeof word;
        size_t part = sizeof word - skip;

        if (part > length)
            part = length;
        memcpy(bytes, (const unsigned char *)&word + skip, part);
        bytes += part;
        offset += part;
        length -= part;
    }
}

static void
stop_events(struct peer *peer)
{
    if (peer->readable != NULL)
        event_free(peer->readable);
    if (peer->writable != NULL)
        event_free(peer->writable);
    peer->readable = NULL;
    peer->writable = NULL;
}

void
peer_close(struct peer *peer)
{
    stop_events(peer);
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

void
peer_do(struct peer *peer, enum peer_finish finish)
{
    static const struct linger now = { .l_onoff = 1 };

    switch (finish) {
    case PEER_STAY: break;
    case PEER_END: shutdown(peer->fd, SHUT_WR); break;
    case PEER_RESET:
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        peer_close(peer);
        break;
    case PEER_CLOSE: peer_close(peer); break;
    }
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    unsigned char block[BLOCK_BYTES];
    struct peer *peer = arg;
    uint64_t left = peer->to_send - peer->sent;
    size_t length = left < peer->chunk ? (size_t)left : peer->chunk;
    ssize_t n;

    (void)what;
    peer_stream(peer->seed, peer->sent, block, length);
    n = send((int)fd, block, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) {
        peer->write_error = errno;
        event_del(peer->writable);
        return;
    }
    peer->sent += (uint64_t)n;
    if (peer->sent == peer->to_send) {
        event_del(peer->writable);
        peer_do(peer, peer->finish);
    }
}

/* Take ${length} bytes in. */
static void
check(struct peer *peer, const unsigned char *block, size_t length)
{
    unsigned char expected[BLOCK_BYTES];
    uint64_t from = peer->expected_from;

    for (size_t i = 0; i < length && peer->received + i < PEER_HEAD_MAX; i++)
        peer->head[peer->received + i] = block[i];
    if (peer->expects && peer->received + length > from) {
        size_t skip = peer->received < from ? from - peer->received : 0;

        peer_stream(peer->expected_seed, peer->received + skip - from, expected,
                    length - skip);
        if (memcmp(expected, block + skip, length - skip) != 0)
            peer->mismatch = true;
    }
    peer->received += length;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    unsigned char block[BLOCK_BYTES];
    struct peer *peer = arg;
    ssize_t n = recv((int)fd, block, sizeof block, 0);

    (void)what;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0) {
        check(peer, block, (size_t)n);
        return;
    }
    /* Once writing has told a reset, it reads as an end. */
    if (n < 0 || peer->write_error == ECONNRESET)
        peer->read_error = n < 0 ? errno : ECONNRESET;
    else
        peer->eof = true;
    peer->ended_ms = stage_now_ms();
    event_del(peer->readable);
}

void
peer_open(struct peer *peer, struct stage *stage, int fd)
{
    struct event_base *base = loop_base(stage->loop);

    *peer = (struct peer){ .fd = fd, .chunk = BLOCK_BYTES };
    peer->readable =
        event_new(base, fd, EV_READ | EV_PERSIST, on_readable, peer);
    peer->writable =
        event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, peer);
    event_add(peer->readable, NULL);
}

void
peer_say(struct peer *peer, const void *bytes, size_t length)
{
    assert_int_equal(send(peer->fd, bytes, length, MSG_NOSIGNAL), length);
}

void
peer_send(struct peer *peer, uint64_t seed, uint64_t bytes,
          enum peer_finish finish)
{
    peer->seed = seed;
    peer->to_send = bytes;
    peer->sent = 0;
    peer->finish = finish;
    if (bytes > 0)
        event_add(peer->writable, NULL);
    else
        peer_do(peer, finish);
}

void
peer_expect(struct peer *peer, uint64_t seed, uint64_t from)
{
    peer->expects = true;
    peer->expected_seed = seed;
    peer->expected_from = from;
}

void
peer_read(struct peer *peer, bool on)
{
    if (on)
        event_add(peer->readable, NULL);
    else
        event_del(peer->readable);
}

bool
peer_ended(const struct peer *peer)
{
    return peer->eof || peer->read_error != 0;
}

size_t
peer_pending(const struct peer *peer)
{
    int bytes = 0;

    assert_return_code(ioctl(peer->fd, FIONREAD, &bytes), errno);
    return (size_t)bytes;
}
