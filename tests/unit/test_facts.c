/* What a QEMU and its VM are, from QMP replies, and what comes from a partner.
 */
#include "wire/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"
#include "wire/ram_blocks.h"

typedef void taker(json_t *facts, const json_t *reply);

static void
assert_facts(json_t *facts, const char *expected)
{
    json_t *wanted = json_loads(expected, 0, NULL);

    assert_non_null(wanted);
    if (!json_equal(facts, wanted))
        fail_msg("%s, not %s", json_dumps(facts, JSON_SORT_KEYS), expected);
    assert_null(facts_check(facts));
    json_decref(wanted);
    json_decref(facts);
}

/* Facts of one reply, which is JSON. */
static json_t *
from(taker *take, const char *reply)
{
    json_t *facts = json_object();
    json_t *value = json_loads(reply, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    take(facts, value);
    json_decref(value);
    return facts;
}

/* The same of a text. */
static json_t *
from_text(taker *take, const char *text)
{
    json_t *facts = json_object();
    json_t *value = json_string(text);

    take(facts, value);
    json_decref(value);
    return facts;
}

static void
each_reply_has_its_fact(void **state)
{
    (void)state;
    assert_facts(from(facts_version, "{\"qemu\": {\"micro\": 22, \"minor\": 2, "
                                     "\"major\": 7}, \"package\": \"Debian\"}"),
                 "{\"version\": \"7.2.22\"}");
    assert_facts(from(facts_machine, "\"pc-i440fx-7.2-machine\""),
                 "{\"machine\": \"pc-i440fx-7.2\"}");
    assert_facts(from(facts_machine, "\"virt\""), "{\"machine\": \"virt\"}");
    assert_facts(from(facts_accelerators, "{\"enabled\": \"tcg\"}"),
                 "{\"accelerator\": \"tcg\"}");
    assert_facts(from(facts_kvm, "{\"enabled\": true, \"present\": true}"),
                 "{\"accelerator\": \"kvm\"}");
    assert_facts(from(facts_kvm, "{\"enabled\": false, \"present\": true}"),
                 "{\"accelerator\": \"tcg\"}");
    assert_facts(from(facts_cpus, "[{}, {}]"), "{\"cpus\": 2}");
    assert_facts(from(facts_uuid, "{\"UUID\": \"1111-2\"}"),
                 "{\"uuid\": \"1111-2\"}");
    assert_facts(from(facts_uuid, "{\"UUID\": "
                                  "\"00000000-0000-0000-0000-000000000000\"}"),
                 "{\"uuid\": \"none\"}");
    assert_facts(from(facts_status, "{\"status\": \"inmigrate\"}"),
                 "{\"status\": \"inmigrate\"}");
    assert_facts(
        from(facts_memory, "{\"base-memory\": 4096, \"plugged-memory\": 0}"),
        "{\"memory\": 4096, \"plugged_memory\": 0}");
    assert_facts(from(facts_memory_slots,
                      "{\"size\": 1, \"max-size\": 9, \"slots\": 4}"),
                 "{\"max_memory\": 9, \"memory_slots\": 4}");
    assert_facts(from(facts_memory_slots, "{\"size\": 7}"),
                 "{\"max_memory\": 7, \"memory_slots\": 0}");
    assert_facts(from(facts_capabilities,
                      "[{\"capability\": \"multifd\", \"state\": true},"
                      " {\"capability\": \"events\", \"state\": false}, 3]"),
                 "{\"capabilities\": {\"multifd\": true, \"events\": false}}");
    assert_facts(from(facts_parameters, "{\"a\": 1, \"b\": \"x\", \"c\": true,"
                                        " \"d\": [1], \"e\": -1}"),
                 "{\"parameters\": {\"a\": 1, \"b\": \"x\", \"c\": true}}");
}

static void
what_is_no_such_reply_adds_nothing(void **state)
{
    static taker *const takers[] = {
        facts_version,   facts_machine,      facts_accelerators,
        facts_kvm,       facts_cpus,         facts_cpu_model,
        facts_topology,  facts_cpu_features, facts_memory,
        facts_uuid,      facts_memory_slots, facts_ram_blocks,
        facts_network,   facts_chardevs,     facts_status,
        facts_migration, facts_capabilities, facts_parameters,
    };

    (void)state;
    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++) {
        json_t *facts = json_object();
        takers[i](facts, NULL);
        assert_facts(facts, "{}");
        assert_facts(from(takers[i], "7"), "{}");
        assert_facts(from(takers[i], "null"), "{}");
    }
    assert_facts(from(facts_version, "{\"qemu\": {\"major\": 7}}"), "{}");
    assert_facts(from(facts_version, "{\"qemu\": {\"major\": 7, \"minor\": 2,"
                                     " \"micro\": \"x\"}}"),
                 "{}");
    assert_facts(from(facts_machine, "\"\""), "{}");
    assert_facts(from(facts_cpus, "[]"), "{}");
    assert_facts(from(facts_cpu_model, "\"\""), "{}");
    assert_facts(from(facts_cpu_features, "[]"), "{}");
    assert_facts(from(facts_memory, "{\"base-memory\": -1}"), "{}");
    assert_facts(from_text(facts_ram_blocks, "unknown command"), "{}");
}

