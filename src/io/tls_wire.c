#include "io/tls_wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    IN_BYTES = 128 << 10,
    OUT_BYTES = (TLS_RECORDS + 1) * TLS_RECORD_ROOM,
};

/* Read once.  Return the number of bytes, 0 for none, -1 if there never will be
 * any more. */
static ssize_t
read_once(struct tls_wire *wire, void *bytes, size_t room)
{
    struct iovec iov = { bytes, room };
    ssize_t n;

    do
        n = readv(wire->fd, &iov, 1);
    while (n < 0 && errno == EINTR);
    wire->drained = n < (ssize_t)room;
    if (n > 0)
        return n;
    if (n < 0 && errno == EAGAIN)
        return 0;
    wire->read_error = n < 0 ? errno : 0;
    wire->eof = n == 0;
    return -1;
}

/* Take up to ${room} bytes out of the in buffer, which is filled if it is
 * empty.  As read_once. */
static ssize_t
take(struct tls_wire *wire, char *bytes, size_t room)
{
    struct tls_buffer *in = &wire->in;

    if (in->at == in->end && !wire->drained) {
        ssize_t n = read_once(wire, in->bytes, IN_BYTES);

        if (n <= 0)
            return n;
        in->at = 0;
        in->end = (size_t)n;
    }
    if (room > in->end - in->at)
        room = in->end - in->at;
    memcpy(bytes, in->bytes + in->at, room);
    in->at += room;
    return (ssize_t)room;
}

static int
bio_read(BIO *bio, char *bytes, size_t room, size_t *got)
{
    struct tls_wire *wire = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    n = wire->in.bytes != NULL ? take(wire, bytes, room)
                               : read_once(wire, bytes, room);
    if (n == 0)
        BIO_set_retry_read(bio);
    if (n <= 0)
        return 0;
    *got = (size_t)n;
    return 1;
}

static int
bio_write(BIO *bio, const char *bytes, size_t length, size_t *taken)
{
    struct tls_wire *wire = BIO_get_data(bio);
    struct tls_buffer *out = &wire->out;

    BIO_clear_retry_flags(bio);
    if (out->bytes == NULL || OUT_BYTES - out->end < length) {
        BIO_set_retry_write(bio);
        return 0;
    }
    memcpy(out->bytes + out->end, bytes, length);
    out->end += length;
    *taken = length;
    return 1;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct tls_wire *wire = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_FLUSH)
        return 1;
    if (command == BIO_CTRL_EOF) /* asked when a read fails for good */
        return wire->eof;
    return 0;
}

static BIO_METHOD *bio_method;

static void
make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                              "buffers of a TLS stream");
    if (bio_method == NULL)
        return;
    BIO_meth_set_read_ex(bio_method, bio_read);
    BIO_meth_set_write_ex(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

BIO *
tls_wire_bio(struct tls_wire *wire)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio;

    pthread_once(&once, make_bio_method);
    bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

int
tls_wire_buffer(struct tls_wire *wire)
{
    wire->in.bytes = malloc(IN_BYTES);
    wire->out.bytes = malloc(OUT_BYTES);
    return wire->in.bytes != NULL && wire->out.bytes != NULL ? 0 : -1;
}

void
tls_wire_fini(struct tls_wire *wire)
{
    free(wire->in.bytes);
    free(wire->out.bytes);
}

ssize_t
tls_wire_send(const struct tls_wire *wire, struct iovec *iov, int count)
{
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)count };
    ssize_t n;

    do
        n = sendmsg(wire->fd, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

int
tls_wire_flush(struct tls_wire *wire)
{
    struct tls_buffer *out = &wire->out;
    struct iovec iov = { out->bytes + out->at, out->end - out->at };
    ssize_t n = iov.iov_len > 0 ? tls_wire_send(wire, &iov, 1) : 0;

    if (n < 0)
        return -1;
    out->at += (size_t)n;
    if (out->at < out->end) {
        errno = EAGAIN; /* it took less than it was offered: it is full */
        return -1;
    }
    out->at = 0;
    out->end = 0;
    return 0;
}
