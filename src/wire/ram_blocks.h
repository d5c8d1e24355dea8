/*
 * Reads what HMP "info ramblock" prints: the pieces of memory that a migration
 * carries, by the names that it carries them under.
 *
 *       Block Name    PSize              Offset               Used Total pc.ram
 * 4 KiB  0x0000000000000000 0x0000000004000000 0x0000000004000000
 *
 * Later versions print more columns to the right.
 */
#ifndef WIRE_RAM_BLOCKS_H
#define WIRE_RAM_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

enum { RAM_BLOCK_NAME_MAX = 128 };

struct ram_block {
    char name[RAM_BLOCK_NAME_MAX];
    uint64_t used_bytes;
    uint64_t total_bytes;
};

/**
 * ram_blocks_next(text, block):
 * Read the next block from *${text}, which is moved on, into ${block}.  Return
 * false if there is none.  What is no block is passed over.
 */
bool ram_blocks_next(const char **text, struct ram_block *block);

#endif
