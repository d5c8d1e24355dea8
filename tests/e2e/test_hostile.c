/* What a tunnel must bear: probes, a reader that stops, many channels. */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_channels.h"
#include "support_move.h"
#include "support_probe.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    PROBES = 100,
    PROBES_FULL = 1000,
    SILENT = 8,

    /* Below the minute after which the kernel takes a peer that reads nothing
     * for dead, even if it answers (TCP_USER_TIMEOUT, tcp(7)). */
    STALL_S = 10,
    STALL_FULL_S = 40,

    /* A tunnel end that has nothing to do may wake up for a timer now and
     * then; a busy loop does so thousands of times a second. */
    WAKEUPS_PER_S = 20,
    CPU_MS_PER_S = 50,

    /* Rings and their shadow under AddressSanitizer, with room to spare; what
     * is not bounded would take the rest of the guest, 256 MiB. */
    GROWTH_KIB = 48 * 1024,

    CHANNELS = 64,
    CHANNEL_BYTES = 1 << 20
};

struct settling {
    pid_t pid;
    unsigned fds;
};

static bool
fds_are_back(void *arg)
{
    const struct settling *settling = arg;
    struct proc_usage usage;

    proc_read_usage(settling->pid, &usage);
    return usage.fds <= settling->fds;
}

/* Wait until the process has no more descriptors than it had. */
static void
assert_fds_back(const struct process *process, const struct proc_usage *before)
{
    struct settling settling = { process->pid, before->fds };

    assert_true(wait_until(PATIENCE_MS, fds_are_back, &settling));
}

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
    assert_fds_back(move.tunnel.server, &before);
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
assert_quiet(const char *name, const struct proc_usage *before,
             const struct proc_usage *after, unsigned seconds)
{
    uint64_t wakeups = after->wakeups - before->wakeups;
    uint64_t cpu_ms = after->cpu_ms - before->cpu_ms;

    print_message("             %s: %llu wake-ups, %llu ms CPU in %u s, peak "
                  "%llu MiB\n",
                  name, (unsigned long long)wakeups, (unsigned long long)cpu_ms,
                  seconds, (unsigned long long)after->peak_resident_kib / 1024);
    assert_in_range(wakeups, 0, WAKEUPS_PER_S * seconds);
    assert_in_range(cpu_ms, 0, CPU_MS_PER_S * seconds);
}

struct stall {
    struct vm *source;
    int64_t last;
    uint64_t since_ms;
};

/* Whether the source has sent nothing for a second. */
static bool
has_stalled(void *arg)
{
    struct stall *stall = arg;
    int64_t now = vm_migrate_info(stall->source, "ram", "transferred");

    if (now != stall->last) {
        stall->last = now;
        stall->since_ms = wait_now_ms();
    }
    return wait_now_ms() - stall->since_ms >= 1000;
}

/* Stop the destination's QEMU, and wait until that has come to the source. */
static void
stall_reader(struct move *move)
{
    struct stall stall = { .source = move->source, .since_ms = wait_now_ms() };

    process_signal(move->destination->process, SIGSTOP);
    assert_true(wait_until(PATIENCE_MS, has_stalled, &stall));
}

/* Check that both ends of the tunnel sleep for as long as ${seconds}. */
static void
assert_both_quiet(const struct tunnel *tunnel, unsigned seconds)
{
    struct proc_usage client[2], server[2];

    proc_read_usage(tunnel->client->pid, &client[0]);
    proc_read_usage(tunnel->server->pid, &server[0]);
    sleep(seconds); /* this is what is tested */
    proc_read_usage(tunnel->client->pid, &client[1]);
    proc_read_usage(tunnel->server->pid, &server[1]);
    assert_quiet("mig-client", &client[0], &client[1], seconds);
    assert_quiet("mig-server", &server[0], &server[1], seconds);
}

static void
assert_bounded(const struct process *process, const struct proc_usage *before)
{
    struct proc_usage now;

    proc_read_usage(process->pid, &now);
    assert_in_range(now.peak_resident_kib, 0,
                    before->peak_resident_kib + GROWTH_KIB);
}

static void
reader_that_stops_costs_neither_memory_nor_processor_time(struct e2e *e2e)
{
    struct guest guest = guest_calm;
    struct proc_usage client, server;
    struct move move;

    guest.fill_mib = 256;
    move_prepare(e2e, &move, &guest);
    tunnel_start(e2e, &move.tunnel);
    proc_read_usage(move.tunnel.client->pid, &client);
    proc_read_usage(move.tunnel.server->pid, &server);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "64M"));
    vm_wait_transferred(move.source, 32);

    stall_reader(&move);
    assert_both_quiet(&move.tunnel, e2e_full() ? STALL_FULL_S : STALL_S);
    assert_bounded(move.tunnel.client, &client);
    assert_bounded(move.tunnel.server, &server);
    process_signal(move.destination->process, SIGCONT);
    move_finish(e2e, &move);
}

static void
many_channels_at_once_keep_their_order_and_their_bytes(struct e2e *e2e)
{
    struct channel_pair pairs[CHANNELS];
    struct proc_usage client, server;
    struct tunnel tunnel;
    int listener;

    tunnel_start(e2e, &tunnel);
    proc_read_usage(tunnel.client->pid, &client);
    proc_read_usage(tunnel.server->pid, &server);
    listener = channels_listen(tunnel.destination);
    for (int round = 0; round < 3; round++) {
        channels_open(tunnel.source, listener, pairs, CHANNELS);
        channels_exchange(pairs, CHANNELS, CHANNEL_BYTES);
        channels_finish(pairs, CHANNELS);
        assert_fds_back(tunnel.client, &client);
        assert_fds_back(tunnel.server, &server);
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
    assert_both_quiet(&tunnel, 3);
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
