/* Memory, and what else there is one of: the UUID and what blocks. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "wire/preflight_rows.h"
#include "wire/settings.h"

static json_int_t
number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return value != NULL ? json_integer_value(value) : -1;
}

static const char *
size_text(char buf[TEXT_MAX], json_int_t bytes)
{
    return text_size(buf, (uint64_t)(bytes > 0 ? bytes : 0));
}

static void
say_memory(const struct preflight_work *work, struct preflight_row *row,
           enum preflight_side side)
{
    const json_t *facts = work->facts[side];
    char base[TEXT_MAX], more[TEXT_MAX], most[TEXT_MAX];
    char plugged[TEXT_MAX + 8] = "", slots[TEXT_MAX + 48] = "";
    json_int_t count = number(facts, "memory_slots");

    size_text(base, number(facts, "memory"));
    size_text(more, number(facts, "plugged_memory"));
    size_text(most, number(facts, "max_memory"));
    if (number(facts, "plugged_memory") > 0)
        snprintf(plugged, sizeof plugged, " + %s", more);
    if (count > 0 || number(facts, "max_memory") > number(facts, "memory"))
        snprintf(slots, sizeof slots, " of %s in %lld slots", most,
                 (long long)(count > 0 ? count : 0));
    preflight_say(row, side, "%s%s%s", base, plugged, slots);
}

static bool
differ(const struct preflight_work *work, const char *key)
{
    json_int_t here = number(work->facts[0], key);
    json_int_t there = number(work->facts[1], key);

    return here >= 0 && there >= 0 && here != there;
}

/* The blocks of memory are compared by size when they are announced.  Of the
 * device that plugs memory, the state has one entry a slot.  The most memory is
 * compared by nobody, but the guest has been told it. */
static void
compare_sizes(struct preflight_work *work)
{
    const json_t *const *facts = work->facts;
    bool stops = differ(work, "memory") || differ(work, "plugged_memory") ||
                 differ(work, "memory_slots");
    bool warns = differ(work, "max_memory");
    struct preflight_row *row;

    if (number(facts[0], "memory") < 0 || number(facts[1], "memory") < 0) {
        preflight_unknown(work, "memory");
        return;
    }
    row = preflight_row(work,
                        stops   ? PREFLIGHT_STOP
                        : warns ? PREFLIGHT_WARNING
                                : PREFLIGHT_OK,
                        "memory");
    say_memory(work, row, PREFLIGHT_SOURCE);
    say_memory(work, row, PREFLIGHT_DESTINATION);
    if (stops)
        preflight_why(row,
                      "the memory must be the same to the byte (%lld here, "
                      "%lld there), and so must slots=: give the destination "
                      "the source's -m",
                      (long long)number(facts[0], "memory"),
                      (long long)number(facts[1], "memory"));
    else if (warns)
        preflight_why(row, "another maxmem=: the guest has been told the "
                           "source's, and expects to be able to get it");
}

static const json_t *
find_block(const json_t *blocks, const char *name)
{
    json_t *block;
    size_t i;

    json_array_foreach(blocks, i, block)
    {
        if (strcmp(preflight_text_of(block, "name"), name) == 0)
            return block;
    }
    return NULL;
}

static void
say_block(struct preflight_row *row, enum preflight_side side,
          const json_t *block)
{
    char size[TEXT_MAX];

    if (block == NULL)
        preflight_say(row, side, "missing");
    else
        preflight_say(row, side, "%s", size_text(size, number(block, "used")));
}

/* Firmware tables that QEMU makes at its start grow to what the source sends,
 * as long as they fit; every other block must have its size to the byte. */
static bool
block_fits(const json_t *block, const json_t *there)
{
    if (strncmp(preflight_text_of(block, "name"), "/rom@", 5) == 0)
        return number(block, "used") <= number(there, "total");
    return number(block, "used") == number(there, "used");
}

/* Parts of a host's device that are mapped into the guest: not migrated. */
static bool
is_mapped(const json_t *block)
{
    return strstr(preflight_text_of(block, "name"), "mmaps[") != NULL;
}

static void
stop_block(struct preflight_work *work, const json_t *block,
           const json_t *there)
{
    const char *name = preflight_text_of(block, "name");
    struct preflight_row *row;

    row = preflight_row(work, PREFLIGHT_STOP, name);
    say_block(row, PREFLIGHT_SOURCE, block);
    say_block(row, PREFLIGHT_DESTINATION, there);
    if (strstr(name, ".rom") != NULL || strstr(name, "bios") != NULL)
        preflight_why(row, "the destination's firmware file has another size, "
                           "or is missing: install the same one, or give it "
                           "with romfile= or -bios");
    else
        preflight_why(row,
                      "this piece of the guest's memory has no place at the "
                      "destination: give it the same -m, -object and devices");
}

