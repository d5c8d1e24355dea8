/* How many pre-shared keys a client may offer: a stranger's ClientHello can
   have room for thousands, and each has to be looked for. */
#include "io/tls.h"

#include <string.h>
#include <unistd.h>

#include "support_duel.h"
#include "support_test.h"

enum { HELLO_MAX = 2048, OFFERS_MAX = 8 };

/* A record with a ClientHello (RFC 8446, 4.1.2), as it grows. */
struct hello {
    unsigned char bytes[HELLO_MAX];
    size_t length;
};

static void
put(struct hello *hello, const void *bytes, size_t length)
{
    assert_true(hello->length + length <= sizeof hello->bytes);
    memcpy(hello->bytes + hello->length, bytes, length);
    hello->length += length;
}

static void
put_zeros(struct hello *hello, size_t count)
{
    static const unsigned char zeros[64];

    assert_true(count <= sizeof zeros);
    put(hello, zeros, count);
}

/* Write how much has come after the two bytes at ${at} into them. */
static void
close_length(struct hello *hello, size_t at)
{
    size_t length = hello->length - at - 2;

    hello->bytes[at] = (unsigned char)(length >> 8);
    hello->bytes[at + 1] = (unsigned char)length;
}

static size_t
open_length(struct hello *hello)
{
    put_zeros(hello, 2);
    return hello->length - 2;
}

/* What TLS 1.3 with a key and an exchange needs. */
static void
put_extensions(struct hello *hello)
{
    static const unsigned char head[] = {
        0, 43, 0, 3,  2, 3,  4,     /* supported_versions: TLS 1.3 */
        0, 10, 0, 4,  0, 2,  0, 29, /* supported_groups: X25519 */
        0, 13, 0, 4,  0, 2,  4, 3,  /* ecdsa_secp256r1_sha256 */
        0, 45, 0, 2,  1, 1,         /* psk_key_exchange_modes: with (EC)DHE */
        0, 51, 0, 38, 0, 36, 0, 29, 0, 32, 9, /* key_share: the point 9 */
    };

    put(hello, head, sizeof head);
    put_zeros(hello, 31);
}

/* pre_shared_key: ${offers} users whom nobody knows, and their binders. */
static void
put_offers(struct hello *hello, unsigned offers)
{
    size_t all, part;

    put(hello, "\0\51", 2);
    all = open_length(hello);
    part = open_length(hello);
    for (unsigned i = 0; i < offers; i++) {
        put(hello, "\0\4user", 6);
        put_zeros(hello, 4);
    }
    close_length(hello, part);
    part = open_length(hello);
    for (unsigned i = 0; i < offers; i++) {
        put(hello, "\40", 1);
        put_zeros(hello, 32);
    }
    close_length(hello, part);
    close_length(hello, all);
}

static void
make_hello(struct hello *hello, unsigned offers)
{
    size_t record, message, extensions;

    hello->length = 0;
    put(hello, "\26\3\1", 3); /* a record of the handshake */
    record = open_length(hello);
    put(hello, "\1\0", 2); /* ClientHello, with a length of 3 bytes */
    message = open_length(hello);
    put(hello, "\3\3", 2);
    put_zeros(hello, 32 + 1); /* random, no session */
    put(hello, "\0\2\23\1\1\0", 6);
    extensions = open_length(hello);
    put_extensions(hello);
    put_offers(hello, offers);
    close_length(hello, extensions);
    close_length(hello, message);
    close_length(hello, record);
}

/* What the server says to so many, "" if it goes on. */
static void
offer(const struct duel_files *files, unsigned offers, char why[TLS_WHY_MAX])
{
    struct tls *tls = duel_tls(&files->options[DUEL_SERVER]);
    struct hello hello;
    struct duel duel;

    make_hello(&hello, offers);
    duel_begin(&duel, tls, NULL);
    assert_int_equal(
        write(duel.ends[DUEL_CLIENT].fd, hello.bytes, hello.length),
        hello.length);
    duel_fight(&duel);
    assert_false(duel.ends[DUEL_SERVER].shaken);
    memcpy(why, duel.ends[DUEL_SERVER].why, TLS_WHY_MAX);
    duel_end(&duel);
    tls_free(tls);
}

static void
a_client_may_offer_some_keys_but_not_many(void **state)
{
    struct duel_files *files = *state;
    char why[TLS_WHY_MAX];

    duel_use_keys(files);
    offer(files, OFFERS_MAX, why);
    assert_non_null(strstr(why, "has no key for the client's PSK user"));
    offer(files, OFFERS_MAX + 1, why);
    assert_non_null(strstr(why, "the client offers more than 8 pre-shared"));
}

static void
it_is_the_same_where_keys_are_ignored(void **state)
{
    struct duel_files *files = *state;
    char why[TLS_WHY_MAX];

    offer(files, OFFERS_MAX, why);
    assert_string_equal(why, "");
    offer(files, OFFERS_MAX + 1, why);
    assert_non_null(strstr(why, "the client offers more than 8 pre-shared"));
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, duel_files_open, duel_files_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_may_offer_some_keys_but_not_many),
        TEST(it_is_the_same_where_keys_are_ignored),
    };

    return RUN_TESTS(tests);
}
