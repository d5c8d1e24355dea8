#include "wire/cursor.h"

#include <string.h>

void
cursor_init(struct cursor *cursor, void *bytes, size_t length)
{
    *cursor = (struct cursor){ .bytes = bytes, .length = length };
}

/* The place of the next ${length} bytes, or NULL past the end. */
static unsigned char *
advance(struct cursor *cursor, size_t length)
{
    unsigned char *place = cursor->bytes + cursor->at;

    if (cursor->overrun || length > cursor->length - cursor->at) {
        cursor->overrun = true;
        return NULL;
    }
    cursor->at += length;
    return place;
}

static uint64_t
get_number(struct cursor *cursor, size_t length)
{
    const unsigned char *bytes = advance(cursor, length);
    uint64_t value = 0;

    for (size_t i = 0; bytes != NULL && i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void
put_number(struct cursor *cursor, uint64_t value, size_t length)
{
    unsigned char *bytes = advance(cursor, length);

    for (size_t i = length; bytes != NULL && i > 0; i--) {
        bytes[i - 1] = (unsigned char)(value & 0xff);
        value >>= 8;
    }
}

uint8_t
cursor_get_u8(struct cursor *cursor)
{
    return (uint8_t)get_number(cursor, 1);
}

uint16_t
cursor_get_u16(struct cursor *cursor)
{
    return (uint16_t)get_number(cursor, 2);
}

uint32_t
cursor_get_u32(struct cursor *cursor)
{
    return (uint32_t)get_number(cursor, 4);
}

uint64_t
cursor_get_u64(struct cursor *cursor)
{
    return get_number(cursor, 8);
}

void
cursor_get(struct cursor *cursor, void *out, size_t length)
{
    const unsigned char *bytes = advance(cursor, length);

    if (bytes != NULL)
        memcpy(out, bytes, length);
    else
        memset(out, 0, length);
}

void
cursor_put_u8(struct cursor *cursor, uint8_t value)
{
    put_number(cursor, value, 1);
}

void
cursor_put_u16(struct cursor *cursor, uint16_t value)
{
    put_number(cursor, value, 2);
}

void
cursor_put_u32(struct cursor *cursor, uint32_t value)
{
    put_number(cursor, value, 4);
}

void
cursor_put_u64(struct cursor *cursor, uint64_t value)
{
    put_number(cursor, value, 8);
}

void
cursor_put(struct cursor *cursor, const void *bytes, size_t length)
{
    unsigned char *place = advance(cursor, length);

    if (place != NULL)
        memcpy(place, bytes, length);
}
