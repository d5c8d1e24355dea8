/* What proc(5) tells of another process. */
#ifndef MIGRATE_PROCESS_H
#define MIGRATE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * process_read(pid, name, buf, size):
 * Read up to ${size} bytes of the file ${name} of process ${pid} into ${buf}.
 * Return how many they are, or -1 with errno set.
 */
ssize_t process_read(pid_t pid, const char *name, char *buf, size_t size);

/**
 * process_is_destination(pid):
 * Return whether process ${pid} is a QEMU that was started to receive a VM:
 * -incoming stands on its command line.
 */
bool process_is_destination(pid_t pid);

/**
 * process_qemu(pid):
 * Return ${pid} if that process is a QEMU by the name of its program, else 0:
 * it may be a program between us and the QEMU.
 */
pid_t process_qemu(pid_t pid);

/**
 * process_has_exited(pid):
 * Return whether process ${pid} has exited, reaped or not.  A pid that is used
 * anew counts as living.
 */
bool process_has_exited(pid_t pid);

#endif
