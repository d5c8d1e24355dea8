/* The files that credentials are in: which are used, which are refused, and
 * what happens when they are renewed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_session.h"
#include "support_tls.h"
#include "support_vm.h"

/* Options that say nothing about security, not even that there is none. */
static const char *const nothing[] = { NULL };

/* What is said where nobody has asked for plain text. */
static const char plain_warning[] = ": no TLS: ";

/* Start either end, without a QEMU, with these options alone for its security,
 * and check that it exits with status 1 and says why. */
static void
expect_no_start(struct e2e *e2e, const char *program,
                const char *const *security, const char *words)
{
    struct command command = { .argc = 0 };
    char path[CASE_PATH_MAX];
    struct process *process;

    command_add(&command, "%s/%s", tool_dir(), program);
    command_add(&command, "%s",
                strcmp(program, "mig-server") == 0 ? "--listen" : "--dest");
    command_add(&command, "127.0.0.1:%u", proc_free_port());
    command_add(&command, "--unix");
    command_add(&command, "%s", e2e_path(e2e, "qemu.sock", path));
    command_add_all(&command, security);
    process = process_start(e2e, program, &command);
    process_expect(process, 1);
    if (!process_said(process, words))
        fail_msg("%s does not say \"%s\"", program, words);
}

static void
keys_that_others_can_read_are_refused_with_the_mode_they_need(struct e2e *e2e)
{
    char path[CASE_PATH_MAX], words[CASE_PATH_MAX + 16];
    struct certs certs;

    certs_make(e2e, &certs, ARGS("host"));
    certs_path(&certs, "host", "server-key.pem", path);
    assert_int_equal(chmod(path, 0640), 0);
    snprintf(words, sizeof(words), "chmod 600 %s", path);
    expect_no_start(e2e, "mig-server", certs_options(&certs, "host"), words);

    certs_path(&certs, "host", "client-key.pem", path);
    assert_int_equal(chmod(path, 0604), 0);
    snprintf(words, sizeof(words), "chmod 600 %s", path);
    expect_no_start(e2e, "mig-client", certs_options(&certs, "host"), words);

    psk_make(e2e, path, "qemu");
    assert_int_equal(chmod(path, 0644), 0);
    snprintf(words, sizeof(words), "chmod 600 %s", path);
    expect_no_start(e2e, "mig-server", psk_options(e2e, path, NULL), words);
    expect_no_start(e2e, "mig-client", psk_options(e2e, path, NULL), words);
}

static void
own_certificate_that_does_not_hold_is_named_with_its_date(struct e2e *e2e)
{
    static const char *const programs[] = { "mig-server", "mig-client" };
    struct certs certs;

    certs_make(e2e, &certs, ARGS("expired", "future"));
    certs_date(&certs, "expired", "20200101000000Z", "20200201000000Z");
    certs_date(&certs, "future", "20400101000000Z", "20400201000000Z");
    for (int i = 0; i < 2; i++) {
        expect_no_start(e2e, programs[i], certs_options(&certs, "expired"),
                        "-cert.pem expired on 2020-02-01 00:00:00 UTC");
        expect_no_start(
            e2e, programs[i], certs_options(&certs, "future"),
            "-cert.pem is not valid before 2040-01-01 00:00:00 UTC");
    }
}

/* Serve with the certificate of ${host} and with ${version}; check what
 * mig-client says of it. */
static void
refuse_server(struct e2e *e2e, const struct certs *certs, const char *host,
              const char *version, const char *words)
{
    char ca[CASE_PATH_MAX], cert[CASE_PATH_MAX], key[CASE_PATH_MAX];
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    tunnel.session = true;
    tunnel.client_security = certs_options(certs, "src");
    openssl_server(
        e2e, tunnel.port,
        ARGS(version, "-Verify", "1", "-verify_return_error", "-CAfile",
             certs_path(certs, host, "ca-cert.pem", ca), "-cert",
             certs_path(certs, host, "server-cert.pem", cert), "-key",
             certs_path(certs, host, "server-key.pem", key)));
    tunnel_start_client(e2e, &tunnel, NULL);
    process_expect(tunnel.client, 1);
    if (!process_said(tunnel.client, words))
        fail_msg("mig-client does not say \"%s\"", words);
}

