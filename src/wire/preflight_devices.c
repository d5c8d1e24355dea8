/*
 * Devices, by type and place.  The state of a device is sent under the name of
 * its place and is taken by the device that stands there; ids are for people
 * and do not matter.  A device that the destination lacks is found by QEMU only
 * when all of the memory has been sent; one that the source lacks is taken
 * without a word, and the guest does not know it.
 */
#include <string.h>

#include "wire/facts.h"
#include "wire/preflight_rows.h"

/* The devices of both sides, and which have found their partner. */
struct devices {
    const json_t *list[2];
    bool done[2][FACTS_LIST_MAX];
};

static bool
same_text(const json_t *one, const json_t *two, const char *key)
{
    return strcmp(preflight_text_of(one, key), preflight_text_of(two, key)) ==
           0;
}

static bool
is_built_in(const json_t *device)
{
    return json_is_true(json_object_get(device, "built_in"));
}

/* What is alike with a source's device: from all down to one thing. */
enum likeness { ALIKE_ALL, ALIKE_ID, ALIKE_PLACE, ALIKE_TYPE };

static bool
is_alike(const json_t *one, const json_t *two, enum likeness likeness)
{
    bool type = same_text(one, two, "type");
    bool place = same_text(one, two, "place");

    switch (likeness) {
    case ALIKE_ALL: return type && place;
    case ALIKE_ID:
        return type && preflight_text_of(one, "id")[0] != '\0' &&
               same_text(one, two, "id");
    case ALIKE_PLACE: return place;
    default: return type;
    }
}

/* What the device is to be called: by its id, if it has one. */
static const char *
name_of(const json_t *device)
{
    const char *id = preflight_text_of(device, "id");

    return id[0] != '\0' ? id : preflight_text_of(device, "type");
}

static void
say_device(struct preflight_row *row, enum preflight_side side,
           const json_t *device)
{
    if (device == NULL)
        preflight_say(row, side, "missing");
    else
        preflight_say(row, side, "%s at %s", preflight_text_of(device, "type"),
                      preflight_text_of(device, "place"));
}

/* Built-in devices follow from the machine type; another version may only tell
 * of them in another way. */
static enum preflight_verdict
how_bad(const struct preflight_work *work, const json_t *here,
        const json_t *there)
{
    bool built_in = is_built_in(here != NULL ? here : there);

    if (built_in && !work->same_version)
        return PREFLIGHT_WARNING;
    return PREFLIGHT_STOP;
}

static void
explain(const struct preflight_work *work, struct preflight_row *row,
        const json_t *here, const json_t *there)
{
    const json_t *device = here != NULL ? here : there;

    if (is_built_in(device) && !work->same_version)
        preflight_why(row, "a built-in device, which versions of QEMU may "
                           "count differently");
    else if (there == NULL)
        preflight_why(row, "the destination lacks this device, and its state "
                           "would be refused at the end: add it there at the "
                           "same place");
    else if (here == NULL)
        preflight_why(row, "a device that the guest does not know: leave it "
                           "out at the destination");
    else if (same_text(here, there, "place"))
        preflight_why(row, "other devices at the same place: the destination "
                           "can't take the state of one into the other");
    else
        preflight_why(row, "the same device at another place, where the guest "
                           "does not look for it: fix it with addr= and bus= "
                           "at both hosts");
}

static void
add_row(struct preflight_work *work, const json_t *here, const json_t *there)
{
    struct preflight_row *row = preflight_row(
        work, how_bad(work, here, there), name_of(here != NULL ? here : there));

    say_device(row, PREFLIGHT_SOURCE, here);
    say_device(row, PREFLIGHT_DESTINATION, there);
    explain(work, row, here, there);
}

/* Pair what is left and alike in this way.  Return how many pairs there are. */
static size_t
pair(struct preflight_work *work, struct devices *devices,
     enum likeness likeness)
{
    json_t *here, *there;
    size_t i, k, pairs = 0;

    json_array_foreach(devices->list[0], i, here)
    {
        json_array_foreach(devices->list[1], k, there)
        {
            if (devices->done[0][i] || devices->done[1][k] ||
                !is_alike(here, there, likeness))
                continue;
            devices->done[0][i] = devices->done[1][k] = true;
            pairs++;
            if (likeness != ALIKE_ALL)
                add_row(work, here, there);
        }
    }
    return pairs;
}

static void
add_single(struct preflight_work *work, const struct devices *devices,
           enum preflight_side side)
{
    json_t *device;
    size_t i;

    json_array_foreach(devices->list[side], i, device)
    {
        if (devices->done[side][i])
            continue;
        add_row(work, side == PREFLIGHT_SOURCE ? device : NULL,
                side == PREFLIGHT_SOURCE ? NULL : device);
    }
}

void
preflight_devices(struct preflight_work *work)
{
    struct devices devices = { .list = { NULL } };
    size_t same;

    for (unsigned side = 0; side < 2; side++)
        devices.list[side] = json_object_get(work->facts[side], "devices");
    if (devices.list[0] == NULL || devices.list[1] == NULL) {
        preflight_unknown(work, "devices");
        return;
    }
    same = pair(work, &devices, ALIKE_ALL);
    pair(work, &devices, ALIKE_ID);
    /* With a list cut, what has no partner may have one beyond the end. */
    if (!work->cut) {
        pair(work, &devices, ALIKE_PLACE);
        pair(work, &devices, ALIKE_TYPE);
        add_single(work, &devices, PREFLIGHT_SOURCE);
        add_single(work, &devices, PREFLIGHT_DESTINATION);
    }
    preflight_same(work, "devices", same);
}
