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
