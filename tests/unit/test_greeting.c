/* What opens a transport, and what may not. */
#include "wire/greeting.h"

#include <string.h>

#include "support_test.h"

/* Offsets in a greeting (PROTOCOL.md). */
enum {
    AT_VERSION = 8,
    AT_LENGTH = 10,
    AT_FLAGS = 12,
    AT_ZERO = 14, /* at the client; the reason, at the server */
    AT_NAME_LENGTH = 48,
    AT_CLIENT_PACK = 116,
    AT_SERVER_PACK = 32,
};

static const struct client_greeting client = {
    .version_min = 1,
    .version_max = 1,
    .resume = true,
    .channel = 0x01020304,
    .session = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
    .name = "web-1.example_x",
    .position = { .delivered = 0x1122334455667788,
                  .fin_delivered = true,
                  .window = 0x99aabbcc,
                  .pack_log = 21 },
};

static const struct server_greeting server = {
    .version = 1,
    .reason = REASON_NONE,
    .channel = 5,
    .position = { .delivered = UINT64_MAX,
                  .window = UINT32_MAX,
                  .pack_log = 27 },
};

/* A client's greeting, with room for a later version's. */
static void
encode_client(unsigned char bytes[GREETING_MAX + 1])
{
    memset(bytes, 0x5a, GREETING_MAX + 1);
    client_greeting_encode(&client, bytes);
}

static void
set_length(unsigned char *bytes, size_t length)
{
    bytes[AT_LENGTH] = (unsigned char)(length >> 8);
    bytes[AT_LENGTH + 1] = (unsigned char)length;
}

static enum greeting_progress
parse_client(const unsigned char *bytes, size_t length)
{
    struct client_greeting parsed;
    size_t used;

    return client_greeting_parse(&parsed, bytes, length, &used);
}

static enum greeting_progress
parse_server(const unsigned char *bytes, size_t length)
{
    struct server_greeting parsed;
    size_t used;

    return server_greeting_parse(&parsed, bytes, length, &used);
}

static void
a_clients_greeting_comes_back_as_it_was(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];
    struct client_greeting parsed;
    size_t used;

    (void)state;
    encode_client(bytes);
    memset(&parsed, 255, sizeof parsed);
    assert_int_equal(client_greeting_parse(&parsed, bytes, sizeof bytes, &used),
                     GREETING_DONE);
    assert_int_equal(used, GREETING_CLIENT_BYTES);
    assert_int_equal(parsed.version_min, 1);
    assert_int_equal(parsed.version_max, 1);
    assert_true(parsed.resume);
    assert_int_equal(parsed.channel, client.channel);
    assert_memory_equal(parsed.session, client.session, SESSION_ID_BYTES);
    assert_string_equal(parsed.name, client.name);
    assert_true(parsed.position.delivered == client.position.delivered);
    assert_true(parsed.position.fin_delivered);
    assert_int_equal(parsed.position.window, client.position.window);
    assert_int_equal(parsed.position.pack_log, 21);
}

static void
a_servers_greeting_comes_back_as_it_was(void **state)
{
    unsigned char bytes[GREETING_SERVER_BYTES];
    struct server_greeting parsed;
    size_t used;

    (void)state;
    memset(&parsed, 255, sizeof parsed);
    server_greeting_encode(&server, bytes);
    assert_int_equal(server_greeting_parse(&parsed, bytes, sizeof bytes, &used),
                     GREETING_DONE);
    assert_int_equal(used, GREETING_SERVER_BYTES);
    assert_int_equal(parsed.version, 1);
    assert_int_equal(parsed.reason, REASON_NONE);
    assert_int_equal(parsed.channel, 5);
    assert_true(parsed.position.delivered == UINT64_MAX);
    assert_false(parsed.position.fin_delivered);
    assert_int_equal(parsed.position.window, UINT32_MAX);
    assert_int_equal(parsed.position.pack_log, 27);
}

