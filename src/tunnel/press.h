/*
 * Compresses pieces of a stream in a thread of its own, in order, some pieces
 * ahead of what is sent.
 */
#ifndef TUNNEL_PRESS_H
#define TUNNEL_PRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/packer.h"

struct loop;
struct press;
struct ring;

enum {
    PRESS_PIECES = 4, /* one to send, one to work at, and some to do next */
    PRESS_BYTES = PRESS_PIECES * PACKER_IN_BYTES,
};

/* A piece that is done. */
struct pressed {
    uint64_t offset; /* in the stream */
    uint32_t length;
    const unsigned char *payload; /* of its frame; NULL: it could not be */
    size_t payload_bytes;         /* compressed, so send it as it is */
};

/**
 * press_new(loop, window_log, on_pressed, arg):
 * Start a thread.  Call ${on_pressed}(${arg}) from the loop when there is a
 * further piece done.  Return NULL with errno set if that is not possible.  The
 * caller ends it with press_free, which waits for the piece under way.
 */
struct press *press_new(struct loop *loop, unsigned window_log,
                        void (*on_pressed)(void *arg), void *arg);
void press_free(struct press *press);

/**
 * press_restart(press):
 * Forget all pieces; the next one begins a new stream.
 */
void press_restart(struct press *press);

/**
 * press_take(press, level, ring, offset, length):
 * Copy ${length} bytes, 1 to PACKER_IN_BYTES, of ${ring} from ${offset} on, to
 * be compressed with ${level}.  Return false if there is no room for a further
 * piece.
 */
bool press_take(struct press *press, int level, const struct ring *ring,
                uint64_t offset, uint32_t length);

/**
 * press_front(press):
 * press_pop(press):
 * Return the first piece, if it is done, else NULL; drop it.
 */
const struct pressed *press_front(const struct press *press);
void press_pop(struct press *press);

/**
 * press_pieces(press):
 * press_waiting(press):
 * Return how many pieces there are; and how many of them are not done.
 */
unsigned press_pieces(const struct press *press);
unsigned press_waiting(const struct press *press);

#endif
