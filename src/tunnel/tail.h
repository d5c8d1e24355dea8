/* The first and last bytes of a stream: they tell how a migration ended. */
#ifndef TUNNEL_TAIL_H
#define TUNNEL_TAIL_H

#include <stddef.h>
#include <sys/uio.h>

#include "wire/verdict.h"

struct tail {
    unsigned char head[VERDICT_HEAD_BYTES];
    size_t head_bytes;                       /* of it that are there */
    unsigned char bytes[VERDICT_TAIL_BYTES]; /* the last one last */
};

/**
 * tail_keep(tail, iov, count, bytes):
 * The stream has gone on by the first ${bytes} bytes in the ${count} pieces of
 * ${iov}.
 */
void tail_keep(struct tail *tail, const struct iovec *iov, int count,
               size_t bytes);

#endif
