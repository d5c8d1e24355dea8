/* Two ends that accept each other, and whom they take each other for. */
#include "io/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include <openssl/ssl.h>

#include "support_certs.h"
#include "support_duel.h"
#include "support_net.h"
#include "support_test.h"

static void
assert_good(const struct duel_files *files)
{
    struct duel duel;

    duel_of(files, &duel);
    duel_assert_good(&duel);
    duel_end(&duel);
}

static void
assert_bad(const struct duel_files *files, enum duel_side side,
           const char *words)
{
    struct duel duel;

    duel_of(files, &duel);
    duel_assert_refused(&duel);
    duel_assert_says(&duel, side, words);
    duel_end(&duel);
}

static void
assert_identity(const struct duel *duel, enum duel_side side, const char *whose)
{
    char identity[TLS_IDENTITY_MAX];

    assert_int_equal(tls_identity(duel->ends[side].ssl, identity), 0);
    assert_string_equal(identity, whose);
}

static void
certificates_prove_both_ends(void **state)
{
    struct duel duel;

    duel_of(*state, &duel);
    duel_assert_good(&duel);
    assert_identity(&duel, DUEL_SERVER, "certificate CN=host2,O=Example");
    assert_identity(&duel, DUEL_CLIENT, "certificate CN=host1,O=Example");
    /* The CA's own is known at the other end. */
    assert_int_equal(
        sk_X509_num(SSL_get_peer_cert_chain(duel.ends[DUEL_CLIENT].ssl)), 1);
    duel_end(&duel);
}

static void
a_shared_key_proves_both_ends(void **state)
{
    struct duel duel;

    duel_use_keys(*state);
    duel_of(*state, &duel);
    duel_assert_good(&duel);
    assert_identity(&duel, DUEL_SERVER, "PSK user qemu");
    assert_identity(&duel, DUEL_CLIENT, "PSK user qemu");
    duel_end(&duel);
}

/* A key on its own would open what was recorded before it was lost. */
static void
there_is_always_an_exchange_of_keys(void **state)
{
    struct duel_files *files = *state;
    struct duel duel;

    for (int keys = 0; keys < 2; keys++) {
        if (keys)
            duel_use_keys(files);
        duel_of(files, &duel);
        for (int side = 0; side < 2; side++) {
            const SSL *ssl = duel.ends[side].ssl;

            assert_int_equal(SSL_version(ssl), TLS1_3_VERSION);
            assert_int_equal(SSL_get_negotiated_group((SSL *)(uintptr_t)ssl),
                             NID_X25519);
        }
        duel_end(&duel);
    }
}

static void
a_client_that_would_take_the_key_alone_does_not_get_it(void **state)
{
    struct duel_files *files = *state;
    struct tls *server, *client;
    struct duel duel;

    duel_use_keys(files);
    server = duel_tls(&files->options[DUEL_SERVER]);
    client = duel_tls(&files->options[DUEL_CLIENT]);
    duel_begin(&duel, server, client);
    SSL_set_options(duel.ends[DUEL_CLIENT].ssl, SSL_OP_ALLOW_NO_DHE_KEX);
    duel_fight(&duel);
    /* It offers both; the server takes the one with the exchange. */
    duel_assert_good(&duel);
    assert_int_equal(SSL_get_negotiated_group(duel.ends[DUEL_SERVER].ssl),
                     NID_X25519);
    duel_end(&duel);
    tls_free(server);
    tls_free(client);
}

static void
no_ticket_is_given(void **state)
{
    struct duel duel;

    duel_of(*state, &duel);
    duel_assert_good(&duel);
    assert_int_equal(
        SSL_SESSION_has_ticket(SSL_get_session(duel.ends[DUEL_CLIENT].ssl)), 0);
    assert_int_equal(
        SSL_SESSION_is_resumable(SSL_get_session(duel.ends[DUEL_CLIENT].ssl)),
        0);
    duel_end(&duel);
}

static void
a_certificate_may_be_for_an_address(void **state)
{
    static const char *const good[] = { "127.0.0.1",       "::1",
                                        "0:0:0:0:0:0:0:1", "HOST1",
                                        "::1%lo",          "host1.",
                                        "127.0.0.1." };
    struct duel_files *files = *state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        files->options[DUEL_CLIENT].hostname = good[i];
        assert_good(files);
    }
    files->options[DUEL_CLIENT].hostname = "127.0.0.2";
    assert_bad(files, DUEL_CLIENT, "not for 127.0.0.2");
    files->options[DUEL_CLIENT].hostname = "host";
    assert_bad(files, DUEL_CLIENT, "not for host:");
}