static const json_t *
device_at(const json_t *devices, const char *place)
{
    json_t *device;
    size_t i;

    json_array_foreach(devices, i, device)
    {
        if (strcmp(preflight_text_of(device, "place"), place) == 0)
            return device;
    }
    return NULL;
}

/* A PCI device's memory is named by its place, "0000:00:05.0:00.0/vga.vram" of
 * the device at 00:05.0/00.0.  Where the devices differ, that is told once. */
static bool
is_told(const struct preflight_work *work, const json_t *block)
{
    const char *name = preflight_text_of(block, "name");
    char place[PREFLIGHT_TEXT_MAX];
    const json_t *device[2];

    if (strncmp(name, "0000:", 5) != 0 || strchr(name, '/') == NULL)
        return false;
    snprintf(place, sizeof place, "%.*s", (int)strcspn(name + 5, "/"),
             name + 5);
    for (size_t i = 3; i < strlen(place); i++)
        if (place[i] == ':')
            place[i] = '/';
    for (unsigned side = 0; side < 2; side++)
        device[side] =
            device_at(json_object_get(work->facts[side], "devices"), place);
    if (device[0] == NULL && device[1] == NULL)
        return false;
    return strcmp(preflight_text_of(device[0], "type"),
                  preflight_text_of(device[1], "type")) != 0;
}

/* The destination keeps a block that nobody sends as it was at its start. */
static void
warn_extra_block(struct preflight_work *work, const json_t *block)
{
    struct preflight_row *row = preflight_row(work, PREFLIGHT_WARNING,
                                              preflight_text_of(block, "name"));

    say_block(row, PREFLIGHT_SOURCE, NULL);
    say_block(row, PREFLIGHT_DESTINATION, block);
    preflight_why(row, "memory that the source does not have, and that nothing "
                       "is sent into");
}

static void
compare_blocks(struct preflight_work *work)
{
    const json_t *here = json_object_get(work->facts[0], "ram_blocks");
    const json_t *away = json_object_get(work->facts[1], "ram_blocks");
    size_t same = 0, i;
    json_t *block;

    if (here == NULL || away == NULL)
        return; /* the sizes have said what is known */
    json_array_foreach(here, i, block)
    {
        const json_t *there =
            find_block(away, preflight_text_of(block, "name"));
        if (is_mapped(block) || is_told(work, block) ||
            (there == NULL && work->cut))
            continue;
        if (there == NULL || !block_fits(block, there))
            stop_block(work, block, there);
        else
            same++;
    }
    json_array_foreach(away, i, block)
    {
        if (!is_mapped(block) && !is_told(work, block) && !work->cut &&
            find_block(here, preflight_text_of(block, "name")) == NULL)
            warn_extra_block(work, block);
    }
    preflight_same(work, "memory blocks", same);
}

void
preflight_memory(struct preflight_work *work)
{
    compare_sizes(work);
    compare_blocks(work);
}

static bool
validates_uuid(const struct preflight_work *work)
{
    const char *value =
        settings_get(work->plan, SETTING_CAPABILITY, "validate-uuid");

    if (value != NULL)
        return strcmp(value, "on") == 0;
    return json_is_true(json_object_get(
        json_object_get(work->facts[PREFLIGHT_SOURCE], "capabilities"),
        "validate-uuid"));
}

/* The SMBIOS table with the UUID is in the guest's memory and comes along; the
 * one that the firmware reads at the next reset is the destination's own. */
static void
compare_uuid(struct preflight_work *work)
{
    bool validates = validates_uuid(work);
    struct preflight_row *row = preflight_texts(
        work, validates ? PREFLIGHT_STOP : PREFLIGHT_WARNING, "UUID", "uuid");

    if (row == NULL)
        return;
    if (validates)
        preflight_why(row, "the capability validate-uuid is on, so QEMU "
                           "refuses another UUID");
    else
        preflight_why(row, "the guest sees the source's UUID until it is "
                           "reset, then the destination's: give both the "
                           "same -uuid");
}

/* QEMU says so itself when it is told to migrate; here it is known before. */
static void
compare_blocked(struct preflight_work *work)
{
    const json_t *reasons =
        json_object_get(work->facts[PREFLIGHT_SOURCE], "blocked");
    struct preflight_row *row;
    json_t *reason;
    size_t i;

    json_array_foreach(reasons, i, reason)
    {
        row = preflight_row(work, PREFLIGHT_STOP, "blocked");
        preflight_say(row, PREFLIGHT_SOURCE, "yes");
        preflight_why(row, "the source's QEMU says: %s",
                      json_string_value(reason));
    }
    if (json_is_array(reasons) && json_array_size(reasons) == 0) {
        row = preflight_row(work, PREFLIGHT_OK, "blocked");
        preflight_say(row, PREFLIGHT_SOURCE, "no");
    }
}

void
preflight_guest(struct preflight_work *work)
{
    compare_uuid(work);
    compare_blocked(work);
}
