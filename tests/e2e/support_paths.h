/*
 * Two hosts with two networks between them, made of network namespaces: the
 * test itself, with all that it starts, lives on the server's host.
 */
#ifndef SUPPORT_PATHS_H
#define SUPPORT_PATHS_H

#include <stdint.h>

#include "support_case.h"

struct process;

enum { PATHS = 2, PATHS_PREFIX_MAX = 48 };

struct paths {
    struct process *host;          /* keeps the client's host alive */
    char prefix[PATHS_PREFIX_MAX]; /* nsenter's option that leads there */
};

/**
 * paths_missing():
 * Return what this system lacks for such hosts or for MPTCP, in words, or NULL.
 */
const char *paths_missing(void);

/**
 * paths_start(e2e, paths):
 * Make the hosts: path i leads from 10.77.<i>.1 at the client to 10.77.<i>.2 at
 * the server, and the server's MPTCP offers the second one to its peers.  At
 * the end of the test they are gone.
 */
void paths_start(struct e2e *e2e, struct paths *paths);

/**
 * paths_cut(path):
 * Take the cable of a path out.
 */
void paths_cut(unsigned path);

/**
 * paths_received(path):
 * Return how many bytes have come in at the server's end of a path.
 */
uint64_t paths_received(unsigned path);

#endif
