/* Two QEMUs compared: what is told of each difference. */
#include "wire/preflight.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"
#include "wire/facts.h"
#include "wire/setting_history.h"
#include "wire/settings.h"

static const char usual[] =
    "{\"version\": \"7.2.22\", \"machine\": \"pc-i440fx-7.2\","
    " \"accelerator\": \"kvm\", \"cpu\": \"Nehalem\", \"cpus\": 2,"
    " \"max_cpus\": 4, \"topology\": \"cores=4\","
    " \"cpu_features\": {\"1.ECX\": 7, \"1.EDX\": 0},"
    " \"memory\": 67108864, \"plugged_memory\": 0,"
    " \"ram_blocks\": ["
    "  {\"name\": \"pc.ram\", \"used\": 67108864, \"total\": 67108864},"
    "  {\"name\": \"0000:00:03.0/e1000.rom\", \"used\": 9, \"total\": 9},"
    "  {\"name\": \"/rom@etc/acpi/tables\", \"used\": 4, \"total\": 8}],"
    " \"devices\": ["
    "  {\"type\": \"PIIX3\", \"place\": \"00:01.0\", \"built_in\": true},"
    "  {\"type\": \"e1000\", \"place\": \"00:03.0\", \"id\": \"net0\"},"
    "  {\"type\": \"virtio-blk-pci\", \"place\": \"00:04.0\","
    "   \"id\": \"disk0\"}],"
    " \"disks\": [{\"place\": \"00:04.0\", \"id\": \"disk0\", \"size\": 1024,"
    "  \"read_only\": false, \"driver\": \"raw\", \"file\": \"/a.img\"}],"
    " \"nics\": [{\"name\": \"net0\", \"model\": \"e1000\", \"mac\": \"52:01\","
    "  \"backend\": \"tap\", \"backend_name\": \"n0\", \"info\": \"\"}],"
    " \"uuid\": \"1111\", \"status\": \"running\", \"blocked\": [],"
    " \"capabilities\": {\"multifd\": false, \"postcopy-ram\": false,"
    "  \"events\": false, \"validate-uuid\": false, \"mapped-ram\": false},"
    " \"parameters\": {\"multifd-channels\": 2, \"max-bandwidth\": 0,"
    "  \"multifd-compression\": \"none\"}}";

static json_t *facts[2];
static struct settings plan;
static struct preflight result;

static int
set_up(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        json_decref(facts[side]);
        facts[side] = json_loads(usual, 0, NULL);
        assert_non_null(facts[side]);
    }
    json_object_set_new(facts[PREFLIGHT_DESTINATION], "status",
                        json_string("inmigrate"));
    plan.count = 0;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        json_decref(facts[side]);
        facts[side] = NULL;
    }
    return 0;
}

/* Change members of one side: null takes one away. */
static void
change(enum preflight_side side, const char *text)
{
    json_t *changes = json_loads(text, 0, NULL), *value;
    const char *key;

    assert_non_null(changes);
    json_object_foreach(changes, key, value)
    {
        if (json_is_null(value))
            json_object_del(facts[side], key);
        else
            json_object_set(facts[side], key, value);
    }
    json_decref(changes);
}

static void
change_both(const char *text)
{
    change(PREFLIGHT_SOURCE, text);
    change(PREFLIGHT_DESTINATION, text);
}

static void
add(enum setting_kind kind, const char *text)
{
    assert_null(settings_parse(&plan, kind, text));
}

/* All that the comparison must keep to, whatever it compares. */
static void
compare(void)
{
    enum preflight_verdict worst = PREFLIGHT_OK;

    assert_null(facts_check(facts[0]));
    assert_null(facts_check(facts[1]));
    preflight_compare(&result, facts[0], facts[1], &plan);
    for (size_t i = 0; i < result.count; i++) {
        const struct preflight_row *row = &result.rows[i];
        if (row->verdict > worst)
            worst = row->verdict;
        assert_true(row->name[0] != '\0');
        if (row->verdict != PREFLIGHT_OK)
            assert_true(row->why[0] != '\0');
    }
    if (result.left_out == 0)
        assert_int_equal(result.verdict, worst);
}

static const struct preflight_row *
find(const char *name)
{
    for (size_t i = 0; i < result.count; i++)
        if (strcmp(result.rows[i].name, name) == 0)
            return &result.rows[i];
    return NULL;
}

static unsigned
count(enum preflight_verdict verdict)
{
    unsigned rows = 0;

    for (size_t i = 0; i < result.count; i++)
        rows += result.rows[i].verdict == verdict;
    return rows;
}

static void
assert_row(enum preflight_verdict verdict, const char *name, const char *part)
{
    const struct preflight_row *row = find(name);

    if (row == NULL)
        fail_msg("no row %s", name);
    else if (row->verdict != verdict)
        fail_msg("%s: %s, %s", name, preflight_verdict_text(row->verdict),
                 row->why);
    else if (strstr(row->why, part) == NULL)
        fail_msg("%s: %s", name, row->why);
}

/* One row, and no other, is not ok. */
static void
assert_only(enum preflight_verdict verdict, const char *name, const char *part)
{
    compare();
    assert_row(verdict, name, part);
    assert_int_equal(result.verdict, verdict);
    assert_int_equal(count(PREFLIGHT_STOP) + count(PREFLIGHT_WARNING), 1);
}

static void
assert_sides(const char *name, const char *source, const char *destination)
{
    const struct preflight_row *row = find(name);

    assert_non_null(row);
    assert_string_equal(row->side[PREFLIGHT_SOURCE], source);
    assert_string_equal(row->side[PREFLIGHT_DESTINATION], destination);
}

