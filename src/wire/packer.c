#include "wire/packer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

#include "wire/cursor.h"

/*
 * Theory of operation.  zstd can't change its level within a frame of its own,
 * so another level ends one and begins the next.  The end is three bytes before
 * what comes next, in the same payload.
 */
struct packer {
    ZSTD_CCtx *context;
    unsigned window_log;
    int level; /* of the frame that is open; 0 for none */
    bool failed;
};

struct packer *
packer_new(unsigned window_log)
{
    struct packer *packer = calloc(1, sizeof *packer);

    if (packer == NULL)
        return NULL;
    packer->window_log = window_log;
    packer->context = ZSTD_createCCtx();
    if (packer->context != NULL)
        return packer;
    free(packer);
    return NULL;
}

void
packer_free(struct packer *packer)
{
    if (packer == NULL)
        return;
    ZSTD_freeCCtx(packer->context);
    free(packer);
}

void
packer_reset(struct packer *packer)
{
    ZSTD_CCtx_reset(packer->context, ZSTD_reset_session_only);
    packer->level = 0;
    packer->failed = false;
}

static bool
set(struct packer *packer, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(
        ZSTD_CCtx_setParameter(packer->context, parameter, value));
}

/* All of ${in} to ${out}, so that it can be taken apart. */
static bool
carry(struct packer *packer, ZSTD_inBuffer *in, ZSTD_outBuffer *out,
      ZSTD_EndDirective how)
{
    return ZSTD_compressStream2(packer->context, out, in, how) == 0;
}

static bool
begin(struct packer *packer, int level, ZSTD_outBuffer *out)
{
    ZSTD_inBuffer nothing = { NULL, 0, 0 };

    if (packer->level == level)
        return true;
    if (packer->level != 0 && !carry(packer, &nothing, out, ZSTD_e_end))
        return false;
    ZSTD_CCtx_reset(packer->context, ZSTD_reset_session_only);
    packer->level = level;
    return set(packer, ZSTD_c_compressionLevel, level) &&
           set(packer, ZSTD_c_windowLog, (int)packer->window_log) &&
           set(packer, ZSTD_c_enableLongDistanceMatching,
               packer->window_log > PACKER_WINDOW_LOG);
}

size_t
packer_pack(struct packer *packer, int level, const void *in, size_t bytes,
            unsigned char out[PACKER_OUT_BYTES])
{
    ZSTD_inBuffer from = { in, bytes, 0 };
    ZSTD_outBuffer to = { out, PACKER_OUT_BYTES, PACKED_LENGTH_BYTES };
    struct cursor cursor;

    if (packer->failed || !begin(packer, level, &to) ||
        !carry(packer, &from, &to, ZSTD_e_flush)) {
        packer->failed = true;
        return 0;
    }
    cursor_init(&cursor, out, PACKED_LENGTH_BYTES);
    cursor_put_u32(&cursor, (uint32_t)(to.pos - PACKED_LENGTH_BYTES));
    return to.pos;
}
