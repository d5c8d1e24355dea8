/* Networks, and who is in them. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "support_test.h"

static const char an_address[] =
    "an IPv4 or IPv6 address, or one with /BITS after it";
static const char bits_4[] = "from 0 to 32 bits after the slash";
static const char bits_6[] = "from 0 to 128 bits after the slash";
static const char zeros[] = "an address that has only zeros beyond its /BITS";

static void
assert_parsed(const char *text, int family, const char *address, unsigned bits)
{
    unsigned char expected[16] = { 0 };
    struct cidr cidr;

    memset(&cidr, 0xee, sizeof cidr);
    assert_null(cidr_parse(text, &cidr));
    assert_int_equal(cidr.family, family);
    assert_int_equal(cidr.bits, bits);
    assert_int_equal(inet_pton(family, address, expected), 1);
    assert_memory_equal(cidr.address, expected, sizeof expected);
}

static void
assert_refused(const char *text, const char *why)
{
    struct cidr cidr, before;

    memset(&cidr, 0xee, sizeof cidr);
    before = cidr;
    assert_string_equal(cidr_parse(text, &cidr), why);
    assert_memory_equal(&cidr, &before, sizeof cidr);
}

static bool
contains(const char *network, const char *peer)
{
    struct cidr cidr;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 0xffff };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = 0xffff };

    assert_null(cidr_parse(network, &cidr));
    if (inet_pton(AF_INET, peer, &in.sin_addr) == 1)
        return cidr_contains(&cidr, (const struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, peer, &in6.sin6_addr), 1);
    return cidr_contains(&cidr, (const struct sockaddr *)&in6);
}

static void
a_network_has_an_address_and_bits(void **state)
{
    (void)state;
    assert_parsed("192.0.2.0/24", AF_INET, "192.0.2.0", 24);
    assert_parsed("0.0.0.0/0", AF_INET, "0.0.0.0", 0);
    assert_parsed("128.0.0.0/1", AF_INET, "128.0.0.0", 1);
    assert_parsed("192.0.2.254/31", AF_INET, "192.0.2.254", 31);
    assert_parsed("192.0.2.255/32", AF_INET, "192.0.2.255", 32);
    assert_parsed("2001:db8::/32", AF_INET6, "2001:db8::", 32);
    assert_parsed("::/0", AF_INET6, "::", 0);
    assert_parsed("8000::/1", AF_INET6, "8000::", 1);
    assert_parsed("2001:db8::fe/127", AF_INET6, "2001:db8::fe", 127);
    assert_parsed("2001:db8::ff/128", AF_INET6, "2001:db8::ff", 128);
}

static void
an_address_alone_is_one_host(void **state)
{
    (void)state;
    assert_parsed("192.0.2.7", AF_INET, "192.0.2.7", 32);
    assert_parsed("::1", AF_INET6, "::1", 128);
    assert_parsed("2001:0db8:0000:0000:0000:0000:0000:00ff", AF_INET6,
                  "2001:db8::ff", 128);
}

static void
what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "/",
        "/24",
        "host",
        "host/24",
        "192.0.2",
        "192.0.2/24",
        "192.0.2.0.0/24",
        "192.0.2.256/32",
        " 192.0.2.0/24",
        "192.0.2.0 /24",
        "192.0.2.0,192.0.3.0",
        "0xc0.0.2.0/24",
        "2001:db8:/32",
        ":::/0",
        "[2001:db8::]/32",
        "fe80::1%lo",
        "2001:0db8:0000:0000:0000:0000:0000:0000:0000",
        "2001:0db8:0000:0000:0000:ffff:192.168.100.100000/128",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], an_address);
}

static void
an_address_as_long_as_the_room_for_it_is_refused(void **state)
{
    char text[INET6_ADDRSTRLEN + 2];

    (void)state;
    for (size_t length = sizeof text - 3; length < sizeof text; length++) {
        memset(text, '1', length);
        text[length] = '\0';
        assert_refused(text, an_address);
    }
    /* One less than the room, and the longest that there is. */
    assert_parsed("0000:0000:0000:0000:0000:0000:255.255.255.255", AF_INET6,
                  "::255.255.255.255", 128);
}

static void
more_bits_than_there_are_are_refused(void **state)
{
    (void)state;
    assert_refused("192.0.2.0/33", bits_4);
    assert_refused("192.0.2.0/128", bits_4);
    assert_refused("192.0.2.0/", bits_4);
    assert_refused("192.0.2.0/-1", bits_4);
    assert_refused("192.0.2.0/+8", bits_4);
    assert_refused("192.0.2.0/ 8", bits_4);
    assert_refused("192.0.2.0/24 ", bits_4);
    assert_refused("192.0.2.0/24/24", bits_4);
    assert_refused("192.0.2.0/255.255.255.0", bits_4);
    assert_refused("192.0.2.0/18446744073709551640", bits_4);
    assert_refused("2001:db8::/129", bits_6);
    assert_refused("2001:db8::/", bits_6);
    assert_refused("2001:db8::/x", bits_6);
}

