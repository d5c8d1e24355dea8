/* What OpenSSL says, in words. */
#ifndef IO_TLS_ERROR_H
#define IO_TLS_ERROR_H

/**
 * tls_error_reason(error):
 * Return OpenSSL's own words for ${error}, a static text.
 */
const char *tls_error_reason(unsigned long error);

#endif
