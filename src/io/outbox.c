#include "io/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "io/transport.h"

enum { FIRST_CAPACITY = 4096 };

void
outbox_init(struct outbox *outbox, size_t limit)
{
    *outbox = (struct outbox){ .limit = limit };
}

void
outbox_fini(struct outbox *outbox)
{
    free(outbox->bytes);
    *outbox = (struct outbox){ .limit = outbox->limit };
}

size_t
outbox_left(const struct outbox *outbox)
{
    return outbox->end - outbox->start;
}

/* See to it that ${length} more bytes fit in behind those that wait. */
static int
make_room(struct outbox *outbox, size_t length)
{
    size_t left = outbox_left(outbox);
    size_t capacity =
        outbox->capacity > 0 ? outbox->capacity : (size_t)FIRST_CAPACITY;
    char *bytes;

    if (outbox->capacity - outbox->end >= length)
        return 0;
    if (outbox->start > 0)
        memmove(outbox->bytes, outbox->bytes + outbox->start, left);
    outbox->start = 0;
    outbox->end = left;
    while (capacity - left < length)
        capacity *= 2;
    if (capacity == outbox->capacity)
        return 0;
    bytes = realloc(outbox->bytes, capacity);
    if (bytes == NULL)
        return -1;
    outbox->bytes = bytes;
    outbox->capacity = capacity;
    return 0;
}

int
outbox_add(struct outbox *outbox, const void *bytes, size_t length)
{
    if (length > outbox->limit - outbox_left(outbox)) {
        errno = ENOBUFS;
        return -1;
    }
    if (make_room(outbox, length) != 0)
        return -1;
    if (length > 0)
        memcpy(outbox->bytes + outbox->end, bytes, length);
    outbox->end += length;
    return 0;
}

int
outbox_write(struct outbox *outbox, struct transport *transport)
{
    while (outbox_left(outbox) > 0) {
        struct iovec iov = { outbox->bytes + outbox->start,
                             outbox_left(outbox) };
        ssize_t n = transport_writev(transport, &iov, 1);

        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        outbox->start += (size_t)n;
    }
    outbox_fini(outbox); /* it is empty most of the time: hold no memory */
    return 0;
}
