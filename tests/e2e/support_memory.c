#include "support_memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support_qmp.h"
#include "support_vm.h"

enum { PAGE_BYTES = 4096 };

void
memory_dump(struct e2e *e2e, struct vm *vm, struct memory *memory)
{
    char path[CASE_PATH_MAX];
    int fd;

    assert_string_not_equal(vm_state(vm), "running");
    e2e_path(e2e, "memory", path);
    memory->size = (size_t)vm->memory_mib << 20;
    qmp_do(vm->qmp, "pmemsave",
           json_pack("{s:i, s:I, s:s}", "val", 0, "size",
                     (json_int_t)memory->size, "filename", path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), memory->size);
    memory->bytes =
        mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_true(memory->bytes != MAP_FAILED);
    close(fd);
    unlink(path);
}

void
memory_fini(struct memory *memory)
{
    munmap(memory->bytes, memory->size);
}

size_t
memory_difference(const struct memory *a, const struct memory *b)
{
    assert_int_equal(a->size, b->size);
    for (size_t at = 0; at < a->size; at += PAGE_BYTES) {
        if (memcmp(a->bytes + at, b->bytes + at, PAGE_BYTES) == 0)
            continue;
        while (a->bytes[at] == b->bytes[at])
            at++;
        return at;
    }
    return SIZE_MAX;
}

static int
compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* FNV-1a over words, which is enough to tell pages apart that nobody made to
 * collide. */
static uint64_t
page_hash(const unsigned char *page)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325), word;

    for (size_t at = 0; at < PAGE_BYTES; at += sizeof(word)) {
        memcpy(&word, page + at, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    return hash;
}

size_t
memory_distinct_pages(const struct memory *memory)
{
    size_t pages = memory->size / PAGE_BYTES, distinct = 0;
    uint64_t *hashes = calloc(pages, sizeof(*hashes));

    assert_non_null(hashes);
    for (size_t i = 0; i < pages; i++)
        hashes[i] = page_hash(memory->bytes + i * PAGE_BYTES);
    qsort(hashes, pages, sizeof(*hashes), compare_hashes);
    for (size_t i = 0; i < pages; i++)
        distinct += i == 0 || hashes[i] != hashes[i - 1];
    free(hashes);
    return distinct;
}

void
memory_assert_same(struct e2e *e2e, struct vm *a, struct vm *b)
{
    struct memory in_a, in_b;
    size_t at, distinct;

    memory_dump(e2e, a, &in_a);
    memory_dump(e2e, b, &in_b);
    at = memory_difference(&in_a, &in_b);
    distinct = memory_distinct_pages(&in_a);
    if (at != SIZE_MAX)
        print_error("the memories differ first at 0x%zx: 0x%02x and 0x%02x\n",
                    at, in_a.bytes[at], in_b.bytes[at]);
    memory_fini(&in_a);
    memory_fini(&in_b);
    assert_true(at == SIZE_MAX);
    /* All but the first MiB, which is the BIOS's, and some for the stack. */
    assert_true(distinct > in_a.size / PAGE_BYTES - 512);
}
