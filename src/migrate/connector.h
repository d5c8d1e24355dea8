/* Connects to a QMP socket, which may not be there yet. */
#ifndef MIGRATE_CONNECTOR_H
#define MIGRATE_CONNECTOR_H

#include <stdint.h>

#include "wire/qmp_target.h"

struct connector;
struct loop;

struct connector_options {
    struct qmp_target target;
    uint64_t wait_ms; /* how long to try again */

    /**
     * on_done(arg, fd, why):
     * The end of the matter, never called before connector_new has returned.
     * ${fd} is a connected, non-blocking socket that the callback owns, or -1,
     * and then ${why} says what is wrong.  The callback may free the connector.
     */
    void (*on_done)(void *arg, int fd, const char *why);
    void *arg;
};

/**
 * connector_new(loop, options):
 * Start.  Return NULL with errno set if there is no memory.  The caller frees
 * it with connector_free, which also stops it.
 */
struct connector *connector_new(struct loop *loop,
                                const struct connector_options *options);
void connector_free(struct connector *connector);

#endif
