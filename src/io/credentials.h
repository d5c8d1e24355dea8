/*
 * Which credentials a program uses: those of its command line, or those that
 * the host has for it in /etc/mig-tunnel, or none.
 */
#ifndef IO_CREDENTIALS_H
#define IO_CREDENTIALS_H

#include <stdbool.h>

#include "io/tls.h"

struct credentials_options {
    struct tls_options tls;  /* dir and psk_path NULL if not given */
    const char *default_dir; /* CREDENTIALS_DIR, but for tests */
    bool insecure;           /* plain text is wanted */
};

#define CREDENTIALS_DIR "/etc/mig-tunnel"

/**
 * credentials_load(options, tls, why):
 * Set *${tls} to what is to be used, NULL for plain text, and say in one line
 * of the log which it is: at level info for credentials, as a warning for plain
 * text that nobody asked for.  ${options}->default_dir counts as holding
 * credentials if it has the key of this side (server-key.pem or client-key.pem)
 * or keys.psk, in this order; one that has other files of that kind only, or
 * can't be read, is an error and never plain text.  Return 0, or -1 with one
 * line in ${why}.  The caller frees *${tls} with tls_free.
 */
int credentials_load(const struct credentials_options *options,
                     struct tls **tls, char why[TLS_WHY_MAX]);

#endif
