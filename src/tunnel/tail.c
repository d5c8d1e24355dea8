#include "tunnel/tail.h"

#include <string.h>

void
tail_keep(struct tail *tail, const struct iovec *iov, int count, size_t bytes)
{
    const size_t size = sizeof tail->bytes;

    for (int i = 0; i < count && bytes > 0; i++) {
        const unsigned char *base = iov[i].iov_base;
        size_t n = iov[i].iov_len < bytes ? iov[i].iov_len : bytes;
        size_t kept = n < size ? n : size;

        for (size_t at = 0; at < n && tail->head_bytes < sizeof tail->head;
             at++)
            tail->head[tail->head_bytes++] = base[at];
        bytes -= n;
        memmove(tail->bytes, tail->bytes + kept, size - kept);
        memcpy(tail->bytes + size - kept, base + n - kept, kept);
    }
}
