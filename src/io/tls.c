#include "io/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/harden.h"
#include "base/log.h"
#include "io/tls_context.h"
#include "io/tls_error.h"
#include "io/tls_names.h"
#include "io/tls_psk.h"
#include "io/tls_x509.h"

struct tls {
    struct tls_options options; /* a copy */
    SSL_CTX *context;
    struct tls_stamp stamps[TLS_X509_FILES]; /* of what is in use */
    struct tls_stamp tried[TLS_X509_FILES];  /* of what was last read */
    int64_t tried_ms;                        /* when, if in vain */
    char trouble[TLS_WHY_MAX];               /* what was said then */
    bool out_of_time;                        /* said that ours has expired */
};

/* Files that can't be used are read again no sooner than this: what is wrong
   may not be in them, such as a clock that is behind. */
static const int64_t retry_ms = 1000;

static void
take_stamps(const struct tls_options *options,
            struct tls_stamp stamps[TLS_X509_FILES])
{
    char path[TLS_PATH_MAX];

    memset(stamps, 0, TLS_X509_FILES * sizeof *stamps);
    if (options->psk_path != NULL) {
        stamps[0] = tls_file_stamp(options->psk_path);
        return;
    }
    for (int file = 0; file < TLS_X509_FILES; file++) {
        if (tls_x509_path(options, (enum tls_x509_file)file, path) == 0)
            stamps[file] = tls_file_stamp(path);
    }
}

