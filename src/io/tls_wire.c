#include "io/tls_wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    IN_BYTES = 256 << 10,
    OUT_BYTES = (TLS_RECORDS + 1) * TLS_RECORD_ROOM,
};

/* Fill the empty in buffer.  Return whether reading can go on. */
static bool
fill(struct tls_wire *wire)
{
    struct iovec iov = { wire->in.bytes, IN_BYTES };
    ssize_t n;

    do
        n = readv(wire->fd, &iov, 1);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        wire->read_error = n < 0 ? errno : 0;
        wire->eof = n == 0;
        return false;
    }
    wire->in.at = 0;
    wire->in.end = n > 0 ? (size_t)n : 0;
    wire->drained = n < IN_BYTES;
    return true;
}

static int
bio_read(BIO *bio, char *bytes, size_t room, size_t *got)
{
    struct tls_wire *wire = BIO_get_data(bio);
    struct tls_buffer *in = &wire->in;

    BIO_clear_retry_flags(bio);
    if (in->at == in->end && !wire->drained && !fill(wire))
        return 0;
    if (in->at == in->end) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *got = in->end - in->at < room ? in->end - in->at : room;
    memcpy(bytes, in->bytes + in->at, *got);
    in->at += *got;
    return 1;
}

static int
bio_write(BIO *bio, const char *bytes, size_t length, size_t *taken)
{
    struct tls_wire *wire = BIO_get_data(bio);
    struct tls_buffer *out = &wire->out;

    BIO_clear_retry_flags(bio);
    if (OUT_BYTES - out->end < length) {
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

static BIO *
bio_new(struct tls_wire *wire, struct tls_buffer *buffer, size_t bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *bio;

    pthread_once(&once, make_bio_method);
    bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    buffer->bytes = malloc(bytes);
    if (bio == NULL || buffer->bytes == NULL) {
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

BIO *
tls_wire_in(struct tls_wire *wire)
{
    return bio_new(wire, &wire->in, IN_BYTES);
}

BIO *
tls_wire_out(struct tls_wire *wire)
{
    return bio_new(wire, &wire->out, OUT_BYTES);
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
