#include "wire/verdict.h"

#include <string.h>

/* Type 1, four bytes of content; the content is 0 for success. */
static const unsigned char shut[4] = { 0x00, 0x01, 0x00, 0x04 };
static const unsigned char success[4] = { 0, 0, 0, 0 };

enum reason
verdict_of(const struct verdict_stream *there,
           const struct verdict_stream *back)
{
    unsigned char last = there->tail[VERDICT_TAIL_BYTES - 1];

    if (back->bytes >= VERDICT_TAIL_BYTES &&
        memcmp(back->tail, shut, sizeof shut) == 0)
        return memcmp(back->tail + sizeof shut, success, sizeof success) == 0
                   ? REASON_NONE
                   : REASON_DESTINATION_CLOSED;
    if (back->bytes > 0 || there->bytes == 0)
        return REASON_CANCELLED;
    return last == '}' || last == 0 ? REASON_NONE : REASON_CANCELLED;
}

bool
verdict_is_return_path(const unsigned char head[VERDICT_HEAD_BYTES])
{
    enum { TYPES_MAX = 16 }; /* 7 of them in 7.2, 9 in 10.0 */

    return head[0] == 0 && head[1] > 0 && head[1] <= TYPES_MAX && head[2] == 0;
}
