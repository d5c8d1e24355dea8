/* What a tunnel must bear: probes, a reader that stops, many channels. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_burden.h"
#include "support_channels.h"
#include "support_move.h"
#include "support_probe.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_vm.h"

enum {
    PROBES = 100,
    PROBES_FULL = 1000,
    SILENT = 8,

    /* Below the minute after which the kernel takes a peer that reads nothing
     * for dead, even if it answers (TCP_USER_TIMEOUT, tcp(7)). */
    STALL_S = 10,
    STALL_FULL_S = 40,

    CHANNELS = 64,
    CHANNEL_BYTES = 1 << 20
};

static void
port_probes_do_not_keep_the_guest_from_arriving(struct e2e *e2e)
{
    int probes = e2e_full() ? PROBES_FULL : PROBES;
    struct proc_usage before;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    proc_read_usage(move.tunnel.server->pid, &before);
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    proc_wait_unix(move.recv, move.tunnel.destination);
    for (int i = 0; i < probes; i++)
        probe_port(move.tunnel.port, (enum probe)(i % PROBE_KINDS));
    burden_assert_fds_back(move.tunnel.server, &before);
    assert_string_equal(vm_state(move.destination), "inmigrate");

    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    move_finish(e2e, &move);
}

static void
silent_connections_do_not_keep_the_guest_from_arriving(struct e2e *e2e)
{
    struct move move;
    int fds[SILENT];

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    proc_wait_unix(move.recv, move.tunnel.destination);
    for (int i = 0; i < SILENT; i++)
        fds[i] = probe_connect(move.tunnel.port);
    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    move_finish(e2e, &move);
    for (int i = 0; i < SILENT; i++)
        close(fds[i]);
}

static void
reader_that_stops_costs_neither_memory_nor_processor_time(struct e2e *e2e)
{
    struct guest guest = guest_calm;
    struct burden before;
    struct move move;

    guest.fill_mib = 256;
    move_prepare(e2e, &move, &guest);
    tunnel_start(e2e, &move.tunnel);
    burden_read(&move.tunnel, &before);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "64M"));
    vm_wait_transferred(move.source, 32);

    burden_stall_reader(&move);
    burden_assert_quiet(&move.tunnel, e2e_full() ? STALL_FULL_S : STALL_S);
    burden_assert_bounded(&move.tunnel, &before);
    process_signal(move.destination->process, SIGCONT);
    move_finish(e2e, &move);
}

static void
many_channels_at_once_keep_their_order_and_their_bytes(struct e2e *e2e)
{
    struct channel_pair pairs[CHANNELS];
    struct burden before;
    struct tunnel tunnel;
    int listener;

    tunnel_start(e2e, &tunnel);
    burden_read(&tunnel, &before);
    listener = channels_listen(tunnel.destination);
    for (int round = 0; round < 3; round++) {
        channels_open(tunnel.source, listener, pairs, CHANNELS);
        channels_exchange(pairs, CHANNELS, CHANNEL_BYTES);
        channels_finish(pairs, CHANNELS);
        burden_assert_fds_back(tunnel.client, &before.client);
        burden_assert_fds_back(tunnel.server, &before.server);
    }
    close(listener);
}

static void
idle_channels_cost_no_processor_time(struct e2e *e2e)
{
    struct channel_pair pairs[CHANNELS];
    struct tunnel tunnel;
    int listener;

    tunnel_start(e2e, &tunnel);
    listener = channels_listen(tunnel.destination);
    channels_open(tunnel.source, listener, pairs, CHANNELS);
    /* One direction of the first has ended: that must not wake anyone up. */
    shutdown(pairs[0].near_fd, SHUT_WR);
    channels_exchange(pairs + 1, CHANNELS - 1, CHANNEL_BYTES / 16);
    burden_assert_quiet(&tunnel, 3);
    channels_finish(pairs, CHANNELS);
    close(listener);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(port_probes_do_not_keep_the_guest_from_arriving),
        E2E_TEST(silent_connections_do_not_keep_the_guest_from_arriving),
        E2E_TEST(reader_that_stops_costs_neither_memory_nor_processor_time),
        E2E_TEST(many_channels_at_once_keep_their_order_and_their_bytes),
        E2E_TEST(idle_channels_cost_no_processor_time),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
