#include "support_guest.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTOR_BYTES = 512,

    /* Offsets in the image: guest/guest.S. */
    AT_MAGIC = 4,
    AT_FILL_END = 8,
    AT_WINDOW_END = 12,
    AT_ROUND_PAGES = 16,
    AT_ROUND_TICKS = 20,
    AT_FILL_MASK = 28,
    SOFT_MASK = 0xff, /* a byte of each word: a good quarter remains */

    FIRST_MIB = 1,
    DEFAULT_FILL_MIB = 64
};

const struct guest guest_calm = { .window_mib = 16,
                                  .round_pages = 16,
                                  .round_ticks = 1 };
const struct guest guest_busy = { .window_mib = 32,
                                  .round_pages = 256,
                                  .round_ticks = 1 };

const struct guest guest_small = {
    .fill_mib = 32, .window_mib = 4, .round_pages = 8, .round_ticks = 1
};

static void
put32(unsigned char *at, uint64_t value)
{
    uint32_t le;

    assert_in_range(value, 0, UINT32_MAX);
    le = htole32((uint32_t)value);
    memcpy(at, &le, sizeof(le));
}

static void
read_template(unsigned char sector[SECTOR_BYTES])
{
    const char *path = getenv("MIG_GUEST_IMAGE");
    FILE *file = fopen(path != NULL ? path : MIG_GUEST_IMAGE, "rb");

    assert_non_null(file);
    assert_int_equal(fread(sector, 1, SECTOR_BYTES, file), SECTOR_BYTES);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    assert_memory_equal(sector + AT_MAGIC, "MTG1", 4);
}

void
guest_write_image(struct e2e *e2e, const struct guest *guest,
                  char path[CASE_PATH_MAX])
{
    unsigned fill = guest->fill_mib != 0 ? guest->fill_mib : DEFAULT_FILL_MIB;
    unsigned char sector[SECTOR_BYTES];
    FILE *file;

    assert_in_range(guest->window_mib, 1, fill - FIRST_MIB);
    assert_true(guest->round_pages > 0);
    read_template(sector);
    put32(sector + AT_FILL_END, (uint64_t)fill << 20);
    put32(sector + AT_WINDOW_END, (uint64_t)(FIRST_MIB + guest->window_mib)
                                      << 20);
    put32(sector + AT_ROUND_PAGES, guest->round_pages);
    put32(sector + AT_ROUND_TICKS, guest->round_ticks);
    if (guest->soft)
        put32(sector + AT_FILL_MASK, SOFT_MASK);

    file = fopen(e2e_path(e2e, "guest.img", path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(sector, 1, SECTOR_BYTES, file), SECTOR_BYTES);
    assert_int_equal(fclose(file), 0);
}