static void
qemu_s_own_word_for_the_accelerator_counts(void **state)
{
    json_t *facts = from(facts_accelerators, "{\"enabled\": \"xen\"}");
    json_t *kvm = json_loads("{\"enabled\": false}", 0, NULL);

    (void)state;
    facts_kvm(facts, kvm);
    json_decref(kvm);
    assert_facts(facts, "{\"accelerator\": \"xen\"}");
}

static void
a_cpu_model_is_its_type_without_the_target(void **state)
{
    static const char *const models[][2] = {
        { "qemu64-x86_64-cpu", "qemu64" },
        { "Skylake-Server-v1-x86_64-cpu", "Skylake-Server-v1" },
        { "cortex-a57-arm-cpu", "cortex-a57" },
        { "odd", "odd" },
        { "-cpu", "-cpu" },
        { "x-cpu", "x" },
        { "-x-cpu", "-x" },
    };
    char expected[80];

    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        snprintf(expected, sizeof expected, "{\"cpu\": \"%s\"}", models[i][1]);
        assert_facts(from_text(facts_cpu_model, models[i][0]), expected);
    }
}

static void
features_have_leaf_subleaf_and_register(void **state)
{
    (void)state;
    assert_facts(
        from(facts_cpu_features,
             "[{\"cpuid-register\": \"EDX\", \"cpuid-input-ecx\": 1,"
             "  \"cpuid-input-eax\": 13, \"features\": 5},"
             " {\"cpuid-register\": \"ECX\", \"cpuid-input-eax\": 2147483649,"
             "  \"features\": 4294967295},"
             " {\"cpuid-register\": \"ECX\", \"features\": 1},"
             " {\"cpuid-input-eax\": 1, \"features\": 1}, 4]"),
        "{\"cpu_features\": {\"D.1.EDX\": 5, \"80000001.ECX\": 4294967295}}");
}

static void
a_topology_names_what_there_is_more_of(void **state)
{
    (void)state;
    assert_facts(from(facts_topology,
                      "{\"cpus\": 2, \"maxcpus\": 8, \"threads\": 2,"
                      " \"cores\": 4, \"dies\": 1, \"sockets\": 1}"),
                 "{\"max_cpus\": 8, \"topology\": \"cores=4,threads=2\"}");
    assert_facts(from(facts_topology, "{\"maxcpus\": 1, \"sockets\": 1}"),
                 "{\"max_cpus\": 1, \"topology\": \"\"}");
}

static void
ram_blocks_are_read_from_their_table(void **state)
{
    (void)state;
    assert_facts(
        from_text(
            facts_ram_blocks,
            "              Block Name    PSize              Offset\r\n"
            "                  pc.ram    4 KiB  0x0000000000000000 "
            "0x0000000004000000 0x0000000004000000\r\n"
            "    /rom@etc/acpi/tables    4 KiB  0x0000000009340000 "
            "0x0000000000020000 0x0000000000200000\r\n"
            "0000:01:00.0 BAR 0 mmaps[0]  2 MiB 0x1 0x2 0x3 0x7f12 rw\r\n"
            "                    huge    4 KiB  0x0 0xffffffffffffffff 0x1\n"),
        "{\"ram_blocks\": ["
        " {\"name\": \"pc.ram\", \"used\": 67108864, \"total\": 67108864},"
        " {\"name\": \"/rom@etc/acpi/tables\", \"used\": 131072,"
        "  \"total\": 2097152},"
        " {\"name\": \"0000:01:00.0 BAR 0 mmaps[0]\", \"used\": 2,"
        "  \"total\": 3},"
        " {\"name\": \"huge\", \"used\": 9223372036854775807,"
        "  \"total\": 1}]}");
}

