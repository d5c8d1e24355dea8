/*
 * Who this program is to a TLS peer, and whom it accepts: certificates in a
 * folder, under the names that QEMU uses (docs/system/tls.rst there), or a file
 * of pre-shared keys.  TLS 1.3 only (RFC 8446).
 *
 * OpenSSL is known to src/io/tls*.c alone.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct ssl_st;
struct tls;

enum {
    TLS_WHY_MAX = 512,
    TLS_IDENTITY_MAX = 320, /* "certificate ", and a subject name */
    TLS_ALLOW_MAX = 64,     /* patterns */
};

struct tls_options {
    bool server;

    /*
     * Either a folder with ca-cert.pem, perhaps ca-crl.pem, and
     * server-cert.pem and server-key.pem, or client-cert.pem and
     * client-key.pem ...
     */
    const char *dir;

    /* ... or a file of keys (base/psk_file.h). */
    const char *psk_path;

    const char *psk_user; /* client: the user to be */
    const char *hostname; /* client: the name or the address that the server's
                             certificate must be for, in its subjectAltName;
                             its own scope or final dot does not count */

    /*
     * Server: the client's subject name must match one of these, if there are
     * any.  A pattern with a '=' is for the whole name as RFC 4514 writes it
     * ("CN=host1,O=Example"), another one for the common name; '*', '?' and
     * [...] as fnmatch(3) has them: '*' matches anything, commas included, so
     * "CN=host*,O=Example" takes "CN=host1,OU=Guests,O=Example", too.
     */
    const char *const *allow;
    size_t allow_count; /* at most TLS_ALLOW_MAX */
};

/**
 * tls_new(options, why):
 * Read the files.  Return NULL and write one line into ${why} if they can't be
 * used: which file, what is wrong with it and what to do.  A key that others
 * can read is refused, and so are a folder in which others can replace files,
 * and a certificate of our own that has expired or is not valid yet, with its
 * date.  ${options} is copied.  The caller frees the
 * result with tls_free; while it lives, no core is dumped (base/harden.h).
 */
struct tls *tls_new(const struct tls_options *options, char why[TLS_WHY_MAX]);
void tls_free(struct tls *tls);

/**
 * tls_refresh(tls):
 * Read the files again if one of them has changed, so that renewed ones count
 * from now on; and look again at our own certificate's dates.  If the files
 * can't be used, or ca-crl.pem is gone, what was read before stays in use: a
 * migration under way should not die of a renewal that is only half done.  A
 * line says so, but not the same one again; and they are read again by each
 * later call that comes a second or more after the last attempt, until they
 * can be used.  For every new session and every accepted connection; costs a
 * few stat(2) when nothing has changed.
 */
void tls_refresh(struct tls *tls);

/**
 * tls_begin(tls, fd):
 * Return a new SSL that is ready for the handshake on the socket ${fd}, which
 * stays the caller's, or NULL if there is no memory.  For tls_stream only,
 * which frees it with SSL_free.
 */
struct ssl_st *tls_begin(struct tls *tls, int fd);

/**
 * tls_identity(ssl, identity):
 * After a handshake that has succeeded: write whom the peer has proved to be,
 * "certificate CN=host1,O=Example" or "PSK user qemu".  Return 0, or -1 if that
 * does not fit, and then the peer must be refused.
 */
int tls_identity(const struct ssl_st *ssl, char identity[TLS_IDENTITY_MAX]);

/**
 * tls_why(ssl, why):
 * After an operation on ${ssl} that failed with SSL_ERROR_SSL: write one line
 * on what went wrong, in words that tell an operator which end to look at, and
 * empty OpenSSL's queue of errors.
 */
void tls_why(const struct ssl_st *ssl, char why[TLS_WHY_MAX]);

#endif
