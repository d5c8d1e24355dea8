#include "migrate/gather_devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/qmp.h"
#include "wire/facts.h"

/*
 * Theory of operation.  First qom-list of each place where devices are; then
 * for each device
 *
 *   qom-get parent_bus -> qom-get type of the bus, if that is not known yet
 *                      -> qom-get each property that is an address on such a
 *                         bus
 *
 * Of the built-in devices (/machine/unattached) only those on a bus are kept
 * on which a person could also put one: -hda, -nic and -vga make devices there.
 * The others follow from the machine type.
 */

static const char *const containers[] = {
    "/machine/peripheral",      /* with an id */
    "/machine/peripheral-anon", /* without */
    "/machine/unattached",      /* made by the machine */
};

enum {
    CONTAINERS = sizeof containers / sizeof *containers,
    PATH_MAX_LEN = 512
};

/* The addresses on a bus, by what its type begins or ends with. */
struct bus_kind {
    const char *type;
    const char *properties[4];
};

static const struct bus_kind bus_kinds[] = {
    { "PCI", { "addr" } },
    { "PCIE", { "addr" } },
    { "CXL", { "addr" } },
    { "pxb-bus", { "addr" } },
    { "pxb-pcie-bus", { "addr" } },
    { "pxb-cxl-bus", { "addr" } },
    { "SCSI", { "channel", "scsi-id", "lun" } },
    { "IDE", { "unit" } },
    { "ISA", { "iobase" } },
    { "floppy-bus", { "unit" } },
    { "usb-bus", { "port" } },
    { "virtio-serial-bus", { "nr" } },
};

/* On no bus, a memory module has its slot. */
static const struct bus_kind no_bus = { "", { "slot" } };
static const struct bus_kind other_bus = { "", { NULL } };

struct gather_devices {
    struct gather_devices_options options;
    json_t *found;     /* NULL until a container has been listed */
    json_t *bus_types; /* {path: type} */
    size_t container;
    size_t device;   /* that is asked about */
    size_t property; /* of it */
    unsigned questions;
    bool cut;
};

static void next_device(struct gather_devices *devices);
static void next_property(struct gather_devices *devices);

static void
finish(struct gather_devices *devices, const char *why)
{
    devices->options.on_done(devices->options.arg, why);
}

/* Send a question, with the reference to ${arguments}.  Return 0, or -1 with
 * errno set. */
static int
ask(struct gather_devices *devices, const char *command, json_t *arguments,
    void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    const struct qmp_command question = {
        .name = command,
        .arguments = arguments,
        .timeout_ms = devices->options.timeout_ms,
        .on_reply = on_reply,
        .arg = devices,
    };
    int result = qmp_execute(devices->options.qmp, &question);

    devices->questions++;
    json_decref(arguments);
    return result;
}

static void
ask_property(struct gather_devices *devices, const char *path,
             const char *property,
             void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    if (ask(devices, "qom-get",
            json_pack("{s:s, s:s}", "path", path, "property", property),
            on_reply) != 0)
        finish(devices, strerror(errno));
}

/* Return whether it was no reply at all, after which there is no way on. */
static bool
end_if_silent(struct gather_devices *devices, const struct qmp_reply *reply)
{
    if (reply->error == NULL || reply->error_class != NULL)
        return false;
    finish(devices, reply->error);
    return true;
}