static SSL_CTX *
read_context(const struct tls_options *options, char why[TLS_WHY_MAX])
{
    SSL_CTX *context;
    int result;

    ERR_clear_error();
    context = tls_context_new(options);
    if (context == NULL) {
        snprintf(why, TLS_WHY_MAX, "OpenSSL can't be set up: %s",
                 tls_error_reason(ERR_peek_error()));
        ERR_clear_error();
        return NULL;
    }
    if (options->psk_path != NULL)
        result = tls_psk_load(context, why);
    else
        result = tls_x509_load(context, why);
    if (result == 0 && options->psk_path == NULL && options->server)
        tls_psk_watch(context);
    ERR_clear_error();
    if (result == 0)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

struct tls *
tls_new(const struct tls_options *options, char why[TLS_WHY_MAX])
{
    struct tls *tls = calloc(1, sizeof *tls);

    if (tls == NULL || tls_options_copy(&tls->options, options) != 0) {
        snprintf(why, TLS_WHY_MAX, "TLS: no memory");
        free(tls);
        return NULL;
    }
    harden_keys_loaded();
    /* Looked at before they are read: a change in between is seen later. */
    take_stamps(&tls->options, tls->stamps);
    memcpy(tls->tried, tls->stamps, sizeof tls->tried);
    tls->context = read_context(&tls->options, why);
    if (tls->context != NULL)
        return tls;
    tls_free(tls);
    return NULL;
}

void
tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    tls_options_clear(&tls->options);
    harden_keys_gone();
    free(tls);
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * A list of revoked certificates that was there must not come to nothing by
 * being lost, or by being replaced in two steps.
 */
static SSL_CTX *
read_successor(const struct tls *tls, char why[TLS_WHY_MAX])
{
    SSL_CTX *context = read_context(&tls->options, why);

    if (context == NULL || !tls_context_of(tls->context)->revocation ||
        tls_context_of(context)->revocation)
        return context;
    SSL_CTX_free(context);
    snprintf(why, TLS_WHY_MAX,
             "%.300s/ca-crl.pem is gone: put it back, or restart this program "
             "if nobody is revoked any more",
             tls->options.dir);
    return NULL;
}

static void
read_again(struct tls *tls, const struct tls_stamp now[TLS_X509_FILES])
{
    char why[TLS_WHY_MAX];
    SSL_CTX *context = read_successor(tls, why);

    memcpy(tls->tried, now, sizeof tls->tried);
    tls->tried_ms = now_ms();
    if (context == NULL) {
        if (strcmp(why, tls->trouble) != 0)
            log_warnx("TLS: %s (what was read before stays in use)", why);
        memcpy(tls->trouble, why, sizeof why);
        return;
    }
    SSL_CTX_free(tls->context);
    tls->context = context;
    memcpy(tls->stamps, now, sizeof tls->stamps);
    tls->trouble[0] = '\0';
    tls->out_of_time = false;
    log_info("TLS: read %s again, which has changed",
             tls->options.psk_path != NULL ? tls->options.psk_path
                                           : tls->options.dir);
}

static void
look_at_dates(struct tls *tls)
{
    char why[TLS_WHY_MAX];
    bool out_of_time;

    if (tls->options.psk_path != NULL)
        return;
    out_of_time = tls_x509_in_time(tls->context, why) != 0;
    if (out_of_time && !tls->out_of_time)
        log_warnx("TLS: %s (until then its peers refuse it)", why);
    tls->out_of_time = out_of_time;
}

static bool
same_stamps(const struct tls_stamp a[TLS_X509_FILES],
            const struct tls_stamp b[TLS_X509_FILES])
{
    for (int file = 0; file < TLS_X509_FILES; file++) {
        if (!tls_stamp_equal(&a[file], &b[file]))
            return false;
    }
    return true;
}

void
tls_refresh(struct tls *tls)
{
    struct tls_stamp now[TLS_X509_FILES];

    take_stamps(&tls->options, now);
    if (same_stamps(now, tls->stamps)) {
        memcpy(tls->tried, now, sizeof tls->tried);
        tls->trouble[0] = '\0';
    } else if (!same_stamps(now, tls->tried) ||
               now_ms() - tls->tried_ms >= retry_ms) {
        read_again(tls, now);
    }
    look_at_dates(tls);
}

SSL *
tls_begin(struct tls *tls, int fd)
{
    const char *hostname = tls->options.hostname;
    SSL *ssl = SSL_new(tls->context);

    if (ssl == NULL || tls_context_attach(ssl) != 0 || SSL_set_fd(ssl, fd) != 1)
        goto fail;
    if (tls->options.server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if (tls->options.psk_path != NULL || !tls_x509_name_sent(hostname) ||
        SSL_set_tlsext_host_name(ssl, hostname) == 1)
        return ssl;
fail:
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

/*
 * A certificate without a subject is known by itself alone: its other names
 * need not fit here.
 */
static int
certificate_identity(const X509 *cert, char identity[TLS_IDENTITY_MAX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char subject[TLS_SUBJECT_MAX];
    unsigned length = 0;
    int at;

    if (tls_name_text(X509_get_subject_name(cert), subject) != 0)
        return -1;
    at = snprintf(identity, TLS_IDENTITY_MAX, "certificate %s", subject);
    if (subject[0] != '\0')
        return 0;
    if (X509_digest(cert, EVP_sha256(), digest, &length) != 1)
        return -1;
    at += snprintf(identity + at, TLS_IDENTITY_MAX - (size_t)at, "SHA-256 ");
    for (unsigned i = 0; i < length; i++)
        at += snprintf(identity + at, TLS_IDENTITY_MAX - (size_t)at, "%02x",
                       digest[i]);
    return 0;
}

int
tls_identity(const SSL *ssl, char identity[TLS_IDENTITY_MAX])
{
    const struct tls_context *context = tls_context_ssl(ssl);
    const struct tls_note *note = tls_context_note(ssl);
    const X509 *cert = SSL_get0_peer_certificate(ssl);

    identity[0] = '\0';
    if (context->options.psk_path == NULL) {
        if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
            return -1;
        return certificate_identity(cert, identity);
    }
    /* For OpenSSL a key from outside is a session that is resumed. */
    if (!SSL_session_reused(ssl) || cert != NULL || !note->psk_known)
        return -1;
    snprintf(identity, TLS_IDENTITY_MAX, "PSK user %s", note->psk_user);
    return 0;
}
