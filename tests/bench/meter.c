/*
 * Theory of operation.  The relays' processes are descendants of this one,
 * which adopts orphans too, so each ends either in our wait4() or in that of
 * its own parent, which then adds it to what wait4() tells us of the parent.
 * The sum over our wait4() calls is thus exact and counts every process once,
 * however short it lived.  From it is taken what the relays had used when they
 * were ready and the workload had not begun: that is their start, not work.
 * The most that each relay had resident the kernel tells at its end: exactly,
 * though never less than mig-meter had when it forked, nor than a child that
 * the relay has waited for.  For the sum of all memory is sampled: a sample is
 * the sum of the peaks of the processes that live at that time.
 */
#include "meter.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "proc.h"

enum {
    PROCESSES_MAX = 1024,
    SAMPLE_MS = 50,
    READY_MS = 10000,
    SETTLE_MS = 100, /* for workers that are forked after listen() */
    END_MS = 2000,   /* some wait for a peer that has been ended, too */
};

struct meter {
    const struct meter_config *config;
    sigset_t signals;
    pid_t workload; /* 0 while there is none */
    int workload_status;
    bool interrupted;
    double cpu;        /* over all relay processes that were reaped */
    double cpu_idle;   /* what they had used when they were ready */
    long switches;     /* times they slept */
    uint64_t peak_kib; /* of all relays at one time */
    pid_t relays[METER_RELAYS_MAX];
    long relay_peaks_kib[METER_RELAYS_MAX];
    size_t reaped;
};

/* Milliseconds of the monotonic clock. */
static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* In the child: never returns. */
static void
run_child(const struct meter *meter, char **argv, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &meter->signals, NULL);
    if (out >= 0) {
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
    }
    execvp(argv[0], argv);
    log_warn("%s", argv[0]);
    _exit(127);
}

static pid_t
start(const struct meter *meter, char **argv, const char *log)
{
    int out = -1;
    pid_t pid;

    if (log != NULL) {
        out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (out < 0) {
            log_warn("%s", log);
            return -1;
        }
    }
    pid = fork();
    if (pid == 0)
        run_child(meter, argv, out);
    if (pid < 0)
        log_warn("fork");
    if (out >= 0)
        close(out);
    return pid;
}

static double
seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void
note_peak(struct meter *meter, pid_t pid, long kib)
{
    for (size_t i = 0; i < meter->config->relay_count; i++)
        if (meter->relays[i] == pid)
            meter->relay_peaks_kib[i] = kib;
}

/* Take every process that has ended. */
static void
reap(struct meter *meter)
{
    struct rusage used;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
        if (pid == meter->workload) {
            meter->workload = 0;
            meter->workload_status = status;
            continue;
        }
        meter->cpu += seconds(&used.ru_utime) + seconds(&used.ru_stime);
        meter->switches += used.ru_nvcsw;
        note_peak(meter, pid, used.ru_maxrss);
        meter->reaped++;
    }
}

/* Sleep up to ${ms}, less if a process ends or somebody interrupts us. */
static void
pause_ms(struct meter *meter, int ms)
{
    struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };
    int signal = sigtimedwait(&meter->signals, NULL, &wait);

    if (signal > 0 && signal != SIGCHLD)
        meter->interrupted = true;
    reap(meter);
}

/* All that lives below us but the workload.  Return how many. */
static size_t
relay_processes(const struct meter *meter, pid_t *pids, size_t max)
{
    pid_t all[PROCESSES_MAX];
    pid_t load[PROCESSES_MAX];
    size_t all_count = proc_children(getpid(), all, PROCESSES_MAX);
    size_t load_count = 0;
    size_t count = 0;

    if (meter->workload > 0) {
        load[load_count++] = meter->workload;
        load_count +=
            proc_children(meter->workload, load + 1, PROCESSES_MAX - 1);
    }
    for (size_t i = 0; i < all_count && count < max; i++) {
        bool is_load = false;

        for (size_t k = 0; k < load_count; k++)
            is_load = is_load || load[k] == all[i];
        if (!is_load)
            pids[count++] = all[i];
    }
    return count;
}

static void
sample_memory(struct meter *meter)
{
    pid_t pids[PROCESSES_MAX];
    size_t count = relay_processes(meter, pids, PROCESSES_MAX);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += proc_peak_kib(pids[i]);
    if (sum > meter->peak_kib)
        meter->peak_kib = sum;
}

