#include "wire/frame.h"

#include <string.h>

#include "wire/cursor.h"

void
frame_encode(const struct frame *frame, unsigned char bytes[FRAME_HEADER_BYTES])
{
    struct cursor cursor;

    cursor_init(&cursor, bytes, FRAME_HEADER_BYTES);
    cursor_put_u8(&cursor, (uint8_t)frame->type);
    cursor_put_u8(&cursor, frame->flags);
    cursor_put_u16(&cursor, frame->code);
    cursor_put_u32(&cursor, frame->length);
    cursor_put_u64(&cursor, frame->offset);
}

enum reason
frame_parse(struct frame *frame, const unsigned char bytes[FRAME_HEADER_BYTES])
{
    unsigned char copy[FRAME_HEADER_BYTES];
    struct cursor cursor;
    uint8_t flags_allowed = 0;

    memcpy(copy, bytes, sizeof copy);
    cursor_init(&cursor, copy, sizeof copy);
    frame->type = (enum frame_type)cursor_get_u8(&cursor);
    frame->flags = cursor_get_u8(&cursor);
    frame->code = cursor_get_u16(&cursor);
    frame->length = cursor_get_u32(&cursor);
    frame->offset = cursor_get_u64(&cursor);

    switch (frame->type) {
    case FRAME_DATA: flags_allowed = FRAME_FLAG_PACKED; break;
    case FRAME_FIN:
    case FRAME_RESET:
    case FRAME_PING:
    case FRAME_PONG: break;
    case FRAME_ACK: flags_allowed = FRAME_FLAG_FIN; break;
    default: return REASON_BAD_FRAME;
    }
    if ((frame->flags & ~flags_allowed) != 0 ||
        (frame->code != 0) != (frame->type == FRAME_RESET))
        return REASON_BAD_FRAME;
    if (frame->type == FRAME_DATA
            ? frame->length == 0 || frame->length > FRAME_DATA_MAX
            : frame->length != 0)
        return REASON_BAD_LENGTH;
    return REASON_NONE;
}
