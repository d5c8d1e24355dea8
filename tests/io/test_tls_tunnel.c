/* Both ends of a session with TLS; the test is the two QEMUs and the network.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_acceptor.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_pool.h"
#include "support_security.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/session_client.h"
#include "tunnel/session_server.h"

enum {
    LONG_MS = 300000, /* never, as far as a test goes */
    SHORT_MS = 600,
    WINDOW = 1 << 20,
    CHANNELS_MAX = 4,
    FDS_MAX = 1024,
};

struct outcome {
    unsigned dones;
    enum exit_status status;
};

struct rig {
    struct security security;
    struct stage stage;
    struct worker_pool *pool;
    char source_path[NET_PATH_MAX + 8];
    char dest_path[NET_PATH_MAX + 8];
    char dir[NET_PATH_MAX];
    uint16_t port;
    struct session_client *client;
    struct session_server *server;
    struct outcome client_outcome;
    struct outcome server_outcome;
    struct peer source[CHANNELS_MAX];
    unsigned count;
    struct acceptor dest;
};

static void
on_done(void *arg, enum exit_status status)
{
    struct outcome *outcome = arg;

    outcome->dones++;
    outcome->status = status;
}

static void
start_server(struct rig *rig, struct tls *tls)
{
    char why[LISTENER_WHY_MAX];

    rig->server = session_server_new(
        &(struct session_server_options){ .loop = rig->stage.loop,
                                          .pool = rig->pool,
                                          .listen = { .host = "127.0.0.1" },
                                          .tls = tls,
                                          .unix_path = rig->dest_path,
                                          .wait_ms = LONG_MS,
                                          .resume_timeout_ms = LONG_MS,
                                          .window = WINDOW,
                                          .once = true,
                                          .on_done = on_done,
                                          .arg = &rig->server_outcome },
        why);
    assert_non_null(rig->server);
    rig->port = net_listening_port();
}

static void
start_client(struct rig *rig, struct tls *tls, uint64_t resume_timeout_ms)
{
    rig->client = session_client_new(&(struct session_client_options){
        .loop = rig->stage.loop,
        .pool = rig->pool,
        .dest = { .host = "127.0.0.1", .port = rig->port },
        .tls = tls,
        .unix_path = rig->source_path,
        .name = "",
        .wait_ms = LONG_MS,
        .resume_timeout_ms = resume_timeout_ms,
        .window = WINDOW,
        .once = true,
        .on_done = on_done,
        .arg = &rig->client_outcome });
    assert_non_null(rig->client);
}

/* The world without the two ends; ${rig}->security is there already. */
static void
rig_open(struct rig *rig)
{
    faults_clear();
    capture_start();
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_temp_dir(rig->dir);
    snprintf(rig->source_path, sizeof rig->source_path, "%s/source", rig->dir);
    snprintf(rig->dest_path, sizeof rig->dest_path, "%s/dest", rig->dir);
    acceptor_open(&rig->dest, &rig->stage,
                  net_listen_unix(rig->dest_path, CHANNELS_MAX));
}

static void
rig_close(struct rig *rig)
{
    session_client_free(rig->client);
    session_server_free(rig->server);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->source[i]);
    acceptor_close(&rig->dest);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
    security_close(&rig->security);
}

static void
rig_open_keys(struct rig *rig, uint64_t resume_timeout_ms)
{
    *rig = (struct rig){ 0 };
    security_open_keys(&rig->security);
    rig_open(rig);
    start_server(rig, rig->security.server);
    start_client(rig, rig->security.client, resume_timeout_ms);
}

static void
begin_migration(struct rig *rig, unsigned channels)
{
    STAGE_UNTIL(&rig->stage, access(rig->source_path, F_OK) == 0);
    for (unsigned i = 0; i < channels; i++) {
        struct peer *source = &rig->source[rig->count++];

        peer_open(source, &rig->stage, net_connect_unix(rig->source_path));
    }
    STAGE_UNTIL(&rig->stage, rig->dest.count == channels);
}

/* Whether ${fd} is the client's end of a connection to ${port}. */
static bool
is_transport(int fd, uint16_t port)
{
    struct sockaddr_in in = { 0 };
    socklen_t length = sizeof in;

    return getpeername(fd, (struct sockaddr *)&in, &length) == 0 &&
           in.sin_family == AF_INET && ntohs(in.sin_port) == port;
}

/* The network loses every connection between the two ends. */
static void
cut(struct rig *rig)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (is_transport(fd, rig->port))
            shutdown(fd, SHUT_RDWR);
}

