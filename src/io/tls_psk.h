/*
 * Pre-shared keys: TLS 1.3's external PSK (RFC 8446, 4.2.11), always with a
 * Diffie-Hellman exchange, so that one who learns a key later can't read what
 * was recorded before.
 */
#ifndef IO_TLS_PSK_H
#define IO_TLS_PSK_H

#include <openssl/ssl.h>

#include "io/tls.h"

/**
 * tls_psk_load(context, why):
 * Read the file of keys into ${context} (of tls_context_new), and make them all
 * that counts.  Return 0, or -1 with a line in ${why}.
 */
int tls_psk_load(SSL_CTX *context, char why[TLS_WHY_MAX]);

/**
 * tls_psk_watch(context):
 * In a server with certificates, note that a client offers a key, which is then
 * ignored.
 */
void tls_psk_watch(SSL_CTX *context);

#endif
