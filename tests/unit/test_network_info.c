/* What "info network" prints, of several versions and kinds of network. */
#include "wire/network_info.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"

static struct network_info info;

static void
assert_nic(size_t i, const char *name, const char *model, const char *mac)
{
    assert_true(i < info.count);
    assert_string_equal(info.nics[i].name, name);
    assert_string_equal(info.nics[i].model, model);
    assert_string_equal(info.nics[i].mac, mac);
}

static void
assert_backend(size_t i, const char *kind, const char *name, const char *text)
{
    assert_true(i < info.count);
    assert_string_equal(info.nics[i].backend, kind);
    assert_string_equal(info.nics[i].backend_name, name);
    assert_string_equal(info.nics[i].info, text);
}

static void
a_nic_and_its_backend_stand_below_each_other(void **state)
{
    (void)state;
    network_info_parse(
        &info,
        "net0: index=0,type=nic,model=virtio-net-pci,"
        "macaddr=52:54:00:00:00:01\r\n"
        " \\ n0: index=0,type=tap,ifname=tap0,script=no,downscript=no\r\n"
        "e1000.0: index=0,type=nic,model=e1000,"
        "macaddr=52:54:00:12:34:56\r\n"
        " \\ n1: index=0,type=socket,socket: udp=127.0.0.1:5001\r\n"
        "rtl: index=0,type=nic,model=rtl8139,macaddr=52:54:00:12:34:57"
        "\r\n"
        " \\ n5: index=0,type=stream,\r\n");
    assert_int_equal(info.count, 3);
    assert_false(info.cut);
    assert_nic(0, "net0", "virtio-net-pci", "52:54:00:00:00:01");
    assert_backend(0, "tap", "n0", "ifname=tap0,script=no,downscript=no");
    assert_nic(1, "e1000.0", "e1000", "52:54:00:12:34:56");
    assert_backend(1, "socket", "n1", "socket: udp=127.0.0.1:5001");
    assert_nic(2, "rtl", "rtl8139", "52:54:00:12:34:57");
    assert_backend(2, "stream", "n5", "");
}

static void
nothing_is_no_nic(void **state)
{
    static const char *const texts[] = {
        "",
        "\r\n\n",
        "hub 0\n",
        "  - f0: type=filter-dump,file=x\n",
        "n0: index=0,type=user,net=10.0.2.0\n", /* a backend alone */
        " \\ n0: index=0,type=user,net=10.0.2.0\n",
        "net0: type=nic,model=e1000\n", /* no index */
        "net0: index=0,model=e1000\n",  /* no kind */
        "net0: index=\n",
        " \\ \n",
        "unknown command: 'info network'\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        network_info_parse(&info, texts[i]);
        assert_int_equal(info.count, 0);
    }
}

static void
a_nic_without_a_backend_has_none(void **state)
{
    (void)state;
    network_info_parse(&info, "ne2k_pci.0: index=0,type=nic,model=ne2k_pci,"
                              "macaddr=52:54:00:12:34:5e\n"
                              "n0: index=0,type=user,net=10.0.2.0\n");
    assert_int_equal(info.count, 1);
    assert_backend(0, "", "", "");
}

static void
queues_of_a_nic_are_one_nic(void **state)
{
    (void)state;
    network_info_parse(
        &info, "net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:0\n"
               " \\ n0: index=0,type=tap,fds\n"
               "net0: index=1,type=nic,model=virtio-net-pci,macaddr=52:54:0\n"
               " \\ n0: index=1,type=tap,fd=7\n");
    assert_int_equal(info.count, 1);
    assert_backend(0, "tap", "n0", "fds");
}

static void
a_nic_in_a_hub_has_the_hubs_backend(void **state)
{
    (void)state;
    network_info_parse(
        &info, "hub 0\n"
               " \\ h1: e1000.1: index=0,type=nic,model=e1000,macaddr=a\n"
               " \\ hub0port0: hu: index=0,type=user,net=10.0.2.0\n"
               " \\ h2\n"
               "hub 1\n"
               " \\ h3: e1000.2: index=0,type=nic,model=e1000,macaddr=b\n"
               "net0: index=0,type=nic,model=e1000,macaddr=c\n"
               " \\ n0: index=0,type=tap,\n");
    assert_int_equal(info.count, 3);
    assert_nic(0, "e1000.1", "e1000", "a");
    assert_backend(0, "user", "hu", "net=10.0.2.0");
    assert_nic(1, "e1000.2", "e1000", "b");
    assert_backend(1, "", "", "");
    assert_backend(2, "tap", "n0", "");
}

