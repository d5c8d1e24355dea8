/*
 * What the parts of TLS keep with OpenSSL's own objects: with a context, which
 * lives as long as the last connection that was made from it, and with a
 * connection.
 */
#ifndef IO_TLS_CONTEXT_H
#define IO_TLS_CONTEXT_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/psk_file.h"
#include "io/tls.h"
#include "io/tls_files.h"

struct tls_context {
    struct tls_options options; /* its own copy */
    struct tls_text keys;       /* the file of pre-shared keys */
    bool revocation;            /* ca-crl.pem was there, and counts */
};

/* What the callbacks of one connection have seen, for tls_identity and
   tls_why. */
struct tls_note {
    char refusal[TLS_WHY_MAX]; /* why we don't accept the peer; "": we do */
    char psk_user[PSK_USER_MAX + 1]; /* printable; "": none was offered */
    bool psk_known;                  /* and there is a key for it */
    unsigned psk_offers;             /* how many a client has offered */
};

/**
 * tls_options_copy(to, from):
 * tls_options_clear(options):
 * Copy ${from} with all that it points to.  Of the hostname, what no
 * certificate could have is left out: an IPv6 address's scope, and the dot at
 * the end of a name.  Return 0, or -1 if there is no memory, and then ${to} is
 * clear.
 */
int tls_options_copy(struct tls_options *to, const struct tls_options *from);
void tls_options_clear(struct tls_options *options);

/**
 * tls_context_new(options):
 * Return a new context of OpenSSL, for TLS 1.3 and with a copy of ${options},
 * but without keys; NULL if there is no memory.  The caller frees it with
 * SSL_CTX_free, which frees what is kept with it.
 */
SSL_CTX *tls_context_new(const struct tls_options *options);

/**
 * tls_context_of(context):
 * Return what is kept with ${context}.
 */
struct tls_context *tls_context_of(const SSL_CTX *context);

/**
 * tls_context_ssl(ssl):
 * tls_context_note(ssl):
 * Return what is kept with the context of ${ssl}, and with ${ssl} itself, NULL
 * if tls_context_attach was not called.
 */
const struct tls_context *tls_context_ssl(const SSL *ssl);
struct tls_note *tls_context_note(const SSL *ssl);

/**
 * tls_context_attach(ssl):
 * Keep an empty note with ${ssl} until it is freed.  Return 0, or -1 if there
 * is no memory.
 */
int tls_context_attach(SSL *ssl);

#endif
