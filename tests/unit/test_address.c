/* Network addresses, as people write them and as sockets give them. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "support_test.h"

enum { DEFAULT_PORT = 9999 };

static void
assert_parsed(const char *text, const char *host, unsigned port)
{
    struct address address;

    assert_null(address_parse(text, DEFAULT_PORT, &address));
    assert_string_equal(address.host, host);
    assert_int_equal(address.port, port);
}

static void
assert_refused(const char *text, uint16_t default_port, const char *why)
{
    struct address address = { .host = "untouched", .port = 1 };

    assert_string_equal(address_parse(text, default_port, &address), why);
    assert_string_equal(address.host, "untouched");
    assert_int_equal(address.port, 1);
}

static void
a_name_and_a_number_may_have_a_port(void **state)
{
    (void)state;
    assert_parsed("host", "host", DEFAULT_PORT);
    assert_parsed("h", "h", DEFAULT_PORT);
    assert_parsed("host.example.:80", "host.example.", 80);
    assert_parsed("192.168.1.100", "192.168.1.100", DEFAULT_PORT);
    assert_parsed("192.168.1.100:7", "192.168.1.100", 7);
}

static void
an_ipv6_address_may_stand_in_brackets_or_bare(void **state)
{
    (void)state;
    assert_parsed("[::1]", "::1", DEFAULT_PORT);
    assert_parsed("[::1]:80", "::1", 80);
    assert_parsed("[fe80::1%eth0]:80", "fe80::1%eth0", 80);
    assert_parsed("::1", "::1", DEFAULT_PORT);
    assert_parsed("2001:db8::1:80", "2001:db8::1:80", DEFAULT_PORT);
}

static void
a_host_may_be_left_out_before_a_port(void **state)
{
    (void)state;
    assert_parsed(":80", "", 80);
    assert_refused("", DEFAULT_PORT, "a host name or address");
}

static void
a_port_is_needed_where_there_is_no_default(void **state)
{
    struct address address;

    (void)state;
    assert_refused("host", 0, "HOST:PORT");
    assert_refused("[::1]", 0, "HOST:PORT");
    assert_refused("::1", 0, "HOST:PORT");
    assert_null(address_parse("host:1", 0, &address));
    assert_int_equal(address.port, 1);
}

static void
a_port_lies_between_1_and_65535(void **state)
{
    static const char why[] = "a port from 1 to 65535 after the last colon";

    (void)state;
    assert_refused("host:0", DEFAULT_PORT, why);
    assert_parsed("host:1", "host", 1);
    assert_parsed("host:65535", "host", 65535);
    assert_refused("host:65536", DEFAULT_PORT, why);
    assert_refused("[::1]:65536", DEFAULT_PORT, why);
    assert_refused("host:", DEFAULT_PORT, why);
    assert_refused("[::1]:", DEFAULT_PORT, why);
    assert_refused(":", DEFAULT_PORT, why);
    assert_refused("host:ssh", DEFAULT_PORT, why);
    assert_refused("host: 80", DEFAULT_PORT, why);
    assert_refused("host:-1", DEFAULT_PORT, why);
}

static void
brackets_are_in_pairs_around_an_ipv6_address(void **state)
{
    static const char pairs[] = "[IPv6] or [IPv6]:PORT";
    static const char inside[] = "an IPv6 address between the brackets";

    (void)state;
    assert_refused("[::1", DEFAULT_PORT, pairs);
    assert_refused("[::1]80", DEFAULT_PORT, pairs);
    assert_refused("[]", DEFAULT_PORT, inside);
    assert_refused("[host]:80", DEFAULT_PORT, inside);
    assert_refused("[127.0.0.1]", DEFAULT_PORT, inside);
}

static void
a_host_has_no_character_that_no_host_has(void **state)
{
    static const char *const bad[] = { "a b",   "a/b",    "tcp://a", "a,b",
                                       "a]",    "a\nb",   "a\x7f",   "\xc3\xa4",
                                       "[::[]", "::1]:80" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct address address;

        assert_non_null(address_parse(bad[i], DEFAULT_PORT, &address));
    }
    assert_refused("a b", DEFAULT_PORT, "a host name or address");
    assert_parsed("~", "~", DEFAULT_PORT);
    assert_parsed("!", "!", DEFAULT_PORT);
}

static void
a_host_that_is_too_long_is_refused(void **state)
{
    char text[ADDRESS_HOST_MAX + 1];

    (void)state;
    memset(text, 'a', sizeof text);
    text[ADDRESS_HOST_MAX] = '\0';
    assert_refused(text, DEFAULT_PORT, "a host name of at most 253 characters");
    text[ADDRESS_HOST_MAX - 1] = '\0';
    assert_parsed(text, text, DEFAULT_PORT);
}

static void
an_address_is_written_as_it_is_read(void **state)
{
    static const char *const texts[] = { "host:80", "[::1]:65535",
                                         "192.168.1.100:9999", ":1" };
    char text[ADDRESS_TEXT_MAX];
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_null(address_parse(texts[i], 0, &address));
        assert_ptr_equal(address_text(text, &address), text);
        assert_string_equal(text, texts[i]);
    }
}

static void
the_longest_address_has_room_in_its_text(void **state)
{
    struct address address = { .port = 65535 };
    char text[ADDRESS_TEXT_MAX];

    (void)state;
    memset(address.host, ':', ADDRESS_HOST_MAX - 1);
    address_text(text, &address);
    assert_int_equal(strlen(text), ADDRESS_HOST_MAX - 1 + strlen("[]:65535"));
}

static void
assert_peer(const void *sa, socklen_t length, const char *expected_text,
            const char *expected_host)
{
    char text[ADDRESS_TEXT_MAX], host[ADDRESS_HOST_MAX];

    address_peer_text(text, host, sa, length);
    assert_string_equal(text, expected_text);
    assert_string_equal(host, expected_host);
}

static void
a_peer_is_written_numerically(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(65535) };

    (void)state;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_peer(&in, sizeof in, "127.0.0.1:80", "127.0.0.1");
    in.sin_port = 0;
    assert_peer(&in, sizeof in, "127.0.0.1:0", "127.0.0.1");
    in6.sin6_addr = in6addr_loopback;
    assert_peer(&in6, sizeof in6, "[::1]:65535", "::1");
}

static void
an_ipv4_peer_of_an_ipv6_socket_is_written_as_ipv4(void **state)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons(80) };

    (void)state;
    inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr);
    assert_peer(&in6, sizeof in6, "10.1.2.3:80", "10.1.2.3");
}

static void
a_peer_that_cannot_be_written_is_unknown(void **state)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/x" };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    (void)state;
    inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr);
    assert_peer(&in6, sizeof in6 - 5, "unknown:0", "unknown");
    un.sun_family = AF_UNSPEC;
    assert_peer(&un, sizeof un, "unknown:0", "unknown");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_and_a_number_may_have_a_port),
        cmocka_unit_test(an_ipv6_address_may_stand_in_brackets_or_bare),
        cmocka_unit_test(a_host_may_be_left_out_before_a_port),
        cmocka_unit_test(a_port_is_needed_where_there_is_no_default),
        cmocka_unit_test(a_port_lies_between_1_and_65535),
        cmocka_unit_test(brackets_are_in_pairs_around_an_ipv6_address),
        cmocka_unit_test(a_host_has_no_character_that_no_host_has),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
        cmocka_unit_test(an_address_is_written_as_it_is_read),
        cmocka_unit_test(the_longest_address_has_room_in_its_text),
        cmocka_unit_test(a_peer_is_written_numerically),
        cmocka_unit_test(an_ipv4_peer_of_an_ipv6_socket_is_written_as_ipv4),
        cmocka_unit_test(a_peer_that_cannot_be_written_is_unknown),
    };

    return RUN_TESTS(tests);
}
