/*
 * Looks names up without stopping the loop: getaddrinfo(3) in a thread, so
 * that the answer is the system's own (nsswitch.conf, hosts, DNS).  A number
 * needs none.
 */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include "base/address.h"

struct addrinfo;
struct loop;
struct resolver;

/**
 * resolver_new(loop, address, on_done, arg):
 * Look up the TCP addresses of ${address}.  Then call ${on_done}(${arg}, list,
 * why) once, never before this function returns: ${list} in the order of RFC
 * 6724, which the callback frees with freeaddrinfo(3), or NULL and in ${why}
 * what went wrong.  The callback may free the resolver.  Return NULL with
 * errno set if the look-up can't be started.  The caller frees it with
 * resolver_free, which also forgets a look-up under way.
 */
struct resolver *resolver_new(struct loop *loop, const struct address *address,
                              void (*on_done)(void *arg, struct addrinfo *list,
                                              const char *why),
                              void *arg);
void resolver_free(struct resolver *resolver);

#endif
