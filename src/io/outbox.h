/* Bytes that wait until a transport takes them: a queue with a limit. */
#ifndef IO_OUTBOX_H
#define IO_OUTBOX_H

#include <stddef.h>

struct transport;

struct outbox {
    char *bytes;
    size_t capacity;
    size_t start; /* first byte that was not written yet */
    size_t end;
    size_t limit; /* bytes that may wait */
};

/**
 * outbox_init(outbox, limit):
 * Start empty; at most ${limit} bytes may wait.  The caller ends it with
 * outbox_fini.
 */
void outbox_init(struct outbox *outbox, size_t limit);
void outbox_fini(struct outbox *outbox);

/**
 * outbox_add(outbox, bytes, length):
 * Let these bytes wait, too.  Return 0; or -1 with errno set, and none of them
 * waits: ENOBUFS beyond the limit, or ENOMEM.
 */
int outbox_add(struct outbox *outbox, const void *bytes, size_t length);

/**
 * outbox_write(outbox, transport):
 * Write as much as ${transport} takes.  Return 0; or -1 with errno set if it
 * can't be written to any more.
 */
int outbox_write(struct outbox *outbox, struct transport *transport);

/**
 * outbox_left(outbox):
 * Return how many bytes wait.
 */
size_t outbox_left(const struct outbox *outbox);

#endif
