#include "io/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/tls.h"
#include "io/tls_wire.h"

/*
 * Theory of operation.  In the handshake OpenSSL writes to the socket by
 * itself, and reads just what it asks for.  After it OpenSSL reads and writes
 * memory (tls_wire), which goes from and to the socket a whole buffer in a
 * system call, where OpenSSL would make one for each record, or two.
 *
 *   writing   seal() turns what is offered into records, in the out buffer,
 *             which is then flushed.  Plain bytes count as taken when the last
 *             byte of their record is with the kernel.  Not later: the peer may
 *             answer them at once.  Not earlier: nothing then is written behind
 *             the owner's back, and an owner that closes loses nothing.
 *   reading   the in buffer is filled by one read, and OpenSSL takes its
 *             records out of it.
 *
 * Where the kernel encrypts (kTLS), writing is plain writing.  It never
 * decrypts: OpenSSL asks a BIO of its own for that, and a peer that renews its
 * keys would be more than many kernels can follow.
 */
enum {
    CIPHER_MAX = 64,

    /*
     * Keys are renewed after so many records, long before AES-GCM's safety
     * wears off (2^24.5 of them, RFC 8446, 5.5).
     */
    REKEY_RECORDS = 1 << 22,
};

/*
 * OpenSSL can't renew keys that the kernel has, so there the connection ends
 * before they are worn out: 2^24 records.
 */
static const uint64_t kernel_bytes_max = (uint64_t)1 << 38;

struct sealed {
    size_t end;   /* of the record, in the out buffer */
    size_t plain; /* bytes that it carries */
};

struct tls_stream {
    SSL *ssl;
    struct tls_wire wire;
    struct sealed records[TLS_RECORDS]; /* not reported as taken yet */
    unsigned first;                     /* of these */
    unsigned count;                     /* end of these */
    uint32_t since_rekey;               /* records */
    uint32_t rekey_after;
    unsigned char *stage; /* a record out of several pieces */
    bool kernel_sends;
    uint64_t kernel_bytes; /* so far */
    bool starved;          /* the last record is not complete yet */
    bool ended;            /* we have said goodbye */
    bool finished;         /* reading is over, with this result: */
    ssize_t result;
    int error;
    char cipher[CIPHER_MAX];
    char identity[TLS_IDENTITY_MAX];
    char why[TLS_WHY_MAX];
};

struct tls_stream *
tls_stream_new(struct tls *tls, int fd)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    BIO *in;

    if (stream == NULL)
        return NULL;
    stream->wire.fd = fd;
    stream->rekey_after = REKEY_RECORDS;
    stream->ssl = tls_begin(tls, fd);
    in = tls_wire_bio(&stream->wire);
    if (stream->ssl != NULL && in != NULL) {
        SSL_set0_rbio(stream->ssl, in);
        return stream;
    }
    BIO_free(in);
    tls_stream_free(stream);
    errno = ENOMEM;
    return NULL;
}

void
tls_stream_free(struct tls_stream *stream)
{
    if (stream == NULL)
        return;
    SSL_free(stream->ssl);
    tls_wire_fini(&stream->wire);
    free(stream->stage);
    free(stream);
}

/* Let OpenSSL write into our buffer, unless the kernel encrypts. */
static int
take_over(struct tls_stream *stream)
{
    BIO *out;

    stream->kernel_sends = BIO_get_ktls_send(SSL_get_wbio(stream->ssl)) > 0;
    stream->stage = malloc(TLS_RECORD_BYTES);
    if (stream->stage == NULL || tls_wire_buffer(&stream->wire) != 0) {
        errno = ENOMEM;
        return -1;
    }
    if (stream->kernel_sends)
        return 0;
    out = tls_wire_bio(&stream->wire);
    if (out == NULL) {
        errno = ENOMEM;
        return -1;
    }
    SSL_set0_wbio(stream->ssl, out);
    return 0;
}

static enum tls_step
shaken(struct tls_stream *stream)
{
    if (tls_identity(stream->ssl, stream->identity) != 0) {
        snprintf(stream->why, sizeof stream->why,
                 "the peer has not proved who it is, or its name is too long");
        return TLS_REFUSED;
    }
    if (take_over(stream) != 0)
        return TLS_LOST;
    snprintf(stream->cipher, sizeof stream->cipher, "%s%s",
             SSL_CIPHER_standard_name(SSL_get_current_cipher(stream->ssl)),
             stream->kernel_sends ? " in the kernel" : "");
    return TLS_DONE;
}

