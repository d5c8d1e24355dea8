#include "io/credentials_cli.h"

#include <string.h>

#include "base/psk_file.h"

void
credentials_cli_init(struct credentials_cli *cli, bool server)
{
    *cli = (struct credentials_cli){ .options.default_dir = CREDENTIALS_DIR };
    cli->options.tls.server = server;
    cli->options.tls.allow = cli->allow;
}

const char *
credentials_cli_take(struct credentials_cli *cli, int key, const char *value)
{
    struct tls_options *tls = &cli->options.tls;

    if (key == CREDENTIALS_INSECURE) {
        cli->options.insecure = true;
        return NULL;
    }
    if (value == NULL || value[0] == '\0')
        return "something";
    switch (key) {
    case CREDENTIALS_TLS_DIR: tls->dir = value; break;
    case CREDENTIALS_TLS_HOSTNAME:
        tls->hostname = value;
        cli->options.hostname_given = true;
        break;
    case CREDENTIALS_PSK: tls->psk_path = value; break;
    case CREDENTIALS_PSK_USER:
        if (strlen(value) > PSK_USER_MAX || strchr(value, ':') != NULL)
            return "1 to 64 characters without ':'";
        tls->psk_user = value;
        cli->options.psk_user_given = true;
        break;
    case CREDENTIALS_TLS_ALLOW:
        if (tls->allow_count == TLS_ALLOW_MAX)
            return "at most 64 patterns";
        cli->allow[tls->allow_count++] = value;
        break;
    }
    return NULL;
}

/*
 * What narrows credentials down may be for those of the host: whether it comes
 * to nothing is known when these are loaded (credentials_load), except here.
 */
const char *
credentials_cli_check(const struct credentials_cli *cli)
{
    const struct tls_options *tls = &cli->options.tls;

    if (tls->dir != NULL && tls->psk_path != NULL)
        return "--tls-dir and --psk are two ways to the same end: choose one";
    if (cli->options.insecure && (tls->dir != NULL || tls->psk_path != NULL))
        return "--insecure is plain text: not with --tls-dir or --psk";
    if (cli->options.insecure &&
        (tls->allow_count > 0 || cli->options.hostname_given ||
         cli->options.psk_user_given))
        return "--insecure is plain text: not with --tls-allow, "
               "--tls-hostname or --psk-user";
    return NULL;
}
