/*
 * Peers that a server refuses, and servers that a client refuses, each for a
 * reason that both ends name.  After them the guest moves through the same
 * server to the same QEMU, which has not noticed anything.
 *
 * A server names the first five of those that it drops in a row, so no test has
 * more for one server.
 */
#include <signal.h>
#include <stdio.h>

#include "support_move.h"
#include "support_process.h"
#include "support_refusal.h"
#include "support_session.h"
#include "support_tls.h"
#include "support_vm.h"

/* Choose credentials of the CA ${certs} for both ends. */
static void
use_certificates(struct e2e *e2e, struct tunnel *tunnel, struct certs *certs)
{
    certs_make(e2e, certs, ARGS("src", "dst,127.0.0.1", "other"));
    tunnel->server_security = certs_options(certs, "dst");
    tunnel->client_security = certs_options(certs, "src");
}

/* A waiting QEMU, and a server that accepts those of the CA ${certs}. */
static void
start_guarded(struct e2e *e2e, struct move *move, struct certs *certs,
              const char *const *server_args)
{
    refusal_prepare(e2e, move);
    use_certificates(e2e, &move->tunnel, certs);
    tunnel_start_server(e2e, &move->tunnel, server_args);
}

/* Knock with the certificate of ${host}; s_client does not object to it. */
static void
refuse_certificate(struct e2e *e2e, const struct tunnel *tunnel,
                   const struct certs *certs, const char *host,
                   const struct refusal *refusal)
{
    char ca[CASE_PATH_MAX], cert[CASE_PATH_MAX], key[CASE_PATH_MAX];

    refusal_of_openssl(
        e2e, tunnel,
        ARGS("-CAfile", certs_path(certs, host, "ca-cert.pem", ca), "-cert",
             certs_path(certs, host, "client-cert.pem", cert), "-key",
             certs_path(certs, host, "client-key.pem", key)),
        refusal);
}

/* Give ${host} a certificate of another CA, by which it trusts this one. */
static void
make_foreign(struct e2e *e2e, const struct certs *certs, const char *host)
{
    struct certs foreign;

    certs_make(e2e, &foreign, ARGS("src"));
    certs_copy(certs, "other", host);
    certs_put(certs, host, "client-cert.pem", &foreign, "src");
    certs_put(certs, host, "client-key.pem", &foreign, "src");
}

static void
clients_whose_certificates_do_not_hold_are_refused(struct e2e *e2e)
{
    char ca[CASE_PATH_MAX];
    struct certs certs;
    struct move move;

    start_guarded(e2e, &move, &certs, NULL);
    make_foreign(e2e, &certs, "foreign");
    refuse_certificate(
        e2e, &move.tunnel, &certs, "foreign",
        &(struct refusal){ "alert unknown ca",
                           "the client's certificate CN=src,O=mig-tunnel is "
                           "not signed by our CA" });
    certs_copy(&certs, "other", "expired");
    certs_date(&certs, "expired", "20200101000000Z", "20200201000000Z");
    refuse_certificate(
        e2e, &move.tunnel, &certs, "expired",
        &(struct refusal){ "alert certificate expired",
                           "expired on 2020-02-01 00:00:00 UTC" });
    certs_copy(&certs, "other", "future");
    certs_date(&certs, "future", "20400101000000Z", "20400201000000Z");
    refuse_certificate(
        e2e, &move.tunnel, &certs, "future",
        &(struct refusal){ "alert bad certificate",
                           "is not valid before 2040-01-01 00:00:00 UTC" });
    refusal_of_openssl(
        e2e, &move.tunnel,
        ARGS("-CAfile", certs_path(&certs, "src", "ca-cert.pem", ca)),
        &(struct refusal){ "alert certificate required",
                           "the client has shown no certificate" });
    refusal_finish(e2e, &move, 0);
}

static void
client_that_no_pattern_allows_is_refused(struct e2e *e2e)
{
    struct certs certs;
    struct move move;

    start_guarded(e2e, &move, &certs,
                  ARGS("--tls-allow", "CN=nobody,*", "--tls-allow", "sr?"));
    refusal_of_client(
        e2e, &move.tunnel, certs_options(&certs, "other"),
        &(struct refusal){ "it is not allowed there (--tls-allow)",
                           "CN=other,O=mig-tunnel matches no "
                           "--tls-allow" });
    refusal_finish(e2e, &move, 0);
}

