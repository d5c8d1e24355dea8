/* Raw mode with others at the far end: socat, and QEMU's own "tcp:". */
#include <stdio.h>

#include "support_move.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_vm.h"

/* socat's -t is how long it keeps the second direction open after the first
 * has ended.  Its default of 0.5 s may cut off the source's last bytes. */
static struct process *
start_socat(struct e2e *e2e, const char *from, const char *to)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, ARGS("socat", "-t", "30", from, to));
    return process_start(e2e, "socat", &command);
}

static void
our_client_works_with_socat_as_the_server(struct e2e *e2e)
{
    char from[64], to[CASE_PATH_MAX + 16];
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    snprintf(from, sizeof(from), "TCP-LISTEN:%u,bind=127.0.0.1",
             move.tunnel.port);
    snprintf(to, sizeof(to), "UNIX-CONNECT:%s", move.tunnel.destination);
    proc_wait_tcp(start_socat(e2e, from, to), move.tunnel.port);
    tunnel_start_client(e2e, &move.tunnel, ARGS("--raw"));
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    /* socat would not wait for it. */
    proc_wait_unix(move.recv, move.tunnel.destination);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    move_finish(e2e, &move);
}

static void
our_server_works_with_socat_as_the_client(struct e2e *e2e)
{
    char from[CASE_PATH_MAX + 16], to[64];
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    tunnel_start_server(e2e, &move.tunnel, ARGS("--raw"));
    snprintf(from, sizeof(from), "UNIX-LISTEN:%s", move.tunnel.source);
    snprintf(to, sizeof(to), "TCP:127.0.0.1:%u", move.tunnel.port);
    proc_wait_unix(start_socat(e2e, from, to), move.tunnel.source);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
}

static void
our_client_works_with_a_destination_that_listens_on_tcp(struct e2e *e2e)
{
    struct move move;
    char uri[64];

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    snprintf(uri, sizeof(uri), "tcp:127.0.0.1:%u", move.tunnel.port);
    qmp_do(move.destination->qmp, "migrate-incoming",
           json_pack("{s:s}", "uri", uri));
    tunnel_start_client(e2e, &move.tunnel, ARGS("--raw"));
    process_expect(tunnel_send(e2e, &move.tunnel, move.source, NULL), 0);
    move_check_arrival(e2e, move.source, move.destination);
}

static void
our_server_works_with_a_source_that_connects_by_tcp(struct e2e *e2e)
{
    struct move move;
    char uri[64];

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    tunnel_start_server(e2e, &move.tunnel, ARGS("--raw"));
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    snprintf(uri, sizeof(uri), "tcp:127.0.0.1:%u", move.tunnel.port);
    qmp_do(move.source->qmp, "migrate-set-capabilities",
           json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability",
                     "return-path", "state", 1));
    qmp_do(move.source->qmp, "migrate", json_pack("{s:s}", "uri", uri));
    process_expect(move.recv, 0);
    vm_wait_migration(move.source, "completed");
    move_check_arrival(e2e, move.source, move.destination);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(our_client_works_with_socat_as_the_server),
        E2E_TEST(our_server_works_with_socat_as_the_client),
        E2E_TEST(our_client_works_with_a_destination_that_listens_on_tcp),
        E2E_TEST(our_server_works_with_a_source_that_connects_by_tcp),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("interop", tests, NULL, NULL);
}
