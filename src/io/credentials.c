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
look(const char *dir, const char *name, char path[TLS_PATH_MAX])
{
    struct stat st;

    if (snprintf(path, TLS_PATH_MAX, "%s/%s", dir, name) >= TLS_PATH_MAX) {
        errno = ENAMETOOLONG;
        return UNKNOWN;
    }
    if (lstat(path, &st) == 0)
        return PRESENT;
    return errno == ENOENT || errno == ENOTDIR ? ABSENT : UNKNOWN;
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
 * Somebody has begun to set this host up, or has set up another part of it:
 * going on in plain text is not what was meant.
 */
static int
check_nothing_there(const char *dir, const char *key, char why[TLS_WHY_MAX])
{
    static const char *const names[] = { "ca-cert.pem",     "ca-crl.pem",
                                         "server-cert.pem", "server-key.pem",
                                         "client-cert.pem", "client-key.pem" };
    char path[TLS_PATH_MAX];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum presence presence = look(dir, names[i], path);

        if (presence == UNKNOWN)
            return can_not_tell(path, why);
        if (presence == ABSENT)
            continue;
        snprintf(why, TLS_WHY_MAX,
                 "%s is there, but neither %s nor keys.psk: add one, or give "
                 "--tls-dir, --psk or --insecure",
                 path, key);
        return -1;
    }
    return 0;
}

/*
 * Point ${tls} to what the host has for this side, if it has.  ${path} is where
 * that may be written.
 */
static int
use_default(struct tls_options *tls, const char *dir, char path[TLS_PATH_MAX],
            char why[TLS_WHY_MAX])
{
    const char *key = tls->server ? "server-key.pem" : "client-key.pem";

    switch (look(dir, key, path)) {
    case UNKNOWN: return can_not_tell(path, why);
    case PRESENT: tls->dir = dir; return 0;
    case ABSENT: break;
    }
    switch (look(dir, "keys.psk", path)) {
    case UNKNOWN: return can_not_tell(path, why);
    case PRESENT: tls->psk_path = path; return 0;
    case ABSENT: break;
    }
    return check_nothing_there(dir, key, why);
}

/* Patterns that nobody would look at must not be taken for a restriction. */
static int
check_allow(const struct tls_options *tls, char why[TLS_WHY_MAX])
{
    if (tls->allow_count == 0 || tls->dir != NULL)
        return 0;
    snprintf(why, TLS_WHY_MAX,
             "--tls-allow is for certificates, but %s%s: give --tls-dir",
             tls->psk_path != NULL ? "keys are used, those of "
                                   : "there are none",
             tls->psk_path != NULL ? tls->psk_path : "");
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
    if (options->insecure)
        return 0;
    if (chosen.dir == NULL && chosen.psk_path == NULL &&
        options->default_dir != NULL &&
        use_default(&chosen, options->default_dir, path, why) != 0)
        return -1;
    if (check_allow(&chosen, why) != 0)
        return -1;
    if (chosen.dir != NULL || chosen.psk_path != NULL) {
        *tls = tls_new(&chosen, why);
        if (*tls == NULL)
            return -1;
    }
    say_which(&chosen);
    return 0;
}