static void
two_that_are_the_same_are_ok(void **state)
{
    (void)state;
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    assert_int_equal(count(PREFLIGHT_OK), result.count);
    assert_sides("QEMU", "7.2.22", "7.2.22");
    assert_sides("vCPUs", "2 of 4, cores=4", "2 of 4, cores=4");
    assert_sides("state", "running", "inmigrate");
    assert_sides("memory", "64.0 MiB", "64.0 MiB");
    assert_sides("memory blocks", "3, the same", "3, the same");
    assert_sides("devices", "3, the same", "3, the same");
    assert_sides("disk0", "1.0 KiB /a.img", "1.0 KiB /a.img");
    assert_sides("net0", "e1000 52:01 tap n0", "e1000 52:01 tap n0");
    assert_sides("blocked", "no", "");
    assert_row(PREFLIGHT_OK, "disk0", "same storage");
    assert_null(find("settings"));
}

static void
what_nobody_tells_is_a_warning_each(void **state)
{
    static const char *const names[] = { "QEMU",   "machine", "accelerator",
                                         "CPU",    "vCPUs",   "state",
                                         "memory", "UUID",    "devices",
                                         "disks",  "network" };

    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        set_up(NULL);
        json_object_clear(facts[side]);
        compare();
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            assert_row(PREFLIGHT_WARNING, names[i], "not compared");
        assert_int_equal(count(PREFLIGHT_WARNING),
                         sizeof names / sizeof *names);
        assert_int_equal(count(PREFLIGHT_STOP), 0);
    }
    set_up(NULL);
    json_object_clear(facts[0]);
    compare();
    assert_sides("QEMU", "unknown", "7.2.22");
    assert_sides("state", "unknown", "inmigrate");
}

static void
an_older_destination_is_a_warning(void **state)
{
    static const char *const older[] = { "7.1.9", "6.9.0", "0.15.0" };
    static const char *const newer[] = { "7.2.0", "7.3.0", "8.0.0", "10.1.0" };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof older / sizeof *older; i++) {
        snprintf(text, sizeof text, "{\"version\": \"%s\"}", older[i]);
        change(PREFLIGHT_DESTINATION, text);
        assert_only(PREFLIGHT_WARNING, "QEMU", "older");
    }
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++) {
        snprintf(text, sizeof text, "{\"version\": \"%s\"}", newer[i]);
        change(PREFLIGHT_DESTINATION, text);
        compare();
        assert_int_equal(result.verdict, PREFLIGHT_OK);
        assert_sides("QEMU", "7.2.22", newer[i]);
    }
    change(PREFLIGHT_DESTINATION, "{\"version\": \"odd\"}");
    compare();
    assert_row(PREFLIGHT_OK, "QEMU", "");
}

static void
the_machine_accelerator_and_model_must_be_the_same(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, "{\"machine\": \"pc-q35-7.2\"}");
    assert_only(PREFLIGHT_STOP, "machine", "-machine pc-i440fx-7.2");
    change(PREFLIGHT_DESTINATION, "{\"machine\": \"pc-i440fx-7.2\","
                                  " \"accelerator\": \"tcg\"}");
    assert_only(PREFLIGHT_STOP, "accelerator", "accelerators");
    change(PREFLIGHT_DESTINATION,
           "{\"accelerator\": \"kvm\", \"cpu\": \"qemu64\"}");
    assert_only(PREFLIGHT_STOP, "CPU", "-cpu");
}

static void
features_that_are_lost_stop_and_new_ones_warn(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, "{\"cpu_features\": {\"1.ECX\": 3}}");
    assert_only(PREFLIGHT_STOP, "CPU features", "1 feature ");
    assert_sides("CPU features", "3 in all", "2 in all");
    change(PREFLIGHT_DESTINATION, "{\"cpu_features\": {\"1.ECX\": 24}}");
    assert_only(PREFLIGHT_STOP, "CPU features", "3 features ");
    change(PREFLIGHT_DESTINATION,
           "{\"cpu_features\": {\"1.ECX\": 7, \"7.0.EBX\": 5}}");
    assert_only(PREFLIGHT_WARNING, "CPU features", "2 features more");
    change(PREFLIGHT_DESTINATION, "{\"cpu_features\": {\"1.ECX\": 15}}");
    assert_only(PREFLIGHT_WARNING, "CPU features", "1 feature more");
    change(PREFLIGHT_DESTINATION, "{\"cpu_features\": null}");
    compare();
    assert_null(find("CPU features"));
}

static void
the_host_s_own_model_is_a_warning(void **state)
{
    (void)state;
    change_both("{\"cpu\": \"host\"}");
    assert_only(PREFLIGHT_WARNING, "CPU model", "\"host\"");
    change_both("{\"cpu\": \"max\"}");
    assert_only(PREFLIGHT_WARNING, "CPU model", "\"max\"");
    change(PREFLIGHT_DESTINATION, "{\"cpu\": null}");
    assert_only(PREFLIGHT_WARNING, "CPU", "not compared");
}

static void
vcpus_their_most_and_topology_must_be_the_same(void **state)
{
    static const char *const changes[] = { "{\"cpus\": 3}",
                                           "{\"cpus\": 2, \"max_cpus\": 5}",
                                           "{\"topology\": \"threads=4\"}" };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        change(PREFLIGHT_DESTINATION, changes[i]);
        assert_only(PREFLIGHT_STOP, "vCPUs", "-smp");
    }
    change(PREFLIGHT_DESTINATION, "{\"topology\": null, \"max_cpus\": null}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    assert_sides("vCPUs", "2 of 4, cores=4", "2");
}