/* Each relay is looked at where it runs: that may be another namespace. */
static bool
all_listen(const struct meter *meter)
{
    const struct meter_config *config = meter->config;
    pid_t pids[PROCESSES_MAX];
    size_t count = relay_processes(meter, pids, PROCESSES_MAX);
    bool at_path = config->unix_path == NULL;
    bool at_port = config->port == 0;

    for (size_t i = 0; i < count && !(at_path && at_port); i++) {
        at_path = at_path || proc_listens_unix(pids[i], config->unix_path);
        at_port = at_port || proc_listens_tcp(pids[i], (uint16_t)config->port);
    }
    return at_path && at_port;
}

/* A signal ends pause_ms early, so sleep for as long as is left. */
static void
settle(struct meter *meter)
{
    uint64_t until = now_ms() + SETTLE_MS;
    uint64_t now;

    while ((now = now_ms()) < until && !meter->interrupted)
        pause_ms(meter, (int)(until - now));
}

/* Start the relays and wait until they listen.  Return 0 or -1. */
static int
start_relays(struct meter *meter)
{
    const struct meter_config *config = meter->config;
    uint64_t deadline = now_ms() + READY_MS;
    pid_t pids[PROCESSES_MAX];
    size_t count;

    for (size_t i = 0; i < config->relay_count; i++) {
        meter->relays[i] = start(meter, config->relays[i], config->log);
        if (meter->relays[i] < 0)
            return -1;
    }
    while (!all_listen(meter) && meter->reaped == 0) {
        if (meter->interrupted || now_ms() > deadline) {
            log_warnx("the relays do not listen");
            return -1;
        }
        pause_ms(meter, 5);
    }
    if (config->relay_count > 0)
        settle(meter);
    if (meter->reaped > 0) {
        log_warnx("a relay ended at once");
        return -1;
    }
    count = relay_processes(meter, pids, PROCESSES_MAX);
    for (size_t i = 0; i < count; i++)
        meter->cpu_idle += proc_cpu_seconds(pids[i]);
    return 0;
}

static int
run_workload(struct meter *meter)
{
    uint64_t deadline = now_ms() + meter->config->timeout_ms;

    meter->workload = start(meter, meter->config->workload, NULL);
    if (meter->workload < 0) {
        meter->workload = 0;
        return STATUS_FAILED;
    }
    while (meter->workload > 0) {
        if (meter->interrupted || now_ms() > deadline)
            break;
        sample_memory(meter);
        pause_ms(meter, SAMPLE_MS);
    }
    if (meter->interrupted)
        return STATUS_CANCELLED;
    if (meter->workload > 0) {
        log_warnx("%s: timed out", meter->config->workload[0]);
        return STATUS_TIMED_OUT;
    }
    if (!WIFEXITED(meter->workload_status))
        return STATUS_FAILED;
    return WEXITSTATUS(meter->workload_status);
}

/* End everything below us, first with ${signal}, after a while with SIGKILL. */
static void
end_all(struct meter *meter)
{
    uint64_t deadline = now_ms() + END_MS;
    bool asked = false;
    pid_t pids[PROCESSES_MAX];
    size_t count;

    while ((count = proc_children(getpid(), pids, PROCESSES_MAX)) > 0) {
        bool late = now_ms() > deadline;

        for (size_t i = 0; i < count && (late || !asked); i++)
            kill(pids[i], late ? SIGKILL : SIGTERM);
        asked = true;
        pause_ms(meter, 20);
    }
    reap(meter);
}

static void
report(const struct meter *meter)
{
    size_t count = meter->config->relay_count;

    printf("relay_cpu=%.6f relay_peak_kib=%llu relay_switches=%ld "
           "relay_processes=%zu",
           meter->cpu - meter->cpu_idle, (unsigned long long)meter->peak_kib,
           meter->switches, meter->reaped);
    for (size_t i = 0; i < count; i++)
        printf("%s%ld", i == 0 ? " relay_peaks_kib=" : ",",
               meter->relay_peaks_kib[i]);
    putchar('\n');
}

int
meter_run(const struct meter_config *config)
{
    struct meter meter = { .config = config };
    int status = STATUS_FAILED;

    sigemptyset(&meter.signals);
    sigaddset(&meter.signals, SIGCHLD);
    sigaddset(&meter.signals, SIGTERM);
    sigaddset(&meter.signals, SIGINT);
    sigaddset(&meter.signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &meter.signals, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (start_relays(&meter) == 0)
        status = run_workload(&meter);
    end_all(&meter);
    if (status == STATUS_DONE)
        report(&meter);
    return status;
}