static void
bits_beyond_the_network_are_refused(void **state)
{
    (void)state;
    assert_refused("192.0.2.1/24", zeros);
    assert_refused("192.0.2.128/24", zeros);
    assert_refused("192.0.2.255/31", zeros);
    assert_refused("128.0.0.0/0", zeros);
    assert_refused("0.0.0.1/0", zeros);
    assert_refused("2001:db8::1/127", zeros);
    assert_refused("2001:db8::/28", zeros);
    assert_refused("::1/0", zeros);
}

static void
a_mapped_network_is_an_ipv4_network(void **state)
{
    (void)state;
    assert_parsed("::ffff:192.0.2.0/120", AF_INET, "192.0.2.0", 24);
    assert_parsed("::ffff:192.0.2.7", AF_INET, "192.0.2.7", 32);
    assert_parsed("::ffff:0:0/96", AF_INET, "0.0.0.0", 0);
    assert_parsed("::fffe:0:0/96", AF_INET6, "::fffe:0:0", 96);
    assert_parsed("::fffe:0:0/95", AF_INET6, "::fffe:0:0", 95);
    assert_refused("::ffff:0:0/95", zeros);
    assert_parsed("0:0:0:0:1:ffff:192.0.2.7", AF_INET6, "::1:ffff:c000:207",
                  128);
}

static void
a_peer_is_in_if_the_bits_are_the_same(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.0/24", "192.0.2.0"));
    assert_true(contains("192.0.2.0/24", "192.0.2.255"));
    assert_false(contains("192.0.2.0/24", "192.0.3.0"));
    assert_false(contains("192.0.2.0/24", "192.0.1.255"));
    assert_true(contains("192.0.2.64/26", "192.0.2.127"));
    assert_false(contains("192.0.2.64/26", "192.0.2.63"));
    assert_false(contains("192.0.2.64/26", "192.0.2.128"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::"));
    assert_false(contains("2001:db8::/33", "2001:db9::"));
}

static void
every_number_of_bits_is_looked_at_and_no_more(void **state)
{
    struct cidr cidr = { .family = AF_INET6 };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    const struct sockaddr *peer = (const struct sockaddr *)&in6;

    (void)state;
    for (cidr.bits = 0; cidr.bits <= 128; cidr.bits++)
        for (unsigned i = 0; i < 128; i++) {
            memset(&in6.sin6_addr, 0, sizeof in6.sin6_addr);
            in6.sin6_addr.s6_addr[i / 8] = (uint8_t)(0x80 >> (i % 8));
            assert_int_equal(cidr_contains(&cidr, peer), i >= cidr.bits);
        }
}

static void
an_address_alone_holds_itself_only(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.7", "192.0.2.7"));
    assert_false(contains("192.0.2.7", "192.0.2.6"));
    assert_true(contains("::1", "::1"));
    assert_false(contains("::1", "::"));
    assert_false(contains("::1", "8000::1"));
}

static void
no_bits_hold_the_whole_family_and_no_other(void **state)
{
    (void)state;
    assert_true(contains("0.0.0.0/0", "255.255.255.255"));
    assert_false(contains("0.0.0.0/0", "::"));
    assert_true(contains("::/0", "ffff::ffff"));
    assert_false(contains("::/0", "0.0.0.0"));
}

static void
a_mapped_peer_counts_as_ipv4(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.0/24", "::ffff:192.0.2.9"));
    assert_false(contains("192.0.2.0/24", "::ffff:192.0.3.9"));
    assert_true(contains("::ffff:192.0.2.0/120", "::ffff:192.0.2.9"));
    assert_true(contains("::ffff:192.0.2.0/120", "192.0.2.9"));
    assert_false(contains("192.0.2.0/24", "::192.0.2.9"));
    assert_false(contains("192.0.2.0/24", "::1:ffff:c000:209"));
    assert_false(contains("::/0", "::ffff:192.0.2.9"));
}

static void
a_peer_without_an_address_is_in_no_network(void **state)
{
    static const char *const all[] = { "0.0.0.0/0", "::/0" };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct cidr cidr;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_null(cidr_parse(all[i], &cidr));
        assert_false(cidr_contains(&cidr, (const struct sockaddr *)&un));
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_has_an_address_and_bits),
        cmocka_unit_test(an_address_alone_is_one_host),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(an_address_as_long_as_the_room_for_it_is_refused),
        cmocka_unit_test(more_bits_than_there_are_are_refused),
        cmocka_unit_test(bits_beyond_the_network_are_refused),
        cmocka_unit_test(a_mapped_network_is_an_ipv4_network),
        cmocka_unit_test(a_peer_is_in_if_the_bits_are_the_same),
        cmocka_unit_test(every_number_of_bits_is_looked_at_and_no_more),
        cmocka_unit_test(an_address_alone_holds_itself_only),
        cmocka_unit_test(no_bits_hold_the_whole_family_and_no_other),
        cmocka_unit_test(a_mapped_peer_counts_as_ipv4),
        cmocka_unit_test(a_peer_without_an_address_is_in_no_network),
    };

    return RUN_TESTS(tests);
}
