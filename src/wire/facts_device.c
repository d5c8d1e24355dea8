/*
 * Devices and disks of facts.  A device's place is worked out from QOM paths:
 *
 *   /machine/peripheral/scsi0   virtio-scsi-pci, on /machine/i440fx/pci.0,
 *                               addr 104                   00:0d.0
 *   /machine/peripheral/sd0     scsi-hd, on /machine/peripheral/scsi0/
 *                               virtio-backend/scsi0.0,
 *                               scsi-id 1                  00:0d.0/0:1:0
 *
 * The bus of the second is below the path of the first, which so is its owner.
 * Where no device owns a bus, the machine does.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wire/facts.h"
#include "wire/facts_put.h"

/* Buses behind buses; PCI allows more, but nobody has them. */
enum { DEPTH_MAX = 16, PLACE_MAX = FACTS_TEXT_MAX + 1 };

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static long long
unit_of(const json_t *device, const char *key)
{
    return json_integer_value(
        json_object_get(json_object_get(device, "unit"), key));
}

static const char *
last_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* ${path} is that of ${device}, or of something in it. */
static bool
is_within(const char *path, const json_t *device)
{
    const char *own = text_of(device, "path");
    size_t len = strlen(own);

    return len > 0 && strncmp(path, own, len) == 0 &&
           (path[len] == '\0' || path[len] == '/');
}

/* The device that ${path} leads into, or NULL: the deepest of them. */
static const json_t *
owner_of(const json_t *found, const char *path)
{
    const json_t *best = NULL;
    json_t *device;
    size_t i;

    json_array_foreach(found, i, device)
    {
        if (is_within(path, device) &&
            strlen(text_of(device, "path")) > strlen(text_of(best, "path")))
            best = device;
    }
    return best;
}

/* The address of ${device} on its bus, as QEMU writes it. */
static void
unit_text(char buf[PLACE_MAX], const json_t *device)
{
    const char *bus = last_of(text_of(device, "bus"));
    const char *type = text_of(device, "bus_type");
    const char *dot = strrchr(bus, '.');
    long long addr = unit_of(device, "addr");

    if (strstr(type, "PCI") != NULL || strncmp(type, "pxb", 3) == 0)
        snprintf(buf, PLACE_MAX, "%02llx.%llx", addr >> 3 & 0x1f, addr & 7);
    else if (strcmp(type, "SCSI") == 0)
        snprintf(buf, PLACE_MAX, "%lld:%lld:%lld", unit_of(device, "channel"),
                 unit_of(device, "scsi-id"), unit_of(device, "lun"));
    else if (strcmp(type, "IDE") == 0)
        snprintf(buf, PLACE_MAX, "ide%.8s.%lld", dot != NULL ? dot + 1 : "",
                 unit_of(device, "unit"));
    else if (strcmp(type, "ISA") == 0)
        snprintf(buf, PLACE_MAX, "isa.%llx", unit_of(device, "iobase"));
    else if (strcmp(type, "virtio-serial-bus") == 0)
        snprintf(buf, PLACE_MAX, "port%lld", unit_of(device, "nr"));
    else if (strcmp(type, "floppy-bus") == 0)
        snprintf(buf, PLACE_MAX, "floppy%lld", unit_of(device, "unit"));
    else if (strcmp(type, "usb-bus") == 0)
        snprintf(buf, PLACE_MAX, "usb%.32s",
                 text_of(json_object_get(device, "unit"), "port"));
    else if (type[0] == '\0')
        snprintf(buf, PLACE_MAX, "slot%lld", unit_of(device, "slot"));
    else
        snprintf(buf, PLACE_MAX, "%.64s", type);
}

/* The machine's own bus: only one that is not the first needs a name. */
static void
root_text(char buf[PLACE_MAX], const json_t *device)
{
    const char *bus = last_of(text_of(device, "bus"));

    if (strcmp(bus, "pci.0") == 0 || strcmp(bus, "pcie.0") == 0)
        snprintf(buf, PLACE_MAX, "00:");
    else if (bus[0] == '\0')
        buf[0] = '\0';
    else
        snprintf(buf, PLACE_MAX, "%.64s:", bus);
}

static void
place_text(char buf[PLACE_MAX], const json_t *found, const json_t *device,
           unsigned depth)
{
    char before[PLACE_MAX], unit[PLACE_MAX];
    const json_t *owner = owner_of(found, text_of(device, "bus"));
    /* There is one ISA bus, whichever way it hangs on the chipset. */
    bool is_isa = strcmp(text_of(device, "bus_type"), "ISA") == 0;

    unit_text(unit, device);
    before[0] = '\0';
    if (!is_isa && owner != NULL && owner != device && depth < DEPTH_MAX) {
        place_text(before, found, owner, depth + 1);
        snprintf(before + strlen(before), sizeof before - strlen(before), "/");
    } else if (!is_isa)
        root_text(before, device);
    /* What is too deep to be written out loses its end, at both hosts. */
    if (strlen(before) + strlen(unit) >= PLACE_MAX)
        unit[PLACE_MAX - 1 - strlen(before)] = '\0';
    snprintf(buf, PLACE_MAX, "%s", before);
    memcpy(buf + strlen(before), unit, strlen(unit) + 1);
}