static void
what_is_no_ram_block_is_passed_over(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "a 4 KiB 0x1 0x2",                     /* too few */
        "a 4 KiB 0x1 0x2 3",                   /* no hexadecimal */
        " 4 KiB 0x1 0x2 0x3",                  /* no name */
        "a 4 KiB 0x1 0x2\n0x3",                /* two lines */
        "a 4 KiB\n 0x1 0x2 0x3",               /* the same */
        "a 4 KiB 0x1 0x2 0xfffffffffffffffff", /* too much */
    };
    struct ram_block block;
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *at = texts[i];
        assert_false(ram_blocks_next(&at, &block));
        assert_string_equal(at, "");
    }
    for (size_t length = RAM_BLOCK_NAME_MAX - 2;
         length < RAM_BLOCK_NAME_MAX + 2; length++) {
        const char *at = text;
        memset(text, 'n', length);
        snprintf(text + length, sizeof text - length, " 4 KiB 0x1 0x2 0x3");
        assert_int_equal(ram_blocks_next(&at, &block),
                         length < RAM_BLOCK_NAME_MAX);
    }
}

static void
a_backend_over_tcp_without_words_is_not_connected(void **state)
{
    (void)state;
    assert_facts(from_text(facts_network,
                           "a: index=0,type=nic,model=e1000,macaddr=x\n"
                           " \\ n: index=0,type=stream,\n"
                           "b: index=0,type=nic,model=e1000,macaddr=x\n"
                           " \\ m: index=0,type=socket,\n"
                           "c: index=0,type=nic,model=e1000,macaddr=x\n"
                           " \\ o: index=0,type=stream,unix:/x\n"
                           "d: index=0,type=nic,model=e1000,macaddr=x\n"
                           " \\ p: index=0,type=vde,\n"),
                 "{\"nics\": ["
                 "{\"name\": \"a\", \"model\": \"e1000\", \"mac\": \"x\", "
                 "\"info\": \"\","
                 " \"backend\": \"stream\", \"backend_name\": \"n\","
                 " \"connected\": false},"
                 "{\"name\": \"b\", \"model\": \"e1000\", \"mac\": \"x\", "
                 "\"info\": \"\","
                 " \"backend\": \"socket\", \"backend_name\": \"m\","
                 " \"connected\": false},"
                 "{\"name\": \"c\", \"model\": \"e1000\", \"mac\": \"x\","
                 " \"info\": \"unix:/x\", \"backend\": \"stream\","
                 " \"backend_name\": \"o\"},"
                 "{\"name\": \"d\", \"model\": \"e1000\", \"mac\": \"x\", "
                 "\"info\": \"\","
                 " \"backend\": \"vde\", \"backend_name\": \"p\"}]}");
}

static void
too_many_nics_are_cut(void **state)
{
    char text[8192];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 65; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used,
                             "n%d: index=0,type=nic,model=e,macaddr=x\n", i);
    json_t *facts = from_text(facts_network, text);
    assert_true(json_is_true(json_object_get(facts, "cut")));
    assert_int_equal(json_array_size(json_object_get(facts, "nics")), 64);
    json_decref(facts);
}

static json_t *
vhost_user(const char *backend, const char *info, const char *chardevs)
{
    char text[256];

    snprintf(text, sizeof text,
             "a: index=0,type=nic,model=e,macaddr=x\n"
             " \\ n: index=0,type=%s,%s\n",
             backend, info);
    json_t *facts = from_text(facts_network, text);
    json_t *reply = json_loads(chardevs, 0, NULL);
    facts_chardevs(facts, reply);
    json_decref(reply);
    json_t *connected = json_incref(json_object_get(
        json_array_get(json_object_get(facts, "nics"), 0), "connected"));
    json_decref(facts);
    return connected;
}

static void
a_vhost_user_backend_is_connected_if_its_chardev_is(void **state)
{
    static const char gone[] =
        "[{\"label\": \"other\", \"filename\": \"pty\"}, {\"x\": 1},"
        " {\"label\": \"vu\", \"filename\": \"disconnected:unix:/x\"}]";
    static const char there[] =
        "[{\"label\": \"vu\", \"filename\": \"unix:/x\"}]";

    (void)state;
    assert_true(
        json_is_false(vhost_user("vhost-user", "vhost-user0 to vu", gone)));
    assert_true(
        json_is_true(vhost_user("vhost-user", "vhost-user0 to vu", there)));
    assert_null(vhost_user("vhost-user", "vhost-user0 to vx", gone));
    assert_null(vhost_user("vhost-user", "vhost-user0 to vu", "[]"));
    assert_null(vhost_user("vhost-user", "elsewhere", gone));
    assert_null(vhost_user("tap", "tap to vu", gone));
}