static void
each_flag_stands_for_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct client_greeting greeting = client, parsed;
        struct server_greeting answer = server, answered;
        unsigned char bytes[GREETING_CLIENT_BYTES];
        size_t used;

        greeting.resume = (i & 1) != 0;
        greeting.position.fin_delivered = (i & 2) != 0;
        client_greeting_encode(&greeting, bytes);
        client_greeting_parse(&parsed, bytes, sizeof bytes, &used);
        assert_int_equal(parsed.resume, greeting.resume);
        assert_int_equal(parsed.position.fin_delivered,
                         greeting.position.fin_delivered);
        answer.position.fin_delivered = (i & 2) != 0;
        server_greeting_encode(&answer, bytes);
        server_greeting_parse(&answered, bytes, GREETING_SERVER_BYTES, &used);
        assert_int_equal(answered.position.fin_delivered,
                         answer.position.fin_delivered);
    }
}

static void
a_greeting_cut_at_any_length_needs_more(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];
    struct client_greeting parsed;
    struct server_greeting answered;
    size_t used;

    (void)state;
    encode_client(bytes);
    for (size_t length = 0; length < GREETING_CLIENT_BYTES; length++) {
        used = 0;
        assert_int_equal(client_greeting_parse(&parsed, bytes, length, &used),
                         GREETING_MORE);
        assert_int_equal(used, length < 12 ? 12 : GREETING_CLIENT_BYTES);
    }
    server_greeting_encode(&server, bytes);
    for (size_t length = 0; length < GREETING_SERVER_BYTES; length++) {
        used = 0;
        assert_int_equal(server_greeting_parse(&answered, bytes, length, &used),
                         GREETING_MORE);
        assert_int_equal(used, length < 12 ? 12 : GREETING_SERVER_BYTES);
    }
}

static void
other_magic_is_foreign_at_its_first_byte(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    for (size_t at = 0; at < AT_VERSION; at++) {
        encode_client(bytes);
        bytes[at] ^= 1;
        assert_int_equal(parse_client(bytes, at), GREETING_MORE);
        assert_int_equal(parse_server(bytes, at), GREETING_MORE);
        for (size_t length = at + 1; length <= GREETING_CLIENT_BYTES;
             length++) {
            assert_int_equal(parse_client(bytes, length), GREETING_FOREIGN);
            assert_int_equal(parse_server(bytes, length), GREETING_FOREIGN);
        }
    }
    assert_int_equal(parse_client((const unsigned char *)"GET / HTTP/1.1", 14),
                     GREETING_FOREIGN);
    assert_int_equal(parse_client((const unsigned char *)"QEVM", 4),
                     GREETING_FOREIGN);
}

static void
a_longer_greeting_of_a_later_version_is_read_as_far_as_it_is_known(void **state)
{
    static const size_t lengths[] = { GREETING_CLIENT_BYTES + 1,
                                      GREETING_MAX - 1, GREETING_MAX };
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct client_greeting parsed;
        size_t used;

        encode_client(bytes);
        bytes[AT_VERSION + 1] = 9;
        set_length(bytes, lengths[i]);
        assert_int_equal(parse_client(bytes, lengths[i] - 1), GREETING_MORE);
        assert_int_equal(
            client_greeting_parse(&parsed, bytes, lengths[i], &used),
            GREETING_DONE);
        assert_int_equal(used, lengths[i]);
        assert_int_equal(greeting_version(&parsed), 1);
        assert_string_equal(parsed.name, client.name);
    }
}

static void
a_longer_answer_of_a_later_version_is_read_as_far_as_it_is_known(void **state)
{
    unsigned char bytes[GREETING_MAX] = { 0 };
    struct server_greeting parsed;
    size_t used;

    (void)state;
    server_greeting_encode(&server, bytes);
    set_length(bytes, GREETING_MAX);
    assert_int_equal(parse_server(bytes, GREETING_MAX - 1), GREETING_MORE);
    assert_int_equal(server_greeting_parse(&parsed, bytes, GREETING_MAX, &used),
                     GREETING_DONE);
    assert_int_equal(used, GREETING_MAX);
    assert_int_equal(parsed.channel, 5);
}

