/* Waits until somebody listens on a Unix socket, and never connects to it. */
#ifndef MIGRATE_LISTEN_WAIT_H
#define MIGRATE_LISTEN_WAIT_H

#include <stdint.h>

struct listen_wait;
struct loop;

enum listen_wait_end {
    LISTEN_WAIT_READY,
    LISTEN_WAIT_TIMED_OUT,
    LISTEN_WAIT_NO_SOCKET, /* something else is at the path */
    LISTEN_WAIT_FAILED,    /* it can't be seen; errno says why */
};

struct listen_wait_options {
    const char *path; /* must outlive the wait */
    uint64_t wait_ms;

    /**
     * on_wait(arg):
     * Nobody listens yet.  Called once at most.
     */
    void (*on_wait)(void *arg);

    /**
     * on_done(arg, end):
     * The end, never called before listen_wait_new has returned.  The callback
     * may free the wait.
     */
    void (*on_done)(void *arg, enum listen_wait_end end);
    void *arg;
};

/**
 * listen_wait_new(loop, options):
 * Start.  Return NULL with errno set if there is no memory.  The caller frees
 * it with listen_wait_free, which also stops it.
 */
struct listen_wait *listen_wait_new(struct loop *loop,
                                    const struct listen_wait_options *options);
void listen_wait_free(struct listen_wait *wait);

#endif
