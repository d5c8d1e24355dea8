/*
 * Socket files of QEMUs whose VM has arrived.  Such a QEMU goes on listening
 * for a moment, and must not be taken for one that waits for the next VM.
 */
#ifndef TUNNEL_SPENT_SOCKETS_H
#define TUNNEL_SPENT_SOCKETS_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

enum { SPENT_SOCKETS_MAX = 32 }; /* the oldest is forgotten */

/* A file that is made anew can have its forerunner's inode, but not its time.
 */
struct spent_socket {
    dev_t dev;
    ino_t ino;
    struct timespec ctime;
};

struct spent_sockets {
    struct spent_socket sockets[SPENT_SOCKETS_MAX];
    unsigned count; /* added so far */
};

/**
 * spent_sockets_add(spent, path):
 * The QEMU that listens at ${path} has got its VM.
 */
void spent_sockets_add(struct spent_sockets *spent, const char *path);

/**
 * spent_sockets_has(spent, path):
 * Return whether the file at ${path} is one of these.
 */
bool spent_sockets_has(const struct spent_sockets *spent, const char *path);

#endif