static void
a_length_out_of_bounds_is_foreign(void **state)
{
    static const size_t lengths[] = { 0, 1, GREETING_CLIENT_MIN - 1,
                                      GREETING_MAX + 1, UINT16_MAX };
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        encode_client(bytes);
        set_length(bytes, lengths[i]);
        assert_int_equal(parse_client(bytes, 11), GREETING_MORE);
        assert_int_equal(parse_client(bytes, 12), GREETING_FOREIGN);
        assert_int_equal(parse_client(bytes, GREETING_MAX), GREETING_FOREIGN);
    }
    server_greeting_encode(&server, bytes);
    set_length(bytes, GREETING_SERVER_MIN - 1);
    assert_int_equal(parse_server(bytes, 12), GREETING_FOREIGN);
    set_length(bytes, GREETING_MAX + 1);
    assert_int_equal(parse_server(bytes, 12), GREETING_FOREIGN);
}

/* What is in a greeting's place for it, and what comes of it. */
static const struct {
    uint8_t said;
    uint8_t taken;
} logs[] = {
    { 0, 0 },   { 1, 0 },    { 9, 0 },          { 10, 10 },
    { 11, 11 }, { 26, 26 },  { 27, 27 },        { 28, 27 },
    { 64, 27 }, { 127, 27 }, { UINT8_MAX, 27 },
};

static void
a_window_of_compression_is_taken_within_its_bounds(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];
    struct client_greeting parsed;
    struct server_greeting answered;
    size_t used;

    (void)state;
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        encode_client(bytes);
        bytes[AT_CLIENT_PACK] = logs[i].said;
        assert_int_equal(
            client_greeting_parse(&parsed, bytes, GREETING_MAX, &used),
            GREETING_DONE);
        assert_int_equal(parsed.position.pack_log, logs[i].taken);
        server_greeting_encode(&server, bytes);
        bytes[AT_SERVER_PACK] = logs[i].said;
        assert_int_equal(
            server_greeting_parse(&answered, bytes, GREETING_MAX, &used),
            GREETING_DONE);
        assert_int_equal(answered.position.pack_log, logs[i].taken);
    }
}

static void
a_peer_that_knows_no_compression_is_understood(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];
    struct client_greeting parsed;
    struct server_greeting answered;
    size_t used;

    (void)state;
    encode_client(bytes);
    set_length(bytes, GREETING_CLIENT_MIN);
    assert_int_equal(
        client_greeting_parse(&parsed, bytes, GREETING_CLIENT_MIN, &used),
        GREETING_DONE);
    assert_int_equal(used, GREETING_CLIENT_MIN);
    assert_int_equal(parsed.position.pack_log, 0);
    assert_string_equal(parsed.name, client.name);
    server_greeting_encode(&server, bytes);
    set_length(bytes, GREETING_SERVER_MIN);
    assert_int_equal(
        server_greeting_parse(&answered, bytes, GREETING_SERVER_MIN, &used),
        GREETING_DONE);
    assert_int_equal(used, GREETING_SERVER_MIN);
    assert_int_equal(answered.position.pack_log, 0);
    assert_int_equal(answered.channel, 5);
}

/* The bytes after the window's are for later versions. */
static void
what_follows_the_window_of_compression_is_skipped(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    encode_client(bytes);
    for (size_t at = AT_CLIENT_PACK + 1; at < GREETING_CLIENT_BYTES; at++)
        assert_int_equal(bytes[at], 0);
    memset(bytes + AT_CLIENT_PACK + 1, 255, 3);
    assert_int_equal(parse_client(bytes, GREETING_CLIENT_BYTES), GREETING_DONE);
}

