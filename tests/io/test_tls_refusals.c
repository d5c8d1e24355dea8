/*
 * Two ends that do not accept each other: each way in which that can be has a
 * line of its own at each end.
 */
#include "io/tls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "support_certs.h"
#include "support_duel.h"
#include "support_test.h"

enum { LINES_MAX = 64 };

/* Every line that was seen, so that no two cases have the same. */
static char lines[LINES_MAX][TLS_WHY_MAX];
static unsigned line_count;

static void
assert_new_line(const char *line)
{
    for (unsigned i = 0; i < line_count; i++)
        assert_string_not_equal(line, lines[i]);
    assert_true(line_count < LINES_MAX);
    snprintf(lines[line_count++], TLS_WHY_MAX, "%s", line);
}

/* Both refuse, in these words, which no other case has. */
static void
assert_words(struct duel *duel, const char *server, const char *client)
{
    const char *parts[] = { server, client };

    duel_assert_refused(duel);
    for (int side = 0; side < 2; side++) {
        if (!duel->ends[side].ours)
            continue;
        duel_assert_says(duel, (enum duel_side)side, parts[side]);
        assert_new_line(duel->ends[side].why);
    }
}

static void
assert_refused(struct duel_files *files, const char *server, const char *client)
{
    struct duel duel;

    duel_of(files, &duel);
    assert_words(&duel, server, client);
    duel_end(&duel);
}

/* Somebody else's program is one of the two. */
static void
assert_stranger_refused(struct duel_files *files, enum duel_side side,
                        SSL_CTX *stranger, const char *words)
{
    enum duel_side other = side == DUEL_SERVER ? DUEL_CLIENT : DUEL_SERVER;
    struct tls *ours = duel_tls(&files->options[other]);
    struct duel duel;

    duel_begin(&duel, other == DUEL_SERVER ? ours : NULL,
               other == DUEL_CLIENT ? ours : NULL);
    duel_stranger(&duel, side, stranger);
    duel_fight(&duel);
    assert_words(&duel, words, words);
    duel_end(&duel);
    tls_free(ours);
}

static const struct certs_wanted server_host1 = { .common_name = "host1",
                                                  .alt_names = "DNS:host1" };
static const struct certs_wanted client_host2 = { .common_name = "host2" };

/* Noon of two days, as time(2) counts. */
#define PAST_NOON 1709640000L   /* 2024-03-05 */
#define FUTURE_NOON 2130235200L /* 2037-07-03 */

/* Let ${side} have a certificate that is good between two times, and read it
   in that time. */
static void
put_dated(struct duel_files *files, enum duel_side side, long from_s, long to_s)
{
    struct certs_wanted wanted =
        side == DUEL_SERVER ? server_host1 : client_host2;
    long now_s = (long)time(NULL);

    wanted.from_s = from_s - now_s;
    wanted.to_s = to_s - now_s;
    certs_put(files->ca, &wanted, files->dirs[side],
              side == DUEL_SERVER ? "server" : "client");
    files->clocks[side] = (wanted.from_s + wanted.to_s) / 2;
}

static void
a_server_of_a_foreign_ca_is_refused(void **state)
{
    struct duel_files *files = *state;
    struct certs_ca *foreign = certs_ca_new("Foreign CA");

    certs_put(foreign, &server_host1, files->dirs[DUEL_SERVER], "server");
    assert_refused(files,
                   "the client refuses our certificate: it was not issued by a "
                   "CA that is known there",
                   "the server's certificate CN=host1 is not signed by our CA, "
                   "but by CN=Foreign CA");
    certs_ca_free(foreign);
}

static void
a_client_of_a_foreign_ca_is_refused(void **state)
{
    struct duel_files *files = *state;
    struct certs_ca *foreign = certs_ca_new("Foreign CA");

    certs_put(foreign, &client_host2, files->dirs[DUEL_CLIENT], "client");
    assert_refused(files,
                   "the client's certificate CN=host2 is not signed by our CA, "
                   "but by CN=Foreign CA",
                   "the server refuses our certificate: it was not issued by a "
                   "CA that is known there");
    certs_ca_free(foreign);
}

/* Only the signature tells the two apart. */
static void
a_foreign_ca_of_the_same_name_is_refused(void **state)
{
    struct duel_files *files = *state;
    struct certs_ca *foreign = certs_ca_new("Test CA");

    certs_put(foreign, &client_host2, files->dirs[DUEL_CLIENT], "client");
    assert_refused(files, "CN=host2 is not signed by our CA, but by CN=Test CA",
                   "the server refuses our certificate: ");
    certs_ca_free(foreign);
}

