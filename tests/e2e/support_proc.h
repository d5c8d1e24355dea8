/* What the kernel says about a process and about sockets, from /proc. */
#ifndef SUPPORT_PROC_H
#define SUPPORT_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process;

/* What a process has used up so far, and what it holds. */
struct proc_usage {
    uint64_t resident_kib;
    uint64_t peak_resident_kib;
    uint64_t cpu_ms;
    uint64_t wakeups; /* voluntary context switches, of the main thread */
    unsigned fds;
    unsigned threads;
};

/**
 * proc_read_usage(pid, usage):
 * Fill in ${usage} for the process ${pid}.  The test fails if there is none.
 */
void proc_read_usage(pid_t pid, struct proc_usage *usage);

/**
 * proc_tcp_listening(port):
 * Return whether some process listens on the TCP port ${port} of this network
 * namespace.  Does not connect.
 */
bool proc_tcp_listening(unsigned port);

/**
 * proc_unix_listening(path):
 * Return whether some process listens on the Unix socket ${path}.  Does not
 * connect.
 */
bool proc_unix_listening(const char *path);

/**
 * proc_wait_tcp(by, port):
 * proc_wait_unix(by, path):
 * Wait until some process listens there.  The test fails if none does, at once
 * if ${by}, which is to bring it about, exits.
 */
void proc_wait_tcp(struct process *by, unsigned port);
void proc_wait_unix(struct process *by, const char *path);

/**
 * proc_free_port():
 * Return a TCP port of 127.0.0.1 that nobody uses at this moment.
 */
unsigned proc_free_port(void);

#endif