static void
blocked_reasons_are_texts(void **state)
{
    (void)state;
    assert_facts(from(facts_migration, "{}"), "{\"blocked\": []}");
    assert_facts(
        from(facts_migration, "{\"blocked-reasons\": [\"a\", 3, \"b\"]}"),
        "{\"blocked\": [\"a\", \"b\"]}");
}

static json_t *
devices(const char *found)
{
    json_t *facts = json_object();
    json_t *list = json_loads(found, 0, NULL);

    assert_non_null(list);
    facts_devices(facts, list);
    json_decref(list);
    return facts;
}

#define DEVICE(path, type, bus, bus_type, unit)           \
    "{\"path\": \"/machine/" path "\", \"type\": \"" type \
    "\", \"bus\": \"" bus "\", \"bus_type\": \"" bus_type \
    "\", \"unit\": {" unit "}}"

static void
a_place_is_what_a_migration_knows_a_device_by(void **state)
{
    static const char *const cases[][2] = {
        { DEVICE("peripheral/a", "t", "/machine/i440fx/pci.0", "PCI",
                 "\"addr\": 26"),
          "00:03.2" },
        { DEVICE("peripheral/a", "t", "/machine/q35/pcie.0", "PCIE",
                 "\"addr\": 255"),
          "00:1f.7" },
        { DEVICE("peripheral/a", "t", "/machine/x/pxb1", "pxb-pcie-bus",
                 "\"addr\": 0"),
          "pxb1:00.0" },
        { DEVICE("peripheral/a", "t", "/machine/x/isa.0", "ISA",
                 "\"iobase\": 1016"),
          "isa.3f8" },
        { DEVICE("peripheral/a", "t", "/x/ide.1", "IDE", "\"unit\": 1"),
          "ide.1:ide1.1" },
        { DEVICE("peripheral/a", "t", "/x/ide", "IDE", ""), "ide:ide.0" },
        { DEVICE("peripheral/a", "t", "/x/vs.0", "virtio-serial-bus",
                 "\"nr\": 3"),
          "vs.0:port3" },
        { DEVICE("peripheral/a", "t", "/x/usb", "usb-bus", "\"port\": \"1.2\""),
          "usb:usb1.2" },
        { DEVICE("peripheral/a", "t", "/x/f", "floppy-bus", "\"unit\": 1"),
          "f:floppy1" },
        { DEVICE("peripheral/a", "t", "/x/i2c", "i2c-bus", ""), "i2c:i2c-bus" },
        { DEVICE("peripheral/a", "t", "", "", "\"slot\": 2"), "slot2" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[400], expected[200];
        snprintf(found, sizeof found, "[%s]", cases[i][0]);
        snprintf(expected, sizeof expected,
                 "{\"devices\": [{\"type\": \"t\", \"id\": \"a\","
                 " \"place\": \"%s\"}]}",
                 cases[i][1]);
        assert_facts(devices(found), expected);
    }
}

static void
a_place_behind_a_device_begins_with_its_place(void **state)
{
    (void)state;
    assert_facts(
        devices("[" DEVICE("peripheral/sd1", "scsi-hd", "/machine/peripheral/scsi0/virtio-backend/scsi0.0", "SCSI", "\"scsi-id\": 1, \"lun\": 2") "," DEVICE(
            "peripheral/scsi0", "virtio-scsi-pci",
            "/machine/peripheral/br1/br1", "PCI",
            "\"addr\": 24") "," DEVICE("peripheral/br1", "pci-bridge",
                                       "/machine/i440fx/pci.0", "PCI",
                                       "\"addr\": 112") "," DEVICE("unattached/"
                                                                   "device[4]",
                                                                   "PIIX3",
                                                                   "/machine/"
                                                                   "i440fx/"
                                                                   "pci.0",
                                                                   "PCI",
                                                                   "\"addr\": "
                                                                   "8") "," DEVICE("peripheral-anon/device[9]",
                                                                                   "isa-serial",
                                                                                   "/machine/unattached/device[4]/isa.0",
                                                                                   "ISA",
                                                                                   "\"iobase\": 1016") "]"),
        "{\"devices\": ["
        "{\"type\": \"PIIX3\", \"place\": \"00:01.0\", \"built_in\": true},"
        "{\"type\": \"pci-bridge\", \"place\": \"00:0e.0\", \"id\": \"br1\"},"
        "{\"type\": \"virtio-scsi-pci\", \"place\": \"00:0e.0/03.0\","
        " \"id\": \"scsi0\"},"
        "{\"type\": \"scsi-hd\", \"place\": \"00:0e.0/03.0/0:1:2\","
        " \"id\": \"sd1\"},"
        "{\"type\": \"isa-serial\", \"place\": \"isa.3f8\"}]}");
}

static void
a_device_whose_name_begins_like_another_is_another(void **state)
{
    (void)state;
    assert_facts(
        devices(
            "[" DEVICE("peripheral/a", "x", "/machine/i440fx/pci.0", "PCI",
                       "\"addr\": 8") "," DEVICE("peripheral/z", "x",
                                                 "/machine/peripheral/ab/b.0",
                                                 "SCSI", "") "]"),
        "{\"devices\": ["
        "{\"type\": \"x\", \"place\": \"00:01.0\", \"id\": \"a\"},"
        "{\"type\": \"x\", \"place\": \"b.0:0:0:0\", \"id\": \"z\"}]}");
}

static void
devices_that_own_each_other_have_an_end(void **state)
{
    (void)state;
    json_t *facts =
        devices("[" DEVICE("a", "x", "/machine/b/bus.0", "SCSI", "") "," DEVICE(
            "b", "x", "/machine/a/bus.0", "SCSI",
            "") "," DEVICE("c", "x", "/machine/c/bus.0", "SCSI", "") "]");
    assert_null(facts_check(facts));
    assert_int_equal(json_array_size(json_object_get(facts, "devices")), 3);
    json_decref(facts);
}

static void
more_devices_than_a_list_holds_are_cut(void **state)
{
    json_t *found = json_array(), *facts = json_object();

    (void)state;
    for (int i = 0; i < FACTS_LIST_MAX; i++)
        json_array_append_new(found, json_pack("{s:s}", "type", "x"));
    facts_devices(facts, found);
    assert_null(json_object_get(facts, "cut"));
    json_array_append_new(found, json_pack("{s:s}", "type", "x"));
    facts_devices(facts, found);
    assert_true(json_is_true(json_object_get(facts, "cut")));
    assert_null(facts_check(facts));
    json_decref(found);
    json_decref(facts);
}

static void
of_too_many_devices_the_first_places_stay(void **state)
{
    json_t *found = json_array(), *facts = json_object(), *list;
    char type[16];

    (void)state;
    for (int i = FACTS_LIST_MAX + 10; i-- > 0;) {
        snprintf(type, sizeof type, "t%03d", i);
        json_array_append_new(found, json_pack("{s:s}", "type", type));
    }
    facts_devices(facts, found);
    list = json_object_get(facts, "devices");
    assert_int_equal(json_array_size(list), FACTS_LIST_MAX);
    for (int i = 0; i < FACTS_LIST_MAX; i++) {
        snprintf(type, sizeof type, "t%03d", i);
        assert_string_equal(json_string_value(json_object_get(
                                json_array_get(list, (size_t)i), "type")),
                            type);
    }
    json_decref(found);
    json_decref(facts);
}

static json_t *
disks(const char *reply)
{
    static const char found[] = "[" DEVICE(
        "peripheral/disk0", "virtio-blk-pci", "/machine/i440fx/pci.0", "PCI",
        "\"addr\": 96") "," DEVICE("peripheral/sd0", "scsi-hd", "/x/scsi.0",
                                   "SCSI",
                                   "") "," DEVICE("unattached/device[7]",
                                                  "ide-cd", "/x/ide.1", "IDE",
                                                  "") "]";
    json_t *facts = json_object();
    json_t *list = json_loads(found, 0, NULL);
    json_t *value = json_loads(reply, JSON_DECODE_ANY, NULL);

    facts_disks(facts, value, list);
    json_decref(list);
    json_decref(value);
    return facts;
}

static void
a_disk_has_the_place_of_its_device(void **state)
{
    (void)state;
    assert_facts(
        disks("[{\"device\": \"\", \"qdev\": \"sd0\", \"inserted\": {"
              "   \"ro\": true, \"drv\": \"raw\", \"file\": \"/b.img\","
              "   \"image\": {\"virtual-size\": 100}}},"
              " {\"device\": \"d0\","
              "  \"qdev\": \"/machine/peripheral/disk0/virtio-backend\","
              "  \"inserted\": {\"ro\": false, \"drv\": \"rbd\","
              "   \"file\": \"rbd:pool/x:key=secret\","
              "   \"image\": {\"virtual-size\": 200}}},"
              " {\"device\": \"cd\","
              "  \"qdev\": \"/machine/unattached/device[7]\"},"
              " {\"device\": \"odd\", \"qdev\": \"/machine/elsewhere\","
              "  \"inserted\": {\"file\": \"json:{}\"}},"
              " {\"device\": \"sd0\"}]"),
        "{\"disks\": ["
        "{\"id\": \"/machine/elsewhere\"},"
        "{\"id\": \"disk0\", \"place\": \"00:0c.0\", \"size\": 200,"
        " \"read_only\": false, \"driver\": \"rbd\", \"file\": \"rbd:\"},"
        "{\"place\": \"ide.1:ide1.0\"},"
        "{\"id\": \"sd0\", \"place\": \"scsi.0:0:0:0\", \"size\": 100,"
        " \"read_only\": true, \"driver\": \"raw\", \"file\": \"/b.img\"}]}");
    assert_facts(disks("3"), "{}");
    assert_facts(disks("[]"), "{\"disks\": []}");
}

static void
too_much_is_cut_to_its_bound(void **state)
{
    json_t *facts = json_object(), *list = json_array();
    char text[FACTS_TEXT_MAX + 1];

    (void)state;
    memset(text, 'x', FACTS_TEXT_MAX);
    text[FACTS_TEXT_MAX] = '\0';
    for (int i = 0; i < FACTS_LIST_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "type", text,
                                              "place", text, "id", text));
    json_object_set_new(facts, "devices", list);
    assert_string_equal(facts_check(facts), "facts are too long");
    facts_finish(facts);
    assert_null(facts_check(facts));
    assert_true(json_is_true(json_object_get(facts, "cut")));
    assert_true(json_array_size(list) > 64);
    assert_true(json_array_size(list) < FACTS_LIST_MAX);
    json_decref(facts);
}