static void
the_states_must_fit(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, "{\"status\": \"running\"}");
    assert_only(PREFLIGHT_STOP, "state", "-incoming defer");
    change(PREFLIGHT_DESTINATION, "{\"status\": \"inmigrate\"}");
    change(PREFLIGHT_SOURCE, "{\"status\": \"inmigrate\"}");
    assert_only(PREFLIGHT_STOP, "state", "waits for a VM itself");
    change(PREFLIGHT_SOURCE, "{\"status\": \"postmigrate\"}");
    assert_only(PREFLIGHT_STOP, "state", "sent its VM away");
    change(PREFLIGHT_SOURCE, "{\"status\": \"paused\"}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
memory_must_be_the_same(void **state)
{
    static const char *const changes[] = {
        "{\"memory\": 67108865}",
        "{\"memory\": 67108864, \"plugged_memory\": 1}",
        "{\"plugged_memory\": 0, \"memory_slots\": 3}",
        "{\"memory_slots\": 0}",
    };

    (void)state;
    change(PREFLIGHT_SOURCE, "{\"max_memory\": 134217728,"
                             " \"memory_slots\": 2}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        change(PREFLIGHT_DESTINATION, changes[i]);
        assert_only(PREFLIGHT_STOP, "memory", "-m");
    }
    change(PREFLIGHT_DESTINATION, "{\"memory_slots\": 2, \"max_memory\": 1}");
    assert_only(PREFLIGHT_WARNING, "memory", "maxmem=");
    change_both("{\"memory_slots\": 0, \"max_memory\": 134217728}");
    compare();
    assert_sides("memory", "64.0 MiB of 128 MiB in 0 slots",
                 "64.0 MiB of 128 MiB in 0 slots");
    change_both("{\"memory_slots\": 0, \"max_memory\": 67108864}");
    compare();
    assert_sides("memory", "64.0 MiB", "64.0 MiB");
    change_both("{\"memory_slots\": 2, \"max_memory\": 1073741824,"
                " \"plugged_memory\": 1048576}");
    compare();
    assert_sides("memory", "64.0 MiB + 1.0 MiB of 1.0 GiB in 2 slots",
                 "64.0 MiB + 1.0 MiB of 1.0 GiB in 2 slots");
}

static void
blocks_of_memory_must_have_their_place(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION,
           "{\"ram_blocks\": ["
           "{\"name\": \"pc.ram\", \"used\": 67108864, \"total\": 67108864},"
           "{\"name\": \"0000:00:03.0/e1000.rom\", \"used\": 8, \"total\": 9},"
           "{\"name\": \"/rom@etc/acpi/tables\", \"used\": 8, \"total\": 8}]}");
    assert_only(PREFLIGHT_STOP, "0000:00:03.0/e1000.rom", "romfile=");
    assert_sides("0000:00:03.0/e1000.rom", "9 B", "8 B");
    assert_sides("memory blocks", "2, the same", "2, the same");
    change(PREFLIGHT_DESTINATION,
           "{\"ram_blocks\": ["
           "{\"name\": \"0000:00:03.0/e1000.rom\", \"used\": 9, \"total\": 9},"
           "{\"name\": \"/rom@etc/acpi/tables\", \"used\": 1, \"total\": 4}]}");
    assert_only(PREFLIGHT_STOP, "pc.ram", "-object");
    assert_sides("pc.ram", "64.0 MiB", "missing");
    change(PREFLIGHT_DESTINATION,
           "{\"ram_blocks\": ["
           "{\"name\": \"pc.ram\", \"used\": 67108864, \"total\": 67108864},"
           "{\"name\": \"0000:00:03.0/e1000.rom\", \"used\": 9, \"total\": 9},"
           "{\"name\": \"/rom@etc/acpi/tables\", \"used\": 1, \"total\": 3}]}");
    assert_only(PREFLIGHT_STOP, "/rom@etc/acpi/tables", "has no place");
    change(PREFLIGHT_DESTINATION, "{\"ram_blocks\": null}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
a_block_that_nobody_fills_is_a_warning(void **state)
{
    (void)state;
    json_array_append_new(
        json_object_get(facts[1], "ram_blocks"),
        json_pack("{s:s, s:i, s:i}", "name", "extra", "used", 1, "total", 1));
    json_array_append_new(json_object_get(facts[1], "ram_blocks"),
                          json_pack("{s:s}", "name", "BAR 0 mmaps[0]"));
    json_array_append_new(json_object_get(facts[0], "ram_blocks"),
                          json_pack("{s:s}", "name", "BAR 1 mmaps[1]"));
    assert_only(PREFLIGHT_WARNING, "extra", "nothing is sent");
    assert_sides("extra", "missing", "1 B");
}

static void
memory_of_a_device_that_differs_is_told_with_it(void **state)
{
    static const char nic_elsewhere[] =
        "{\"ram_blocks\": ["
        "{\"name\": \"pc.ram\", \"used\": 67108864, \"total\": 67108864},"
        "{\"name\": \"0000:00:0e.0:05.0/e1000.rom\", \"used\": 9, \"total\": "
        "9},"
        "{\"name\": \"/rom@etc/acpi/tables\", \"used\": 4, \"total\": 8}],"
        " \"devices\": ["
        "{\"type\": \"PIIX3\", \"place\": \"00:01.0\", \"built_in\": true},"
        "{\"type\": \"e1000\", \"place\": \"00:0e.0/05.0\", \"id\": \"net0\"},"
        "{\"type\": \"virtio-blk-pci\", \"place\": \"00:04.0\"}]}";

    (void)state;
    change(PREFLIGHT_DESTINATION, nic_elsewhere);
    assert_only(PREFLIGHT_STOP, "net0", "another place");
    change_both("{\"ram_blocks\": [{\"name\": \"pc.bios\", \"used\": 1,"
                " \"total\": 1}]}");
    change(PREFLIGHT_DESTINATION, "{\"ram_blocks\": []}");
    compare();
    assert_row(PREFLIGHT_STOP, "pc.bios", "-bios");
    /* A name that is no place belongs to no device. */
    change_both("{\"ram_blocks\": [{\"name\": \"0000:00:1f.0/x\", \"used\": 1,"
                " \"total\": 1}]}");
    change(PREFLIGHT_DESTINATION, "{\"ram_blocks\": []}");
    compare();
    assert_row(PREFLIGHT_STOP, "0000:00:1f.0/x", "has no place");
    change(PREFLIGHT_SOURCE, "{\"ram_blocks\": [{\"name\": \"0000:odd\","
                             " \"used\": 1, \"total\": 1}]}");
    compare();
    assert_row(PREFLIGHT_STOP, "0000:odd", "has no place");
}

static void
another_uuid_warns_or_stops_if_it_is_validated(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, "{\"uuid\": \"2222\"}");
    assert_only(PREFLIGHT_WARNING, "UUID", "until it is reset");
    change(PREFLIGHT_SOURCE, "{\"capabilities\": {\"validate-uuid\": true}}");
    assert_only(PREFLIGHT_STOP, "UUID", "validate-uuid");
    add(SETTING_CAPABILITY, "validate-uuid=off");
    assert_only(PREFLIGHT_WARNING, "UUID", "until it is reset");
    add(SETTING_CAPABILITY, "validate-uuid=on");
    assert_only(PREFLIGHT_STOP, "UUID", "validate-uuid");
}

static void
what_blocks_is_told_in_qemu_s_words(void **state)
{
    (void)state;
    change(PREFLIGHT_SOURCE, "{\"blocked\": [\"because of \\u001b[31m vfio\","
                             " \"and more\"]}");
    compare();
    assert_int_equal(count(PREFLIGHT_STOP), 2);
    assert_row(PREFLIGHT_STOP, "blocked", "because of ?[31m vfio");
    change(PREFLIGHT_SOURCE, "{\"blocked\": null}");
    compare();
    assert_null(find("blocked"));
}

#define DEVICES(list) "{\"devices\": [" list "]}"
#define PIIX "{\"type\":\"PIIX3\",\"place\":\"00:01.0\",\"built_in\":true}"
#define NIC "{\"type\":\"e1000\",\"place\":\"00:03.0\",\"id\":\"net0\"}"
#define DISK "{\"type\":\"virtio-blk-pci\",\"place\":\"00:04.0\"}"

static void
a_device_must_stand_at_the_same_place(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, DEVICES(PIIX "," DISK));
    compare();
    assert_row(PREFLIGHT_STOP, "net0", "lacks this device");
    assert_sides("devices", "2, the same", "2, the same");
    change(
        PREFLIGHT_DESTINATION,
        DEVICES(PIIX "," DISK ",{\"type\":\"e1000\",\"place\":\"00:05.0\"}"));
    compare();
    assert_row(PREFLIGHT_STOP, "net0", "another place");
    assert_sides("net0", "e1000 at 00:03.0", "e1000 at 00:05.0");
    change(
        PREFLIGHT_DESTINATION,
        DEVICES(PIIX "," DISK ",{\"type\":\"rtl8139\",\"place\":\"00:03.0\"}"));
    compare();
    assert_row(PREFLIGHT_STOP, "net0", "other devices at the same place");
    change(PREFLIGHT_DESTINATION,
           DEVICES(PIIX "," DISK "," NIC
                        ",{\"type\":\"x\",\"place\":\"00:09.0\"}"));
    compare();
    assert_row(PREFLIGHT_STOP, "x", "does not know");
    assert_sides("x", "missing", "x at 00:09.0");
}