/* The same client gets through until the list is there. */
static void
client_is_refused_once_it_is_revoked(struct e2e *e2e)
{
    struct process *joined;
    struct certs certs;
    struct move move;

    start_guarded(e2e, &move, &certs, NULL);
    move.tunnel.client_security = certs_options(&certs, "other");
    tunnel_start_client(e2e, &move.tunnel, NULL);
    joined = move.tunnel.client;
    process_wait_text(joined, joined->err, "joined");
    process_signal(joined, SIGTERM);
    process_wait(joined);
    certs_revoke(&certs, "other");
    refuse_certificate(
        e2e, &move.tunnel, &certs, "other",
        &(struct refusal){ "alert certificate revoked", "is revoked" });
    refusal_of_client(e2e, &move.tunnel, certs_options(&certs, "other"),
                      &(struct refusal){ "it was revoked", "is revoked" });
    move.tunnel.client_security = certs_options(&certs, "src");
    refusal_finish(e2e, &move, 1);
}

/* The server's certificate has no address, by which the client comes; it has to
 * name it. */
static void
client_refuses_a_server_that_is_not_the_one(struct e2e *e2e)
{
    struct certs certs, foreign;
    char dir[CASE_PATH_MAX];
    struct move move;

    refusal_prepare(e2e, &move);
    certs_make(e2e, &certs, ARGS("src", "dst,dst.example"));
    certs_make(e2e, &foreign, ARGS("src"));
    move.tunnel.server_security = certs_options(&certs, "dst");
    tunnel_start_server(e2e, &move.tunnel, NULL);
    refusal_of_client(
        e2e, &move.tunnel, certs_options(&foreign, "src"),
        &(struct refusal){ "the server's certificate CN=dst,O=mig-tunnel is "
                           "not signed by our CA",
                           "it was not issued by a CA that is known there" });
    refusal_of_client(
        e2e, &move.tunnel, certs_options(&certs, "src"),
        &(struct refusal){ "certificate is for dst, dst.example, and not for "
                           "127.0.0.1",
                           "that the client looks for" });
    move.tunnel.client_security =
        ARGS("--tls-dir", certs_path(&certs, "src", "", dir), "--tls-hostname",
             "dst.example");
    refusal_finish(e2e, &move, 0);
}

/* Everything about this peer is good but for its version. */
static void
refuse_old_tls(struct e2e *e2e, const struct tunnel *tunnel,
               const struct certs *certs)
{
    char ca[CASE_PATH_MAX], cert[CASE_PATH_MAX], key[CASE_PATH_MAX];

    refusal_of_openssl(
        e2e, tunnel,
        ARGS("-tls1_2", "-CAfile", certs_path(certs, "src", "ca-cert.pem", ca),
             "-cert", certs_path(certs, "src", "client-cert.pem", cert), "-key",
             certs_path(certs, "src", "client-key.pem", key)),
        &(struct refusal){ "alert protocol version",
                           "speaks an older TLS than 1.3" });
}

static void
peers_without_tls_or_with_an_older_one_are_refused(struct e2e *e2e)
{
    struct certs certs;
    struct move move;

    start_guarded(e2e, &move, &certs, NULL);
    refusal_of_client(e2e, &move.tunnel, ARGS("--insecure"),
                      &(struct refusal){ "the server takes TLS only",
                                         "a mig-client without TLS" });
    refusal_of_probe(&move.tunnel,
                     &(struct refusal){ NULL, "a raw QEMU stream" });
    refuse_old_tls(e2e, &move.tunnel, &certs);
    refusal_finish(e2e, &move, 0);
}

static void
client_with_tls_and_server_without_say_so(struct e2e *e2e)
{
    struct certs certs;
    struct move move;

    refusal_prepare(e2e, &move);
    use_certificates(e2e, &move.tunnel, &certs);
    move.tunnel.server_security = NULL;
    tunnel_start_server(e2e, &move.tunnel, NULL);
    refusal_of_client(e2e, &move.tunnel, certs_options(&certs, "src"),
                      &(struct refusal){ "the server answers without TLS",
                                         "a TLS client, and this server has no "
                                         "credentials" });
    move.tunnel.client_security = NULL;
    refusal_finish(e2e, &move, 0);
}