static void
what_fits_is_left_alone(void **state)
{
    json_t *facts = from(facts_status, "{\"status\": \"running\"}");

    (void)state;
    facts_finish(facts);
    assert_facts(facts, "{\"status\": \"running\"}");
}

static void
objects_too_long_are_left_out_whole(void **state)
{
    json_t *facts = json_object(), *parameters = json_object();
    char name[FACTS_TEXT_MAX + 1], value[FACTS_TEXT_MAX + 1];

    (void)state;
    memset(value, 'v', FACTS_TEXT_MAX);
    value[FACTS_TEXT_MAX] = '\0';
    memset(name, 'n', FACTS_TEXT_MAX);
    name[FACTS_TEXT_MAX] = '\0';
    for (int i = 0; i < FACTS_LIST_MAX; i++) {
        name[0] = (char)('a' + i % 16);
        name[1] = (char)('a' + i / 16);
        json_object_set_new(parameters, name, json_string(value));
    }
    json_object_set_new(facts, "parameters", parameters);
    facts_finish(facts);
    assert_facts(facts, "{\"cut\": true}");
    /* Nothing that is known can be left out: it stays too long. */
    facts = json_object();
    json_object_set_new(facts, "later", json_object());
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%0100d", i);
        json_object_set_new(json_object_get(facts, "later"), name,
                            json_integer(i));
    }
    facts_finish(facts);
    assert_non_null(facts_check(facts));
    json_decref(facts);
}

