#include "stream.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* More than a processor's inner caches hold, as a guest's memory is. */
    BLOCK_BYTES = 64 * 1024 * 1024,
    PAGE_BYTES = 4096,
    PLAIN_BYTES = 32768,
    LARGE_BYTES = 524288,
    MAIN_PAGES = 32,
    MAIN_HEADER_BYTES = 8,
    MULTIFD_PAGES = 128,
    MULTIFD_HEADER_BYTES = 1344,
};

int
stream_init(struct stream *stream)
{
    uint64_t state = 0x9e3779b97f4a7c15U;

    stream->block = malloc(BLOCK_BYTES + STREAM_SLICE_MAX);
    if (stream->block == NULL)
        return -1;
    for (size_t at = 0; at < BLOCK_BYTES; at += sizeof(state)) {
        /* xorshift64, shifts by Marsaglia: fast, and does not compress */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(stream->block + at, &state, sizeof(state));
    }
    /* The beginning again, so that a slice never has to wrap. */
    memcpy(stream->block + BLOCK_BYTES, stream->block, STREAM_SLICE_MAX);
    return 0;
}

void
stream_fini(struct stream *stream)
{
    free(stream->block);
    stream->block = NULL;
}

const unsigned char *
stream_magic(bool main)
{
    static const unsigned char magic[2][STREAM_MAGIC_BYTES] = {
        { 0x11, 0x22, 0x33, 0x44 }, { 'Q', 'E', 'V', 'M' }
    };

    return magic[main];
}

const unsigned char *
stream_at(const struct stream *stream, uint64_t offset)
{
    return stream->block + offset % BLOCK_BYTES;
}

/* One write in the making. */
struct gather {
    const unsigned char *at;
    uint64_t left;
    struct iovec *iov;
    int count;
};

static void
gather_add(struct gather *gather, size_t bytes)
{
    if (bytes > gather->left)
        bytes = (size_t)gather->left;
    if (bytes == 0)
        return;
    gather->iov[gather->count].iov_base = (void *)gather->at;
    gather->iov[gather->count].iov_len = bytes;
    gather->count++;
    gather->at += bytes;
    gather->left -= bytes;
}

int
stream_iov(const struct stream *stream, enum stream_shape shape,
           uint64_t offset, uint64_t left, struct iovec *iov)
{
    struct gather gather = { stream_at(stream, offset), left, iov, 0 };

    switch (shape) {
    case STREAM_PLAIN: gather_add(&gather, PLAIN_BYTES); break;
    case STREAM_LARGE: gather_add(&gather, LARGE_BYTES); break;
    case STREAM_MAIN:
        for (int page = 0; page < MAIN_PAGES; page++) {
            gather_add(&gather, MAIN_HEADER_BYTES);
            gather_add(&gather, PAGE_BYTES);
        }
        break;
    case STREAM_MULTIFD:
        gather_add(&gather, MULTIFD_HEADER_BYTES);
        for (int page = 0; page < MULTIFD_PAGES; page++)
            gather_add(&gather, PAGE_BYTES);
        break;
    }
    return gather.count;
}
