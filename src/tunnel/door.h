/*
 * What both kinds of server do at their door: who is let in at all, and what is
 * said of those who are sent away.
 */
#ifndef TUNNEL_DOOR_H
#define TUNNEL_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/log.h"

struct cidr;
struct loop;

enum {
    DOOR_ALLOW_MAX = 64,      /* networks on a command line */
    DOOR_STRANGERS_MAX = 256, /* of whom it is not known yet what they want */
};

struct door {
    struct loop *loop;
    const struct cidr *allow;
    size_t allow_count;
    struct log_limit drops;
};

/**
 * door_init(door, loop, allow, allow_count):
 * Let peers in from the ${allow_count} networks at ${allow}, which outlive the
 * door; from everywhere if there are none.
 */
void door_init(struct door *door, struct loop *loop, const struct cidr *allow,
               size_t allow_count);

/**
 * door_admits(door, fd, peer, peer_len):
 * Return whether the new connection ${fd} from ${peer} may stay; if not, close
 * it and say so.  Nothing is read from it.
 */
bool door_admits(struct door *door, int fd, const struct sockaddr *peer,
                 socklen_t peer_len);

/**
 * door_say_dropped(door, peer, why):
 * Say in the log that ${peer} is sent away, unless that was said of too many
 * others just now.  Only how often it was is said of those.
 */
void door_say_dropped(struct door *door, const char *peer, const char *why);

/**
 * door_may_warn(door):
 * Return whether there may be a line of another kind on a peer that is sent
 * away, and count it as one.
 */
bool door_may_warn(struct door *door);

#endif