static void
what_a_partner_sends_is_checked(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"version\": 7}",
        "{\"cpus\": \"7\"}",
        "{\"cpus\": -1}",
        "{\"cpus\": 1.5}",
        "{\"cpus\": true}",
        "{\"version\": true}",
        "{\"version\": null}",
        "{\"capabilities\": {\"multifd\": \"on\"}}",
        "{\"cut\": 1}",
        "{\"devices\": {}}",
        "{\"devices\": [7]}",
        "{\"devices\": [{\"type\": 7}]}",
        "{\"devices\": [{\"built_in\": \"yes\"}]}",
        "{\"blocked\": [7]}",
        "{\"blocked\": \"x\"}",
        "{\"capabilities\": []}",
        "{\"capabilities\": {\"multifd\": 1}}",
        "{\"cpu_features\": {\"1.ECX\": \"x\"}}",
        "{\"parameters\": {\"x\": []}}",
        "{\"parameters\": {\"x\": null}}",
    };
    static const char *const good[] = {
        "{}",
        "{\"later\": [1, 2, {}]}",
        "{\"devices\": []}",
        "{\"devices\": [{\"later\": []}]}",
        "{\"parameters\": {\"x\": 1, \"y\": \"z\", \"w\": true}}",
        "{\"version\": \"\", \"cut\": false, \"blocked\": [\"x\"]}",
    };

    (void)state;
    assert_non_null(facts_check(NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *facts = json_loads(bad[i], 0, NULL);
        assert_non_null(facts);
        if (facts_check(facts) == NULL)
            fail_msg("%s", bad[i]);
        json_decref(facts);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_t *facts = json_loads(good[i], 0, NULL);
        assert_non_null(facts);
        assert_null(facts_check(facts));
        json_decref(facts);
    }
}

