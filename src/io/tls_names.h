/*
 * What a certificate says, as text for people and for comparing: one line,
 * printable, bounded.
 */
#ifndef IO_TLS_NAMES_H
#define IO_TLS_NAMES_H

#include <stddef.h>

#include <openssl/x509.h>

enum {
    TLS_SUBJECT_MAX = 300, /* as an identity may have */
    TLS_NAMES_MAX = 160,
    TLS_DATE_MAX = 32,
};

/**
 * tls_name_text(name, text):
 * Write ${name} as RFC 4514 has it ("CN=host1,O=Example", what is not printable
 * ASCII escaped).  Return 0, or -1 if it does not fit; ${text} then has its
 * beginning.
 */
int tls_name_text(const X509_NAME *name, char text[TLS_SUBJECT_MAX]);

/**
 * tls_cert_names(cert, names):
 * Write what a server's certificate is for, as "host1, host1.example,
 * 10.0.0.1": its alternative names for a host, or that there are none.  What
 * does not fit is left out.
 */
void tls_cert_names(const X509 *cert, char names[TLS_NAMES_MAX]);

/**
 * tls_cert_common_name(cert, text):
 * Write the one common name of the subject, in UTF-8.  Return 0, or -1 if there
 * is none, or more than one, or one that is too long or holds a NUL.
 */
int tls_cert_common_name(const X509 *cert, char text[TLS_SUBJECT_MAX]);

/**
 * tls_printable(text, room, bytes, length):
 * Write what a peer has sent into the ${room} (>= 1) bytes at ${text}, as much
 * as fits, with '?' for what is not printable ASCII.
 */
void tls_printable(char *text, size_t room, const void *bytes, size_t length);

/**
 * tls_date_text(date, text):
 * Write ${date} as "2026-11-01 12:00:00 UTC".  Return ${text}.
 */
const char *tls_date_text(const ASN1_TIME *date, char text[TLS_DATE_MAX]);

#endif
