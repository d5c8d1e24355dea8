/* The options about credentials, which mig-client and mig-server share. */
#ifndef IO_CREDENTIALS_CLI_H
#define IO_CREDENTIALS_CLI_H

#include "base/cli.h"
#include "io/credentials.h"

/* Keys of options without a letter; a program's own come after the last. */
enum {
    CREDENTIALS_TLS_DIR = CLI_LONG,
    CREDENTIALS_TLS_HOSTNAME,
    CREDENTIALS_TLS_ALLOW,
    CREDENTIALS_PSK,
    CREDENTIALS_PSK_USER,
    CREDENTIALS_INSECURE,
    CREDENTIALS_OPTIONS_END,
};

/* What both programs say of them in --help. */
/* clang-format off */
#define CREDENTIALS_TLS_DIR_OPTION(side)                                      \
    { CREDENTIALS_TLS_DIR, "tls-dir", "DIR",                                  \
      "TLS with the certificates in DIR: ca-cert.pem,\n"                      \
      side "-cert.pem and " side "-key.pem, named as for\n"                   \
      "QEMU (those in " CREDENTIALS_DIR ", if there are any)" }
#define CREDENTIALS_PSK_OPTION                                                \
    { CREDENTIALS_PSK, "psk", "FILE",                                         \
      "TLS with the pre-shared keys in FILE, a line\n"                        \
      "\"user:hexadecimal key\" for each, as psktool writes" }
#define CREDENTIALS_INSECURE_OPTION                                           \
    { CREDENTIALS_INSECURE, "insecure", NULL,                                 \
      "plain text, without a warning: anybody on the way\n"                   \
      "can read and change the VM's memory" }
/* clang-format on */

struct credentials_cli {
    struct credentials_options options;
    const char *allow[TLS_ALLOW_MAX]; /* what options.tls.allow points to */
};

/**
 * credentials_cli_init(cli, server):
 * What holds if no option is given.  ${cli} must stay where it is.
 */
void credentials_cli_init(struct credentials_cli *cli, bool server);

/**
 * credentials_cli_take(cli, key, value):
 * Take the option ${key}, one of the above, with ${value}.  Return NULL, or a
 * static text that says what was expected.
 */
const char *credentials_cli_take(struct credentials_cli *cli, int key,
                                 const char *value);

/**
 * credentials_cli_check(cli):
 * Return NULL if the options make sense together, or a static text that says
 * why not.
 */
const char *credentials_cli_check(const struct credentials_cli *cli);

#endif