static void
ids_do_not_matter_but_tell_who_moved(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION,
           DEVICES(PIIX "," DISK ",{\"type\":\"e1000\",\"place\":\"00:03.0\","
                        "\"id\":\"other\"}"));
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    /* Another device has taken its place, and it stands elsewhere. */
    change(PREFLIGHT_DESTINATION,
           DEVICES(PIIX "," DISK ",{\"type\":\"rtl8139\",\"place\":\"00:03.0\"}"
                        ",{\"type\":\"e1000\",\"place\":\"00:07.0\","
                        "\"id\":\"net0\"}"));
    compare();
    assert_sides("net0", "e1000 at 00:03.0", "e1000 at 00:07.0");
    assert_sides("rtl8139", "missing", "rtl8139 at 00:03.0");
    assert_int_equal(count(PREFLIGHT_STOP), 2);
    /* The same id on another device says nothing. */
    change(PREFLIGHT_DESTINATION,
           DEVICES(PIIX "," DISK ",{\"type\":\"rtl8139\",\"place\":\"00:07.0\","
                        "\"id\":\"net0\"}"));
    compare();
    assert_sides("net0", "e1000 at 00:03.0", "missing");
    assert_int_equal(count(PREFLIGHT_STOP), 2);
}

static void
devices_of_the_same_kind_are_counted(void **state)
{
    static const char two[] = "{\"type\":\"i8257\",\"place\":\"isa.0\"},"
                              "{\"type\":\"i8257\",\"place\":\"isa.0\"}";
    char text[400];

    (void)state;
    snprintf(text, sizeof text, "{\"devices\": [%s]}", two);
    change_both(text);
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change(PREFLIGHT_DESTINATION,
           "{\"devices\": [{\"type\":\"i8257\",\"place\":\"isa.0\"}]}");
    compare();
    assert_int_equal(count(PREFLIGHT_STOP), 1);
}