static json_t *
current(const struct gather_devices *devices)
{
    return json_array_get(devices->found, devices->device);
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static const struct bus_kind *
kind_of(const json_t *device)
{
    const char *type = text_of(device, "bus_type");

    if (text_of(device, "bus")[0] == '\0')
        return &no_bus;
    for (size_t i = 0; i < sizeof bus_kinds / sizeof *bus_kinds; i++)
        if (strcmp(bus_kinds[i].type, type) == 0)
            return &bus_kinds[i];
    return &other_bus;
}

static bool
is_built_in(const json_t *device)
{
    const char *path = text_of(device, "path");
    const char *unattached = containers[CONTAINERS - 1];

    return strncmp(path, unattached, strlen(unattached)) == 0;
}

/* Leave out a built-in device that nobody could have asked for. */
static bool
drop_if_inner(struct gather_devices *devices)
{
    const json_t *device = current(devices);
    const struct bus_kind *kind = kind_of(device);

    if (!is_built_in(device) || (kind != &no_bus && kind != &other_bus))
        return false;
    json_array_remove(devices->found, devices->device);
    return true;
}

static void
on_property(void *arg, const struct qmp_reply *reply)
{
    struct gather_devices *devices = arg;
    json_t *device = current(devices);
    const struct bus_kind *kind = kind_of(device);

    if (end_if_silent(devices, reply))
        return;
    if (json_is_integer(reply->value) || json_is_string(reply->value))
        json_object_set_new(json_object_get(device, "unit"),
                            kind->properties[devices->property],
                            json_deep_copy(reply->value));
    devices->property++;
    next_property(devices);
}

static void
next_property(struct gather_devices *devices)
{
    const json_t *device = current(devices);
    const struct bus_kind *kind = kind_of(device);
    const char *property =
        devices->property < 4 ? kind->properties[devices->property] : NULL;

    if (property != NULL)
        ask_property(devices, text_of(device, "path"), property, on_property);
    else {
        devices->device++;
        next_device(devices);
    }
}

static void
with_bus_type(struct gather_devices *devices, const char *type)
{
    json_object_set_new(current(devices), "bus_type", json_string(type));
    devices->property = 0;
    if (drop_if_inner(devices))
        next_device(devices);
    else
        next_property(devices);
}

static void
on_bus_type(void *arg, const struct qmp_reply *reply)
{
    struct gather_devices *devices = arg;
    const char *type = json_string_value(reply->value);

    if (end_if_silent(devices, reply))
        return;
    if (type == NULL)
        type = "";
    json_object_set_new(devices->bus_types, text_of(current(devices), "bus"),
                        json_string(type));
    with_bus_type(devices, type);
}

static void
on_bus(void *arg, const struct qmp_reply *reply)
{
    struct gather_devices *devices = arg;
    json_t *device = current(devices);
    const char *bus = json_string_value(reply->value);
    const char *type;

    if (end_if_silent(devices, reply))
        return;
    if (bus == NULL)
        bus = "";
    json_object_set_new(device, "bus", json_string(bus));
    bus = text_of(device, "bus");
    type = json_string_value(json_object_get(devices->bus_types, bus));
    if (bus[0] == '\0' || type != NULL)
        with_bus_type(devices, type != NULL ? type : "");
    else
        ask_property(devices, bus, "type", on_bus_type);
}

static void
next_device(struct gather_devices *devices)
{
    /* Each may take a bus, its type and the addresses. */
    enum { QUESTIONS_A_DEVICE = 6 };

    if (devices->device == json_array_size(devices->found)) {
        finish(devices, NULL);
        return;
    }
    if (devices->questions + QUESTIONS_A_DEVICE >
        devices->options.questions_max) {
        devices->cut = true;
        while (json_array_size(devices->found) > devices->device)
            json_array_remove(devices->found,
                              json_array_size(devices->found) - 1);
        finish(devices, NULL);
        return;
    }
    ask_property(devices, text_of(current(devices), "path"), "parent_bus",
                 on_bus);
}

/* The type of a device, from "child<virtio-net-pci>"; false for what is none:
 * wires, pieces of memory, containers, and vCPUs, which are counted apart. */
static bool
device_type(char type[FACTS_TEXT_MAX + 1], const json_t *entry)
{
    static const char *const others[] = { "irq", "memory-region",
                                          "qemu:memory-region", "container",
                                          "System" };
    const char *child = text_of(entry, "type");
    size_t len = strlen(child);

    if (strncmp(child, "child<", 6) != 0 || child[len - 1] != '>' ||
        len - 7 > FACTS_TEXT_MAX || len < 8)
        return false;
    memcpy(type, child + 6, len - 7);
    type[len - 7] = '\0';
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(type, others[i]) == 0)
            return false;
    return len < 11 || strcmp(child + len - 5, "-cpu>") != 0;
}

static void
take_entry(struct gather_devices *devices, const json_t *entry)
{
    const char *container = containers[devices->container];
    const char *name = text_of(entry, "name");
    char type[FACTS_TEXT_MAX + 1], path[PATH_MAX_LEN];

    if (!device_type(type, entry))
        return;
    int len = snprintf(path, sizeof path, "%s/%s", container, name);
    if (json_array_size(devices->found) >= devices->options.questions_max ||
        len < 0 || (size_t)len >= sizeof path) {
        devices->cut = true;
        return;
    }
    json_array_append_new(
        devices->found,
        json_pack("{s:s, s:s, s:{}}", "path", path, "type", type, "unit"));
}

static void on_list(void *arg, const struct qmp_reply *reply);

static int
list_next(struct gather_devices *devices)
{
    return ask(devices, "qom-list",
               json_pack("{s:s}", "path", containers[devices->container]),
               on_list);
}

static void
on_list(void *arg, const struct qmp_reply *reply)
{
    struct gather_devices *devices = arg;
    json_t *entry;
    size_t i;

    if (end_if_silent(devices, reply))
        return;
    if (json_is_array(reply->value) && devices->found == NULL)
        devices->found = json_array();
    json_array_foreach(reply->value, i, entry)
    {
        take_entry(devices, entry);
    }
    devices->container++;
    if (devices->container == CONTAINERS)
        next_device(devices);
    else if (list_next(devices) != 0)
        finish(devices, strerror(errno));
}

struct gather_devices *
gather_devices_new(const struct gather_devices_options *options)
{
    struct gather_devices *devices = calloc(1, sizeof *devices);

    if (devices == NULL)
        return NULL;
    devices->options = *options;
    devices->bus_types = json_object();
    if (devices->bus_types == NULL || list_next(devices) != 0) {
        gather_devices_free(devices);
        return NULL;
    }
    return devices;
}

void
gather_devices_free(struct gather_devices *devices)
{
    if (devices == NULL)
        return;
    json_decref(devices->found);
    json_decref(devices->bus_types);
    free(devices);
}

const json_t *
gather_devices_found(const struct gather_devices *devices)
{
    return devices->found;
}

bool
gather_devices_cut(const struct gather_devices *devices)
{
    return devices->cut;
}
