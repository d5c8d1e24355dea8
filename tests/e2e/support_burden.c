#include "support_burden.h"

#include <signal.h>
#include <unistd.h>

#include "support_case.h"
#include "support_move.h"
#include "support_process.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    /* A tunnel end that has nothing to do may wake up for a timer now and
     * then; a busy loop does so thousands of times a second. */
    WAKEUPS_PER_S = 20,
    CPU_MS_PER_S = 50,

    /* Rings and their shadow under AddressSanitizer, with room to spare; what
     * is not bounded would take the rest of the guest, 256 MiB. */
    GROWTH_KIB = 48 * 1024
};

void
burden_read(const struct tunnel *tunnel, struct burden *burden)
{
    proc_read_usage(tunnel->client->pid, &burden->client);
    proc_read_usage(tunnel->server->pid, &burden->server);
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

void
burden_assert_quiet(const struct tunnel *tunnel, unsigned seconds)
{
    struct burden before, after;

    burden_read(tunnel, &before);
    sleep(seconds); /* this is what is tested */
    burden_read(tunnel, &after);
    assert_quiet("mig-client", &before.client, &after.client, seconds);
    assert_quiet("mig-server", &before.server, &after.server, seconds);
}

void
burden_assert_bounded(const struct tunnel *tunnel, const struct burden *before)
{
    struct burden now;

    burden_read(tunnel, &now);
    assert_in_range(now.client.peak_resident_kib, 0,
                    before->client.peak_resident_kib + GROWTH_KIB);
    assert_in_range(now.server.peak_resident_kib, 0,
                    before->server.peak_resident_kib + GROWTH_KIB);
}

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

void
burden_assert_fds_back(const struct process *process,
                       const struct proc_usage *before)
{
    struct settling settling = { process->pid, before->fds };

    assert_true(wait_until(PATIENCE_MS, fds_are_back, &settling));
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

void
burden_stall_reader(struct move *move)
{
    struct stall stall = { .source = move->source, .since_ms = wait_now_ms() };

    process_signal(move->destination->process, SIGSTOP);
    assert_true(wait_until(PATIENCE_MS, has_stalled, &stall));
}