static void
assert_statuses(struct rig *rig, enum exit_status status)
{
    STAGE_UNTIL(&rig->stage,
                rig->client_outcome.dones > 0 && rig->server_outcome.dones > 0);
    assert_int_equal(rig->client_outcome.status, status);
    assert_int_equal(rig->server_outcome.status, status);
}

/* The last bytes of a main channel that has arrived (wire/verdict.h). */
static void
send_stream(struct rig *rig, unsigned i, uint64_t bytes)
{
    peer_expect(&rig->dest.peers[i], 100 + i, 0);
    peer_send(&rig->source[i], 100 + i, bytes, PEER_STAY);
}

static void
finish(struct rig *rig, unsigned channels, uint64_t bytes)
{
    for (unsigned i = 0; i < channels; i++) {
        struct peer *dest = &rig->dest.peers[i];

        STAGE_UNTIL(&rig->stage, dest->received == bytes);
        assert_false(dest->mismatch);
        dest->expects = false;
        peer_say(&rig->source[i], "stream}", 7);
        peer_do(&rig->source[i], PEER_END);
        STAGE_UNTIL(&rig->stage, dest->eof);
        assert_int_equal(dest->received, bytes + 7);
        peer_do(dest, PEER_END);
    }
}

static void
a_migration_passes(struct rig *rig, const char *identity)
{
    enum { CHANNELS = 3, BYTES = 5 << 20, BACK = 300000 };
    char line[TLS_IDENTITY_MAX + 32];
    const char *said;

    rig_open(rig);
    start_server(rig, rig->security.server);
    start_client(rig, rig->security.client, LONG_MS);
    begin_migration(rig, CHANNELS);
    for (unsigned i = 0; i < CHANNELS; i++)
        send_stream(rig, i, BYTES);
    peer_expect(&rig->source[1], 7, 0);
    peer_send(&rig->dest.peers[1], 7, BACK, PEER_STAY);
    STAGE_UNTIL(&rig->stage, rig->source[1].received == BACK);
    assert_false(rig->source[1].mismatch);
    finish(rig, CHANNELS, BYTES);
    assert_statuses(rig, STATUS_DONE);
    said = capture_stop();
    snprintf(line, sizeof line, "has joined, %s\n", identity);
    assert_int_equal(capture_count(said, line), 1);
    assert_int_equal(capture_count(said, "transport lost"), 0);
    assert_int_equal(capture_count(said, ": completed; 3 channels"), 2);
    rig_close(rig);
}

static void
a_migration_passes_with_a_key(void **state)
{
    struct rig rig = { 0 };

    (void)state;
    security_open_keys(&rig.security);
    a_migration_passes(&rig, SECURITY_KEY_CLIENT);
}

static void
a_migration_passes_with_certificates(void **state)
{
    struct rig rig = { 0 };

    (void)state;
    security_open_certificates(&rig.security, "CN=host2,*");
    a_migration_passes(&rig, SECURITY_CERT_CLIENT);
}

static void
lost_connections_are_made_good_within_tls(void **state)
{
    enum { CHANNELS = 2, BYTES = 8 << 20, CUTS = 8 };
    const char *said;
    struct rig rig;

    (void)state;
    rig_open_keys(&rig, LONG_MS);
    begin_migration(&rig, CHANNELS);
    for (unsigned i = 0; i < CHANNELS; i++)
        send_stream(&rig, i, BYTES);
    for (unsigned i = 1; i <= CUTS; i++) {
        STAGE_UNTIL(&rig.stage,
                    rig.dest.peers[0].received >= i * (BYTES / (CUTS + 1)));
        cut(&rig);
    }
    finish(&rig, CHANNELS, BYTES);
    assert_statuses(&rig, STATUS_DONE);
    said = capture_stop();
    assert_in_range(capture_count(said, "resumed after"), 2 * CUTS,
                    8 * CUTS * (CHANNELS + 1));
    rig_close(&rig);
}

static void
a_resumption_that_tls_refuses_is_tried_again(void **state)
{
    enum { BYTES = 1 << 20 };
    const char *said;
    struct rig rig;

    (void)state;
    rig_open_keys(&rig, LONG_MS);
    begin_migration(&rig, 1);
    send_stream(&rig, 0, BYTES);
    STAGE_UNTIL(&rig.stage, rig.dest.peers[0].received == BYTES);
    security_break_key(&rig.security, true);
    cut(&rig);
    stage_turns_in(&rig.stage, 500); /* several tries */
    assert_int_equal(rig.client_outcome.dones + rig.server_outcome.dones, 0);
    assert_false(peer_ended(&rig.source[0]));
    security_break_key(&rig.security, false);
    finish(&rig, 1, BYTES);
    assert_statuses(&rig, STATUS_DONE);
    said = capture_stop();
    assert_int_equal(
        capture_count(said, "channel 1: cannot resume: the server has another "
                            "key for PSK user qemu"),
        1);
    assert_true(capture_count(said, "dropped: the client's key") >= 2);
    rig_close(&rig);
}

