/* How this program was called, for lines that say which command to give. */
#ifndef MIGRATE_JOB_COMMAND_H
#define MIGRATE_JOB_COMMAND_H

#include "migrate/job_config.h"
#include "wire/handover.h"

/**
 * job_command(config, text):
 * Write into ${text} the command that speaks to the same QEMU by way of the
 * same tunnel, to which --attach or --release can be added: "mig-send --qmp
 * /run/vm1.qmp".  What a shell would take apart is quoted.  Without room for it
 * the program's name alone is written.  ${config} is finished.
 */
void job_command(const struct job_config *config,
                 char text[HANDOVER_COMMAND_MAX]);

#endif