static void
servers_that_are_no_good_are_refused(struct e2e *e2e)
{
    struct certs certs;

    certs_make(
        e2e, &certs,
        ARGS("src", "good,127.0.0.1", "expired,127.0.0.1", "future,127.0.0.1"));
    certs_date(&certs, "expired", "20200101000000Z", "20200201000000Z");
    certs_date(&certs, "future", "20400101000000Z", "20400201000000Z");
    refuse_server(e2e, &certs, "good", "-tls1_3",
                  "what answers there is not mig-server");
    refuse_server(e2e, &certs, "good", "-tls1_2",
                  "the server does not speak TLS 1.3");
    refuse_server(e2e, &certs, "expired", "-tls1_3",
                  "expired on 2020-02-01 00:00:00 UTC");
    refuse_server(e2e, &certs, "future", "-tls1_3",
                  "is not valid before 2040-01-01 00:00:00 UTC");
}

/* Return a socket that takes connections and does nothing about them. */
static int
listen_silently(unsigned port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void
server_that_stalls_in_the_handshake_is_given_up(struct e2e *e2e)
{
    struct tunnel tunnel;
    struct certs certs;
    int fd;

    certs_make(e2e, &certs, ARGS("src"));
    tunnel_init(e2e, &tunnel);
    tunnel.session = true;
    tunnel.client_security = certs_options(&certs, "src");
    fd = listen_silently(tunnel.port);
    tunnel_start_client(e2e, &tunnel, ARGS("--wait", "1"));
    process_expect(tunnel.client, 1);
    assert_true(process_said(tunnel.client, "no end to the TLS handshake"));
    close(fd);
}

/* A client that trusts the old CA alone, and then one that trusts the new one
 * alone, through one server. */
static void
renewed_files_count_for_the_next_session(struct e2e *e2e)
{
    static const char *const files[] = { "ca-cert.pem", "server-cert.pem",
                                         "server-key.pem" };
    struct certs old, new;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    certs_make(e2e, &old, ARGS("src", "dst,127.0.0.1"));
    certs_make(e2e, &new, ARGS("src", "dst,127.0.0.1"));
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    move.tunnel.server_security = certs_options(&old, "dst");
    tunnel_start_server(e2e, &move.tunnel, NULL);
    move.tunnel.client_security = certs_options(&old, "src");
    tunnel_start_client(e2e, &move.tunnel, ARGS("--once"));
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    process_expect(move.tunnel.client, 0);

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        certs_put(&old, "dst", files[i], &new, "dst");
    vm_stop(move.source);
    move.source = move.destination;
    move.destination = vm_start_destination(e2e, move.source);
    move.tunnel.client_security = certs_options(&new, "src");
    tunnel_start_client(e2e, &move.tunnel, ARGS("--once"));
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    process_expect(move.tunnel.client, 0);
    assert_int_equal(session_count(move.tunnel.server, ": completed; "), 2);
}

/* $1 takes the place of /etc, for what follows alone. */
static const char with_etc[] = "mount --bind \"$1\" /etc; shift; exec \"$@\"";

static const char *
unshare_flags(void)
{
    return geteuid() == 0 ? "-m" : "-rm";
}

/* Whether this machine lets us change what a process of ours sees as /etc. */
static bool
can_replace_etc(struct e2e *e2e)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, ARGS("unshare", unshare_flags(), "sh", "-euc",
                                   "mount --bind /usr /etc"));
    return process_wait(process_start(e2e, "unshare", &command)) == 0;
}

