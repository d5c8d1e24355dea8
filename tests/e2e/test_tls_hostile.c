/* Strangers in front of a server with TLS, while others have work to do. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_burden.h"
#include "support_move.h"
#include "support_probe.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_refusal.h"
#include "support_session.h"
#include "support_tls.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    STALLED = 200,

    /* What the migration may need beyond what there was before it. */
    MORE_FDS = 24,

    HELLO_MAX = 1024,
    HELLO_CUT = 100,

    /* Of the greetings. */
    CLIENT_BYTES = 116,
    SERVER_BYTES = 32,
    REASON_AT = 14,
    FLAG_RESUME = 1,
    REASON_IDENTITY = 9
};

static void
use_certificates(struct e2e *e2e, struct tunnel *tunnel, struct certs *certs)
{
    certs_make(e2e, certs, ARGS("src", "dst,127.0.0.1", "other"));
    tunnel->server_security = certs_options(certs, "dst");
    tunnel->client_security = certs_options(certs, "src");
}

/* Have a TLS client say hello to us.  Return how long that is. */
static size_t
take_hello(struct e2e *e2e, unsigned char hello[HELLO_MAX])
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(sin);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd pfd = { .fd = listener, .events = POLLIN };
    ssize_t n;
    int fd;

    assert_int_equal(bind(listener, (struct sockaddr *)&sin, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &length),
                     0);
    openssl_client(e2e, ntohs(sin.sin_port), "/dev/null", ARGS("-tls1_3"));
    assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
    fd = accept(listener, NULL, NULL);
    n = recv(fd, hello, HELLO_MAX, 0);
    assert_in_range(n, HELLO_CUT + 1, HELLO_MAX - 1);
    close(fd);
    close(listener);
    return (size_t)n;
}

/* A third says nothing, a third the beginning of a hello, and the others all of
 * it, which costs the server its answer. */
static void
stall(struct e2e *e2e, unsigned port, int fds[STALLED])
{
    unsigned char hello[HELLO_MAX];
    size_t length = take_hello(e2e, hello);
    const size_t said[] = { 0, HELLO_CUT, length };

    for (int i = 0; i < STALLED; i++) {
        size_t bytes = said[i % 3];

        fds[i] = probe_connect(port);
        assert_int_equal(send(fds[i], hello, bytes, MSG_NOSIGNAL), bytes);
    }
}

/* Wait for the end, whatever comes before it. */
static void
expect_end(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    char bytes[4096];
    ssize_t n;

    do {
        assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
        n = recv(fd, bytes, sizeof(bytes), 0);
    } while (n > 0);
    close(fd);
}

static void
peers_that_stall_in_the_handshake_do_not_disturb_a_migration(struct e2e *e2e)
{
    struct proc_usage before, now;
    struct proxy *proxy;
    struct certs certs;
    struct move move;
    int fds[STALLED];

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    use_certificates(e2e, &move.tunnel, &certs);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    proc_read_usage(move.tunnel.server->pid, &before);
    proxy = proxy_start(e2e, move.tunnel.port);
    move.tunnel.dest_port = proxy_port(proxy);
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_start_slowly(e2e, &move);

    stall(e2e, move.tunnel.port, fds);
    proxy_do(proxy, "reset"); /* handshakes among those of the others */
    session_wait_count(move.tunnel.client, "channel 1: resumed after ", 1);
    proc_read_usage(move.tunnel.server->pid, &now);
    print_message("             %u descriptors before, %u now\n", before.fds,
                  now.fds);
    assert_in_range(now.fds, before.fds, before.fds + STALLED + MORE_FDS);
    move_hurry(&move);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    for (int i = 0; i < STALLED; i++)
        expect_end(fds[i]);
    assert_true(
        process_said(move.tunnel.server, "too slow in the TLS handshake"));
    process_signal(move.tunnel.client, SIGTERM);
    process_wait(move.tunnel.client);
    burden_assert_fds_back(move.tunnel.server, &before);
}

/* Write a greeting as PROTOCOL.md has it into a new file. */
static void
write_greeting(struct e2e *e2e, unsigned char flags, char path[CASE_PATH_MAX])
{
    unsigned char bytes[CLIENT_BYTES] = "mig-tun\n";
    FILE *file = fopen(e2e_path(e2e, "greeting", path), "wb");

    bytes[8] = bytes[9] = 1;
    bytes[11] = CLIENT_BYTES;
    bytes[13] = flags;
    memset(bytes + 20, 0x5a, 16); /* the session */
    bytes[44] = 1;                /* a window of 16 MiB */
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    assert_int_equal(fclose(file), 0);
}

/* A greeting from s_client, with these credentials. */
static struct process *
greet(struct e2e *e2e, const struct tunnel *tunnel, unsigned char flags,
      const char *const *args)
{
    char path[CASE_PATH_MAX];

    write_greeting(e2e, flags, path);
    return openssl_client(e2e, tunnel->port, path, args);
}

static bool
has_answer(void *arg)
{
    const struct process *client = arg;
    FILE *file = fopen(client->out, "rb");
    long bytes;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    bytes = ftell(file);
    fclose(file);
    return bytes >= SERVER_BYTES;
}

