/* Makes, or takes, the load of a migration without a virtual machine. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/value.h"
#include "endpoint.h"
#include "hosts.h"
#include "load.h"

enum { OPTION_VERIFY = CLI_LONG, OPTION_SPLIT, OPTION_HOLD };

static const uint64_t BYTES_MAX = (uint64_t)1 << 44;
static const uint64_t TIMEOUT_MAX_MS = 24ULL * 3600 * 1000;

static const char *
parse_shape(const char *value, enum stream_shape *shape)
{
    static const char *const names[] = { "plain", "main", "multifd", "large" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(value, names[i]) != 0)
            continue;
        *shape = (enum stream_shape)i;
        return NULL;
    }
    return "plain, main, multifd or large";
}

static const char *
on_option(void *arg, int key, const char *value)
{
    struct load_config *config = arg;
    int bad = 0;

    switch (key) {
    case 'c': config->connect = value; return NULL;
    case 'l': config->listen = value; return NULL;
    case 'f': config->far = value; return NULL;
    case 'n':
        bad = value_count(value, 1, LOAD_CHANNELS_MAX, &config->channels);
        return bad ? "a number of channels, 1 to 256" : NULL;
    case 'b':
        bad = value_size(value, 1, BYTES_MAX, &config->bytes);
        return bad ? "a size" : NULL;
    case 's': return parse_shape(value, &config->shape);
    case 'r':
        bad = value_size(value, 1, STREAM_SLICE_MAX, &config->read_bytes);
        return bad ? "a size up to 1M" : NULL;
    case 't':
        bad = value_duration(value, TIMEOUT_MAX_MS, &config->timeout_ms);
        return bad ? "a duration up to 24h" : NULL;
    case OPTION_HOLD:
        bad = value_duration(value, TIMEOUT_MAX_MS, &config->hold_ms);
        return bad ? "a duration up to 24h" : NULL;
    case OPTION_VERIFY: config->verify = true; return NULL;
    default: config->split = true; return NULL;
    }
}

static const struct cli_option options[] = {
    { 'c', "connect", "URI", "where the source connects" },
    { 'l', "listen", "URI", "where the sink listens" },
    { 'f', "far", "NETNS",
      "of a pair, the network namespace where the sink\n"
      "listens, while the source is where it was started" },
    { 'n', "channels", "N", "number of channels (default 1)" },
    { 'b', "bytes", "SIZE", "bytes over all channels (default 1G)" },
    { 's', "shape", "SHAPE",
      "how the source writes: plain (32 KiB), main (131328\n"
      "bytes, the default), multifd (525632 bytes) or large\n"
      "(512 KiB)" },
    { 'r', "read", "SIZE", "what the sink reads at once (default: as QEMU)" },
    { OPTION_VERIFY, "verify", NULL, "compare every byte at the sink" },
    { OPTION_SPLIT, "split", NULL,
      "of a pair, run the source on the first half of the\n"
      "processors and the sink on the second" },
    { OPTION_HOLD, "hold", "TIME",
      "say \"holding\" when all has arrived, and leave the\n"
      "channels open for TIME" },
    { 't', "timeout", "TIME", "give up after TIME (default 120 s)" },
};

static const struct cli cli = {
    .program = "mig-load",
    .synopsis = "source|sink|pair|port [OPTION]...",
    .summary = "Write as a migrating QEMU does (source), read as its "
               "destination does (sink),\ndo both in two processes (pair), or "
               "print a free TCP port (port).",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
    .footer = "URI is unix:PATH or tcp:IPV4:PORT.\n"
              "The last line on stdout: bytes=N seconds=S rate=MB/s",
};

static void
on_alarm(int signal)
{
    static const char line[] = "mig-load: timed out\n";

    (void)signal;
    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(STATUS_TIMED_OUT);
}

static void
print_result(const struct load_result *result)
{
    printf("bytes=%llu seconds=%.6f rate=%.1f\n",
           (unsigned long long)result->bytes, result->seconds,
           (double)result->bytes / result->seconds / 1e6);
}

static int
run_source(const struct load_config *config, const struct stream *stream)
{
    struct load_result result;

    if (config->connect == NULL)
        return cli_error(&cli, "a source needs --connect");
    if (load_source(config, stream, &result) != 0)
        return STATUS_FAILED;
    print_result(&result);
    return STATUS_DONE;
}

static int
run_sink(const struct load_config *config, const struct stream *stream)
{
    struct load_result result;
    int listener;
    int outcome;

    if (config->listen == NULL)
        return cli_error(&cli, "a sink needs --listen");
    listener = endpoint_listen(config->listen, (int)config->channels);
    if (listener < 0)
        return STATUS_FAILED;
    outcome = load_sink(config, stream, listener, &result);
    fd_close(&listener);
    endpoint_remove(config->listen);
    if (outcome != 0)
        return STATUS_FAILED;
    print_result(&result);
    return STATUS_DONE;
}

static int
wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return STATUS_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}

/* Stay on one half of the processors, as if it were a host of its own. */
static void
pin_to_half(const struct load_config *config, bool second)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    long first = second ? count / 2 : 0;
    long end = second ? count : count / 2;
    cpu_set_t set;

    if (!config->split || count < 2)
        return;
    CPU_ZERO(&set);
    for (long cpu = first; cpu < end; cpu++)
        CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        log_warn("--split");
}