/* Make a folder for /etc, of which mig-tunnel/ has the files of ${host}. */
static void
make_etc(const struct certs *certs, const char *host, const char *etc)
{
    char path[CASE_PATH_MAX], name[64];

    assert_int_equal(mkdir(certs_path(certs, etc, "", path), 0755), 0);
    snprintf(name, sizeof(name), "%s/mig-tunnel", etc);
    if (host != NULL)
        certs_copy(certs, host, name);
}

/* Start both ends with these options, each in a host of its own. */
static void
start_with_etc(struct e2e *e2e, struct tunnel *tunnel,
               const struct certs *certs, const char *const etc[2],
               const char *const *security)
{
    char path[CASE_PATH_MAX];

    tunnel_init(e2e, tunnel);
    tunnel->session = true;
    tunnel->server_security = tunnel->client_security = security;
    tunnel->through = ARGS("unshare", unshare_flags(), "sh", "-euc", with_etc,
                           "sh", certs_path(certs, etc[0], "", path));
    tunnel_start_server(e2e, tunnel, NULL);
    tunnel->through = ARGS("unshare", unshare_flags(), "sh", "-euc", with_etc,
                           "sh", certs_path(certs, etc[1], "", path));
    tunnel_start_client(e2e, tunnel, NULL);
}

static void
check_said(const struct tunnel *tunnel, const char *words, unsigned count)
{
    process_wait_text(tunnel->client, tunnel->client->err, "joined");
    assert_int_equal(session_count(tunnel->client, words), count);
    assert_int_equal(session_count(tunnel->server, words), count);
}

static void
credentials_in_etc_are_used_unless_plain_text_is_asked_for(struct e2e *e2e)
{
    static const char *const etc[2] = { "etc-dst", "etc-src" };
    struct tunnel insecure;
    struct certs certs;
    struct move move;

    if (!can_replace_etc(e2e)) {
        print_message("             no mount namespaces here\n");
        skip();
    }
    certs_make(e2e, &certs, ARGS("src", "dst,127.0.0.1"));
    make_etc(&certs, "dst", etc[0]);
    make_etc(&certs, "src", etc[1]);
    move_prepare(e2e, &move, &guest_calm);
    start_with_etc(e2e, &move.tunnel, &certs, etc, nothing);
    check_said(&move.tunnel, "/etc/mig-tunnel", 1);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");

    start_with_etc(e2e, &insecure, &certs, etc, ARGS("--insecure"));
    check_said(&insecure, "/etc/mig-tunnel", 0);
    check_said(&insecure, plain_warning, 0);
}

static void
plain_text_is_warned_of_once_unless_it_is_asked_for(struct e2e *e2e)
{
    static const char *const etc[2] = { "etc", "etc" };
    struct tunnel tunnel;
    struct certs certs;

    if (!can_replace_etc(e2e)) {
        print_message("             no mount namespaces here\n");
        skip();
    }
    certs_make(e2e, &certs, ARGS("host"));
    make_etc(&certs, NULL, "etc");
    start_with_etc(e2e, &tunnel, &certs, etc, nothing);
    check_said(&tunnel, plain_warning, 1);
    start_with_etc(e2e, &tunnel, &certs, etc, ARGS("--insecure"));
    check_said(&tunnel, plain_warning, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(keys_that_others_can_read_are_refused_with_the_mode_they_need),
        E2E_TEST(own_certificate_that_does_not_hold_is_named_with_its_date),
        E2E_TEST(servers_that_are_no_good_are_refused),
        E2E_TEST(server_that_stalls_in_the_handshake_is_given_up),
        E2E_TEST(renewed_files_count_for_the_next_session),
        E2E_TEST(credentials_in_etc_are_used_unless_plain_text_is_asked_for),
        E2E_TEST(plain_text_is_warned_of_once_unless_it_is_asked_for),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("tls_files", tests, NULL, NULL);
}