/* A name of the subject is not one of the host. */
static void
a_common_name_is_no_name_of_a_host(void **state)
{
    struct certs_wanted wanted = { .common_name = "host1",
                                   .alt_names = "IP:127.0.0.1" };
    struct duel_files *files = *state;

    certs_put(files->ca, &wanted, files->dirs[DUEL_SERVER], "server");
    assert_bad(files, DUEL_CLIENT, "is for 127.0.0.1, and not for host1:");
    assert_bad(files, DUEL_SERVER, "it is not for the name that");
    wanted.alt_names = NULL;
    certs_put(files->ca, &wanted, files->dirs[DUEL_SERVER], "server");
    assert_bad(files, DUEL_CLIENT,
               "is for no host (it has no subjectAltName), and not for host1:");
    assert_bad(files, DUEL_SERVER, "it is not for the name that");
}

static void
the_chain_of_the_file_is_shown(void **state)
{
    const struct certs_wanted server = { .common_name = "host1",
                                         .alt_names = "DNS:host1" };
    struct duel_files *files = *state;

    certs_put_chain(files->ca, &server, files->dirs[DUEL_SERVER], "server");
    assert_good(files);
}

/* Who is checked, and which patterns there are. */
static void
assert_allowed(struct duel_files *files, bool good, const char *first,
               const char *second)
{
    const char *allow[] = { first, second };

    files->options[DUEL_SERVER].allow = allow;
    files->options[DUEL_SERVER].allow_count = second != NULL ? 2 : 1;
    if (good)
        assert_good(files);
    else
        assert_bad(files, DUEL_SERVER, "matches no --tls-allow");
    files->options[DUEL_SERVER].allow = NULL;
    files->options[DUEL_SERVER].allow_count = 0;
}

static void
patterns_say_which_clients_may_come(void **state)
{
    assert_allowed(*state, true, "host2", NULL);
    assert_allowed(*state, true, "other", "host?");
    assert_allowed(*state, true, "host[0-9]", NULL);
    assert_allowed(*state, true, "CN=host2,O=Example", NULL);
    assert_allowed(*state, true, "*,O=Example", NULL);
    assert_allowed(*state, false, "host", NULL);
    assert_allowed(*state, false, "HOST2", NULL);
    assert_allowed(*state, false, "Example", NULL);
    assert_allowed(*state, false, "CN=host2", NULL);
    assert_allowed(*state, false, "O=Example,CN=host2", NULL);
    assert_allowed(*state, false, "", NULL);
}

static void
patterns_are_for_clients(void **state)
{
    struct duel_files *files = *state;
    const char *allow[] = { "host2" };

    files->options[DUEL_CLIENT].allow = allow;
    files->options[DUEL_CLIENT].allow_count = 1;
    assert_good(files);
}

static void
a_name_that_only_looks_like_the_pattern_is_refused(void **state)
{
    const struct certs_wanted trick = { .common_name = "evil,O=Example" };
    const struct certs_wanted two = { .common_name = "evil",
                                      .common_name2 = "host2" };
    const struct certs_wanted none = { .organization = "host2" };
    struct duel_files *files = *state;
    const char *dir = files->dirs[DUEL_CLIENT];

    certs_put(files->ca, &trick, dir, "client");
    assert_allowed(files, false, "CN=*,O=Example", NULL);
    assert_allowed(files, true, "CN=evil\\,O=Example", NULL);
    certs_put(files->ca, &two, dir, "client");
    assert_allowed(files, false, "host2", "evil");
    certs_put(files->ca, &none, dir, "client");
    assert_allowed(files, false, "host2", "*");
}

static void
a_common_name_with_a_nul_matches_nothing(void **state)
{
    const struct certs_wanted nul = { .common_name = "host2" CERTS_NUL "evil" };
    struct duel_files *files = *state;

    certs_put(files->ca, &nul, files->dirs[DUEL_CLIENT], "client");
    assert_allowed(files, false, "host2", "*");
}

/* What is not printable is escaped, so it can't be taken for something else. */
static void
an_identity_is_printable(void **state)
{
    const struct certs_wanted odd = { .common_name = "h\xc3\xb6st\n,+\"x" };
    struct duel_files *files = *state;
    struct duel duel;

    certs_put(files->ca, &odd, files->dirs[DUEL_CLIENT], "client");
    duel_of(files, &duel);
    duel_assert_good(&duel);
    assert_identity(&duel, DUEL_SERVER,
                    "certificate CN=h\\C3\\B6st\\0A\\,\\+\\\"x");
    duel_end(&duel);
}

