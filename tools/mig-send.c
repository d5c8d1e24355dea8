/* The source's helper: options, loop, exit status. */
#include <stdio.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/harden.h"
#include "base/log.h"
#include "migrate/helper.h"
#include "migrate/job_config.h"

/* The same letters mean the same in mig-recv; see job_config_option. */
static const struct cli_option options[] = {
    { 'Q', "qmp", "PATH|HOST:PORT",
      "the QMP socket of the QEMU whose VM is to move\n"
      "(needed, or --pid)" },
    { 'p', "pid", "PID",
      "find the QMP socket in the command line of the QEMU\n"
      "with this process id" },
    { 'u', "unix", "PATH",
      "where mig-client listens: its --unix\n"
      "(/tmp/qemu_migration_source.sock)" },
    { 'w', "wait", "SECONDS",
      "how long to wait for mig-client to listen (30)" },
    { 'm', "multifd", "N",
      "N connections beside the first; mig-recv gets\n"
      "the same (none)" },
    { JOB_OPTION_COMPRESSION, "multifd-compression", "METHOD",
      "compress what --multifd sends: none, zlib or zstd\n"
      "(none)" },
    { 'b', "max-bandwidth", "RATE",
      "send at most so many bytes a second, such as 100M,\n"
      "or bits, such as 1Gbit (no limit)" },
    { 'D', "downtime-limit", "MS",
      "stop the guest for the last part only when that takes\n"
      "at most so many milliseconds (as QEMU has it: 300)" },
    { 'a', "auto-converge", NULL,
      "slow the guest down if it dirties memory too fast" },
    { 'x', "xbzrle", NULL, "send only what has changed within a page" },
    { 'c', "capability", "NAME=on|off",
      "set a migration capability of QEMU's; may be given\n"
      "several times" },
    { 'P', "parameter", "NAME=VALUE",
      "set a migration parameter of QEMU's; may be given\n"
      "several times" },
    { JOB_OPTION_POSTCOPY, "postcopy", NULL,
      "let the VM run at the destination before all of its\n"
      "memory is there, once --postcopy-after says so" },
    { JOB_OPTION_POSTCOPY_AFTER, "postcopy-after", "PASSES|TIME|stalled",
      "when to start it: after 3 passes (3), after a time with\n"
      "its unit (30s), or when it no longer converges (stalled)" },
    { JOB_OPTION_POSTCOPY_PREEMPT, "postcopy-preempt", NULL,
      "in postcopy, send the pages that the VM waits for over\n"
      "a connection of their own" },
    { JOB_OPTION_POSTCOPY_BANDWIDTH, "postcopy-bandwidth", "RATE",
      "in postcopy, send at most so much of what the VM does\n"
      "not wait for (no limit)" },
    { 't', "timeout", "SECONDS",
      "do what --on-timeout says if the VM has not moved by\n"
      "then (no end)" },
    { JOB_OPTION_ON_TIMEOUT, "on-timeout", "ACTION",
      "cancel, postcopy, pause or auto-converge when the\n"
      "timeout has passed (cancel)" },
    { JOB_OPTION_STANDALONE, "standalone", NULL,
      "work with QEMU alone, and do not look for mig-recv" },
    { JOB_OPTION_CONTROL, "control", "PATH",
      "mig-client's control socket, by which the partner is\n"
      "reached (that of --unix with .ctl behind it)" },
    { JOB_OPTION_CHECK, "check", NULL,
      "compare both QEMUs, print what was found, and do no\n"
      "more" },
    { JOB_OPTION_ATTACH, "attach", NULL,
      "go on with a migration that began before" },
    { JOB_OPTION_RELEASE, "release", NULL,
      "let the guest run here, after a look at the other\n"
      "host: only where a line said so" },
    { JOB_OPTION_RECOVER, "recover", NULL,
      "go on with a migration that was interrupted in\n"
      "postcopy, over a new tunnel; needed at both ends" },
    { JOB_OPTION_STATUS, "status", NULL,
      "say what is going on, change nothing, and do no more" },
    { JOB_OPTION_CANCEL, "cancel", NULL,
      "cancel the migration that is under way, unless it is\n"
      "in postcopy" },
    { 'j', "json", NULL, "one JSON object a line on stdout" },
};

static const struct cli cli = {
    .program = "mig-send",
    .synopsis = "--qmp PATH|HOST:PORT [options]",
    .summary = "Move the VM of a running QEMU away through mig-client, and "
               "follow it until\nit has arrived.  Ctrl-C cancels.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .footer =
        "Exit status: 0 the VM has moved; 1 it has not; 2 usage; 3 "
        "cancelled;\n4 timed out; 5 unknown, and a line says what to look "
        "at.",
    .on_option = job_config_option,
};

int
main(int argc, char **argv)
{
    struct job_config config;
    struct helper_options options_of_helper = {
        .config = &config,
        .program = "mig-send",
        .out = stdout,
    };
    char why[JOB_WHY_MAX];

    harden_process();
    job_config_init(&config, JOB_SENDS);
    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    case CLI_RUN: break;
    }
    if (job_config_finish(&config, why) != 0)
        return cli_error(&cli, "%s", why);
    if (isatty(STDERR_FILENO) && log_wants(LOG_LEVEL_NORMAL))
        options_of_helper.terminal = stderr;
    return (int)helper_run(&options_of_helper);
}