static void
built_in_devices_may_differ_between_versions(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, DEVICES(NIC "," DISK));
    assert_only(PREFLIGHT_STOP, "PIIX3", "lacks this device");
    change(PREFLIGHT_DESTINATION, "{\"version\": \"8.1.0\"}");
    assert_only(PREFLIGHT_WARNING, "PIIX3", "built-in");
    change(PREFLIGHT_SOURCE, "{\"version\": null}");
    compare();
    assert_row(PREFLIGHT_WARNING, "PIIX3", "built-in");
}

static void
a_disk_must_be_the_same(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION,
           "{\"disks\": [{\"place\": \"00:04.0\", \"size\": 1023}]}");
    assert_only(PREFLIGHT_STOP, "disk0", "another size");
    change(PREFLIGHT_DESTINATION,
           "{\"disks\": [{\"place\": \"00:04.0\", \"size\": 1024,"
           " \"read_only\": true}]}");
    assert_only(PREFLIGHT_WARNING, "disk0", "read-only");
    assert_sides("disk0", "1.0 KiB /a.img", "1.0 KiB read-only");
    change(PREFLIGHT_DESTINATION, "{\"disks\": [{\"place\": \"00:04.0\"}]}");
    assert_only(PREFLIGHT_WARNING, "disk0", "medium at one side");
    assert_sides("disk0", "1.0 KiB /a.img", "no medium");
    change(PREFLIGHT_DESTINATION,
           "{\"disks\": [{\"place\": \"00:04.0\", \"size\": 1024,"
           " \"file\": \"/b.img\"}]}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change_both("{\"disks\": [{\"place\": \"00:04.0\", \"size\": 1,"
                " \"file\": \"rbd:\"}]}");
    compare();
    assert_string_equal(find("00:04.0")->why, "");
}

static void
a_missing_disk_is_told_with_its_device_or_alone(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, "{\"disks\": []}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change(PREFLIGHT_DESTINATION, "{\"devices\": null}");
    compare();
    assert_row(PREFLIGHT_STOP, "disk0", "lacks this disk");
    change(PREFLIGHT_DESTINATION, "{\"disks\": [{\"id\": \"f\"}]}");
    compare();
    assert_row(PREFLIGHT_STOP, "f", "leave it out");
    change_both("{\"disks\": [{\"id\": \"f\", \"size\": 1},"
                " {\"id\": \"g\", \"size\": 2}]}");
    compare();
    assert_row(PREFLIGHT_OK, "f", "");
    assert_row(PREFLIGHT_OK, "g", "");
}

static void
many_equal_disks_are_folded(void **state)
{
    json_t *list = json_array();

    (void)state;
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%02d", i);
        json_array_append_new(list,
                              json_pack("{s:s, s:i}", "id", id, "size", i));
    }
    json_object_set(facts[0], "disks", list);
    json_object_set_new(facts[1], "disks", json_deep_copy(list));
    json_object_set_new(json_array_get(list, 18), "size", json_integer(99));
    json_decref(list);
    compare();
    assert_row(PREFLIGHT_STOP, "d18", "another size");
    assert_non_null(find("d15"));
    assert_null(find("d16"));
    assert_sides("more disks", "3, the same", "3, the same");
}

#define ONE_NIC(name, model, mac, backend, rest)               \
    "{\"nics\": [{\"name\": \"" name "\", \"model\": \"" model \
    "\", \"mac\": \"" mac "\", \"backend\": \"" backend        \
    "\", \"backend_name\": \"n0\"" rest "}]}"

static void
a_nic_must_have_model_and_address(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, ONE_NIC("net0", "e1000", "52:02", "tap", ""));
    assert_only(PREFLIGHT_STOP, "net0", "mac=");
    change(PREFLIGHT_DESTINATION, ONE_NIC("net0", "rtl", "52:01", "tap", ""));
    assert_only(PREFLIGHT_STOP, "net0", "other models");
    change(PREFLIGHT_DESTINATION, "{\"nics\": []}");
    assert_only(PREFLIGHT_STOP, "net0", "lacks this NIC");
    change(PREFLIGHT_DESTINATION,
           ONE_NIC("net0", "e1000", "52:01", "user", ""));
    assert_only(PREFLIGHT_WARNING, "net0", "other kinds of network");
    assert_sides("net0", "e1000 52:01 tap n0", "e1000 52:01 user n0");
    change(PREFLIGHT_SOURCE, "{\"nics\": []}");
    assert_only(PREFLIGHT_STOP, "net0", "does not have");
    change_both(
        "{\"nics\": [{\"name\": \"a\", \"model\": \"m\","
        " \"mac\": \"x\", \"backend\": \"\", \"backend_name\": \"\"}]}");
    compare();
    assert_sides("a", "m x unplugged", "m x unplugged");
}