static void
an_identity_that_is_too_long_is_refused(void **state)
{
    struct certs_wanted names[] = {
        { .common_name = "a234567890123456789012345678901234567890123456789012"
                         "34567890" },
        { .common_name = "", .alt_names = "DNS:host2" },
    };
    struct duel_files *files = *state;
    char identity[TLS_IDENTITY_MAX], other[TLS_IDENTITY_MAX];
    char organization[65];
    struct duel duel;

    /* 64 characters at most of each, 2 bytes of UTF-8 each, escaped to 6. */
    for (size_t i = 0; i < 64; i += 2)
        memcpy(organization + i, "\xc3\xb6", 2);
    organization[64] = '\0';
    names[0].organization = organization;
    certs_put(files->ca, &names[0], files->dirs[DUEL_CLIENT], "client");
    duel_of(files, &duel);
    assert_int_equal(tls_identity(duel.ends[DUEL_SERVER].ssl, identity), 0);
    duel_end(&duel);
    names[0].common_name = organization;
    names[0].common_name2 = organization;
    certs_put(files->ca, &names[0], files->dirs[DUEL_CLIENT], "client");
    duel_of(files, &duel);
    assert_int_equal(tls_identity(duel.ends[DUEL_SERVER].ssl, identity), -1);
    duel_end(&duel);

    /* Without a subject it is the certificate itself. */
    names[1].common_name = NULL;
    certs_put(files->ca, &names[1], files->dirs[DUEL_CLIENT], "client");
    duel_of(files, &duel);
    assert_int_equal(tls_identity(duel.ends[DUEL_SERVER].ssl, identity), 0);
    duel_end(&duel);
    certs_put(files->ca, &names[1], files->dirs[DUEL_CLIENT], "client");
    duel_of(files, &duel);
    assert_int_equal(tls_identity(duel.ends[DUEL_SERVER].ssl, other), 0);
    duel_end(&duel);
    assert_string_not_equal(identity, other);
}

static void
there_is_no_identity_before_the_handshake(void **state)
{
    struct duel_files *files = *state;
    struct tls *server, *client;
    char identity[TLS_IDENTITY_MAX];
    struct duel duel;

    for (int keys = 0; keys < 2; keys++) {
        if (keys)
            duel_use_keys(files);
        server = duel_tls(&files->options[DUEL_SERVER]);
        client = duel_tls(&files->options[DUEL_CLIENT]);
        duel_begin(&duel, server, client);
        for (int side = 0; side < 2; side++)
            assert_int_equal(tls_identity(duel.ends[side].ssl, identity), -1);
        duel_end(&duel);
        tls_free(server);
        tls_free(client);
    }
}

static void
no_core_is_dumped_while_keys_are_in_memory(void **state)
{
    struct duel_files *files = *state;
    struct tls *one, *other;
    char why[TLS_WHY_MAX];
    struct tls_options nowhere = { .server = true, .dir = "/nowhere" };

    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    one = duel_tls(&files->options[DUEL_SERVER]);
    other = duel_tls(&files->options[DUEL_CLIENT]);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    tls_free(one);
    assert_null(tls_new(&nowhere, why));
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    tls_free(other);
    tls_free(NULL);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, duel_files_open, duel_files_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(certificates_prove_both_ends),
        TEST(a_shared_key_proves_both_ends),
        TEST(there_is_always_an_exchange_of_keys),
        TEST(a_client_that_would_take_the_key_alone_does_not_get_it),
        TEST(no_ticket_is_given),
        TEST(a_certificate_may_be_for_an_address),
        TEST(a_common_name_is_no_name_of_a_host),
        TEST(the_chain_of_the_file_is_shown),
        TEST(patterns_say_which_clients_may_come),
        TEST(patterns_are_for_clients),
        TEST(a_name_that_only_looks_like_the_pattern_is_refused),
        TEST(a_common_name_with_a_nul_matches_nothing),
        TEST(an_identity_is_printable),
        TEST(an_identity_that_is_too_long_is_refused),
        TEST(there_is_no_identity_before_the_handshake),
        TEST(no_core_is_dumped_while_keys_are_in_memory),
    };

    prctl(PR_SET_DUMPABLE, 1);
    return RUN_TESTS(tests);
}
