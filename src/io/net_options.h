/*
 * What the operator asks of the sockets towards the other host: several paths
 * (MPTCP), how they share the net with others, and how their packets are
 * marked.
 *
 * A NULL instead of the options asks for nothing.
 */
#ifndef IO_NET_OPTIONS_H
#define IO_NET_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NET_CONGESTION_MAX = 16, /* the kernel's TCP_CA_NAME_MAX */
    NET_WHY_MAX = 256,
};

struct net_options {
    bool mptcp;
    char congestion[NET_CONGESTION_MAX]; /* "" for the system's */
    unsigned dscp; /* 0 to 63; 0 leaves packets unmarked */
};

/**
 * net_options_check(net, why):
 * Try on a socket what ${net} asks for.  Where the kernel has no MPTCP, log one
 * line and go on without it; that IPv6 packets of MPTCP can't be marked is a
 * line, too.  Return 0, or -1 with one line in ${why}, if the congestion
 * control is not to be had.
 */
int net_options_check(struct net_options *net, char why[NET_WHY_MAX]);

/**
 * net_socket(net, family):
 * Make a stream socket of ${family} (AF_INET or AF_INET6), non-blocking and
 * close-on-exec, MPTCP if that is asked for and can be had, and set it up as
 * net_prepare does.  Return -1 with errno set if that fails.
 */
int net_socket(const struct net_options *net, int family);

/**
 * net_prepare(net, fd):
 * Set up a TCP or MPTCP socket: sockopt_tcp, and what ${net} asks for.  What
 * the system refuses is left as it is.
 */
void net_prepare(const struct net_options *net, int fd);

/**
 * net_is_mptcp(fd):
 * Return whether the connected socket ${fd} really speaks MPTCP, and has not
 * fallen back to TCP.
 */
bool net_is_mptcp(int fd);

/**
 * net_say(net, fd, label):
 * If MPTCP is asked for, log whether the connection ${fd} of ${label} has it.
 */
void net_say(const struct net_options *net, int fd, const char *label);

#endif
