/* Makes a TCP connection, and tries again until a deadline. */
#ifndef IO_DIALER_H
#define IO_DIALER_H

#include <stdint.h>

#include "base/address.h"

struct loop;
struct dialer;
struct net_options;

struct dialer_options {
    struct address address;        /* looked up anew at every attempt */
    uint64_t wait_ms;              /* how long to try again; 0 is one attempt */
    uint64_t attempt_ms;           /* how long one address may take to answer */
    const struct net_options *net; /* or NULL; outlives the dialer */

    /**
     * on_done(arg, fd, why):
     * The end of the matter, never called before dialer_new has returned.
     * ${fd} is a connected, non-blocking TCP socket that the callback owns, or
     * -1, and then ${why} says what went wrong at the last attempt, until the
     * callback returns.  The callback may free the dialer.
     */
    void (*on_done)(void *arg, int fd, const char *why);

    /**
     * on_retry(arg, why):
     * An attempt failed because of ${why}, and another one follows.  May be
     * NULL.  The callback must not free the dialer.
     */
    void (*on_retry)(void *arg, const char *why);
    void *arg;
};

/**
 * dialer_new(loop, options):
 * Start to connect to ${options}->address: to each address that its name has,
 * one after the other, in the order of RFC 6724; if none answers, again after
 * 100 ms, then at growing intervals up to 2 s, and a last time when
 * ${options}->wait_ms are over.  Return NULL with errno set if there is no
 * memory.  The caller frees it with dialer_free, which also stops it.
 */
struct dialer *dialer_new(struct loop *loop,
                          const struct dialer_options *options);
void dialer_free(struct dialer *dialer);

/**
 * dialer_error(dialer):
 * Return the errno of the latest attempt to connect, 0 if there was none or if
 * the name could not be looked up.  For use in the callbacks.
 */
int dialer_error(const struct dialer *dialer);

#endif