static void
there_is_always_a_verdict_on_the_longest_greeting(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    for (size_t length = 0; length <= UINT16_MAX; length++) {
        encode_client(bytes);
        set_length(bytes, length);
        assert_int_not_equal(parse_client(bytes, GREETING_MAX), GREETING_MORE);
        assert_int_not_equal(parse_server(bytes, GREETING_MAX), GREETING_MORE);
    }
}

static void
the_highest_version_in_common_is_spoken(void **state)
{
    static const struct {
        uint8_t min, max, version;
    } cases[] = {
        { 0, 0, 0 }, { 0, 1, 1 }, { 1, 1, 1 },         { 1, 2, 1 },
        { 0, 9, 1 }, { 2, 2, 0 }, { 1, UINT8_MAX, 1 }, { 2, UINT8_MAX, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client_greeting greeting = { .version_min = cases[i].min,
                                            .version_max = cases[i].max };

        assert_int_equal(greeting_version(&greeting), cases[i].version);
    }
}

static void
versions_in_the_wrong_order_are_foreign(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    encode_client(bytes);
    bytes[AT_VERSION] = 2;
    bytes[AT_VERSION + 1] = 1;
    assert_int_equal(parse_client(bytes, GREETING_MAX), GREETING_FOREIGN);
}

static void
without_a_version_in_common_no_other_field_counts(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];
    struct client_greeting parsed;
    size_t used;

    (void)state;
    encode_client(bytes);
    memset(bytes + AT_FLAGS, 255, GREETING_CLIENT_BYTES - AT_FLAGS);
    bytes[AT_VERSION] = 2;
    bytes[AT_VERSION + 1] = 3;
    assert_int_equal(client_greeting_parse(&parsed, bytes, GREETING_MAX, &used),
                     GREETING_DONE);
    assert_int_equal(greeting_version(&parsed), 0);
}

static void
unknown_flags_and_what_must_be_0_are_foreign(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    for (int bit = 0; bit < 16; bit++) {
        encode_client(bytes);
        bytes[AT_FLAGS + 1 - bit / 8] =
            (unsigned char)(bytes[AT_FLAGS + 1 - bit / 8] | 1u << bit % 8);
        assert_int_equal(parse_client(bytes, GREETING_CLIENT_BYTES),
                         bit < 2 ? GREETING_DONE : GREETING_FOREIGN);
        encode_client(bytes);
        bytes[AT_ZERO + 1 - bit / 8] = (unsigned char)(1u << bit % 8);
        assert_int_equal(parse_client(bytes, GREETING_CLIENT_BYTES),
                         GREETING_FOREIGN);
        server_greeting_encode(&server, bytes);
        bytes[AT_FLAGS + 1 - bit / 8] = (unsigned char)(1u << bit % 8);
        assert_int_equal(parse_server(bytes, GREETING_SERVER_BYTES),
                         bit == 1 ? GREETING_DONE : GREETING_FOREIGN);
    }
}

static void
a_refusal_is_read_whatever_its_other_fields_say(void **state)
{
    unsigned char bytes[GREETING_SERVER_BYTES];
    struct server_greeting parsed;
    size_t used;

    (void)state;
    server_greeting_encode(&server, bytes);
    memset(bytes + AT_FLAGS, 255, GREETING_SERVER_BYTES - AT_FLAGS);
    bytes[AT_ZERO] = 0;
    bytes[AT_ZERO + 1] = REASON_BUSY;
    assert_int_equal(server_greeting_parse(&parsed, bytes, sizeof bytes, &used),
                     GREETING_DONE);
    assert_int_equal(parsed.reason, REASON_BUSY);
    bytes[AT_ZERO] = 1;
    assert_int_equal(server_greeting_parse(&parsed, bytes, sizeof bytes, &used),
                     GREETING_DONE);
    assert_int_equal(parsed.reason, REASON_PROTOCOL);
}

