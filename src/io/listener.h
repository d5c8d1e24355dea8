/*
 * Accepts connections.  When the process or the system is out of descriptors,
 * accepting pauses and goes on by itself; a line says so once.
 */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include <sys/socket.h>

#include "base/address.h"

struct loop;
struct listener;
struct net_options;

enum { LISTENER_WHY_MAX = 512 };

struct listener_options {
    const struct net_options *net; /* of TCP sockets, or NULL; outlives it */

    /**
     * on_accept(arg, fd, peer, peer_len):
     * ${fd} is a new connection, non-blocking and close-on-exec, which the
     * callback owns; ${peer} is its address.  The callback may free the
     * listener.
     */
    void (*on_accept)(void *arg, int fd, const struct sockaddr *peer,
                      socklen_t peer_len);
    void *arg;
};

/**
 * listener_new_tcp(loop, address, options, why):
 * Listen on every address that ${address} stands for; an empty host is all
 * IPv4 and IPv6 addresses of this machine, and a machine without one of the
 * two is no error.  Looks names up, so it may take a while.  Return NULL and
 * write one line into ${why} if that fails.  The caller frees it with
 * listener_free.
 */
struct listener *listener_new_tcp(struct loop *loop,
                                  const struct address *address,
                                  const struct listener_options *options,
                                  char why[LISTENER_WHY_MAX]);

/**
 * listener_new_fd(loop, fd, options):
 * Accept from the listening, non-blocking socket ${fd}, which the listener
 * owns from now on.  Return NULL with errno set if there is no memory; ${fd}
 * is then closed.
 */
struct listener *listener_new_fd(struct loop *loop, int fd,
                                 const struct listener_options *options);
void listener_free(struct listener *listener);

#endif
