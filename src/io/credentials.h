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
    bool hostname_given;     /* tls.hostname is --tls-hostname's, */
    bool psk_user_given;     /* and tls.psk_user --psk-user's: no defaults */
    const char *default_dir; /* CREDENTIALS_DIR, but for tests */
    bool insecure;           /* plain text is wanted: no dir, no psk_path */
};

#define CREDENTIALS_DIR "/etc/mig-tunnel"

/**
 * credentials_load(options, tls, why):
 * Set *${tls} to what is to be used, NULL for plain text, and say in one line
 * of the log which it is: at level info for credentials, as a warning for plain
 * text that nobody asked for.  What ${options}->default_dir has is used if it
 * has the key of this side (server-key.pem or client-key.pem) or keys.psk, in
 * this order.  It is plain text only if there is nothing of that name: a folder
 * without these, a link that leads nowhere, or what can't be looked at, is an
 * error.  So is an option that is for the other kind of credentials than the
 * one that is used, or for none: patterns, hostname_given, psk_user_given.
 * Return 0, or -1 with one line in ${why}.  The caller frees *${tls} with
 * tls_free.
 */
int credentials_load(const struct credentials_options *options,
                     struct tls **tls, char why[TLS_WHY_MAX]);

#endif
