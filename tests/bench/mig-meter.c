/* The command line of the meter. */
#include <string.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/value.h"
#include "meter.h"

static const char *
on_option(void *arg, int key, const char *value)
{
    static const uint64_t max_ms = 24ULL * 3600 * 1000;
    struct meter_config *config = arg;
    int bad = 0;

    switch (key) {
    case 'u': config->unix_path = value; return NULL;
    case 'l': config->log = value; return NULL;
    case 'p':
        bad = value_count(value, 1, UINT16_MAX, &config->port);
        return bad ? "a port" : NULL;
    default:
        bad = value_duration(value, max_ms, &config->timeout_ms);
        return bad ? "a duration up to 24h" : NULL;
    }
}

static const struct cli_option options[] = {
    { 'u', "unix", "PATH", "wait until a relay listens at PATH" },
    { 'p', "port", "PORT", "wait until a relay listens at PORT" },
    { 'l', "log", "FILE", "append the relays' output to FILE" },
    { 't', "timeout", "TIME", "end the workload after TIME (default 300 s)" },
};

static const struct cli cli = {
    .program = "mig-meter",
    .synopsis = "[OPTION]... [-- RELAY [ARG]...]... -- WORKLOAD [ARG]...",
    .summary = "Run WORKLOAD while each RELAY runs, and say what they cost.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
    .footer = "The last line on stdout: relay_cpu=SECONDS relay_peak_kib=N\n"
              "relay_switches=N relay_processes=N [relay_peaks_kib=N,...], a "
              "peak for\n"
              "each RELAY, in their order",
};

/* Cut ${argv} at each "--".  Return what is left for our own options. */
static int
split(int argc, char **argv, struct meter_config *config)
{
    char **commands[METER_RELAYS_MAX + 1];
    size_t count = 0;
    int own = argc;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") != 0)
            continue;
        if (count == 0)
            own = i;
        if (count > METER_RELAYS_MAX || argv[i + 1] == NULL)
            return -1;
        commands[count++] = argv + i + 1;
        argv[i] = NULL;
    }
    if (count == 0)
        return own;
    config->workload = commands[--count];
    config->relay_count = count;
    memcpy(config->relays, commands, count * sizeof(*commands));
    return own;
}

int
main(int argc, char **argv)
{
    struct meter_config config = { .timeout_ms = 300000 };
    int own = split(argc, argv, &config);

    if (own < 0)
        return cli_error(&cli, "a command is missing after '--', or there "
                               "are too many");
    switch (cli_parse(&cli, own, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    default: break;
    }
    if (config.workload == NULL)
        return cli_error(&cli, "no workload after '--'");
    return meter_run(&config);
}