static void
names_of_every_length_come_back(void **state)
{
    (void)state;
    for (size_t length = 0; length <= VM_NAME_MAX; length++) {
        struct client_greeting greeting = client, parsed;
        unsigned char bytes[GREETING_CLIENT_BYTES];
        size_t used;

        memset(greeting.name, 0, sizeof greeting.name);
        memset(greeting.name, 'n', length);
        client_greeting_encode(&greeting, bytes);
        assert_int_equal(
            client_greeting_parse(&parsed, bytes, sizeof bytes, &used),
            GREETING_DONE);
        assert_string_equal(parsed.name, greeting.name);
    }
}

static void
a_name_too_long_or_with_a_nul_in_it_is_foreign(void **state)
{
    unsigned char bytes[GREETING_MAX + 1];

    (void)state;
    encode_client(bytes);
    bytes[AT_NAME_LENGTH] = VM_NAME_MAX + 1;
    assert_int_equal(parse_client(bytes, GREETING_MAX), GREETING_FOREIGN);
    bytes[AT_NAME_LENGTH] = UINT8_MAX;
    assert_int_equal(parse_client(bytes, GREETING_MAX), GREETING_FOREIGN);
    encode_client(bytes);
    bytes[AT_NAME_LENGTH + 3] = 0;
    assert_int_equal(parse_client(bytes, GREETING_MAX), GREETING_FOREIGN);
}

static void
a_vm_is_named_by_what_is_safe_in_a_path(void **state)
{
    static const char *const good[] = { "a",   "Z",    "0",   "_",
                                        "-",   "...",  ".a",  "a.",
                                        "-rf", "a..b", "vm1", "A_b-c.d" };
    static const char *const bad[] = { "",    ".",        "..",  "/",   "a/b",
                                       "a b", "a\n",      "%n",  "~",   "\x7f",
                                       "a\\", "\xc3\xa4", "a:b", "../x" };
    char name[VM_NAME_MAX + 2] = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(vm_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(vm_name_valid(bad[i]));
    memset(name, 'x', VM_NAME_MAX - 1);
    assert_true(vm_name_valid(name));
    name[VM_NAME_MAX - 1] = 'x';
    assert_true(vm_name_valid(name));
    name[VM_NAME_MAX] = 'x';
    assert_false(vm_name_valid(name));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clients_greeting_comes_back_as_it_was),
        cmocka_unit_test(a_servers_greeting_comes_back_as_it_was),
        cmocka_unit_test(each_flag_stands_for_itself),
        cmocka_unit_test(a_greeting_cut_at_any_length_needs_more),
        cmocka_unit_test(other_magic_is_foreign_at_its_first_byte),
        cmocka_unit_test(
            a_longer_greeting_of_a_later_version_is_read_as_far_as_it_is_known),
        cmocka_unit_test(
            a_longer_answer_of_a_later_version_is_read_as_far_as_it_is_known),
        cmocka_unit_test(a_length_out_of_bounds_is_foreign),
        cmocka_unit_test(a_window_of_compression_is_taken_within_its_bounds),
        cmocka_unit_test(a_peer_that_knows_no_compression_is_understood),
        cmocka_unit_test(what_follows_the_window_of_compression_is_skipped),
        cmocka_unit_test(there_is_always_a_verdict_on_the_longest_greeting),
        cmocka_unit_test(the_highest_version_in_common_is_spoken),
        cmocka_unit_test(versions_in_the_wrong_order_are_foreign),
        cmocka_unit_test(without_a_version_in_common_no_other_field_counts),
        cmocka_unit_test(unknown_flags_and_what_must_be_0_are_foreign),
        cmocka_unit_test(a_refusal_is_read_whatever_its_other_fields_say),
        cmocka_unit_test(names_of_every_length_come_back),
        cmocka_unit_test(a_name_too_long_or_with_a_nul_in_it_is_foreign),
        cmocka_unit_test(a_vm_is_named_by_what_is_safe_in_a_path),
    };

    return RUN_TESTS(tests);
}
