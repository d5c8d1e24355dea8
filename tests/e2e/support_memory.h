/* The memory of a VM, byte by byte. */
#ifndef SUPPORT_MEMORY_H
#define SUPPORT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "support_case.h"

struct vm;

/* All memory of a VM, in a mapped file. */
struct memory {
    unsigned char *bytes;
    size_t size;
};

/**
 * memory_dump(e2e, vm, memory):
 * Have the VM, which must be stopped, write all its memory into a file, and
 * map it.  The caller ends it with memory_fini; writes to the bytes stay
 * private.
 */
void memory_dump(struct e2e *e2e, struct vm *vm, struct memory *memory);
void memory_fini(struct memory *memory);

/**
 * memory_difference(a, b):
 * Return the first address at which the two differ, or SIZE_MAX if they are
 * identical.
 */
size_t memory_difference(const struct memory *a, const struct memory *b);

/**
 * memory_assert_same(e2e, a, b):
 * Fail the test unless the two stopped VMs have identical memory, and this
 * memory is the guest's: neither empty nor all alike.
 */
void memory_assert_same(struct e2e *e2e, struct vm *a, struct vm *b);

/**
 * memory_distinct_pages(memory):
 * Return how many different pages of 4 KiB there are.
 */
size_t memory_distinct_pages(const struct memory *memory);

#endif
