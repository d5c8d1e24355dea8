/*
 * Compresses a stream for DATA frames (PROTOCOL.md, "Compressed payload").
 * What is compressed in one call can be taken apart again as soon as it has
 * arrived, and what was compressed before helps to make it small.
 */
#ifndef WIRE_PACKER_H
#define WIRE_PACKER_H

#include <stddef.h>
#include <stdint.h>

#include "wire/unpacker.h"

enum {
    PACKER_LEVEL_USUAL = 3, /* zstd's own */
    PACKER_LEVEL_MAX = 19,  /* what is above takes hundreds of megabytes */

    /* More would wait for each other, less would compress worse: it is a block
     * of zstd's. */
    PACKER_IN_BYTES = 128 << 10,
    PACKER_OUT_BYTES =
        PACKED_LENGTH_BYTES + PACKER_IN_BYTES + PACKED_GROWTH_MAX,

    /* A larger window than this is looked through with zstd's long-distance
     * matching. */
    PACKER_WINDOW_LOG = 21,
};

struct packer;

/**
 * packer_new(window_log):
 * Make a compressor that looks back at most 2^${window_log} bytes.  Return NULL
 * if there is no memory.  The caller frees it with packer_free.
 */
struct packer *packer_new(unsigned window_log);
void packer_free(struct packer *packer);

/**
 * packer_reset(packer):
 * Begin anew, as for a decompressor that has had nothing.
 */
void packer_reset(struct packer *packer);

/**
 * packer_pack(packer, level, in, bytes, out):
 * Compress the ${bytes} bytes, 1 to PACKER_IN_BYTES, at ${in} with ${level}, 1
 * to PACKER_LEVEL_MAX, into ${out}: a frame's payload.  Another level than the
 * last one forgets what was compressed before.  Return the payload's length, or
 * 0 when there is no memory: then nothing more comes before packer_reset.
 */
size_t packer_pack(struct packer *packer, int level, const void *in,
                   size_t bytes, unsigned char out[PACKER_OUT_BYTES]);

#endif
