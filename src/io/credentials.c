#include "io/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "io/tls_files.h"
#include "io/tls_kernel.h"

enum presence { ABSENT, PRESENT, UNKNOWN };

/* A link that leads nowhere is present: somebody wanted something there. */
static enum presence
look(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0)
        return PRESENT;
    return errno == ENOENT || errno == ENOTDIR ? ABSENT : UNKNOWN;
}

static enum presence
look_into(const char *dir, const char *name, char path[TLS_PATH_MAX])
{
    if (snprintf(path, TLS_PATH_MAX, "%s/%s", dir, name) < TLS_PATH_MAX)
        return look(path);
    errno = ENAMETOOLONG;
    return UNKNOWN;
}

static int
can_not_tell(const char *path, char why[TLS_WHY_MAX])
{
    snprintf(why, TLS_WHY_MAX,
             "cannot look at %s: %s (--insecure goes without it)", path,
             strerror(errno));
    return -1;
}

/*
 * Point ${tls} to what the host has for this side, if it has.  ${path} is where
 * that may be written.  If there is a folder at all, somebody has begun to set
 * this host up, or has set up another part of it: going on in plain text is not
 * what was meant.
 */
static int
use_default(struct tls_options *tls, const char *dir, char path[TLS_PATH_MAX],
            char why[TLS_WHY_MAX])
{
    const char *key = tls->server ? "server-key.pem" : "client-key.pem";

    switch (look(dir)) {
    case UNKNOWN: return can_not_tell(dir, why);
    case ABSENT: return 0;
    case PRESENT: break;
    }
    switch (look_into(dir, key, path)) {
    case UNKNOWN: return can_not_tell(path, why);
    case PRESENT: tls->dir = dir; return 0;
    case ABSENT: break;
    }
    switch (look_into(dir, "keys.psk", path)) {
    case UNKNOWN: return can_not_tell(path, why);
    case PRESENT: tls->psk_path = path; return 0;
    case ABSENT: break;
    }
    snprintf(why, TLS_WHY_MAX,
             "%s holds neither %s nor keys.psk: add one, or give --tls-dir, "
             "--psk or --insecure",
             dir, key);
    return -1;
}

/*
 * An option that nobody would look at must not be taken for a restriction.
 * ${tls} is what has been chosen.
 */
static int
check_narrowed(const struct credentials_options *options,
               const struct tls_options *tls, char why[TLS_WHY_MAX])
{
    const char *option = NULL;

    if (tls->dir == NULL && tls->allow_count > 0)
        option = "--tls-allow";
    else if (tls->dir == NULL && options->hostname_given)
        option = "--tls-hostname";
    if (option != NULL)
        snprintf(why, TLS_WHY_MAX,
                 "%s is for certificates, but %s%s: give --tls-dir", option,
                 tls->psk_path != NULL ? "keys are used, those of "
                                       : "there are none",
                 tls->psk_path != NULL ? tls->psk_path : "");
    else if (tls->psk_path == NULL && options->psk_user_given)
        snprintf(why, TLS_WHY_MAX,
                 "--psk-user is for pre-shared keys, but %s%s: give --psk",
                 tls->dir != NULL ? "certificates are used, those in "
                                  : "there are none",
                 tls->dir != NULL ? tls->dir : "");
    else
        return 0;
    return -1;
}

static void
say_which(const struct tls_options *tls)
{
    if (tls->dir == NULL && tls->psk_path == NULL) {
        log_warnx("no TLS: the machines' memory and all else goes over the "
                  "network unencrypted, and the other end need not prove who "
                  "it is; give --tls-dir or --psk, or --insecure to accept it");
        return;
    }
    log_info("TLS: %s %s (%s)",
             tls->dir != NULL ? "certificates in" : "keys of",
             tls->dir != NULL ? tls->dir : tls->psk_path,
             tls_kernel_available()
                 ? "the kernel offers to encrypt"
                 : "encrypted by this program: the kernel has no TLS");
}

int
credentials_load(const struct credentials_options *options, struct tls **tls,
                 char why[TLS_WHY_MAX])
{
    struct tls_options chosen = options->tls;
    char path[TLS_PATH_MAX];

    *tls = NULL;
    if (!options->insecure && chosen.dir == NULL && chosen.psk_path == NULL &&
        options->default_dir != NULL &&
        use_default(&chosen, options->default_dir, path, why) != 0)
        return -1;
    if (check_narrowed(options, &chosen, why) != 0)
        return -1;
    if (options->insecure)
        return 0;
    if (chosen.dir != NULL || chosen.psk_path != NULL) {
        *tls = tls_new(&chosen, why);
        if (*tls == NULL)
            return -1;
    }
    say_which(&chosen);
    return 0;
}