/* What a person calls it: the id, which is the end of the path. */
static void
put_id(json_t *entry, const char *path)
{
    static const char named[] = "/machine/peripheral/";

    if (strncmp(path, named, sizeof named - 1) == 0)
        facts_put_text(entry, "id", path + sizeof named - 1);
}

static bool
is_before(const json_t *one, const json_t *two)
{
    int order = strcmp(text_of(one, "place"), text_of(two, "place"));

    return order != 0 ? order < 0
                      : strcmp(text_of(one, "type"), text_of(two, "type")) < 0;
}

/* In the order of their places, so that a list which is cut is cut at the same
 * place at both hosts.  The reference to ${entry} is taken. */
static void
insert(json_t *facts, json_t *list, json_t *entry)
{
    size_t at = json_array_size(list);

    while (at > 0 && is_before(entry, json_array_get(list, at - 1)))
        at--;
    json_array_insert_new(list, at, entry);
    if (json_array_size(list) <= FACTS_LIST_MAX)
        return;
    json_array_remove(list, FACTS_LIST_MAX);
    json_object_set_new(facts, "cut", json_true());
}

void
facts_devices(json_t *facts, const json_t *found)
{
    static const char built_in[] = "/machine/unattached/";
    json_t *list = facts_list(facts, "devices");
    char place[PLACE_MAX];
    json_t *device;
    size_t i;

    json_array_foreach(found, i, device)
    {
        const char *path = text_of(device, "path");
        json_t *entry = json_object();

        place_text(place, found, device, 0);
        facts_put_text(entry, "type", text_of(device, "type"));
        facts_put_text(entry, "place", place);
        put_id(entry, path);
        if (strncmp(path, built_in, sizeof built_in - 1) == 0)
            json_object_set_new(entry, "built_in", json_true());
        insert(facts, list, entry);
    }
}

/* "qdev" is the path of the device or of something in it, or its bare id. */
static const json_t *
disk_owner(const json_t *found, const char *qdev)
{
    char path[PLACE_MAX];

    if (qdev[0] == '/')
        return owner_of(found, qdev);
    snprintf(path, sizeof path, "/machine/peripheral/%.*s", FACTS_TEXT_MAX / 2,
             qdev);
    return owner_of(found, path);
}

/* Other than a path, a name may have a password in it: only its protocol.
 * "json:" tells nothing. */
static void
put_file(json_t *entry, const char *file)
{
    char protocol[PLACE_MAX];
    size_t len = strcspn(file, ":");

    if (file[0] == '/')
        facts_put_text(entry, "file", file);
    else if (file[len] == ':' && len > 0 && len < sizeof protocol - 1 &&
             strncmp(file, "json:", 5) != 0) {
        snprintf(protocol, sizeof protocol, "%.*s:", (int)len, file);
        facts_put_text(entry, "file", protocol);
    }
}

static void
put_medium(json_t *entry, const json_t *medium)
{
    const json_t *image = json_object_get(medium, "image");
    const json_t *read_only = json_object_get(medium, "ro");

    facts_put_number(entry, "size", json_object_get(image, "virtual-size"));
    if (json_is_boolean(read_only))
        json_object_set_new(entry, "read_only",
                            json_boolean(json_is_true(read_only)));
    facts_put_text(entry, "driver",
                   json_string_value(json_object_get(medium, "drv")));
    put_file(entry, text_of(medium, "file"));
}

void
facts_disks(json_t *facts, const json_t *reply, const json_t *found)
{
    char place[PLACE_MAX];
    json_t *list, *block;
    size_t i;

    if (!json_is_array(reply))
        return;
    list = facts_list(facts, "disks");
    json_array_foreach(reply, i, block)
    {
        const char *qdev = text_of(block, "qdev");
        const json_t *owner = disk_owner(found, qdev);
        json_t *entry;

        if (qdev[0] == '\0')
            continue;
        entry = json_object();
        if (owner != NULL) {
            place_text(place, found, owner, 0);
            facts_put_text(entry, "place", place);
            put_id(entry, text_of(owner, "path"));
        } else
            facts_put_text(entry, "id", qdev);
        put_medium(entry, json_object_get(block, "inserted"));
        insert(facts, list, entry);
    }
}
