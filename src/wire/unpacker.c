#include "wire/unpacker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY /* for a decoder in memory of our own */
#include <zstd.h>

#include "wire/cursor.h"

/*
 * Theory of operation.  The decoder works in memory that it is given once, so
 * what it takes is bounded whatever a peer sends.  One that allocates keeps to
 * the window in zstd's format alone: the library may also read those from
 * before zstd's first version, whose decoders take up to 128 MiB however small
 * the window should be, and which no peer of ours writes.  In given memory it
 * does not read them.
 */
struct unpacker {
    void *memory;
    ZSTD_DCtx *context; /* in it */
    uint32_t length;    /* bytes that the present payload has yet to make */
    unsigned char head[PACKED_LENGTH_BYTES];
    size_t head_left; /* of it to come */
    size_t left;      /* of what is compressed */
    unsigned char buffer[UNPACKER_BUFFER_BYTES];
};

struct unpacker *
unpacker_new(unsigned window_log)
{
    struct unpacker *unpacker = calloc(1, sizeof *unpacker);
    size_t bytes = ZSTD_estimateDStreamSize((size_t)1 << window_log);

    if (unpacker == NULL)
        return NULL;
    unpacker->memory = malloc(bytes);
    if (unpacker->memory != NULL)
        unpacker->context = ZSTD_initStaticDStream(unpacker->memory, bytes);
    if (unpacker->context != NULL &&
        !ZSTD_isError(ZSTD_DCtx_setParameter(
            unpacker->context, ZSTD_d_windowLogMax, (int)window_log)))
        return unpacker;
    unpacker_free(unpacker);
    return NULL;
}

void
unpacker_free(struct unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    free(unpacker->memory);
    free(unpacker);
}

void
unpacker_begin(struct unpacker *unpacker, uint32_t length)
{
    unpacker->length = length;
    unpacker->head_left = PACKED_LENGTH_BYTES;
    unpacker->left = 0;
}

size_t
unpacker_wants(const struct unpacker *unpacker)
{
    if (unpacker == NULL)
        return 0;
    return unpacker->head_left > 0 ? unpacker->head_left : unpacker->left;
}

unsigned char *
unpacker_buffer(struct unpacker *unpacker)
{
    return unpacker->buffer;
}

static enum reason
take_head(struct unpacker *unpacker, const void *in, size_t bytes)
{
    struct cursor cursor;

    memcpy(unpacker->head + (PACKED_LENGTH_BYTES - unpacker->head_left), in,
           bytes);
    unpacker->head_left -= bytes;
    if (unpacker->head_left > 0)
        return REASON_NONE;
    cursor_init(&cursor, unpacker->head, sizeof unpacker->head);
    unpacker->left = cursor_get_u32(&cursor);
    if (unpacker->left == 0 ||
        unpacker->left > (size_t)unpacker->length + PACKED_GROWTH_MAX)
        return REASON_BAD_LENGTH;
    return REASON_NONE;
}

/* Fill one piece as far as ${from} goes. */
static bool
fill(struct unpacker *unpacker, ZSTD_inBuffer *from, ZSTD_outBuffer *to)
{
    size_t before;

    do {
        before = from->pos + to->pos;
        if (ZSTD_isError(ZSTD_decompressStream(unpacker->context, to, from)))
            return false;
    } while (to->pos < to->size && from->pos + to->pos != before);
    return true;
}

/*
 * All that may come has come: the rest ends a block or a frame of zstd's, and
 * makes nothing.
 */
static enum reason
drain(struct unpacker *unpacker, ZSTD_inBuffer *from)
{
    unsigned char excess;
    ZSTD_outBuffer to = { &excess, sizeof excess, 0 };

    if (!fill(unpacker, from, &to))
        return REASON_BAD_PACKED;
    return to.pos == 0 ? REASON_NONE : REASON_BAD_UNPACKED;
}

enum reason
unpacker_take(struct unpacker *unpacker, const void *in, size_t bytes,
              const struct iovec *out, int count, size_t *made)
{
    ZSTD_inBuffer from = { in, bytes, 0 };
    enum reason reason = REASON_NONE;

    *made = 0;
    if (unpacker->head_left > 0)
        return take_head(unpacker, in, bytes);
    for (int i = 0; i < count && unpacker->length > 0; i++) {
        ZSTD_outBuffer to = { out[i].iov_base, out[i].iov_len, 0 };

        if (to.size > unpacker->length)
            to.size = unpacker->length;
        if (!fill(unpacker, &from, &to))
            return REASON_BAD_PACKED;
        *made += to.pos;
        unpacker->length -= (uint32_t)to.pos;
    }
    unpacker->left -= bytes;
    if (unpacker->length == 0)
        reason = drain(unpacker, &from);
    else if (unpacker->left == 0)
        reason = REASON_BAD_UNPACKED;
    return reason;
}
