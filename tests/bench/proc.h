/* What /proc says of other processes and of who listens. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * proc_listens_unix(pid, path):
 * Return whether a Unix socket listens at ${path}, in the network namespace of
 * ${pid}, and its file is there.  A server that binds ${path}.ANYTHING.tmp and
 * renames it is seen too.  Nothing is connected.
 */
bool proc_listens_unix(pid_t pid, const char *path);

/**
 * proc_listens_tcp(pid, port):
 * Return whether a TCP socket listens at ${port}, over IPv4 or IPv6, in the
 * network namespace of ${pid}.
 */
bool proc_listens_tcp(pid_t pid, uint16_t port);

/**
 * proc_children(pid, pids, max):
 * Store the descendants of ${pid} that live, up to ${max}, in ${pids}: its
 * children, theirs and so on, without ${pid} itself.  Return how many.
 */
size_t proc_children(pid_t pid, pid_t *pids, size_t max);

/**
 * proc_cpu_seconds(pid):
 * Return the CPU time of ${pid} with all its threads, exact to what the
 * scheduler counts; 0 if it is gone.
 */
double proc_cpu_seconds(pid_t pid);

/**
 * proc_peak_kib(pid):
 * Return the most resident memory that ${pid} ever had; 0 if it is gone.
 */
uint64_t proc_peak_kib(pid_t pid);

#endif
