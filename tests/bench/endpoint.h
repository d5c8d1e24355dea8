/* Blocking sockets at addresses written as QEMU writes them. */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include <stdint.h>

/**
 * endpoint_connect(uri):
 * Connect to "unix:PATH" or "tcp:IPV4:PORT".  Return the socket, or -1 after a
 * line in the log.
 */
int endpoint_connect(const char *uri);

/**
 * endpoint_listen(uri, backlog):
 * Listen at ${uri}, as above; a Unix socket there is replaced.  Return the
 * socket, or -1 after a line in the log.
 */
int endpoint_listen(const char *uri, int backlog);

/**
 * endpoint_await(uri, timeout_ms):
 * Wait until somebody listens at "unix:PATH", in our network namespace; nothing
 * for another ${uri}.  Nobody is connected to.  Return 0, or -1 after a line in
 * the log.
 */
int endpoint_await(const char *uri, uint64_t timeout_ms);

/**
 * endpoint_free_port():
 * Return a TCP port that nobody uses on 127.0.0.1, or -1 after a line.
 */
int endpoint_free_port(void);

/**
 * endpoint_remove(uri):
 * Remove the socket file of "unix:PATH"; nothing for another ${uri}.
 */
void endpoint_remove(const char *uri);

#endif
