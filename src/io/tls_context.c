#include "io/tls_context.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <openssl/crypto.h>

/* OpenSSL's numbers for what we keep; made once in a process. */
static pthread_once_t indexes_once = PTHREAD_ONCE_INIT;
static int context_index = -1, note_index = -1;

static void
free_context(void *parent, void *kept, CRYPTO_EX_DATA *data, int index,
             long arg, void *argp)
{
    struct tls_context *context = kept;

    (void)parent, (void)data, (void)index, (void)arg, (void)argp;
    if (context == NULL)
        return;
    tls_text_clear(&context->keys);
    tls_options_clear(&context->options);
    free(context);
}

static void
free_note(void *parent, void *kept, CRYPTO_EX_DATA *data, int index, long arg,
          void *argp)
{
    (void)parent, (void)data, (void)index, (void)arg, (void)argp;
    free(kept);
}

static void
make_indexes(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_context);
    note_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_note);
}

/* Copy ${from} into *${to}, unless it is NULL; false if there is no memory. */
static bool
copy_text(const char **to, const char *from)
{
    if (from == NULL)
        return true;
    *to = strdup(from);
    return *to != NULL;
}

/* Of "fe80::1%eth0" the address, and of "host1.example." all but the dot. */
static bool
copy_hostname(const char **to, const char *from)
{
    size_t length;

    if (from == NULL)
        return true;
    length = strlen(from);
    if (strchr(from, ':') != NULL)
        length = strcspn(from, "%");
    else if (length > 1 && from[length - 1] == '.')
        length--;
    *to = strndup(from, length);
    return *to != NULL;
}

int
tls_options_copy(struct tls_options *to, const struct tls_options *from)
{
    const char **allow = calloc(TLS_ALLOW_MAX, sizeof *allow);
    bool good = allow != NULL && from->allow_count <= TLS_ALLOW_MAX;

    *to = (struct tls_options){ .server = from->server, .allow = allow };
    good = good && copy_text(&to->dir, from->dir) &&
           copy_text(&to->psk_path, from->psk_path) &&
           copy_text(&to->psk_user, from->psk_user) &&
           copy_hostname(&to->hostname, from->hostname);
    for (size_t i = 0; good && i < from->allow_count; i++) {
        good = copy_text(&allow[i], from->allow[i]);
        to->allow_count += good ? 1 : 0;
    }
    if (good)
        return 0;
    tls_options_clear(to);
    return -1;
}

void
tls_options_clear(struct tls_options *options)
{
    free((void *)options->dir);
    free((void *)options->psk_path);
    free((void *)options->psk_user);
    free((void *)options->hostname);
    for (size_t i = 0; i < options->allow_count; i++)
        free((void *)options->allow[i]);
    free((void *)options->allow);
    *options = (struct tls_options){ 0 };
}

/* AES-GCM is fast only with both of its instructions: AES, and the carry-less
   multiplication. */
static bool
aes_in_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
    unsigned long both = HWCAP_AES | HWCAP_PMULL;

    return (getauxval(AT_HWCAP) & both) == both;
#else
    return false;
#endif
}

/* A pre-shared key is for one hash, SHA-256 (RFC 8446, 4.2.11). */
static const char *
cipher_suites(bool psk)
{
    if (psk)
        return aes_in_processor()
                   ? "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
                   : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
    return aes_in_processor()
               ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                 "TLS_CHACHA20_POLY1305_SHA256"
               : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
                 "TLS_AES_256_GCM_SHA384";
}

/*
 * The host's openssl.cnf may have set anything before this, so what matters is
 * set here, either way.  No tickets and no cache: each connection proves anew
 * who it is, and no early data could be replayed.
 */
static int
set_protocol(SSL_CTX *context, bool psk)
{
    SSL_CTX_clear_options(context, SSL_OP_ALLOW_NO_DHE_KEX |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF |
                                       SSL_OP_NO_TLSv1_3);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION |
                                     SSL_OP_ENABLE_KTLS |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN); /* what the file has */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_level(context, 2);
    if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1 ||
        SSL_CTX_set_max_early_data(context, 0) != 1 ||
        SSL_CTX_set_recv_max_early_data(context, 0) != 1 ||
        SSL_CTX_set_ciphersuites(context, cipher_suites(psk)) != 1 ||
        SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1)
        return -1;
    return 0;
}

SSL_CTX *
tls_context_new(const struct tls_options *options)
{
    const SSL_METHOD *method;
    struct tls_context *kept = NULL;
    SSL_CTX *context;

    pthread_once(&indexes_once, make_indexes);
    method = options->server ? TLS_server_method() : TLS_client_method();
    context = SSL_CTX_new(method);
    if (context == NULL || context_index < 0 || note_index < 0 ||
        (kept = calloc(1, sizeof *kept)) == NULL ||
        tls_options_copy(&kept->options, options) != 0)
        goto fail;
    if (SSL_CTX_set_ex_data(context, context_index, kept) != 1)
        goto fail;
    kept = NULL; /* the context's */
    if (set_protocol(context, options->psk_path != NULL) == 0)
        return context;
fail:
    if (kept != NULL)
        tls_options_clear(&kept->options);
    free(kept);
    SSL_CTX_free(context);
    return NULL;
}

struct tls_context *
tls_context_of(const SSL_CTX *context)
{
    return SSL_CTX_get_ex_data(context, context_index);
}

const struct tls_context *
tls_context_ssl(const SSL *ssl)
{
    return tls_context_of(SSL_get_SSL_CTX(ssl));
}

struct tls_note *
tls_context_note(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, note_index);
}

int
tls_context_attach(SSL *ssl)
{
    struct tls_note *note = calloc(1, sizeof *note);

    if (note != NULL && SSL_set_ex_data(ssl, note_index, note) == 1)
        return 0;
    free(note);
    return -1;
}
