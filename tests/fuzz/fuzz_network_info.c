/* What a QEMU's monitor prints: its NICs, and its blocks of memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/network_info.h"
#include "wire/ram_blocks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_network(const char *text, size_t size)
{
    static struct network_info info;

    network_info_parse(&info, text);
    if (info.count > NETWORK_NICS_MAX || info.count > size)
        abort();
    for (size_t i = 0; i < info.count; i++) {
        const struct network_nic *nic = &info.nics[i];
        const char *far = network_far_end(nic->info);

        /* No text may be without its end. */
        if (memchr(nic->name, 0, sizeof nic->name) == NULL ||
            memchr(nic->info, 0, sizeof nic->info) == NULL)
            abort();
        if (far != NULL &&
            (far < nic->info || far > nic->info + strlen(nic->info)))
            abort();
        network_is_cable(nic->backend, nic->info);
    }
}

static void
read_blocks(const char *text)
{
    const char *at = text, *before = text;
    struct ram_block block;

    while (ram_blocks_next(&at, &block)) {
        if (at <= before || block.name[0] == '\0' ||
            memchr(block.name, 0, sizeof block.name) == NULL)
            abort();
        before = at;
    }
    if (*at != '\0')
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    read_network(text, size);
    read_blocks(text);
    free(text);
    return 0;
}