/* The connection ended in the middle of what TLS has to say. */
static bool
ended_early(void)
{
    unsigned long error = ERR_peek_error();

    return ERR_GET_LIB(error) == ERR_LIB_SSL &&
           ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

enum tls_step
tls_stream_handshake(struct tls_stream *stream)
{
    int result;

    ERR_clear_error();
    errno = 0;
    result = SSL_do_handshake(stream->ssl);
    if (result == 1)
        return shaken(stream);
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ: return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WANT_WRITE;
    case SSL_ERROR_SYSCALL: return TLS_LOST;
    }
    if (ended_early()) {
        ERR_clear_error();
        errno = 0;
        return TLS_LOST;
    }
    tls_why(stream->ssl, stream->why);
    return TLS_REFUSED;
}

/* Count the plain bytes whose records have been written, once. */
static size_t
take_written(struct tls_stream *stream)
{
    bool all = stream->wire.out.end == 0;
    size_t plain = 0;

    for (; stream->first < stream->count; stream->first++) {
        const struct sealed *record = &stream->records[stream->first];

        if (!all && record->end > stream->wire.out.at)
            return plain;
        plain += record->plain;
    }
    stream->first = 0;
    stream->count = 0;
    return plain;
}

struct source {
    const struct iovec *iov;
    int left;  /* pieces */
    size_t at; /* in the first of them */
};

static void
skip(struct source *from, size_t bytes)
{
    while (from->left > 0 && bytes >= from->iov->iov_len - from->at) {
        bytes -= from->iov->iov_len - from->at;
        from->iov++;
        from->left--;
        from->at = 0;
    }
    from->at += bytes;
}

/* Find the next record's bytes, gathered if they lie in several pieces. */
static const unsigned char *
next_record(struct tls_stream *stream, struct source *from, size_t *bytes)
{
    const unsigned char *first;

    *bytes = 0;
    while (from->left > 0 && from->iov->iov_len == from->at)
        skip(from, 0);
    if (from->left == 0)
        return NULL;
    first = (const unsigned char *)from->iov->iov_base + from->at;
    if (from->iov->iov_len - from->at >= TLS_RECORD_BYTES || from->left == 1) {
        *bytes = from->iov->iov_len - from->at;
        if (*bytes > TLS_RECORD_BYTES)
            *bytes = TLS_RECORD_BYTES;
        skip(from, *bytes);
        return first;
    }
    while (from->left > 0 && *bytes < TLS_RECORD_BYTES) {
        size_t n = from->iov->iov_len - from->at;

        if (n > TLS_RECORD_BYTES - *bytes)
            n = TLS_RECORD_BYTES - *bytes;
        memcpy(stream->stage + *bytes,
               (const unsigned char *)from->iov->iov_base + from->at, n);
        *bytes += n;
        skip(from, n);
    }
    return stream->stage;
}