static void
an_expired_server_is_refused_with_its_date(void **state)
{
    struct duel_files *files = *state;

    put_dated(files, DUEL_SERVER, PAST_NOON - CERTS_DAY_S, PAST_NOON);
    assert_refused(files,
                   "the client refuses our certificate: it has expired by the "
                   "clock there",
                   "the server's certificate CN=host1 expired on 2024-03-05 ");
}

static void
an_expired_client_is_refused_with_its_date(void **state)
{
    struct duel_files *files = *state;

    put_dated(files, DUEL_CLIENT, PAST_NOON - CERTS_DAY_S, PAST_NOON);
    assert_refused(files,
                   "the client's certificate CN=host2 expired on 2024-03-05 ",
                   "the server refuses our certificate: it has expired by the "
                   "clock there");
}

static void
a_server_that_is_not_valid_yet_is_refused_with_its_date(void **state)
{
    struct duel_files *files = *state;

    put_dated(files, DUEL_SERVER, FUTURE_NOON, FUTURE_NOON + CERTS_DAY_S);
    assert_refused(
        files,
        "the client refuses our certificate: it is not valid yet by the clock "
        "there",
        "the server's certificate CN=host1 is not valid before 2037-07-03 ");
}

static void
a_client_that_is_not_valid_yet_is_refused_with_its_date(void **state)
{
    struct duel_files *files = *state;

    put_dated(files, DUEL_CLIENT, FUTURE_NOON, FUTURE_NOON + CERTS_DAY_S);
    assert_refused(
        files,
        "the client's certificate CN=host2 is not valid before 2037-07-03 ",
        "the server refuses our certificate: it is not valid yet by "
        "the clock there");
}

static void
put_revoked(struct duel_files *files, enum duel_side by, const char *whose)
{
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/%s-cert.pem",
             files->dirs[by == DUEL_SERVER ? DUEL_CLIENT : DUEL_SERVER], whose);
    certs_put_crl(files->ca, files->dirs[by], path, CERTS_DAY_S);
}

static void
a_revoked_server_is_refused(void **state)
{
    struct duel_files *files = *state;

    put_revoked(files, DUEL_CLIENT, "server");
    assert_refused(files, "the client refuses our certificate: it was revoked",
                   "the server's certificate CN=host1,O=Example is revoked by "
                   "our ca-crl.pem");
}

static void
a_revoked_client_is_refused(void **state)
{
    struct duel_files *files = *state;

    put_revoked(files, DUEL_SERVER, "client");
    assert_refused(files,
                   "the client's certificate CN=host2,O=Example is revoked by "
                   "our ca-crl.pem",
                   "the server refuses our certificate: it was revoked");
}

static void
a_list_of_another_ca_lets_nobody_in(void **state)
{
    struct duel_files *files = *state;
    struct certs_ca *foreign = certs_ca_new("Foreign CA");

    certs_put_crl(foreign, files->dirs[DUEL_SERVER], NULL, CERTS_DAY_S);
    assert_refused(files,
                   "no revocation list of the CA CN=Test CA, which has issued "
                   "the client's certificate CN=host2,O=Example: add it",
                   "the server refuses our certificate: ");
    certs_ca_free(foreign);
}

/* The one at the top revokes the one that has issued the client's. */
static void
a_client_of_a_revoked_ca_is_refused(void **state)
{
    struct duel_files *files = *state;
    struct certs_ca *between = certs_ca_below(files->ca, "Between");
    const char *dir = files->dirs[DUEL_SERVER];
    char aside[NET_PATH_MAX], path[NET_PATH_MAX + 32];
    struct duel duel;

    net_temp_dir(aside);
    certs_put_ca(between, aside);
    snprintf(path, sizeof path, "%s/ca-cert.pem", aside);
    certs_put(between, &client_host2, files->dirs[DUEL_CLIENT], "client");
    certs_put_crl(files->ca, dir, NULL, CERTS_DAY_S);
    certs_add_crl(between, dir, NULL);
    duel_of(files, &duel);
    duel_assert_good(&duel);
    duel_end(&duel);
    certs_put_crl(files->ca, dir, path, CERTS_DAY_S);
    certs_add_crl(between, dir, NULL);
    assert_refused(files,
                   "the client's CA's certificate CN=Between is revoked by our "
                   "ca-crl.pem",
                   "the server refuses our certificate: it was revoked");
    net_remove_dir(aside);
    certs_ca_free(between);
}

