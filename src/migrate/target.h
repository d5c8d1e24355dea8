/* Finds the QMP socket that a command line asks for. */
#ifndef MIGRATE_TARGET_H
#define MIGRATE_TARGET_H

#include <sys/types.h>

#include "wire/qmp_target.h"

enum { TARGET_WHY_MAX = 512 };

/**
 * target_of_pid(pid, target, why):
 * Store into ${target} the QMP socket that the QEMU with process id ${pid} was
 * started with (proc(5)); a relative path is taken from its working directory.
 * Return 0, or -1 and write one line into ${why}.
 */
int target_of_pid(pid_t pid, struct qmp_target *target,
                  char why[TARGET_WHY_MAX]);

/**
 * target_check(target, why):
 * Return 0 if ${target} may be a QMP socket.  Return -1 and write one line into
 * ${why} if there is something else at its path.  That there is nothing is no
 * error: the QEMU may just be starting.
 */
int target_check(const struct qmp_target *target, char why[TARGET_WHY_MAX]);

#endif