/* Return the reason in the server's answer. */
static unsigned
read_reason(struct process *client)
{
    unsigned char bytes[SERVER_BYTES];
    FILE *file;

    assert_true(wait_file(client->out, client->pid_fd, PATIENCE_MS, has_answer,
                          client));
    file = fopen(client->out, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    fclose(file);
    assert_memory_equal(bytes, "mig-tun\n", 8);
    return (unsigned)bytes[REASON_AT] << 8 | bytes[REASON_AT + 1];
}

/* The session of one of two clients, which the other tries to take over, even
 * when the first is gone. */
static void
check_identities(struct e2e *e2e, struct move *move,
                 const char *const *owner_args, const char *const *other_args)
{
    struct process *owner, *other;

    owner = greet(e2e, &move->tunnel, 0, owner_args);
    assert_int_equal(read_reason(owner), 0);
    for (int i = 0; i < 2; i++) {
        other = greet(e2e, &move->tunnel, FLAG_RESUME, other_args);
        assert_int_equal(read_reason(other), REASON_IDENTITY);
        session_wait_count(move->tunnel.server,
                           "and greets for a session that belongs to",
                           (unsigned)i + 1);
        process_kill(owner);
    }
    owner = greet(e2e, &move->tunnel, FLAG_RESUME, owner_args);
    assert_int_equal(read_reason(owner), 0);
    process_kill(owner);
    session_wait_count(move->tunnel.server, "transport lost", 2);
    refusal_finish(e2e, move, UINT32_MAX);
}

static void
session_is_not_resumed_by_another_certificate(struct e2e *e2e)
{
    char ca[CASE_PATH_MAX], certs_of[2][2][CASE_PATH_MAX];
    static const char *const hosts[2] = { "src", "other" };
    struct certs certs;
    struct move move;

    refusal_prepare(e2e, &move);
    use_certificates(e2e, &move.tunnel, &certs);
    tunnel_start_server(e2e, &move.tunnel, NULL);
    certs_path(&certs, "src", "ca-cert.pem", ca);
    for (int i = 0; i < 2; i++) {
        certs_path(&certs, hosts[i], "client-cert.pem", certs_of[i][0]);
        certs_path(&certs, hosts[i], "client-key.pem", certs_of[i][1]);
    }
    check_identities(
        e2e, &move,
        ARGS("-CAfile", ca, "-cert", certs_of[0][0], "-key", certs_of[0][1]),
        ARGS("-CAfile", ca, "-cert", certs_of[1][0], "-key", certs_of[1][1]));
}

/* Read the key, in hexadecimal, of the one user in the file ${path}. */
static char *
read_key(const char *path)
{
    char *line = process_read(path), *key = strchr(line, ':');

    assert_non_null(key);
    key[1 + strcspn(key + 1, "\n")] = '\0';
    memmove(line, key + 1, strlen(key + 1) + 1);
    return line;
}

static void
session_is_not_resumed_by_another_user_of_a_key(struct e2e *e2e)
{
    char paths[3][CASE_PATH_MAX], *keys[2];
    struct move move;
    FILE *file;

    refusal_prepare(e2e, &move);
    psk_make(e2e, paths[0], "src");
    psk_make(e2e, paths[1], "other");
    for (int i = 0; i < 2; i++)
        keys[i] = read_key(paths[i]);
    file = fopen(e2e_path(e2e, "both.psk", paths[2]), "w");
    assert_non_null(file);
    fchmod(fileno(file), 0600);
    fprintf(file, "# two users\n\nsrc:%s\nother:%s\n", keys[0], keys[1]);
    fclose(file);
    move.tunnel.server_security = psk_options(e2e, paths[2], NULL);
    move.tunnel.client_security = psk_options(e2e, paths[0], "src");
    tunnel_start_server(e2e, &move.tunnel, NULL);
    check_identities(e2e, &move, ARGS("-psk", keys[0], "-psk_identity", "src"),
                     ARGS("-psk", keys[1], "-psk_identity", "other"));
    free(keys[0]);
    free(keys[1]);
}

/* Connect to the server from another address of this host. */
static int
connect_from(const char *address, unsigned port)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* One that says nothing is not waited for, and one that greets is not answered,
 * so nothing can have been read. */
static void
peers_that_are_not_allowed_are_closed_before_a_byte_is_read(struct e2e *e2e)
{
    static const char greeting[CLIENT_BYTES] = "mig-tun\n\1\1\0\x74";
    struct pollfd pfd = { .events = POLLIN };
    struct certs certs;
    struct move move;
    char byte;

    refusal_prepare(e2e, &move);
    use_certificates(e2e, &move.tunnel, &certs);
    tunnel_start_server(
        e2e, &move.tunnel,
        ARGS("--allow", "192.0.2.0/24", "--allow", "127.0.0.1"));
    for (int i = 0; i < 2; i++) {
        pfd.fd = connect_from("127.0.0.2", move.tunnel.port);
        if (i == 1)
            send(pfd.fd, greeting, sizeof(greeting), MSG_NOSIGNAL);
        assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
        assert_true(recv(pfd.fd, &byte, 1, 0) <= 0);
        close(pfd.fd);
        session_wait_count(move.tunnel.server, "--allow", (unsigned)i + 1);
    }
    assert_false(process_said(move.tunnel.server, "too slow"));
    refusal_finish(e2e, &move, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(peers_that_stall_in_the_handshake_do_not_disturb_a_migration),
        E2E_TEST(session_is_not_resumed_by_another_certificate),
        E2E_TEST(session_is_not_resumed_by_another_user_of_a_key),
        E2E_TEST(peers_that_are_not_allowed_are_closed_before_a_byte_is_read),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("tls_hostile", tests, NULL, NULL);
}