static void
clients_without_the_key_are_refused(struct e2e *e2e)
{
    char good[CASE_PATH_MAX], wrong[CASE_PATH_MAX], other[CASE_PATH_MAX];
    struct certs certs;
    struct move move;

    refusal_prepare(e2e, &move);
    psk_make(e2e, good, "qemu");
    psk_make(e2e, wrong, "qemu");
    psk_make(e2e, other, "stranger");
    use_certificates(e2e, &move.tunnel, &certs);
    move.tunnel.server_security = psk_options(e2e, good, NULL);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    refusal_of_client(
        e2e, &move.tunnel, psk_options(e2e, wrong, NULL),
        &(struct refusal){
            "the server has another key for PSK user qemu",
            "the client's key for PSK user qemu is not the one in" });
    refusal_of_client(
        e2e, &move.tunnel, psk_options(e2e, other, "stranger"),
        &(struct refusal){
            "the server has no key for PSK user stranger",
            "has no key for the client's PSK user \"stranger\"" });
    refusal_of_client(
        e2e, &move.tunnel, certs_options(&certs, "src"),
        &(struct refusal){ "use one kind at both ends",
                           "the client offers no pre-shared key" });
    move.tunnel.client_security = psk_options(e2e, good, NULL);
    refusal_finish(e2e, &move, 0);
}

/* Without sessions it is the source's QEMU that notices.  Have it try, which
 * must fail, and check what the server says. */
static void
refuse_raw_client(struct e2e *e2e, struct move *move, const char *words)
{
    unsigned before = session_count(move->tunnel.server, words);
    struct process *send;

    tunnel_start_client(e2e, &move->tunnel, NULL);
    send = tunnel_send(e2e, &move->tunnel, move->source, NULL);
    process_expect(send, 1);
    vm_assert_runs(move->source);
    session_wait_count(move->tunnel.server, words, before + 1);
    process_signal(move->tunnel.client, SIGTERM);
    process_wait(move->tunnel.client);
}

static void
raw_server_with_tls_refuses_peers_as_well(struct e2e *e2e)
{
    char ca[CASE_PATH_MAX];
    struct certs certs;
    struct move move;

    refusal_prepare(e2e, &move);
    move.tunnel.session = false;
    use_certificates(e2e, &move.tunnel, &certs);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    refusal_of_openssl(
        e2e, &move.tunnel,
        ARGS("-CAfile", certs_path(&certs, "src", "ca-cert.pem", ca)),
        &(struct refusal){ "alert certificate required",
                           "the client has shown no certificate" });
    move.tunnel.client_security = NULL;
    refuse_raw_client(e2e, &move, "it does not speak TLS");
    assert_true(process_said(move.tunnel.client, "takes TLS only"));
    move.tunnel.client_security = certs_options(&certs, "src");
    refusal_finish(e2e, &move, 0);
}

static void
raw_client_with_tls_and_server_without_say_so(struct e2e *e2e)
{
    struct certs certs;
    struct move move;

    refusal_prepare(e2e, &move);
    move.tunnel.session = false;
    use_certificates(e2e, &move.tunnel, &certs);
    move.tunnel.server_security = NULL;
    tunnel_start_server(e2e, &move.tunnel, NULL);
    refuse_raw_client(e2e, &move, "a TLS client");
    assert_true(process_said(move.tunnel.client, "answers without TLS"));
    move.tunnel.client_security = NULL;
    refusal_finish(e2e, &move, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(clients_whose_certificates_do_not_hold_are_refused),
        E2E_TEST(client_that_no_pattern_allows_is_refused),
        E2E_TEST(client_is_refused_once_it_is_revoked),
        E2E_TEST(client_refuses_a_server_that_is_not_the_one),
        E2E_TEST(peers_without_tls_or_with_an_older_one_are_refused),
        E2E_TEST(client_with_tls_and_server_without_say_so),
        E2E_TEST(clients_without_the_key_are_refused),
        E2E_TEST(raw_server_with_tls_refuses_peers_as_well),
        E2E_TEST(raw_client_with_tls_and_server_without_say_so),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("tls_refused", tests, NULL, NULL);
}
