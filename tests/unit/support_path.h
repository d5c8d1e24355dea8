/*
 * What lies between the two ends of the model: dice, streams whose every byte
 * can be told from its neighbours, bounded stores, and transports that lose
 * what is in them.
 */
#ifndef SUPPORT_PATH_H
#define SUPPORT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/greeting.h"

enum side { CLIENT, SERVER, SIDES };

struct dice {
    uint64_t state;
};

/**
 * dice_init(dice, seed):
 * dice_below(dice, limit):
 * dice_one_in(dice, n):
 * From one seed always the same numbers below ${limit}, 0 if that is 0; true
 * once in ${n} times.
 */
void dice_init(struct dice *dice, uint64_t seed);
uint32_t dice_below(struct dice *dice, uint32_t limit);
bool dice_one_in(struct dice *dice, uint32_t n);

/**
 * stream_fill(side, from, bytes, length):
 * stream_matches(side, from, bytes, length):
 * Write, or compare, the bytes that QEMU at ${side} writes from offset ${from}.
 */
void stream_fill(enum side side, uint64_t from, unsigned char *bytes,
                 size_t length);
bool stream_matches(enum side side, uint64_t from, const unsigned char *bytes,
                    size_t length);

/* The bytes from start to end of a stream, in memory for no more than size. */
struct store {
    unsigned char *bytes;
    size_t size;
    uint64_t start;
    uint64_t end;
};

/**
 * store_put(store, bytes, length):
 * store_get(store, from, bytes, length):
 * Add bytes at the end; copy some from the offset ${from} on.  Return false if
 * there is no room, or if they are not all kept.
 */
void store_init(struct store *store, size_t size);
void store_fini(struct store *store);
bool store_put(struct store *store, const unsigned char *bytes, size_t length);
bool store_get(const struct store *store, uint64_t from, unsigned char *bytes,
               size_t length);

enum { PIPE_MAX = 64 << 10 };

/* One direction of a transport. */
struct pipe {
    unsigned char bytes[PIPE_MAX];
    size_t capacity;
    size_t start;
    size_t length;
    bool ended; /* in order, after these bytes */
};

/* A transport.  Each end finds out for itself that it is lost. */
struct path {
    struct pipe to[SIDES];
    bool open[SIDES]; /* this end has not closed it yet */
    bool lost;
    unsigned char greeting[GREETING_CLIENT_BYTES]; /* what the server has */
    size_t greeting_bytes;
};

/**
 * path_open(path, capacity):
 * Begin anew, with room for ${capacity} bytes on the way in each direction.
 */
void path_open(struct path *path, size_t capacity);

/**
 * path_write(path, to, bytes, length):
 * Return how many bytes there was room for.  A lost path takes them all.
 */
size_t path_write(struct path *path, enum side to, const void *bytes,
                  size_t length);

/**
 * path_read(path, at, bytes, length):
 * Return how many bytes there were.
 */
size_t path_read(struct path *path, enum side at, void *bytes, size_t length);

/**
 * path_lose(path, dice):
 * The path is lost, and of each direction a random tail of what was in it.
 */
void path_lose(struct path *path, struct dice *dice);

#endif
