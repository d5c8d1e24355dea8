/* Asks an end of a tunnel that runs for another bandwidth. */
#ifndef TUNNEL_BANDWIDTH_REQUEST_H
#define TUNNEL_BANDWIDTH_REQUEST_H

#include <stdint.h>

#include "io/unix_socket.h"

/**
 * bandwidth_request(path, program, rate, why):
 * Attach to the control socket at ${path} as ${program}, such as "mig-client
 * 0.1.0", ask for ${rate} bytes a second (0: no limit), and wait for the
 * answer, 5 s at most.  Return 0, or -1 with one line in ${why}.
 */
int bandwidth_request(const char *path, const char *program, uint64_t rate,
                      char why[SOCKET_WHY_MAX]);

#endif
