#include "support_path.h"

#include <stdlib.h>
#include <string.h>

void
dice_init(struct dice *dice, uint64_t seed)
{
    dice->state = seed * 0x9e3779b97f4a7c15u + 1;
}

/* splitmix64 */
static uint64_t throw(struct dice * dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t
dice_below(struct dice *dice, uint32_t limit)
{
    return (uint32_t)((throw(dice) >> 32) * limit >> 32);
}

bool
dice_one_in(struct dice *dice, uint32_t n)
{
    return dice_below(dice, n) == 0;
}

static unsigned char
stream_byte(enum side side, uint64_t offset)
{
    uint32_t x = (uint32_t)offset * 2654435761u + (uint32_t)side * 40503u;

    return (unsigned char)(x >> 24 ^ x >> 13);
}

void
stream_fill(enum side side, uint64_t from, unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = stream_byte(side, from + i);
}

bool
stream_matches(enum side side, uint64_t from, const unsigned char *bytes,
               size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != stream_byte(side, from + i))
            return false;
    return true;
}

/* Copy to (or from) a circle of ${size} bytes, beginning at ${at}. */
static void
circle_put(unsigned char *circle, size_t size, size_t at,
           const unsigned char *bytes, size_t length)
{
    size_t first = length < size - at ? length : size - at;

    memcpy(circle + at, bytes, first);
    memcpy(circle, bytes + first, length - first);
}

static void
circle_get(const unsigned char *circle, size_t size, size_t at,
           unsigned char *bytes, size_t length)
{
    size_t first = length < size - at ? length : size - at;

    memcpy(bytes, circle + at, first);
    memcpy(bytes + first, circle, length - first);
}

void
store_init(struct store *store, size_t size)
{
    *store = (struct store){ .size = size };
    store->bytes = malloc(size);
    if (store->bytes == NULL)
        abort();
}

void
store_fini(struct store *store)
{
    free(store->bytes);
}

bool
store_put(struct store *store, const unsigned char *bytes, size_t length)
{
    if (length > store->size - (store->end - store->start))
        return false;
    circle_put(store->bytes, store->size, store->end % store->size, bytes,
               length);
    store->end += length;
    return true;
}

bool
store_get(const struct store *store, uint64_t from, unsigned char *bytes,
          size_t length)
{
    if (from < store->start || from > store->end || length > store->end - from)
        return false;
    circle_get(store->bytes, store->size, from % store->size, bytes, length);
    return true;
}

void
path_open(struct path *path, size_t capacity)
{
    for (int side = 0; side < SIDES; side++) {
        struct pipe *pipe = &path->to[side];

        pipe->capacity = capacity;
        pipe->start = 0;
        pipe->length = 0;
        pipe->ended = false;
        path->open[side] = true;
    }
    path->lost = false;
    path->greeting_bytes = 0;
}

size_t
path_write(struct path *path, enum side to, const void *bytes, size_t length)
{
    struct pipe *pipe = &path->to[to];
    size_t room = pipe->capacity - pipe->length;

    if (path->lost)
        return length;
    if (length > room)
        length = room;
    circle_put(pipe->bytes, pipe->capacity,
               (pipe->start + pipe->length) % pipe->capacity, bytes, length);
    pipe->length += length;
    return length;
}

size_t
path_read(struct path *path, enum side at, void *bytes, size_t length)
{
    struct pipe *pipe = &path->to[at];

    if (length > pipe->length)
        length = pipe->length;
    circle_get(pipe->bytes, pipe->capacity, pipe->start, bytes, length);
    pipe->start = (pipe->start + length) % pipe->capacity;
    pipe->length -= length;
    return length;
}

void
path_lose(struct path *path, struct dice *dice)
{
    if (path->lost)
        return;
    path->lost = true;
    for (int side = 0; side < SIDES; side++) {
        struct pipe *pipe = &path->to[side];

        /* All of one direction may have arrived, and none of the other. */
        if (!dice_one_in(dice, 4))
            pipe->length = dice_below(dice, (uint32_t)pipe->length + 1);
        pipe->ended = false;
    }
}
