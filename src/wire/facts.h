/*
 * What a QEMU and its VM are: a JSON object, made of what QMP tells, and sent
 * to the other host so that both can be compared before a migration.
 *
 *   version           "7.2.22"
 *   machine           "pc-i440fx-7.2", never an alias
 *   accelerator       "kvm", "tcg", ...
 *   cpu               the model of the first vCPU, "qemu64"
 *   cpu_features      {"1.ECX": 2147491841, ...}: what the guest's CPUID has,
 *                     by leaf, subleaf and register
 *   cpus, max_cpus    vCPUs now and at most
 *   topology          "sockets=2,cores=4", of what there is more than one
 *   memory, plugged_memory, max_memory, memory_slots
 *   ram_blocks        [{name, used, total}]
 *   devices           [{type, place, id, built_in}]; see facts_devices
 *   disks             [{place, id, size, read_only, driver, file}]; without a
 *                     medium there is no size
 *   nics              [{name, model, mac, backend, backend_name, info,
 *                     connected}]; connected only where QEMU tells
 *   uuid              "none" if it has none
 *   status            "running", "inmigrate", ...
 *   blocked           [why it can't be migrated]
 *   capabilities      {name: whether it is on}
 *   parameters        {name: value}; texts, numbers and switches
 *   cut               true if something is left out to bound the size
 *
 * Everything is optional: what a QEMU does not tell is not there.  Texts are as
 * the QEMU or the partner has them, and not safe to print.
 */
#ifndef WIRE_FACTS_H
#define WIRE_FACTS_H

#include <jansson.h>
#include <stddef.h>

enum {
    FACTS_TEXT_MAX = 128,       /* of any text in it, without its NUL */
    FACTS_LIST_MAX = 256,       /* of any list or object in it */
    FACTS_BYTES_MAX = 48 << 10, /* of the whole, written as JSON */
};

/**
 * facts_version(facts, reply):
 * facts_machine(facts, reply):
 * facts_accelerators(facts, reply):
 * facts_kvm(facts, reply):
 * facts_cpus(facts, reply):
 * facts_cpu_model(facts, reply):
 * facts_cpu_features(facts, reply):
 * facts_topology(facts, reply):
 * facts_memory(facts, reply):
 * facts_memory_slots(facts, reply):
 * facts_ram_blocks(facts, reply):
 * facts_network(facts, reply):
 * facts_chardevs(facts, reply):
 * facts_uuid(facts, reply):
 * facts_status(facts, reply):
 * facts_migration(facts, reply):
 * facts_capabilities(facts, reply):
 * facts_parameters(facts, reply):
 * Add to the object ${facts} what QEMU returned: to query-version; qom-get
 * /machine type; query-accelerators; query-kvm; query-cpus-fast; qom-get of the
 * first vCPU's type and of its feature-words; qom-get /machine smp;
 * query-memory-size-summary; qom-get /machine memory; HMP info ramblock and
 * info network; query-chardev, after the network; query-uuid; query-status;
 * query-migrate; query-migrate-capabilities; query-migrate-parameters.  What is
 * missing, or is not of the kind that it should be, is left out.
 */
void facts_version(json_t *facts, const json_t *reply);
void facts_machine(json_t *facts, const json_t *reply);
void facts_accelerators(json_t *facts, const json_t *reply);
void facts_kvm(json_t *facts, const json_t *reply);
void facts_cpus(json_t *facts, const json_t *reply);
void facts_cpu_model(json_t *facts, const json_t *reply);
void facts_cpu_features(json_t *facts, const json_t *reply);
void facts_topology(json_t *facts, const json_t *reply);
void facts_memory(json_t *facts, const json_t *reply);
void facts_memory_slots(json_t *facts, const json_t *reply);
void facts_ram_blocks(json_t *facts, const json_t *reply);
void facts_network(json_t *facts, const json_t *reply);
void facts_chardevs(json_t *facts, const json_t *reply);
void facts_uuid(json_t *facts, const json_t *reply);
void facts_status(json_t *facts, const json_t *reply);
void facts_migration(json_t *facts, const json_t *reply);
void facts_capabilities(json_t *facts, const json_t *reply);
void facts_parameters(json_t *facts, const json_t *reply);

/**
 * facts_devices(facts, found):
 * Add the devices in ${found}, an array of {path, type, bus, bus_type, unit}:
 * of each its QOM path, its type, the QOM path of the bus that it is on and the
 * type of that bus ("" for none), and its address there, an object of QOM
 * properties.  The place that each gets is what the bus is called, the bus's
 * owner's place and the address, and never an id: it is what a migration knows
 * a device by, as in "00:0d.0/0:1:0".
 */
void facts_devices(json_t *facts, const json_t *found);

/**
 * facts_disks(facts, reply, found):
 * Add what query-block returned, of what is attached to a device of the guest;
 * ${found} is as in facts_devices.
 */
void facts_disks(json_t *facts, const json_t *reply, const json_t *found);

/**
 * facts_finish(facts):
 * Leave out so much of the long lists that the whole has at most
 * FACTS_BYTES_MAX bytes.
 */
void facts_finish(json_t *facts);

/**
 * facts_check(facts):
 * Return NULL if ${facts}, which come from the partner, are of the form that is
 * described above, or a static text that says what is wrong.  Unknown members
 * are of a later version and do not count, but for the size of the whole.
 */
const char *facts_check(const json_t *facts);

/**
 * facts_major_minor(facts, major, minor):
 * Set ${major} and ${minor} to the first two numbers of the version.  Return -1
 * if it is not known.
 */
int facts_major_minor(const json_t *facts, int *major, int *minor);

#endif
