#include "support_wiretap.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support_memory.h"
#include "support_proxy.h"

enum {
    FIRST_BYTE = 1 << 20,
    STRIDE_BYTES = 1024,
    OFFSET_BYTES = 512, /* clear of the first word of a page, which changes */
    SAMPLE_BYTES = 16
};

/* The samples in a hash table: open addressing, at most half full. */
struct samples {
    const unsigned char **slots;
    bool *found;
    size_t mask;
};

void
wiretap_start(struct e2e *e2e, struct wiretap *wiretap, struct proxy *proxy)
{
    wiretap->e2e = e2e;
    proxy_do(proxy, "record %s", e2e_path(e2e, "wiretap", wiretap->prefix));
}

static size_t
hash(const unsigned char *bytes, size_t mask)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return (size_t)((word * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;
}

/* Return the slot of these bytes, or the empty one where they would be. */
static size_t
find_slot(const struct samples *samples, const unsigned char *bytes)
{
    size_t at = hash(bytes, samples->mask);

    while (samples->slots[at] != NULL &&
           memcmp(samples->slots[at], bytes, SAMPLE_BYTES) != 0)
        at = (at + 1) & samples->mask;
    return at;
}

/* Bytes that repeat themselves may be seen by chance: zeros, for example. */
static bool
is_distinctive(const unsigned char *bytes)
{
    return memcmp(bytes, bytes + SAMPLE_BYTES / 2, SAMPLE_BYTES / 2) != 0;
}

static unsigned
samples_init(struct samples *samples, const struct memory *memory)
{
    size_t room = 1;
    unsigned count = 0;

    while (room < 2 * memory->size / STRIDE_BYTES)
        room *= 2;
    samples->mask = room - 1;
    samples->slots = calloc(room, sizeof(*samples->slots));
    samples->found = calloc(room, sizeof(*samples->found));
    assert_non_null(samples->slots);
    assert_non_null(samples->found);
    for (size_t at = FIRST_BYTE; at < memory->size; at += STRIDE_BYTES) {
        const unsigned char *bytes = memory->bytes + at + OFFSET_BYTES;
        size_t slot = find_slot(samples, bytes);

        if (samples->slots[slot] != NULL || !is_distinctive(bytes))
            continue;
        samples->slots[slot] = bytes;
        count++;
    }
    return count;
}

static void
search_bytes(struct samples *samples, const unsigned char *bytes, size_t length,
             struct wiretap_report *report)
{
    for (size_t at = 0; at + SAMPLE_BYTES <= length; at++) {
        size_t slot = find_slot(samples, bytes + at);

        if (samples->slots[slot] == NULL || samples->found[slot])
            continue;
        samples->found[slot] = true;
        report->found++;
    }
}

static void
search_file(struct samples *samples, const char *path,
            struct wiretap_report *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t length = lseek(fd, 0, SEEK_END);
    unsigned char *bytes;

    assert_true(fd >= 0);
    assert_true(length >= 0);
    report->bytes += (uint64_t)length;
    if (length > 0) {
        bytes = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, fd, 0);
        assert_true(bytes != MAP_FAILED);
        search_bytes(samples, bytes, (size_t)length, report);
        munmap(bytes, (size_t)length);
    }
    close(fd);
}

void
wiretap_search(const struct wiretap *wiretap, const struct memory *memory,
               struct wiretap_report *report)
{
    char pattern[CASE_PATH_MAX + 2];
    struct samples samples;
    glob_t files;

    *report = (struct wiretap_report){ .bytes = 0 };
    report->samples = samples_init(&samples, memory);
    snprintf(pattern, sizeof(pattern), "%s.*", wiretap->prefix);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        search_file(&samples, files.gl_pathv[i], report);
    globfree(&files);
    free(samples.slots);
    free(samples.found);
}
