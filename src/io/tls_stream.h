/*
 * TLS over a connected, non-blocking socket that is the caller's: records of
 * 16 KiB filled, many of them in one system call each way.  Nothing is read or
 * written but in the calls below, and no loop is needed.
 */
#ifndef IO_TLS_STREAM_H
#define IO_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct tls;
struct tls_stream;

enum tls_step {
    TLS_DONE,
    TLS_WANT_READ,  /* call again when the socket is readable, */
    TLS_WANT_WRITE, /* or writable */
    TLS_LOST,       /* the connection broke off: errno, 0 for an early end */
    TLS_REFUSED,    /* one of the two does not accept the other: see why */
};

/**
 * tls_stream_new(tls, fd):
 * Return NULL with errno set if there is no memory.  The caller frees it with
 * tls_stream_free, which neither says goodbye nor closes ${fd}.
 */
struct tls_stream *tls_stream_new(struct tls *tls, int fd);
void tls_stream_free(struct tls_stream *stream);

/**
 * tls_stream_handshake(stream):
 * Go on with the handshake.  When it is done the peer has proved who it is, as
 * far as that can be known here: a TLS 1.3 server looks at the client's
 * certificate after the client is done (RFC 8446, 2), so what it says against
 * it comes out of the first read.
 */
enum tls_step tls_stream_handshake(struct tls_stream *stream);

/**
 * tls_stream_readv(stream, iov, count):
 * As transport_readv.  It fills the pieces, or takes all that had arrived when
 * the socket was last looked at; if more has, the socket is readable.  -1 with
 * EPROTO is a failure of TLS, on which tls_stream_why says more; an end of the
 * connection without the peer's goodbye (close_notify) is ECONNRESET.
 */
ssize_t tls_stream_readv(struct tls_stream *stream, const struct iovec *iov,
                         int count);

/**
 * tls_stream_writev(stream, iov, count):
 * As transport_writev.  Bytes that are not taken may have been encrypted
 * already, so the caller must offer the same bytes again next.
 */
ssize_t tls_stream_writev(struct tls_stream *stream, struct iovec *iov,
                          int count);

/**
 * tls_stream_pending(stream):
 * Return whether a read would bring something although the socket may have
 * nothing more.
 */
bool tls_stream_pending(const struct tls_stream *stream);

/**
 * tls_stream_end(stream):
 * Say goodbye (close_notify): the peer reads an end of stream after what was
 * written.  Return 0, or -1 with errno set; on EAGAIN call again when the
 * socket is writable.
 */
int tls_stream_end(struct tls_stream *stream);

/**
 * tls_stream_unsent(stream):
 * Return how many bytes are encrypted but not written.
 */
size_t tls_stream_unsent(const struct tls_stream *stream);

/**
 * tls_stream_identity(stream):
 * Return whom the peer has proved to be (see tls_identity), as long as the
 * stream lives.
 */
const char *tls_stream_identity(const struct tls_stream *stream);

/**
 * tls_stream_why(stream):
 * Return one line on the failure that came last (TLS_REFUSED or EPROTO), as
 * long as the stream lives.
 */
const char *tls_stream_why(const struct tls_stream *stream);

/**
 * tls_stream_cipher(stream):
 * Return the cipher's standard name and whether the kernel encrypts, for the
 * log, as "TLS_AES_128_GCM_SHA256" or "TLS_AES_128_GCM_SHA256 in the kernel".
 */
const char *tls_stream_cipher(const struct tls_stream *stream);

/**
 * tls_stream_is_server(stream):
 * Return whether this is the server's end.
 */
bool tls_stream_is_server(const struct tls_stream *stream);

/**
 * tls_stream_rekey_after(stream, records):
 * Send under new keys after each ${records} (>= 1) records from now on (RFC
 * 8446, 4.6.3).  Without this: 2^22, which are 64 GiB.
 */
void tls_stream_rekey_after(struct tls_stream *stream, uint32_t records);

#endif
