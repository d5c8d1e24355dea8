/*
 * What lies between OpenSSL and a socket: memory that OpenSSL reads and writes
 * records from and to (a BIO, bio(7)), and that goes to and comes from the
 * socket a whole buffer at a time.
 */
#ifndef IO_TLS_WIRE_H
#define IO_TLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <openssl/bio.h>

enum {
    TLS_RECORD_BYTES = 16 << 10, /* of plain text, at most (RFC 8446, 5.1) */
    TLS_RECORD_ROOM = TLS_RECORD_BYTES + 256, /* encrypted, at most (5.2) */
    TLS_RECORDS = 17, /* written together: a frame, and its header */
};

struct tls_buffer {
    unsigned char *bytes; /* NULL: none yet */
    size_t at;
    size_t end;
};

struct tls_wire {
    int fd;
    struct tls_buffer in;
    struct tls_buffer out; /* room for TLS_RECORDS, and for TLS's own ones */
    bool drained;          /* the socket was read empty; set false to retry */
    bool eof;              /* the socket has nothing more, ever, */
    int read_error;        /* or can't be read */
};

/**
 * tls_wire_bio(wire):
 * Return a BIO that reads from ${wire}->fd and writes into ${wire}->out, or
 * NULL if there is no memory.  The caller frees it before the wire.  Until
 * there are buffers it reads no more than OpenSSL asks for, so that strangers
 * cost nothing, and writes nothing.
 */
BIO *tls_wire_bio(struct tls_wire *wire);

/**
 * tls_wire_buffer(wire):
 * Make the buffers.  Return 0, or -1 if there is no memory.
 */
int tls_wire_buffer(struct tls_wire *wire);

/**
 * tls_wire_fini(wire):
 * Free the buffers.
 */
void tls_wire_fini(struct tls_wire *wire);

/**
 * tls_wire_send(wire, iov, count):
 * Write the pieces of ${iov} to the socket as they are.  As transport_writev.
 */
ssize_t tls_wire_send(const struct tls_wire *wire, struct iovec *iov,
                      int count);

/**
 * tls_wire_flush(wire):
 * Write what is in the out buffer, by one call.  Return 0 if that is all of
 * it, or -1 with errno set: EAGAIN if the socket has taken what it has room
 * for.
 */
int tls_wire_flush(struct tls_wire *wire);

#endif