static void
nics_are_paired_by_id_then_address_then_name_then_model(void **state)
{
    (void)state;
    /* The id says that the addresses are swapped. */
    change(PREFLIGHT_SOURCE,
           "{\"nics\": [{\"name\": \"a\", \"model\": \"m\", \"mac\": \"1\"},"
           " {\"name\": \"b\", \"model\": \"m\", \"mac\": \"2\"}]}");
    change(PREFLIGHT_DESTINATION,
           "{\"nics\": [{\"name\": \"a\", \"model\": \"m\", \"mac\": \"2\"},"
           " {\"name\": \"b\", \"model\": \"m\", \"mac\": \"1\"}]}");
    compare();
    assert_int_equal(count(PREFLIGHT_STOP), 2);
    /* Another id with the same address is the same NIC. */
    change(PREFLIGHT_DESTINATION,
           "{\"nics\": [{\"name\": \"m.0\", \"model\": \"m\", \"mac\": \"2\"},"
           " {\"name\": \"c\", \"model\": \"m\", \"mac\": \"1\"}]}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    /* A number means nothing where the address fits. */
    change(PREFLIGHT_SOURCE,
           "{\"nics\": [{\"name\": \"m.0\", \"model\": \"m\", \"mac\": \"1\"},"
           " {\"name\": \"m.1\", \"model\": \"m\", \"mac\": \"2\"}]}");
    compare();
    assert_row(PREFLIGHT_WARNING, "m.1", "counted differently");
    assert_row(PREFLIGHT_OK, "m.0", "");
    /* But more than the model. */
    change(PREFLIGHT_DESTINATION,
           "{\"nics\": [{\"name\": \"m.1\", \"model\": \"m\", \"mac\": \"8\"},"
           " {\"name\": \"x\", \"model\": \"m\", \"mac\": \"9\"}]}");
    compare();
    assert_sides("m.1", "m 2 unplugged", "m 8 unplugged");
    assert_sides("m.0", "m 1 unplugged", "m 9 unplugged");
    assert_int_equal(count(PREFLIGHT_STOP), 2);
}

static void
a_cable_s_far_end_is_warned_of(void **state)
{
    (void)state;
    change_both(ONE_NIC("net0", "e1000", "52:01", "dgram",
                        ", \"info\": \"udp=1.1.1.1:5/2.2.2.2:6\""));
    assert_only(PREFLIGHT_WARNING, "net0: n0", "far end 2.2.2.2:6 goes on");
    assert_row(PREFLIGHT_OK, "net0", "");
    change_both(ONE_NIC("net0", "e1000", "52:01", "l2tpv3",
                        ", \"info\": \"l2tpv3: connected\""));
    assert_only(PREFLIGHT_WARNING, "net0: n0", "far end goes on");
    /* One side is enough. */
    change(PREFLIGHT_DESTINATION, ONE_NIC("net0", "e1000", "52:01", "tap", ""));
    compare();
    assert_row(PREFLIGHT_WARNING, "net0: n0", "far end");
    change_both(ONE_NIC("net0", "e1000", "52:01", "dgram",
                        ", \"info\": \"mcast=230.0.0.1:5\""));
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
a_backend_without_a_partner_is_warned_of(void **state)
{
    static const char gone[] = ONE_NIC("net0", "e1000", "52:01", "vhost-user",
                                       ", \"connected\": false");
    static const char there[] = ONE_NIC("net0", "e1000", "52:01", "vhost-user",
                                        ", \"connected\": true");

    (void)state;
    change_both(gone);
    assert_only(PREFLIGHT_WARNING, "net0: n0", "no vhost-user backend");
    assert_sides("net0: n0", "vhost-user, not connected",
                 "vhost-user, not connected");
    change(PREFLIGHT_SOURCE, there);
    assert_only(PREFLIGHT_WARNING, "net0: n0", "no vhost-user backend");
    assert_sides("net0: n0", "vhost-user", "vhost-user, not connected");
    change(PREFLIGHT_SOURCE, gone);
    change(PREFLIGHT_DESTINATION, there);
    assert_only(PREFLIGHT_WARNING, "net0: n0", "has no network now");
    change_both(
        ONE_NIC("net0", "e1000", "52:01", "stream", ", \"connected\": false"));
    assert_only(PREFLIGHT_WARNING, "net0: n0", "would have no network");
    change_both(there);
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
the_plan_needs_both_where_both_matter(void **state)
{
    (void)state;
    add(SETTING_CAPABILITY, "multifd=on");
    add(SETTING_CAPABILITY, "events=on");
    add(SETTING_PARAMETER, "multifd-channels=4");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    assert_sides("settings", "multifd, events, multifd-channels=4",
                 "multifd, multifd-channels=4");
    change(PREFLIGHT_DESTINATION,
           "{\"version\": \"3.1.0\", \"capabilities\": {}}");
    change(PREFLIGHT_SOURCE, "{\"version\": \"3.1.0\"}");
    compare();
    assert_row(PREFLIGHT_STOP, "multifd",
               "the destination's QEMU has no multifd=on; it needs QEMU 4.0");
    assert_sides("multifd", "has it", "lacks it");
    assert_int_equal(count(PREFLIGHT_STOP), 1);
    change(PREFLIGHT_SOURCE, "{\"capabilities\": {\"multifd\": false}}");
    compare();
    assert_row(PREFLIGHT_STOP, "events", "the source's QEMU has no events=on");
    assert_sides("events", "lacks it", "not needed");
    change(PREFLIGHT_SOURCE, "{\"capabilities\": {\"events\": false}}");
    compare();
    assert_row(PREFLIGHT_STOP, "multifd", "neither QEMU has multifd=on");
}

static void
what_is_to_be_off_needs_nobody_to_know_it(void **state)
{
    (void)state;
    add(SETTING_CAPABILITY, "switchover-ack=off");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    assert_null(find("settings"));
}

static void
an_optional_setting_may_be_missing_but_not_at_one_side(void **state)
{
    static const struct setting ack = { SETTING_CAPABILITY, true,
                                        "switchover-ack", "on" };
    static const struct setting back = { SETTING_CAPABILITY, true,
                                         "return-path", "on" };

    (void)state;
    settings_default(&plan, &ack);
    settings_default(&plan, &back);
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change(PREFLIGHT_SOURCE, "{\"capabilities\": {\"switchover-ack\": false}}");
    assert_only(PREFLIGHT_STOP, "switchover-ack", "needs QEMU 8.1");
}

static void
a_setting_that_has_been_removed_is_told_so(void **state)
{
    (void)state;
    add(SETTING_CAPABILITY, "compress=on");
    add(SETTING_PARAMETER, "compress-level=3");
    change_both("{\"version\": \"9.1.0\"}");
    compare();
    assert_row(PREFLIGHT_STOP, "compress", "QEMU 9.0 was the last");
    assert_row(PREFLIGHT_STOP, "compress-level", "QEMU 9.0 was the last");
    change_both("{\"version\": \"9.0.0\","
                " \"capabilities\": {\"compress\": false}}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
a_parameter_that_is_not_listed_goes_by_the_version(void **state)
{
    (void)state;
    add(SETTING_PARAMETER, "avail-switchover-bandwidth=1");
    assert_only(PREFLIGHT_STOP, "avail-switchover-bandwidth", "QEMU 8.2");
    change(PREFLIGHT_SOURCE, "{\"version\": \"8.2.0\"}");
    change(PREFLIGHT_DESTINATION, "{\"version\": \"8.2.0\"}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change(PREFLIGHT_SOURCE, "{\"version\": \"odd\"}");
    compare();
    assert_row(PREFLIGHT_WARNING, "avail-switchover-bandwidth",
               "does not tell");
    assert_sides("avail-switchover-bandwidth", "unknown", "not needed");
}

static void
a_setting_of_which_nothing_is_known_is_qemu_s_to_judge(void **state)
{
    (void)state;
    add(SETTING_PARAMETER, "brand-new=1");
    assert_only(PREFLIGHT_WARNING, "brand-new", "does not tell");
    plan.count = 0;
    add(SETTING_CAPABILITY, "brand-new=on");
    assert_only(PREFLIGHT_STOP, "brand-new", "neither QEMU has brand-new=on");
    change(PREFLIGHT_SOURCE, "{\"capabilities\": {\"brand-new\": false}}");
    assert_only(PREFLIGHT_WARNING, "brand-new",
                "the destination's QEMU has no");
    change_both("{\"capabilities\": null}");
    assert_only(PREFLIGHT_WARNING, "brand-new", "does not tell");
}

static void
a_value_can_be_newer_than_its_parameter(void **state)
{
    (void)state;
    add(SETTING_PARAMETER, "multifd-compression=qatzip");
    assert_only(PREFLIGHT_STOP, "multifd-compression", "needs QEMU 9.2");
    plan.count = 0;
    add(SETTING_PARAMETER, "multifd-compression=zstd");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    assert_int_equal(
        setting_value_since(SETTING_PARAMETER, "multifd-compression", "qpl"),
        901);
    assert_int_equal(
        setting_value_since(SETTING_CAPABILITY, "multifd-compression", "qpl"),
        0);
    assert_int_equal(setting_value_since(SETTING_PARAMETER, "mode", "qpl"), 0);
}

static void
what_is_set_by_hand_at_one_side_is_a_stop(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION, "{\"capabilities\": {\"multifd\": true}}");
    assert_only(PREFLIGHT_STOP, "multifd", "--capability multifd=off");
    assert_sides("multifd", "off", "on");
    add(SETTING_CAPABILITY, "multifd=on");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change(PREFLIGHT_DESTINATION, "{\"parameters\": {\"multifd-channels\": 3,"
                                  " \"multifd-compression\": \"zlib\"}}");
    compare();
    assert_row(PREFLIGHT_STOP, "multifd-channels",
               "--parameter multifd-channels=2");
    assert_sides("multifd-channels", "2", "3");
    assert_sides("multifd-compression", "none", "zlib");
    plan.count = 0;
    change(PREFLIGHT_DESTINATION, "{\"capabilities\": {}}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
multifd_and_postcopy_need_10_1(void **state)
{
    (void)state;
    add(SETTING_CAPABILITY, "multifd=on");
    add(SETTING_CAPABILITY, "postcopy-ram=on");
    assert_only(PREFLIGHT_STOP, "multifd and postcopy", "10.1");
    assert_sides("multifd and postcopy", "QEMU 7.2.22", "QEMU 7.2.22");
    change(PREFLIGHT_DESTINATION, "{\"version\": \"10.1.0\"}");
    assert_only(PREFLIGHT_STOP, "multifd and postcopy", "10.1");
    change(PREFLIGHT_SOURCE, "{\"version\": \"10.1.0\"}");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
    change(PREFLIGHT_SOURCE, "{\"version\": null}");
    compare();
    assert_sides("multifd and postcopy", "QEMU unknown", "QEMU 10.1.0");
}

static void
what_moves_no_vm_is_a_stop(void **state)
{
    (void)state;
    change_both("{\"capabilities\": {\"mapped-ram\": true}}");
    assert_only(PREFLIGHT_STOP, "mapped-ram", "--capability mapped-ram=off");
    add(SETTING_CAPABILITY, "mapped-ram=off");
    compare();
    assert_int_equal(result.verdict, PREFLIGHT_OK);
}

static void
where_a_list_is_cut_nothing_is_missing(void **state)
{
    (void)state;
    for (unsigned side = 0; side < 2; side++) {
        set_up(NULL);
        change(side, "{\"cut\": true, \"devices\": [], \"disks\": [],"
                     " \"nics\": [], \"ram_blocks\": []}");
        assert_only(PREFLIGHT_WARNING, "lists", "more devices");
        assert_sides("lists", side == 0 ? "cut" : "whole",
                     side == 0 ? "whole" : "cut");
    }
    set_up(NULL);
    /* What is there is compared all the same. */
    change(PREFLIGHT_SOURCE, "{\"cut\": true}");
    change(PREFLIGHT_DESTINATION,
           "{\"nics\": [{\"name\": \"net0\", \"model\": \"e1000\","
           " \"mac\": \"52:09\"}]}");
    compare();
    assert_row(PREFLIGHT_STOP, "net0", "mac=");
    set_up(NULL);
    change(PREFLIGHT_SOURCE, "{\"cut\": true}");
    change(PREFLIGHT_DESTINATION,
           DEVICES("{\"type\":\"e1000\",\"place\":\"00:09.0\","
                   "\"id\":\"net0\"}"));
    compare();
    assert_row(PREFLIGHT_STOP, "net0", "another place");
    assert_int_equal(count(PREFLIGHT_STOP), 1);
}

static void
texts_are_safe_for_a_terminal(void **state)
{
    (void)state;
    change(PREFLIGHT_DESTINATION,
           "{\"machine\": \"a\\u001b[2J\\u0007\\u009b\\u202eb\\n\"}");
    change(PREFLIGHT_SOURCE, "{\"machine\": \"x\\u001b]0;y\\u007f\"}");
    compare();
    assert_sides("machine", "x?]0;y?", "a?[2J??????b?");
    for (size_t i = 0; i < result.count; i++)
        for (const char *at = (const char *)&result.rows[i].name; *at != '\0';
             at++)
            assert_in_range(*at, ' ', '~');
    assert_null(strchr(find("machine")->why, '\033'));
}

static void
too_many_rows_are_left_out_but_still_stop(void **state)
{
    json_t *list = json_array();

    (void)state;
    for (int i = 0; i < FACTS_LIST_MAX; i++) {
        char place[16];
        snprintf(place, sizeof place, "%d", i);
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "type", "x", "place", place));
    }
    json_object_set_new(facts[0], "devices", list);
    compare();
    assert_int_equal(result.count, PREFLIGHT_ROWS_MAX - 1);
    assert_true(result.left_out > 0);
    assert_int_equal(result.verdict, PREFLIGHT_STOP);
    set_up(NULL);
    compare();
    assert_int_equal(result.left_out, 0);
}

static void
verdicts_have_their_words(void **state)
{
    (void)state;
    assert_string_equal(preflight_verdict_text(PREFLIGHT_OK), "ok");
    assert_string_equal(preflight_verdict_text(PREFLIGHT_WARNING), "warning");
    assert_string_equal(preflight_verdict_text(PREFLIGHT_STOP), "STOP");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(two_that_are_the_same_are_ok),
        TEST(what_nobody_tells_is_a_warning_each),
        TEST(an_older_destination_is_a_warning),
        TEST(the_machine_accelerator_and_model_must_be_the_same),
        TEST(features_that_are_lost_stop_and_new_ones_warn),
        TEST(the_host_s_own_model_is_a_warning),
        TEST(vcpus_their_most_and_topology_must_be_the_same),
        TEST(the_states_must_fit),
        TEST(memory_must_be_the_same),
        TEST(blocks_of_memory_must_have_their_place),
        TEST(a_block_that_nobody_fills_is_a_warning),
        TEST(memory_of_a_device_that_differs_is_told_with_it),
        TEST(another_uuid_warns_or_stops_if_it_is_validated),
        TEST(what_blocks_is_told_in_qemu_s_words),
        TEST(a_device_must_stand_at_the_same_place),
        TEST(ids_do_not_matter_but_tell_who_moved),
        TEST(devices_of_the_same_kind_are_counted),
        TEST(built_in_devices_may_differ_between_versions),
        TEST(a_disk_must_be_the_same),
        TEST(a_missing_disk_is_told_with_its_device_or_alone),
        TEST(many_equal_disks_are_folded),
        TEST(a_nic_must_have_model_and_address),
        TEST(nics_are_paired_by_id_then_address_then_name_then_model),
        TEST(a_cable_s_far_end_is_warned_of),
        TEST(a_backend_without_a_partner_is_warned_of),
        TEST(the_plan_needs_both_where_both_matter),
        TEST(what_is_to_be_off_needs_nobody_to_know_it),
        TEST(an_optional_setting_may_be_missing_but_not_at_one_side),
        TEST(a_setting_that_has_been_removed_is_told_so),
        TEST(a_parameter_that_is_not_listed_goes_by_the_version),
        TEST(a_setting_of_which_nothing_is_known_is_qemu_s_to_judge),
        TEST(a_value_can_be_newer_than_its_parameter),
        TEST(what_is_set_by_hand_at_one_side_is_a_stop),
        TEST(multifd_and_postcopy_need_10_1),
        TEST(what_moves_no_vm_is_a_stop),
        TEST(where_a_list_is_cut_nothing_is_missing),
        TEST(texts_are_safe_for_a_terminal),
        TEST(too_many_rows_are_left_out_but_still_stop),
        TEST(verdicts_have_their_words),
    };

    return RUN_TESTS(tests);
}
