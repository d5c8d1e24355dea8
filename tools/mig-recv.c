/* The destination's helper: options, loop, exit status. */
#include <stdio.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/harden.h"
#include "migrate/helper.h"
#include "migrate/job_config.h"

/* The same letters mean the same in mig-send; see job_config_option. */
static const struct cli_option options[] = {
    { 'Q', "qmp", "PATH|HOST:PORT",
      "the QMP socket of the QEMU that waits for the VM\n"
      "(needed, or --pid)" },
    { 'p', "pid", "PID",
      "find the QMP socket in the command line of the QEMU\n"
      "with this process id" },
    { 'u', "unix", "PATH",
      "where QEMU is to listen: mig-server's --unix\n"
      "(/tmp/qemu_migration_dest.sock)" },
    { 'm', "multifd", "N",
      "N connections beside the first, where no mig-send tells:\n"
      "the same number as at the source (none)" },
    { 'c', "capability", "NAME=on|off",
      "set a migration capability of QEMU's; may be given\n"
      "several times" },
    { 'P', "parameter", "NAME=VALUE",
      "set a migration parameter of QEMU's; may be given\n"
      "several times" },
    { 't', "timeout", "SECONDS",
      "stop waiting if the VM has not arrived by then\n"
      "(no end)" },
    { JOB_OPTION_STANDALONE, "standalone", NULL,
      "work with QEMU alone, and do not look for mig-send" },
    { JOB_OPTION_RUN_AT_ONCE, "run-at-once", NULL,
      "when working alone: let the guest run as soon as it has\n"
      "arrived; if the source fails in the last moment, it\n"
      "runs at both hosts" },
    { JOB_OPTION_CONTROL, "control", "PATH",
      "mig-server's control socket, by which the partner is\n"
      "reached (that of --unix with .ctl behind it)" },
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
      "ask the source to cancel the migration that is under\n"
      "way" },
    { 'j', "json", NULL, "one JSON object a line on stdout" },
};

static const struct cli cli = {
    .program = "mig-recv",
    .synopsis = "--qmp PATH|HOST:PORT [options]",
    .summary = "Let a QEMU started with -incoming defer receive a VM, and wait "
               "until it\nhas arrived.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .footer =
        "Exit status: 0 the VM has arrived; 1 it has not; 2 usage; 3 "
        "interrupted;\n4 timed out; 5 unknown, and a line says what to look "
        "at.",
    .on_option = job_config_option,
};

int
main(int argc, char **argv)
{
    struct job_config config;
    const struct helper_options options_of_helper = {
        .config = &config,
        .program = "mig-recv",
        .out = stdout,
    };
    char why[JOB_WHY_MAX];

    harden_process();
    job_config_init(&config, JOB_RECEIVES);
    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    case CLI_RUN: break;
    }
    if (job_config_finish(&config, why) != 0)
        return cli_error(&cli, "%s", why);
    return (int)helper_run(&options_of_helper);
}
