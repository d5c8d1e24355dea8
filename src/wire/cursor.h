/*
 * A bounded cursor over bytes, to read and to write numbers in network byte
 * order.  Going past the end is remembered and does nothing else, so that a
 * parser checks once, at its end.
 */
#ifndef WIRE_CURSOR_H
#define WIRE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    unsigned char *bytes;
    size_t length;
    size_t at;
    bool overrun;
};

/**
 * cursor_init(cursor, bytes, length):
 * Start at the first of ${length} bytes.  A cursor that only reads does not
 * change them.
 */
void cursor_init(struct cursor *cursor, void *bytes, size_t length);

/**
 * cursor_get_u8(cursor), cursor_get_u16(cursor), cursor_get_u32(cursor),
 * cursor_get_u64(cursor):
 * Read a number; 0 past the end.
 */
uint8_t cursor_get_u8(struct cursor *cursor);
uint16_t cursor_get_u16(struct cursor *cursor);
uint32_t cursor_get_u32(struct cursor *cursor);
uint64_t cursor_get_u64(struct cursor *cursor);

/**
 * cursor_get(cursor, out, length):
 * Copy ${length} bytes into ${out}; zeros past the end.
 */
void cursor_get(struct cursor *cursor, void *out, size_t length);

/**
 * cursor_put_u8(cursor, value), cursor_put_u16(cursor, value),
 * cursor_put_u32(cursor, value), cursor_put_u64(cursor, value):
 * Write a number.
 */
void cursor_put_u8(struct cursor *cursor, uint8_t value);
void cursor_put_u16(struct cursor *cursor, uint16_t value);
void cursor_put_u32(struct cursor *cursor, uint32_t value);
void cursor_put_u64(struct cursor *cursor, uint64_t value);

/**
 * cursor_put(cursor, bytes, length):
 * Write ${length} bytes.
 */
void cursor_put(struct cursor *cursor, const void *bytes, size_t length);

#endif