static void
of_a_hubs_backends_a_cable_counts_most(void **state)
{
    static const char cable_first[] =
        "hub 0\n"
        " \\ h1: d0: index=0,type=dgram,udp=1.2.3.4:5/6.7.8.9:10\n"
        " \\ h2: hu: index=0,type=user,\n"
        " \\ h3: e: index=0,type=nic,model=e1000,macaddr=a\n";
    static const char cable_last[] =
        "hub 0\n"
        " \\ h3: e: index=0,type=nic,model=e1000,macaddr=a\n"
        " \\ h2: hu: index=0,type=user,\n"
        " \\ h1: d0: index=0,type=dgram,udp=1.2.3.4:5/6.7.8.9:10\n";

    (void)state;
    network_info_parse(&info, cable_first);
    assert_backend(0, "dgram", "d0", "udp=1.2.3.4:5/6.7.8.9:10");
    network_info_parse(&info, cable_last);
    assert_backend(0, "dgram", "d0", "udp=1.2.3.4:5/6.7.8.9:10");
}

static void
more_nics_than_there_is_room_for_are_told(void **state)
{
    static char text[64 * 1024];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < NETWORK_NICS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "n%d: index=0,type=nic,model=e,macaddr=%d\n",
                                 i, i);
    network_info_parse(&info, text);
    assert_int_equal(info.count, NETWORK_NICS_MAX);
    assert_false(info.cut);
    snprintf(text + used, sizeof text - used,
             "more: index=0,type=nic,model=e,macaddr=x\n"
             " \\ b: index=0,type=tap,\n");
    network_info_parse(&info, text);
    assert_int_equal(info.count, NETWORK_NICS_MAX);
    assert_true(info.cut);
    assert_backend(NETWORK_NICS_MAX - 1, "", "", "");
}

static void
a_long_text_is_cut(void **state)
{
    enum { LENGTH_MAX = 130 };
    char text[1200], name[LENGTH_MAX + 1], data[LENGTH_MAX + 1];

    (void)state;
    memset(name, 'b', sizeof name);
    memset(data, 'i', sizeof data);
    for (size_t length = 126; length <= LENGTH_MAX; length++) {
        snprintf(text, sizeof text,
                 "n: index=0,type=nic,model=e,macaddr=x\n"
                 " \\ %.*s: index=0,type=tap,%.*s",
                 (int)length, name, (int)length, data);
        network_info_parse(&info, text);
        assert_int_equal(info.count, 1);
        assert_int_equal(strlen(info.nics[0].backend_name),
                         NETWORK_NAME_MAX - 1);
        assert_int_equal(strlen(info.nics[0].info), length < NETWORK_INFO_MAX
                                                        ? length
                                                        : NETWORK_INFO_MAX - 1);
    }
}

static void
a_cable_is_between_two_addresses(void **state)
{
    (void)state;
    assert_true(network_is_cable("l2tpv3", "l2tpv3: connected"));
    assert_true(network_is_cable("dgram", "udp=1.2.3.4:5/6.7.8.9:10"));
    assert_true(network_is_cable("dgram", ""));
    assert_false(network_is_cable("dgram", "mcast=230.0.0.1:5"));
    assert_true(network_is_cable("socket", "socket: udp=127.0.0.1:5001"));
    assert_false(network_is_cable("socket", "socket: mcast=230.0.0.1:5011"));
    assert_false(network_is_cable("socket", ""));
    assert_false(network_is_cable("tap", "ifname=udp=1"));
    assert_false(network_is_cable("", ""));
}

static void
the_far_end_is_told_where_qemu_tells_it(void **state)
{
    (void)state;
    assert_string_equal(network_far_end("udp=1.2.3.4:5/6.7.8.9:10"),
                        "6.7.8.9:10");
    assert_string_equal(network_far_end("socket: udp=127.0.0.1:5001"),
                        "127.0.0.1:5001");
    assert_null(network_far_end("l2tpv3: connected"));
    assert_null(network_far_end(""));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nic_and_its_backend_stand_below_each_other),
        cmocka_unit_test(nothing_is_no_nic),
        cmocka_unit_test(a_nic_without_a_backend_has_none),
        cmocka_unit_test(queues_of_a_nic_are_one_nic),
        cmocka_unit_test(a_nic_in_a_hub_has_the_hubs_backend),
        cmocka_unit_test(of_a_hubs_backends_a_cable_counts_most),
        cmocka_unit_test(more_nics_than_there_is_room_for_are_told),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_cable_is_between_two_addresses),
        cmocka_unit_test(the_far_end_is_told_where_qemu_tells_it),
    };

    return RUN_TESTS(tests);
}