/* {key: value of so many bytes}, or with a list of so many. */
static bool
takes(size_t text, size_t entries, size_t members)
{
    json_t *facts = json_object(), *list = json_array();
    json_t *object = json_object();
    char buf[300];

    memset(buf, 'x', sizeof buf);
    buf[text] = '\0';
    json_object_set_new(facts, "cpu", json_string(buf));
    for (size_t i = 0; i < entries; i++)
        json_array_append_new(list, json_object());
    json_object_set_new(facts, "nics", list);
    for (size_t i = 0; i < members; i++) {
        snprintf(buf, sizeof buf, "%0*zu", (int)(text > 0 ? text : 1), i);
        json_object_set_new(object, buf, json_true());
    }
    json_object_set_new(facts, "capabilities", object);
    bool fits = facts_check(facts) == NULL;
    json_decref(facts);
    return fits;
}

static void
texts_lists_and_objects_are_bounded(void **state)
{
    (void)state;
    assert_true(takes(FACTS_TEXT_MAX, FACTS_LIST_MAX, 1));
    assert_false(takes(FACTS_TEXT_MAX + 1, 0, 0));
    assert_false(takes(FACTS_TEXT_MAX + 1, 0, 1));
    assert_false(takes(10, FACTS_LIST_MAX + 1, 0));
    assert_true(takes(10, 0, FACTS_LIST_MAX));
    assert_false(takes(10, 0, FACTS_LIST_MAX + 1));
}

static void
long_texts_are_cut_when_facts_are_made(void **state)
{
    char text[400], expected[500];
    json_t *reply;

    (void)state;
    memset(text, 'y', sizeof text);
    text[300] = '\0';
    reply = json_pack("{s:s}", "status", text);
    json_t *facts = json_object();
    facts_status(facts, reply);
    json_decref(reply);
    text[FACTS_TEXT_MAX] = '\0';
    snprintf(expected, sizeof expected, "{\"status\": \"%s\"}", text);
    assert_facts(facts, expected);
    /* A name that is cut would be another: it is left out. */
    text[FACTS_TEXT_MAX] = 'y';
    assert_facts(from_text(facts_cpu_model, text), "{}");
    assert_facts(from_text(facts_machine, text), "{}");
}

static void
objects_of_qemu_s_names_are_bounded(void **state)
{
    json_t *list = json_array(), *object = json_object();
    json_t *words = json_array(), *facts = json_object();
    char name[200];

    (void)state;
    memset(name, 'n', sizeof name);
    name[FACTS_TEXT_MAX + 1] = '\0';
    json_array_append_new(list, json_pack("{s:s}", "capability", name));
    json_object_set_new(object, name, json_integer(1));
    for (int i = 0; i < FACTS_LIST_MAX + 5; i++) {
        snprintf(name, sizeof name, "n%d", i);
        json_array_append_new(list, json_pack("{s:s}", "capability", name));
        json_object_set_new(object, name, json_integer(1));
        json_array_append_new(
            words, json_pack("{s:s, s:i, s:i}", "cpuid-register", "EAX",
                             "cpuid-input-eax", i, "features", 1));
    }
    facts_capabilities(facts, list);
    facts_parameters(facts, object);
    facts_cpu_features(facts, words);
    assert_null(facts_check(facts));
    assert_int_equal(json_object_size(json_object_get(facts, "capabilities")),
                     FACTS_LIST_MAX);
    assert_int_equal(json_object_size(json_object_get(facts, "parameters")),
                     FACTS_LIST_MAX);
    assert_int_equal(json_object_size(json_object_get(facts, "cpu_features")),
                     FACTS_LIST_MAX);
    json_decref(list);
    json_decref(object);
    json_decref(words);
    json_decref(facts);
}

