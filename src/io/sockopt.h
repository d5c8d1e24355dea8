/* Socket options that the speed and the safety of a migration depend on. */
#ifndef IO_SOCKOPT_H
#define IO_SOCKOPT_H

#include <stdint.h>

/**
 * sockopt_tcp(fd):
 * Set up a TCP socket, best before it connects or listens: no delay, dead
 * peers found within a minute (TCP_USER_TIMEOUT and keepalive, tcp(7)), and
 * little unsent data held by the kernel (TCP_NOTSENT_LOWAT).  What the system
 * refuses is left as it is.
 */
void sockopt_tcp(int fd);

/**
 * sockopt_tcp_bulk(fd):
 * Give a TCP socket that carries a channel large buffers, where that is allowed
 * and the kernel would not make them as large by itself.  Not for one whose
 * peer has not shown itself yet: what it sends would be kept in them.
 */
void sockopt_tcp_bulk(int fd);

/**
 * sockopt_qemu(fd):
 * Set up a Unix socket to a QEMU: a send buffer that lets the QEMU find much
 * to read at each of its own wake-ups.
 */
void sockopt_qemu(int fd);

/**
 * sockopt_unix_default_bytes():
 * Return the size of the send buffer that a program's Unix socket has if it
 * asks for nothing (net.core.wmem_default), or 0 if that can't be read.
 */
uint64_t sockopt_unix_default_bytes(void);

#endif
