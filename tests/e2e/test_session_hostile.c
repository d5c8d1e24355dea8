/* What a session must bear: probes, liars, the wrong end, a reader that stops.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_burden.h"
#include "support_channels.h"
#include "support_move.h"
#include "support_probe.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    PROBES = 100,
    PROBES_FULL = 1000,
    SLOW = 8,
    SILENT = 300, /* more than the 256 that may be silent at once */
    STALL_S = 10,
    IDLE_S = 3,

    /* Of the greetings. */
    CLIENT_BYTES = 116,
    SERVER_BYTES = 32,
    FLAG_RESUME = 1
};

/* All kinds in turn. */
static void
probe_often(unsigned port)
{
    int probes = e2e_full() ? PROBES_FULL : PROBES;

    for (int i = 0; i < probes; i++) {
        int kind = i % (PROBE_KINDS + 1);

        probe_port(port, kind < PROBE_KINDS ? (enum probe)kind : PROBE_QEMU);
    }
}

static void
expect_drop(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    char byte;

    assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

static void
start_slow(unsigned port, int fds[SLOW])
{
    for (int i = 0; i < SLOW; i++) {
        fds[i] = probe_connect(port);
        assert_int_equal(send(fds[i], "mig-tun\n", (size_t)i, 0), i);
    }
}

static void
probes_of_a_waiting_destination_do_not_reach_it(struct e2e *e2e)
{
    struct burden before;
    struct move move;
    int slow[SLOW];

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    process_wait_text(move.tunnel.client, move.tunnel.client->err, "joined");
    burden_read(&move.tunnel, &before);
    start_slow(move.tunnel.port, slow);
    probe_often(move.tunnel.port);
    for (int i = 0; i < SLOW; i++)
        expect_drop(slow[i]);
    burden_assert_fds_back(move.tunnel.server, &before.server);
    assert_string_equal(vm_state(move.destination), "inmigrate");

    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

static void
probes_of_a_migration_do_not_disturb_it(struct e2e *e2e)
{
    int slow[SLOW], silent[SILENT];
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    start_slow(move.tunnel.port, slow);
    for (int i = 0; i < SILENT; i++)
        silent[i] = probe_connect(move.tunnel.port);
    probe_often(move.tunnel.port);
    assert_string_equal(vm_migration(move.source), "active");
    move_hurry(&move);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
    for (int i = 0; i < SLOW; i++)
        expect_drop(slow[i]);
    for (int i = 0; i < SILENT; i++)
        expect_drop(silent[i]);
}

/* A greeting as PROTOCOL.md has it, by hand. */
struct said {
    unsigned char version;
    unsigned char flags;
    unsigned char channel;
    unsigned char id; /* all bytes of the session's */
    const char *name;
};

/* Greet the server, and return the reason with which it answers. */
static unsigned
greet(unsigned port, const struct said *said)
{
    unsigned char bytes[CLIENT_BYTES] = "mig-tun\n", answer[SERVER_BYTES];
    int fd = probe_connect(port);
    size_t name = strlen(said->name);

    bytes[8] = bytes[9] = said->version;
    bytes[11] = CLIENT_BYTES;
    bytes[13] = said->flags;
    bytes[19] = said->channel;
    memset(bytes + 20, said->id, 16);
    bytes[44] = 1; /* a window of 16 MiB */
    bytes[48] = (unsigned char)name;
    memcpy(bytes + 49, said->name, name);
    assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_int_equal(recv(fd, answer, sizeof(answer), MSG_WAITALL),
                     sizeof(answer));
    assert_memory_equal(answer, "mig-tun\n", 8);
    close(fd);
    return (unsigned)answer[14] << 8 | answer[15];
}

static void
greetings_that_do_not_fit_are_refused_with_the_reason(struct e2e *e2e)
{
    static const struct {
        struct said said;
        unsigned reason;
    } cases[] = {
        { { 2, 0, 0, 1, "" }, 1 },           /* version */
        { { 1, 0, 0, 1, "../x" }, 2 },       /* name */
        { { 1, 0, 0, 1, ".." }, 2 },         /* name */
        { { 1, 0, 0, 1, "" }, 3 },           /* busy */
        { { 1, FLAG_RESUME, 0, 1, "" }, 4 }, /* unknown */
        { { 1, FLAG_RESUME, 1, 1, "" }, 4 }, /* unknown */
        { { 1, 0, 1, 1, "" }, 4 },           /* unknown */
    };
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    process_wait_text(move.tunnel.client, move.tunnel.client->err, "joined");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(greet(move.tunnel.port, &cases[i].said),
                         cases[i].reason);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

/* Start a further client, and return it when it has exited. */
static struct process *
run_client(struct e2e *e2e, unsigned port, const char *name)
{
    char dest[32], path[CASE_PATH_MAX];
    struct process *client;

    snprintf(dest, sizeof(dest), "127.0.0.1:%u", port);
    e2e_path(e2e, "further.sock", path);
    client = tool_start(e2e, "mig-client",
                        ARGS("--insecure", "--dest", dest, "--unix", path,
                             name != NULL ? "--name" : NULL, name));
    process_wait(client);
    return client;
}

static void
second_client_is_refused_and_the_first_unharmed(struct e2e *e2e)
{
    struct process *second;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    session_start(e2e, &move.tunnel, NULL, NULL);
    move_start_slowly(e2e, &move);
    second = run_client(e2e, move.tunnel.port, NULL);
    assert_int_equal(second->status, 1);
    assert_true(process_said(second, "another session is being served"));
    move_hurry(&move);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

/* One mig-server for many VMs, at a path with %n. */
static void
start_named_server(struct e2e *e2e, struct tunnel *tunnel, char *pattern)
{
    tunnel_init(e2e, tunnel);
    tunnel->session = true;
    snprintf(pattern, CASE_PATH_MAX, "%s/vm-%%n.sock", e2e->dir);
    snprintf(tunnel->destination, sizeof(tunnel->destination), "%s", pattern);
    tunnel_start_server(e2e, tunnel, NULL);
}

static void
start_named_move(struct e2e *e2e, struct move *move,
                 const struct tunnel *server, const char *name)
{
    move_prepare(e2e, move, &guest_calm);
    move->tunnel = *server;
    e2e_path(e2e, "source.sock", move->tunnel.source);
    snprintf(move->tunnel.destination, sizeof(move->tunnel.destination),
             "%s/vm-%s.sock", e2e->dir, name);
    tunnel_start_client(e2e, &move->tunnel, ARGS("--name", name));
}

static void
one_server_serves_two_vms_at_once_by_name(struct e2e *e2e)
{
    char pattern[CASE_PATH_MAX];
    struct tunnel server;
    struct move moves[2];

    start_named_server(e2e, &server, pattern);
    start_named_move(e2e, &moves[0], &server, "web-1.example");
    start_named_move(e2e, &moves[1], &server, "db_2");
    move_start_slowly(e2e, &moves[0]);
    move_start(e2e, &moves[1], NULL, NULL);
    move_finish(e2e, &moves[1]);
    assert_string_equal(vm_migration(moves[0].source), "active");
    move_hurry(&moves[0]);
    move_finish(e2e, &moves[0]);
    session_wait_count(server.server, "(web-1.example): completed; ", 1);
    session_wait_count(server.server, "(db_2): completed; ", 1);
}

static void
names_that_do_not_do_are_refused(struct e2e *e2e)
{
    char pattern[CASE_PATH_MAX];
    struct process *client;
    struct tunnel server;

    start_named_server(e2e, &server, pattern);
    client = run_client(e2e, server.port, "../x");
    assert_int_equal(client->status, 2);
    client = run_client(e2e, server.port, NULL);
    assert_int_equal(client->status, 1);
    assert_true(process_said(client, "the VM name is missing"));
    assert_int_equal(greet(server.port, &(struct said){ 1, 0, 0, 1, "a/b" }),
                     2);
    assert_int_equal(greet(server.port, &(struct said){ 1, 0, 0, 1, "." }), 2);
}

static void
idle_session_costs_next_to_nothing(struct e2e *e2e)
{
    struct tunnel tunnel;
    int listener;

    session_start(e2e, &tunnel, NULL, NULL);
    process_wait_text(tunnel.client, tunnel.client->err, "joined");
    burden_assert_quiet(&tunnel, IDLE_S);
    listener = channels_listen(tunnel.destination);
    process_wait_text(tunnel.client, tunnel.client->err, "is ready");
    burden_assert_quiet(&tunnel, IDLE_S);
    close(listener);
}

static void
reader_that_stops_costs_neither_memory_nor_processor_time(struct e2e *e2e)
{
    struct guest guest = guest_calm;
    struct burden before;
    struct move move;

    guest.fill_mib = 256;
    move_prepare(e2e, &move, &guest);
    session_start(e2e, &move.tunnel, NULL, NULL);
    burden_read(&move.tunnel, &before);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "64M"));
    vm_wait_transferred(move.source, 32);
    burden_stall_reader(&move);
    burden_assert_quiet(&move.tunnel, STALL_S);
    burden_assert_bounded(&move.tunnel, &before);
    assert_false(process_said(move.tunnel.client, "transport lost"));
    process_signal(move.destination->process, SIGCONT);
    move_finish(e2e, &move);
    session_expect_end(&move.tunnel, "completed");
}

/* It goes on trying: a relay between the hosts looks the same until it has
 * reached its own target. */
static void
session_client_says_at_once_that_a_raw_server_is_none(struct e2e *e2e)
{
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    tunnel_start_server(e2e, &tunnel, NULL);
    tunnel.session = true;
    tunnel_start_client(e2e, &tunnel, ARGS("--wait", "2"));
    process_wait_text(tunnel.client, tunnel.client->err,
                      "as a mig-server with --raw does");
    process_wait_text(tunnel.server, tunnel.server->err,
                      "a mig-client without --raw");
    process_expect(tunnel.client, 1);
}

static void
session_server_says_at_once_that_a_raw_client_is_none(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    move.tunnel.session = true;
    tunnel_start_server(e2e, &move.tunnel, NULL);
    move.tunnel.session = false;
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_start(e2e, &move, NULL, NULL);
    process_expect(move.send, 1);
    vm_assert_runs(move.source);
    assert_string_equal(vm_state(move.destination), "inmigrate");
    process_wait_text(move.tunnel.server, move.tunnel.server->err,
                      "a raw QEMU stream");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(probes_of_a_waiting_destination_do_not_reach_it),
        E2E_TEST(probes_of_a_migration_do_not_disturb_it),
        E2E_TEST(greetings_that_do_not_fit_are_refused_with_the_reason),
        E2E_TEST(second_client_is_refused_and_the_first_unharmed),
        E2E_TEST(one_server_serves_two_vms_at_once_by_name),
        E2E_TEST(names_that_do_not_do_are_refused),
        E2E_TEST(idle_session_costs_next_to_nothing),
        E2E_TEST(reader_that_stops_costs_neither_memory_nor_processor_time),
        E2E_TEST(session_client_says_at_once_that_a_raw_server_is_none),
        E2E_TEST(session_server_says_at_once_that_a_raw_client_is_none),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("session_hostile", tests, NULL, NULL);
}
