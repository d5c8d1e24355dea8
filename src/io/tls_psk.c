#include "io/tls_psk.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "io/tls_context.h"
#include "io/tls_files.h"
#include "io/tls_names.h"
#include "io/tls_verify.h"

/* The suite whose hash the key is for; the one that is used may be another
   with the same hash. */
static const unsigned char suite[] = { 0x13, 0x01 }; /* AES_128_GCM_SHA256 */

/* The key as OpenSSL wants it.  It is copied, and cleared with the session. */
static SSL_SESSION *
session_of(SSL *ssl, const struct psk *psk)
{
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
    SSL_SESSION *session = SSL_SESSION_new();

    if (session != NULL && cipher != NULL &&
        SSL_SESSION_set1_master_key(session, psk->key, psk->key_bytes) == 1 &&
        SSL_SESSION_set_cipher(session, cipher) == 1 &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/*
 * Each key that a client offers is looked up in the whole file, and a
 * ClientHello has room for thousands.  Ours offer one, twice if the server asks
 * for another ClientHello.
 */
enum { OFFERS_MAX = 8 };

static bool
too_many_offers(struct tls_note *note)
{
    if (note->psk_offers++ < OFFERS_MAX)
        return false;
    snprintf(note->refusal, sizeof note->refusal,
             "the client offers more than %d pre-shared keys, which no "
             "mig-client does",
             OFFERS_MAX);
    return true;
}

/* What a peer calls itself, for people. */
static void
note_user(struct tls_note *note, const unsigned char *user, size_t length)
{
    tls_printable(note->psk_user, sizeof note->psk_user, user, length);
    if (length == 0)
        snprintf(note->psk_user, sizeof note->psk_user, "(no name)");
}

static int
find_key(const struct tls_context *context, const char *user, size_t length,
         struct psk *psk)
{
    return psk_file_find(context->keys.bytes, context->keys.length, user,
                         length, psk);
}

/*
 * Server: a client offers a key by its name.  Without one of that name the
 * handshake goes on, and ends for want of a certificate.
 */
static int
on_find_session(SSL *ssl, const unsigned char *user, size_t length,
                SSL_SESSION **session)
{
    struct tls_note *note = tls_context_note(ssl);
    struct psk psk;

    *session = NULL;
    if (note == NULL || too_many_offers(note))
        return 0;
    note_user(note, user, length);
    note->psk_known = false; /* there may have been another before */
    if (find_key(tls_context_ssl(ssl), (const char *)user, length, &psk) != 0)
        return 1;
    note->psk_known = true;
    *session = session_of(ssl, &psk);
    OPENSSL_cleanse(&psk, sizeof psk);
    return *session != NULL;
}

/* A server with certificates: it has no keys, and only wants to know. */
static int
on_offer(SSL *ssl, const unsigned char *user, size_t length,
         SSL_SESSION **session)
{
    struct tls_note *note = tls_context_note(ssl);

    *session = NULL;
    if (note == NULL || too_many_offers(note))
        return 0;
    note_user(note, user, length);
    return 1;
}

/*
 * Client: which key to offer.  ${hash} is the one that the server has asked
 * for, if this is the second ClientHello; OpenSSL takes care that it fits.
 */
static int
on_use_session(SSL *ssl, const EVP_MD *hash, const unsigned char **user,
               size_t *length, SSL_SESSION **session)
{
    const struct tls_context *context = tls_context_ssl(ssl);
    struct tls_note *note = tls_context_note(ssl);
    const char *name = context->options.psk_user;
    struct psk psk;

    (void)hash;
    if (note == NULL || find_key(context, name, strlen(name), &psk) != 0)
        return 0;
    *user = (const unsigned char *)name;
    *length = strlen(name);
    note_user(note, *user, *length);
    note->psk_known = true;
    *session = session_of(ssl, &psk);
    OPENSSL_cleanse(&psk, sizeof psk);
    return *session != NULL;
}

static int
check_keys(const struct tls_context *context, char why[TLS_WHY_MAX])
{
    const struct tls_options *options = &context->options;
    const char *trouble, *user = options->psk_user;
    struct psk psk;
    unsigned line;

    trouble = psk_file_check(context->keys.bytes, context->keys.length, &line);
    if (trouble != NULL && line > 0)
        snprintf(why, TLS_WHY_MAX, "%s line %u: %s", options->psk_path, line,
                 trouble);
    else if (trouble != NULL)
        snprintf(why, TLS_WHY_MAX, "%s: %s", options->psk_path, trouble);
    else if (!options->server &&
             (user == NULL || find_key(context, user, strlen(user), &psk) != 0))
        snprintf(why, TLS_WHY_MAX,
                 "%s has no key for user %.64s: choose one with --psk-user",
                 options->psk_path, user != NULL ? user : "(none)");
    else {
        OPENSSL_cleanse(&psk, sizeof psk);
        return 0;
    }
    return -1;
}

/* The folder that the file is in. */
static int
check_folder(const char *path, char why[TLS_WHY_MAX])
{
    const char *slash = strrchr(path, '/');
    char folder[TLS_PATH_MAX];
    int length;

    if (slash == NULL)
        return tls_folder_check(".", why);
    length = slash == path ? 1 : (int)(slash - path);
    if (length < TLS_PATH_MAX) {
        snprintf(folder, sizeof folder, "%.*s", length, path);
        return tls_folder_check(folder, why);
    }
    snprintf(why, TLS_WHY_MAX, "%.200s...: the path is too long", path);
    return -1;
}

int
tls_psk_load(SSL_CTX *context, char why[TLS_WHY_MAX])
{
    struct tls_context *kept = tls_context_of(context);

    if (check_folder(kept->options.psk_path, why) != 0 ||
        tls_file_read(kept->options.psk_path, TLS_FILE_SECRET, &kept->keys,
                      why) != 0 ||
        check_keys(kept, why) != 0)
        return -1;
    if (kept->options.server) {
        SSL_CTX_set_psk_find_session_callback(context, on_find_session);
        return 0;
    }
    SSL_CTX_set_psk_use_session_callback(context, on_use_session);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, tls_verify_none);
    return 0;
}

void
tls_psk_watch(SSL_CTX *context)
{
    SSL_CTX_set_psk_find_session_callback(context, on_offer);
}
