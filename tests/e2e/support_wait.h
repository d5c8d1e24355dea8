/* Waiting: for an event where there is one, and always with an end. */
#ifndef SUPPORT_WAIT_H
#define SUPPORT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * wait_now_ms():
 * Return the time in milliseconds on the monotonic clock.
 */
uint64_t wait_now_ms(void);

/**
 * wait_file(path, pid_fd, timeout_ms, done, arg):
 * Wait until ${done}(${arg}) is true; it is asked now, and again each time the
 * file ${path} has been written to.  Return false when ${timeout_ms} have
 * passed, or when the process that writes it, ${pid_fd} (pidfd_open(2)), has
 * exited and it is still false.
 */
bool wait_file(const char *path, int pid_fd, unsigned timeout_ms,
               bool (*done)(void *arg), void *arg);

/**
 * wait_until(timeout_ms, done, arg):
 * Ask ${done}(${arg}) every few milliseconds until it is true.  For what gives
 * no event: a state in /proc, or a field of another process.  Return false when
 * ${timeout_ms} have passed.
 */
bool wait_until(unsigned timeout_ms, bool (*done)(void *arg), void *arg);

#endif
