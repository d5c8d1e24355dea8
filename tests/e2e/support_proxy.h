/* The fault proxy mig-faults (faults/mig-faults.c), run by a test. */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include <stdint.h>

#include "support_case.h"

struct proxy;

/* What the proxy has seen and done so far. */
struct proxy_report {
    unsigned connections; /* accepted */
    unsigned open;        /* of them that are there now */
    unsigned faults;      /* done by rules */
    uint64_t bytes[2];    /* forwarded: [0] from the client, [1] back */
};

/**
 * proxy_start(e2e, server_port):
 * Start a proxy that forwards to ${server_port} of 127.0.0.1, and return when
 * it listens.  It ends with the test.
 */
struct proxy *proxy_start(struct e2e *e2e, unsigned server_port);

/**
 * proxy_port(proxy):
 * Return the port where it listens.
 */
unsigned proxy_port(const struct proxy *proxy);

/**
 * proxy_do(proxy, format, ...):
 * Have it carry out one command (see faults/mig-faults.c) and wait until it is
 * done.
 */
void proxy_do(struct proxy *proxy, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * proxy_report(proxy, report):
 * Fill in ${report}.
 */
void proxy_report(struct proxy *proxy, struct proxy_report *report);

#endif
