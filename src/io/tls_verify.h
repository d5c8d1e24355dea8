/* Whether the peer's certificate is accepted, and in words why not. */
#ifndef IO_TLS_VERIFY_H
#define IO_TLS_VERIFY_H

#include <stdbool.h>

#include <openssl/x509.h>

struct tls_options;

/**
 * tls_verify_peer(good, store):
 * For SSL_CTX_set_verify: keep what OpenSSL has found, and look at a client's
 * subject name; note why a certificate is refused (tls_context_note).
 */
int tls_verify_peer(int good, X509_STORE_CTX *store);

/**
 * tls_verify_none(good, store):
 * The same where keys are pre-shared: no certificate will do.
 */
int tls_verify_none(int good, X509_STORE_CTX *store);

/**
 * tls_verify_allowed(options, cert):
 * Return whether the subject of ${cert} matches one of the patterns, or there
 * are none.
 */
bool tls_verify_allowed(const struct tls_options *options, const X509 *cert);

#endif