/* A CA that is not on a list could be revoked for all that is known. */
static void
a_client_whose_ca_has_no_list_here_is_refused(void **state)
{
    struct duel_files *files = *state;
    struct certs_ca *between = certs_ca_below(files->ca, "Between");
    const char *dir = files->dirs[DUEL_SERVER];
    struct duel duel;

    certs_put(between, &client_host2, files->dirs[DUEL_CLIENT], "client");
    certs_put_crl(files->ca, dir, NULL, CERTS_DAY_S);
    assert_refused(files,
                   "our ca-crl.pem holds no revocation list of the CA "
                   "CN=Between, which has issued the client's certificate "
                   "CN=host2: add it",
                   "the server refuses our certificate: ");
    certs_put_crl(between, dir, NULL, CERTS_DAY_S);
    duel_of(files, &duel);
    duel_assert_refused(&duel);
    duel_assert_says(&duel, DUEL_SERVER,
                     "our ca-crl.pem holds no revocation list of the CA "
                     "CN=Test CA, which has issued the client's CA's "
                     "certificate CN=Between: add it");
    duel_end(&duel);
    certs_ca_free(between);
}

static void
a_server_of_another_name_is_refused_with_its_names(void **state)
{
    struct duel_files *files = *state;

    files->options[DUEL_CLIENT].hostname = "host7";
    assert_refused(files,
                   "the client refuses our certificate: it is not for the name "
                   "that the client looks for (--tls-hostname there); ours is "
                   "CN=host1,O=Example, for host1, 127.0.0.1, ::1, issued by "
                   "CN=Test CA, valid from ",
                   "the server's certificate is for host1, 127.0.0.1, ::1, and "
                   "not for host7: connect to a name that it has, or give that "
                   "name with --tls-hostname");
}

static void
a_server_at_another_address_is_refused(void **state)
{
    struct duel_files *files = *state;

    certs_put(files->ca, &server_host1, files->dirs[DUEL_SERVER], "server");
    files->options[DUEL_CLIENT].hostname = "192.0.2.1";
    assert_refused(files,
                   "the client refuses our certificate: it is not for the "
                   "address that the client looks for",
                   "and not for 192.0.2.1");
}

static void
a_client_certificate_does_not_make_a_server(void **state)
{
    struct duel_files *files = *state;
    struct certs_wanted wanted = server_host1;

    wanted.usage = "clientAuth";
    certs_put(files->ca, &wanted, files->dirs[DUEL_SERVER], "server");
    assert_refused(files,
                   "the client refuses our certificate: it was not made for",
                   "the server's certificate CN=host1 was not made for a "
                   "server");
}

static void
a_server_certificate_does_not_make_a_client(void **state)
{
    struct duel_files *files = *state;
    struct certs_wanted wanted = client_host2;

    wanted.usage = "serverAuth";
    certs_put(files->ca, &wanted, files->dirs[DUEL_CLIENT], "client");
    assert_refused(files,
                   "the client's certificate CN=host2 was not made for a "
                   "client",
                   "the server refuses our certificate: it was not made for");
}

static void
a_client_without_a_certificate_is_refused(void **state)
{
    assert_stranger_refused(*state, DUEL_CLIENT,
                            SSL_CTX_new(TLS_client_method()),
                            "the client has shown no certificate");
}

static void
a_client_that_no_pattern_allows_is_refused(void **state)
{
    struct duel_files *files = *state;
    const char *allow[] = { "host3", "CN=host2,O=Other" };

    files->options[DUEL_SERVER].allow = allow;
    files->options[DUEL_SERVER].allow_count = 2;
    assert_refused(files,
                   "the client's certificate CN=host2,O=Example matches no "
                   "--tls-allow",
                   "the server refuses our certificate: it is not allowed "
                   "there (--tls-allow); ours is CN=host2,O=Example");
}

static void
a_wrong_key_is_refused(void **state)
{
    struct duel_files *files = *state;

    duel_use_keys(files);
    certs_put_text(files->dirs[DUEL_CLIENT], "keys.psk", 0600,
                   "qemu:ffffffffffffffffffffffffffffffff\n");
    assert_refused(files,
                   "the client's key for PSK user qemu is not the one in /",
                   "the server has another key for PSK user qemu than /");
}

