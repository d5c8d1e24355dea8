/* Finds the QMP socket in the command line of a QEMU. */
#ifndef WIRE_QEMU_ARGS_H
#define WIRE_QEMU_ARGS_H

#include <stddef.h>

#include "wire/qmp_target.h"

enum qemu_args_result {
    QEMU_ARGS_FOUND,
    QEMU_ARGS_NONE,     /* no QMP monitor at all */
    QEMU_ARGS_NO_SOCKET /* one, but nobody can connect to it */
};

/**
 * qemu_args_find_qmp(args, len, target, why):
 * Look through the ${len} bytes at ${args}, each argument ended by NUL as in
 * /proc/PID/cmdline (proc(5)), for a QMP monitor on a socket that QEMU listens
 * on: -qmp, -qmp-pretty, or -mon mode=control with its -chardev, each with one
 * dash or two.  Store the first into ${target}; a path in it is as it was
 * written.  If there is a monitor but no such socket, *${why} is a static text
 * that says why.
 */
enum qemu_args_result qemu_args_find_qmp(const char *args, size_t len,
                                         struct qmp_target *target,
                                         const char **why);

#endif
