/*
 * Certificates: those of a folder for us, and what is asked of the peer's.
 */
#ifndef IO_TLS_X509_H
#define IO_TLS_X509_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "io/tls.h"
#include "io/tls_files.h"

/*
 * How a name is looked for in a certificate.  A common name is not one for a
 * host (RFC 9525): only subjectAltName counts, which QEMU's documentation
 * and scripts/make-certs put into each server's certificate.
 */
enum {
    TLS_X509_HOST_FLAGS = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                          X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
};

/* The files of a folder, in the order in which they are read. */
enum tls_x509_file {
    TLS_X509_CA,
    TLS_X509_CRL,
    TLS_X509_CERT,
    TLS_X509_KEY,
    TLS_X509_FILES,
};

/**
 * tls_x509_path(options, file, path):
 * Write the path of one of the files.  Return 0, or -1 if it does not fit.
 */
int tls_x509_path(const struct tls_options *options, enum tls_x509_file file,
                  char path[TLS_PATH_MAX]);

/**
 * tls_x509_load(context, why):
 * Read the files into ${context} (of tls_context_new), and set what the peer
 * has to prove.  Return 0, or -1 with a line in ${why}.
 */
int tls_x509_load(SSL_CTX *context, char why[TLS_WHY_MAX]);

/**
 * tls_x509_in_time(context, why):
 * Return 0 if our own certificate is valid now, else -1 with a line in ${why}
 * that has the date.
 */
int tls_x509_in_time(const SSL_CTX *context, char why[TLS_WHY_MAX]);

/**
 * tls_x509_name_sent(hostname):
 * Return whether ${hostname} is a name that goes to the server with the
 * ClientHello (RFC 6066, 3), and not an address.
 */
bool tls_x509_name_sent(const char *hostname);

#endif