static void
an_unknown_user_is_refused_by_name(void **state)
{
    struct duel_files *files = *state;

    duel_use_keys(files);
    files->options[DUEL_CLIENT].psk_user = "bob";
    certs_put_text(files->dirs[DUEL_CLIENT], "keys.psk", 0600,
                   "bob:" DUEL_KEY "\n");
    assert_refused(files, "has no key for the client's PSK user \"bob\"",
                   "the server has no key for PSK user bob: add it there, or "
                   "choose another one with --psk-user");
}

static void
keys_do_not_go_with_a_server_that_has_certificates(void **state)
{
    struct duel_files *files = *state;
    struct tls_options server = files->options[DUEL_SERVER];

    duel_use_keys(files);
    files->options[DUEL_SERVER] = server;
    assert_refused(files,
                   "the client wants a pre-shared key (as user qemu), and we "
                   "use certificates",
                   "the server uses certificates, and we a pre-shared key");
}

static void
certificates_do_not_go_with_a_server_that_has_keys(void **state)
{
    struct duel_files *files = *state;
    struct tls_options client = files->options[DUEL_CLIENT];

    duel_use_keys(files);
    files->options[DUEL_CLIENT] = client;
    assert_refused(files,
                   "the client offers no pre-shared key, it may use "
                   "certificates",
                   "the server has no certificate for us, it may use "
                   "pre-shared keys");
}

static SSL_CTX *
tls12(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    return context;
}

static void
a_client_with_tls_1_2_is_refused(void **state)
{
    assert_stranger_refused(*state, DUEL_CLIENT, tls12(TLS_client_method()),
                            "the client speaks an older TLS than 1.3");
}

static void
a_server_with_tls_1_2_is_refused(void **state)
{
    assert_stranger_refused(*state, DUEL_SERVER, tls12(TLS_server_method()),
                            "the server does not speak TLS 1.3");
}

/* What goes out before is the ClientHello at most. */
static void
assert_plain_refused(struct duel_files *files, enum duel_side side,
                     const char *bytes, size_t length, const char *words)
{
    enum duel_side other = side == DUEL_SERVER ? DUEL_CLIENT : DUEL_SERVER;
    struct tls *ours = duel_tls(&files->options[other]);
    struct duel duel;

    duel_begin(&duel, other == DUEL_SERVER ? ours : NULL,
               other == DUEL_CLIENT ? ours : NULL);
    assert_int_equal(write(duel.ends[side].fd, bytes, length), length);
    duel_fight(&duel);
    assert_words(&duel, words, words);
    duel_end(&duel);
    tls_free(ours);
}

static void
a_server_without_tls_is_named_as_that(void **state)
{
    assert_plain_refused(*state, DUEL_SERVER, "migtun and more", 15,
                         "the server answers without TLS");
}

static void
a_client_without_tls_is_named_as_that(void **state)
{
    assert_plain_refused(*state, DUEL_CLIENT, "QEVM\0\0\0\3 and more", 17,
                         "the client speaks without TLS");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, duel_files_open, duel_files_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_of_a_foreign_ca_is_refused),
        TEST(a_client_of_a_foreign_ca_is_refused),
        TEST(a_foreign_ca_of_the_same_name_is_refused),
        TEST(an_expired_server_is_refused_with_its_date),
        TEST(an_expired_client_is_refused_with_its_date),
        TEST(a_server_that_is_not_valid_yet_is_refused_with_its_date),
        TEST(a_client_that_is_not_valid_yet_is_refused_with_its_date),
        TEST(a_revoked_server_is_refused),
        TEST(a_revoked_client_is_refused),
        TEST(a_list_of_another_ca_lets_nobody_in),
        TEST(a_client_of_a_revoked_ca_is_refused),
        TEST(a_client_whose_ca_has_no_list_here_is_refused),
        TEST(a_server_of_another_name_is_refused_with_its_names),
        TEST(a_server_at_another_address_is_refused),
        TEST(a_client_certificate_does_not_make_a_server),
        TEST(a_server_certificate_does_not_make_a_client),
        TEST(a_client_without_a_certificate_is_refused),
        TEST(a_client_that_no_pattern_allows_is_refused),
        TEST(a_wrong_key_is_refused),
        TEST(an_unknown_user_is_refused_by_name),
        TEST(keys_do_not_go_with_a_server_that_has_certificates),
        TEST(certificates_do_not_go_with_a_server_that_has_keys),
        TEST(a_client_with_tls_1_2_is_refused),
        TEST(a_server_with_tls_1_2_is_refused),
        TEST(a_server_without_tls_is_named_as_that),
        TEST(a_client_without_tls_is_named_as_that),
    };

    return RUN_TESTS(tests);
}