/* A socket belongs to where it was made, whoever uses it. */
static int
listen_far(const struct load_config *config)
{
    int listener;
    int home;

    if (config->far == NULL)
        return endpoint_listen(config->listen, (int)config->channels);
    home = hosts_enter(config->far);
    if (home < 0)
        return -1;
    listener = endpoint_listen(config->listen, (int)config->channels);
    if (hosts_return(home) == 0)
        return listener;
    fd_close(&listener);
    return -1;
}

/* The sink in a process of its own; it listens before the source connects. */
static int
run_pair(const struct load_config *config, const struct stream *stream)
{
    struct load_result result;
    int outcome = STATUS_FAILED;
    int listener;
    pid_t sink;

    if (config->listen == NULL || config->connect == NULL)
        return cli_error(&cli, "a pair needs --listen and --connect");
    listener = listen_far(config);
    if (listener < 0)
        return STATUS_FAILED;
    sink = fork();
    if (sink == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin_to_half(config, true);
        _exit(load_sink(config, stream, listener, &result) == 0
                  ? STATUS_DONE
                  : STATUS_FAILED);
    }
    fd_close(&listener);
    pin_to_half(config, false);
    if (sink > 0 && load_source(config, stream, &result) == 0)
        outcome = wait_for(sink);
    else if (sink > 0 && kill(sink, SIGKILL) == 0)
        wait_for(sink);
    endpoint_remove(config->listen);
    if (outcome == STATUS_DONE)
        print_result(&result);
    return outcome;
}

static int
run_port(void)
{
    int port = endpoint_free_port();

    if (port < 0)
        return STATUS_FAILED;
    printf("%d\n", port);
    return STATUS_DONE;
}

static int
run(const char *verb, const struct load_config *config)
{
    struct stream stream;
    int status;

    if (strcmp(verb, "port") == 0)
        return run_port();
    if (stream_init(&stream) != 0) {
        log_warn("contents");
        return STATUS_FAILED;
    }
    signal(SIGALRM, on_alarm);
    alarm((unsigned)(config->timeout_ms / 1000) + 1);
    if (strcmp(verb, "source") == 0)
        status = run_source(config, &stream);
    else if (strcmp(verb, "sink") == 0)
        status = run_sink(config, &stream);
    else if (strcmp(verb, "pair") == 0)
        status = run_pair(config, &stream);
    else
        status =
            cli_error(&cli, "'%s' is not source, sink, pair or port", verb);
    stream_fini(&stream);
    return status;
}

int
main(int argc, char **argv)
{
    struct load_config config = { .channels = 1,
                                  .bytes = (uint64_t)1 << 30,
                                  .shape = STREAM_MAIN,
                                  .timeout_ms = 120000 };
    bool has_verb = argc > 1 && argv[1][0] != '-';
    switch (
        cli_parse(&cli, argc - has_verb, argv + has_verb, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    default: break;
    }
    if (!has_verb)
        return cli_error(&cli, "say source, sink, pair or port");
    return run(argv[1], &config);
}