static void
renew_keys(struct tls_stream *stream)
{
    if (stream->since_rekey++ < stream->rekey_after)
        return;
    stream->since_rekey = 1;
    SSL_key_update(stream->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
}

/* Encrypt as much of ${from} as there is room for.  Return 0, or -1 with errno
 * set. */
static int
seal(struct tls_stream *stream, struct source *from)
{
    const unsigned char *bytes;
    size_t length, taken;

    ERR_clear_error();
    while (stream->count < TLS_RECORDS &&
           (bytes = next_record(stream, from, &length)) != NULL) {
        renew_keys(stream);
        if (SSL_write_ex(stream->ssl, bytes, length, &taken) != 1) {
            tls_why(stream->ssl, stream->why);
            errno = EPROTO;
            return -1;
        }
        stream->records[stream->count++] =
            (struct sealed){ .end = stream->wire.out.end, .plain = taken };
    }
    return 0;
}

static ssize_t
kernel_writev(struct tls_stream *stream, struct iovec *iov, int count)
{
    ssize_t n;

    if (stream->kernel_bytes >= kernel_bytes_max) {
        snprintf(stream->why, sizeof stream->why,
                 "the keys that the kernel has are used up");
        errno = EPROTO;
        return -1;
    }
    n = tls_wire_send(&stream->wire, iov, count);
    stream->kernel_bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

ssize_t
tls_stream_writev(struct tls_stream *stream, struct iovec *iov, int count)
{
    struct source from = { .iov = iov, .left = count };
    size_t taken;
    int result;

    if (stream->kernel_sends)
        return kernel_writev(stream, iov, count);
    result =
        tls_wire_flush(&stream->wire); /* what was sealed in an earlier call */
    taken = take_written(stream);
    if (result == 0) {
        skip(&from, taken);
        if (seal(stream, &from) != 0)
            return -1;
        result = tls_wire_flush(&stream->wire);
        taken += take_written(stream);
    }
    if (result != 0 && (errno != EAGAIN || taken == 0))
        return -1;
    return (ssize_t)taken;
}

/* Reading is over.  What it ended with is told again at each further read. */
static ssize_t
finish(struct tls_stream *stream, ssize_t result, int error)
{
    stream->finished = true;
    stream->result = result;
    stream->error = error;
    errno = error;
    return result;
}

/* What a read that brought nothing means. */
static ssize_t
no_read(struct tls_stream *stream)
{
    switch (SSL_get_error(stream->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        stream->starved = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN: return finish(stream, 0, 0);
    case SSL_ERROR_WANT_WRITE:
        snprintf(stream->why, sizeof stream->why,
                 "the peer asks for more new keys than it takes");
        return finish(stream, -1, EPROTO);
    case SSL_ERROR_SYSCALL:
        return finish(stream, -1,
                      stream->wire.read_error != 0 ? stream->wire.read_error
                                                   : ECONNRESET);
    }
    if (ended_early()) {
        ERR_clear_error();
        return finish(stream, -1, ECONNRESET);
    }
    tls_why(stream->ssl, stream->why);
    (void)tls_wire_flush(&stream->wire); /* the alert that tells the peer */
    return finish(stream, -1, EPROTO);
}

ssize_t
tls_stream_readv(struct tls_stream *stream, const struct iovec *iov, int count)
{
    size_t total = 0;

    /* What is left of the last read comes before a new one. */
    if (stream->starved || stream->wire.in.at == stream->wire.in.end)
        stream->wire.drained = false;
    stream->starved = false;
    if (stream->count == 0)
        (void)tls_wire_flush(&stream->wire); /* TLS's own answers, if any */
    for (int i = 0; i < count && !stream->finished; i++) {
        unsigned char *bytes = iov[i].iov_base;
        size_t left = iov[i].iov_len, n;

        while (left > 0) {
            ERR_clear_error();
            if (SSL_read_ex(stream->ssl, bytes, left, &n) != 1) {
                ssize_t result = no_read(stream);

                return total > 0 ? (ssize_t)total : result;
            }
            bytes += n;
            left -= n;
            total += n;
        }
    }
    if (total == 0 && stream->finished) {
        errno = stream->error;
        return stream->result;
    }
    return (ssize_t)total;
}

bool
tls_stream_pending(const struct tls_stream *stream)
{
    if (stream->finished || SSL_pending(stream->ssl) > 0)
        return true;
    return stream->wire.in.at < stream->wire.in.end && !stream->starved;
}

int
tls_stream_end(struct tls_stream *stream)
{
    if (!stream->ended) {
        ERR_clear_error();
        if (SSL_shutdown(stream->ssl) < 0) {
            errno = EAGAIN;
            if (SSL_get_error(stream->ssl, -1) != SSL_ERROR_WANT_WRITE)
                errno = EPIPE; /* TLS has failed before */
            ERR_clear_error();
            return -1;
        }
        stream->ended = true;
    }
    return tls_wire_flush(&stream->wire);
}

size_t
tls_stream_unsent(const struct tls_stream *stream)
{
    return stream->wire.out.end - stream->wire.out.at;
}

const char *
tls_stream_identity(const struct tls_stream *stream)
{
    return stream->identity;
}

const char *
tls_stream_why(const struct tls_stream *stream)
{
    return stream->why;
}

const char *
tls_stream_cipher(const struct tls_stream *stream)
{
    return stream->cipher;
}

bool
tls_stream_is_server(const struct tls_stream *stream)
{
    return SSL_is_server(stream->ssl) != 0;
}

void
tls_stream_rekey_after(struct tls_stream *stream, uint32_t records)
{
    stream->rekey_after = records;
}
