/*
 * The far end of a connection under test: it sends and checks streams of
 * pseudo-random bytes, as fast as the socket lets it, on the test's loop.
 */
#ifndef SUPPORT_PEER_H
#define SUPPORT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct stage;

enum { PEER_HEAD_MAX = 256 };

/* A seed above this gives a stream of which three quarters are zeros. */
enum { PEER_SOFT = 1 << 20 };

/* What to do when everything is sent. */
enum peer_finish { PEER_STAY, PEER_END, PEER_CLOSE, PEER_RESET };

struct peer {
    int fd;
    struct event *readable;
    struct event *writable;

    uint64_t seed; /* of the stream that is sent */
    uint64_t to_send;
    uint64_t sent;
    size_t chunk; /* at most so much at once */
    enum peer_finish finish;
    int write_error;

    uint64_t received;
    unsigned char head[PEER_HEAD_MAX]; /* the first bytes received */
    bool expects;
    uint64_t expected_seed;
    uint64_t expected_from; /* where that stream begins in what is received */
    bool mismatch;
    bool eof;
    int read_error;
    uint64_t ended_ms; /* when the one or the other was seen */
};

/**
 * peer_open(peer, stage, fd):
 * Take over the socket ${fd}, and read from it.
 */
void peer_open(struct peer *peer, struct stage *stage, int fd);

/**
 * peer_close(peer):
 * Close the socket, which may be closed already.
 */
void peer_close(struct peer *peer);

/**
 * peer_say(peer, bytes, length):
 * Send these few bytes at once.
 */
void peer_say(struct peer *peer, const void *bytes, size_t length);

/**
 * peer_send(peer, seed, bytes, finish):
 * Send ${bytes} of the stream of ${seed}, then ${finish}.
 */
void peer_send(struct peer *peer, uint64_t seed, uint64_t bytes,
               enum peer_finish finish);

/**
 * peer_expect(peer, seed, from):
 * Compare what is received, after its first ${from} bytes, with the stream of
 * ${seed}; ${peer}->mismatch tells.
 */
void peer_expect(struct peer *peer, uint64_t seed, uint64_t from);

/**
 * peer_read(peer, on):
 * Read on, or no more.
 */
void peer_read(struct peer *peer, bool on);

/**
 * peer_do(peer, finish):
 * End the sending now.
 */
void peer_do(struct peer *peer, enum peer_finish finish);

/**
 * peer_ended(peer):
 * Return whether the other side has ended or broken the connection.
 */
bool peer_ended(const struct peer *peer);

/**
 * peer_pending(peer):
 * Return how many bytes wait to be read from the socket.
 */
size_t peer_pending(const struct peer *peer);

/**
 * peer_stream(seed, offset, bytes, length):
 * Write the part of a stream that begins at ${offset} to ${bytes}.
 */
void peer_stream(uint64_t seed, uint64_t offset, unsigned char *bytes,
                 size_t length);

#endif