static void
a_resumption_that_tls_refuses_until_the_end_of_patience_fails(void **state)
{
    const char *said;
    struct rig rig;

    (void)state;
    rig_open_keys(&rig, SHORT_MS);
    begin_migration(&rig, 1);
    send_stream(&rig, 0, 1000);
    STAGE_UNTIL(&rig.stage, rig.dest.peers[0].received == 1000);
    security_break_key(&rig.security, true);
    cut(&rig);
    STAGE_UNTIL(&rig.stage, rig.client_outcome.dones > 0);
    assert_int_equal(rig.client_outcome.status, STATUS_FAILED);
    assert_false(peer_ended(&rig.dest.peers[0]));
    said = capture_stop();
    assert_true(capture_count(said, "the server has another key") >= 2);
    assert_int_equal(
        capture_count(said, "transport lost for longer than resume-timeout"),
        1);
    rig_close(&rig);
}

/* No session comes about; ${client} and ${server} are what the two say. */
static void
assert_refused(struct rig *rig, const char *client, const char *server)
{
    char line[256];
    const char *said;

    STAGE_UNTIL(&rig->stage, rig->client_outcome.dones > 0);
    stage_turns_in(&rig->stage, 150); /* no second try */
    assert_int_equal(rig->client_outcome.status, STATUS_FAILED);
    assert_int_equal(rig->server_outcome.dones, 0);
    assert_int_equal(rig->dest.count, 0);
    assert_int_not_equal(access(rig->source_path, F_OK), 0);
    said = capture_stop();
    snprintf(line, sizeof line, "cannot join mig-server at 127.0.0.1:%u: %s",
             rig->port, client);
    if (capture_count(said, line) != 1)
        fail_msg("no '%s' in:\n%s", line, said);
    if (capture_count(said, server) != 1)
        fail_msg("no '%s' in:\n%s", server, said);
    assert_int_equal(capture_count(said, " dropped: "), 1);
    rig_close(rig);
}

static void
one_end_alone_with_tls_is_told_at_both(void **state)
{
    struct rig rig = { 0 };

    (void)state;
    security_open_keys(&rig.security);
    rig_open(&rig);
    start_server(&rig, NULL);
    start_client(&rig, rig.security.client, LONG_MS);
    assert_refused(&rig, "the server answers without TLS",
                   "a TLS client, and this server has no credentials");

    rig = (struct rig){ 0 };
    security_open_keys(&rig.security);
    rig_open(&rig);
    start_server(&rig, rig.security.server);
    start_client(&rig, NULL, LONG_MS);
    assert_refused(&rig, "the server takes TLS only",
                   "a mig-client without TLS, and this server takes TLS only");
}

static void
a_wrong_key_is_told_at_both_ends_and_not_tried_again(void **state)
{
    struct rig rig = { 0 };

    (void)state;
    security_open_keys(&rig.security);
    security_break_key(&rig.security, true);
    rig_open(&rig);
    start_server(&rig, rig.security.server);
    start_client(&rig, rig.security.client, LONG_MS);
    assert_refused(&rig, "the server has another key for PSK user qemu",
                   "the client's key for PSK user qemu is not the one in");
}

/* The server looks at it after the client is done: its word comes later. */
static void
a_client_that_is_not_allowed_is_told_so(void **state)
{
    struct rig rig = { 0 };

    (void)state;
    security_open_certificates(&rig.security, "nobody");
    rig_open(&rig);
    start_server(&rig, rig.security.server);
    start_client(&rig, rig.security.client, LONG_MS);
    assert_refused(&rig, "the server refuses our certificate",
                   "certificate CN=host2,O=Example matches no --tls-allow");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migration_passes_with_a_key),
        cmocka_unit_test(a_migration_passes_with_certificates),
        cmocka_unit_test(lost_connections_are_made_good_within_tls),
        cmocka_unit_test(a_resumption_that_tls_refuses_is_tried_again),
        cmocka_unit_test(
            a_resumption_that_tls_refuses_until_the_end_of_patience_fails),
        cmocka_unit_test(one_end_alone_with_tls_is_told_at_both),
        cmocka_unit_test(a_wrong_key_is_told_at_both_ends_and_not_tried_again),
        cmocka_unit_test(a_client_that_is_not_allowed_is_told_so),
    };

    return POOL_RUN_BOTH(tests);
}
