/*
 * Socket files of QEMUs whose VM has arrived.  Such a QEMU goes on listening
 * for a moment, in which it must not be taken for one that waits for the next
 * VM.  What still listens after that is no such QEMU: another relay, perhaps.
 */
#ifndef TUNNEL_SPENT_SOCKETS_H
#define TUNNEL_SPENT_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum {
    SPENT_SOCKETS_MAX = 32, /* the oldest is forgotten */
    SPENT_MS = 400,
};

/* A file that is made anew can have its forerunner's inode, but not its time.
 */
struct spent_socket {
    dev_t dev;
    ino_t ino;
    struct timespec ctime;
    uint64_t until_ms;
};

struct spent_sockets {
    struct spent_socket sockets[SPENT_SOCKETS_MAX];
    unsigned count; /* added so far */
};

/**
 * spent_sockets_add(spent, path, now_ms):
 * The QEMU that listens at ${path} has got its VM.
 */
void spent_sockets_add(struct spent_sockets *spent, const char *path,
                       uint64_t now_ms);

/**
 * spent_sockets_has(spent, path, now_ms):
 * Return whether the file at ${path} is one of these, and its moment not over.
 */
bool spent_sockets_has(const struct spent_sockets *spent, const char *path,
                       uint64_t now_ms);

#endif
