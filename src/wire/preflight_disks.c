/* Disks, by the guest's device that they hang on. */
#include <string.h>

#include "base/text.h"
#include "wire/facts.h"
#include "wire/preflight_rows.h"

/* Equal ones beyond these are counted only. */
enum { ROWS_OF_A_KIND = 16 };

static const char *
name_of(const json_t *disk)
{
    const char *id = preflight_text_of(disk, "id");

    return id[0] != '\0' ? id : preflight_text_of(disk, "place");
}

/* By place; what has none, by id. */
static const json_t *
find_disk(const json_t *disks, const json_t *like)
{
    const char *place = preflight_text_of(like, "place");
    const char *key = place[0] != '\0' ? "place" : "id";
    json_t *disk;
    size_t i;

    json_array_foreach(disks, i, disk)
    {
        if (strcmp(preflight_text_of(disk, key),
                   preflight_text_of(like, key)) == 0)
            return disk;
    }
    return NULL;
}

static json_int_t
size_of(const json_t *disk)
{
    const json_t *size = json_object_get(disk, "size");

    return size != NULL ? json_integer_value(size) : -1;
}

static void
say_disk(struct preflight_row *row, enum preflight_side side,
         const json_t *disk)
{
    bool read_only = json_is_true(json_object_get(disk, "read_only"));
    const char *file = preflight_text_of(disk, "file");
    char size[TEXT_MAX];

    if (disk == NULL)
        preflight_say(row, side, "missing");
    else if (size_of(disk) < 0)
        preflight_say(row, side, "no medium");
    else
        preflight_say(
            row, side, "%s%s%s%s", text_size(size, (uint64_t)size_of(disk)),
            read_only ? " read-only" : "", file[0] != '\0' ? " " : "", file);
}

static bool
same_switch(const json_t *one, const json_t *two, const char *key)
{
    return json_is_true(json_object_get(one, key)) ==
           json_is_true(json_object_get(two, key));
}

/* A migration moves no disk: both hosts must open the same one, and whether
 * they do nobody can tell from here.  Another size proves that they don't. */
static enum preflight_verdict
judge_disk(const json_t *here, const json_t *there, const char **why)
{
    const char *file = preflight_text_of(here, "file");

    *why = "";
    if (there == NULL) {
        *why = "the destination lacks this disk";
        return PREFLIGHT_STOP;
    }
    if (size_of(here) >= 0 && size_of(there) >= 0 &&
        size_of(here) != size_of(there)) {
        *why = "another size: this can't be the same disk";
        return PREFLIGHT_STOP;
    }
    /* The guest knows whether there was a disc in the drive. */
    if ((size_of(here) < 0) != (size_of(there) < 0)) {
        *why = "a medium at one side only: the guest still believes in what it "
               "saw last";
        return PREFLIGHT_WARNING;
    }
    if (!same_switch(here, there, "read_only")) {
        *why = "read-only at one side only: the guest's writes would fail, or "
               "be allowed where they should not";
        return PREFLIGHT_WARNING;
    }
    if (file[0] == '/')
        *why = "only the VM moves: both hosts must see the same storage here";
    return PREFLIGHT_OK;
}

/* A disk whose device is missing is told with the device. */
static bool
is_told(const struct preflight_work *work, const json_t *disk)
{
    return work->cut || (preflight_text_of(disk, "place")[0] != '\0' &&
                         json_object_get(work->facts[0], "devices") != NULL &&
                         json_object_get(work->facts[1], "devices") != NULL);
}

static size_t
compare_disk(struct preflight_work *work, const json_t *here,
             const json_t *there, size_t same)
{
    const char *why;
    enum preflight_verdict verdict = judge_disk(here, there, &why);
    struct preflight_row *row;

    if (verdict == PREFLIGHT_OK && same >= ROWS_OF_A_KIND)
        return 1;
    row = preflight_row(work, verdict, name_of(here));
    say_disk(row, PREFLIGHT_SOURCE, here);
    say_disk(row, PREFLIGHT_DESTINATION, there);
    preflight_why(row, "%s", why);
    return verdict == PREFLIGHT_OK;
}

static void
add_extra_disk(struct preflight_work *work, const json_t *disk)
{
    struct preflight_row *row =
        preflight_row(work, PREFLIGHT_STOP, name_of(disk));

    say_disk(row, PREFLIGHT_SOURCE, NULL);
    say_disk(row, PREFLIGHT_DESTINATION, disk);
    preflight_why(row, "a disk that the guest does not have: leave it out at "
                       "the destination");
}

void
preflight_disks(struct preflight_work *work)
{
    const json_t *list[2] = { json_object_get(work->facts[0], "disks"),
                              json_object_get(work->facts[1], "disks") };
    size_t same = 0, i;
    json_t *disk;

    if (list[0] == NULL || list[1] == NULL) {
        preflight_unknown(work, "disks");
        return;
    }
    json_array_foreach(list[0], i, disk)
    {
        const json_t *there = find_disk(list[1], disk);
        if (there != NULL || !is_told(work, disk))
            same += compare_disk(work, disk, there, same);
    }
    json_array_foreach(list[1], i, disk)
    {
        if (!is_told(work, disk) && find_disk(list[0], disk) == NULL)
            add_extra_disk(work, disk);
    }
    if (same > ROWS_OF_A_KIND)
        preflight_same(work, "more disks", same - ROWS_OF_A_KIND);
}