/* Bridges behind bridges, the bus of each below the path of the one before. */
static void
a_place_too_deep_is_cut_the_same_everywhere(void **state)
{
    json_t *found = json_array(), *facts = json_object(), *list;
    char path[32], bus[32];

    (void)state;
    for (int i = 0; i < 30; i++) {
        snprintf(path, sizeof path, "/bridge%02d", i);
        snprintf(bus, sizeof bus, "/bridge%02d/virtio-serial", i - 1);
        json_array_append_new(
            found, json_pack("{s:s, s:s, s:s, s:s, s:{s:I}}", "path", path,
                             "type", "x", "bus", i == 0 ? "/root/pci.0" : bus,
                             "bus_type", "virtio-serial-bus", "unit", "nr",
                             (json_int_t)123456789012));
    }
    facts_devices(facts, found);
    assert_null(facts_check(facts));
    list = json_object_get(facts, "devices");
    assert_int_equal(json_array_size(list), 30);
    assert_int_equal(strlen(json_string_value(
                         json_object_get(json_array_get(list, 29), "place"))),
                     FACTS_TEXT_MAX);
    json_decref(found);
    json_decref(facts);
}

static void
a_version_has_two_numbers(void **state)
{
    static const char *const odd[] = { "",     "ten",       ".1.2",
                                       "7",    "7.2",       "7..2",
                                       "7.x.", "12345.1.1", "1.12345.1" };
    int major = 0, minor = 0;
    json_t *facts = from(facts_version, "{\"qemu\": {\"micro\": 1, "
                                        "\"minor\": 2, \"major\": 10}}");

    (void)state;
    assert_int_equal(facts_major_minor(facts, &major, &minor), 0);
    assert_int_equal(major, 10);
    assert_int_equal(minor, 2);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        json_object_set_new(facts, "version", json_string(odd[i]));
        assert_int_equal(facts_major_minor(facts, &major, &minor), -1);
    }
    json_object_set_new(facts, "version", json_string("9999.0.x"));
    assert_int_equal(facts_major_minor(facts, &major, &minor), 0);
    assert_int_equal(major, 9999);
    assert_int_equal(minor, 0);
    json_object_del(facts, "version");
    assert_int_equal(facts_major_minor(facts, &major, &minor), -1);
    json_decref(facts);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reply_has_its_fact),
        cmocka_unit_test(what_is_no_such_reply_adds_nothing),
        cmocka_unit_test(qemu_s_own_word_for_the_accelerator_counts),
        cmocka_unit_test(a_cpu_model_is_its_type_without_the_target),
        cmocka_unit_test(features_have_leaf_subleaf_and_register),
        cmocka_unit_test(a_topology_names_what_there_is_more_of),
        cmocka_unit_test(ram_blocks_are_read_from_their_table),
        cmocka_unit_test(what_is_no_ram_block_is_passed_over),
        cmocka_unit_test(a_backend_over_tcp_without_words_is_not_connected),
        cmocka_unit_test(too_many_nics_are_cut),
        cmocka_unit_test(a_vhost_user_backend_is_connected_if_its_chardev_is),
        cmocka_unit_test(blocked_reasons_are_texts),
        cmocka_unit_test(a_place_is_what_a_migration_knows_a_device_by),
        cmocka_unit_test(a_place_behind_a_device_begins_with_its_place),
        cmocka_unit_test(a_device_whose_name_begins_like_another_is_another),
        cmocka_unit_test(devices_that_own_each_other_have_an_end),
        cmocka_unit_test(more_devices_than_a_list_holds_are_cut),
        cmocka_unit_test(of_too_many_devices_the_first_places_stay),
        cmocka_unit_test(a_disk_has_the_place_of_its_device),
        cmocka_unit_test(too_much_is_cut_to_its_bound),
        cmocka_unit_test(what_fits_is_left_alone),
        cmocka_unit_test(objects_too_long_are_left_out_whole),
        cmocka_unit_test(what_a_partner_sends_is_checked),
        cmocka_unit_test(texts_lists_and_objects_are_bounded),
        cmocka_unit_test(long_texts_are_cut_when_facts_are_made),
        cmocka_unit_test(objects_of_qemu_s_names_are_bounded),
        cmocka_unit_test(a_place_too_deep_is_cut_the_same_everywhere),
        cmocka_unit_test(a_version_has_two_numbers),
    };

    return RUN_TESTS(tests);
}
