#include "io/tls_x509.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "io/tls_context.h"
#include "io/tls_error.h"
#include "io/tls_names.h"
#include "io/tls_verify.h"

static const char *
file_name(bool server, enum tls_x509_file file)
{
    switch (file) {
    case TLS_X509_CA: return "ca-cert.pem";
    case TLS_X509_CRL: return "ca-crl.pem";
    case TLS_X509_CERT: return server ? "server-cert.pem" : "client-cert.pem";
    case TLS_X509_KEY: return server ? "server-key.pem" : "client-key.pem";
    case TLS_X509_FILES: break;
    }
    return "";
}

int
tls_x509_path(const struct tls_options *options, enum tls_x509_file file,
              char path[TLS_PATH_MAX])
{
    int length = snprintf(path, TLS_PATH_MAX, "%s/%s", options->dir,
                          file_name(options->server, file));

    return length > 0 && length < TLS_PATH_MAX ? 0 : -1;
}

/* Open one of the files for reading PEM from memory. */
static BIO *
open_pem(const char *path, enum tls_file_kind kind, struct tls_text *text,
         char why[TLS_WHY_MAX])
{
    BIO *bio;

    if (tls_file_read(path, kind, text, why) != 0)
        return NULL;
    bio = BIO_new_mem_buf(text->bytes, (int)text->length);
    if (bio == NULL) {
        snprintf(why, TLS_WHY_MAX, "%s: no memory", path);
        tls_text_clear(text);
    }
    return bio;
}

/*
 * PEM_read_bio_* says "no start line" at the end of a file, too.  Return
 * whether that is why it found no more, and forget the error.
 */
static bool
at_end_of_pem(void)
{
    unsigned long error = ERR_peek_last_error();

    ERR_clear_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM &&
           ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/*
 * Read all certificates of ${path}, and give each to ${take}, which owns it
 * then.
 */
static int
read_certs(SSL_CTX *context, const char *path,
           int (*take)(SSL_CTX *context, X509 *cert, int number),
           char why[TLS_WHY_MAX])
{
    struct tls_text text;
    BIO *bio = open_pem(path, TLS_FILE_PUBLIC, &text, why);
    bool good = true;
    int count = 0;
    X509 *cert;

    if (bio == NULL)
        return -1;
    while (good && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        good = take(context, cert, count++) == 0;
    if (!good)
        snprintf(why, TLS_WHY_MAX, "%s: certificate %d can't be used: %s", path,
                 count, tls_error_reason(ERR_peek_last_error()));
    else if (!at_end_of_pem() || count == 0) {
        snprintf(why, TLS_WHY_MAX, "%s holds no certificate in PEM%s", path,
                 count > 0 ? " after the first ones" : "");
        good = false;
    }
    ERR_clear_error();
    BIO_free(bio);
    tls_text_clear(&text);
    return good ? 0 : -1;
}

static int
take_ca(SSL_CTX *context, X509 *cert, int number)
{
    bool good = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), cert) == 1;

    (void)number;
    /* A server names its CAs, for clients that have several certificates. */
    if (good && tls_context_of(context)->options.server)
        good = SSL_CTX_add_client_CA(context, cert) == 1;
    X509_free(cert);
    return good ? 0 : -1;
}

/* The first one is ours, those after it lead to the CA. */
static int
take_own(SSL_CTX *context, X509 *cert, int number)
{
    int good;

    if (number > 0) {
        if (SSL_CTX_add0_chain_cert(context, cert) == 1)
            return 0;
        X509_free(cert);
        return -1;
    }
    good = SSL_CTX_use_certificate(context, cert);
    X509_free(cert);
    return good == 1 ? 0 : -1;
}

/* OpenSSL would else ask at the terminal. */
static int
no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)writing;
    if (size > 0)
        buffer[0] = '\0';
    *(bool *)asked = true;
    return -1;
}

static int
read_key(SSL_CTX *context, const char *path, char why[TLS_WHY_MAX])
{
    struct tls_text text;
    BIO *bio = open_pem(path, TLS_FILE_SECRET, &text, why);
    bool asked = false;
    EVP_PKEY *key;
    int result = -1;

    if (bio == NULL)
        return -1;
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    if (key == NULL && asked)
        snprintf(why, TLS_WHY_MAX,
                 "%s is encrypted with a passphrase, which nobody is there to "
                 "enter: use \"openssl pkey\" to write it without",
                 path);
    else if (key == NULL)
        snprintf(why, TLS_WHY_MAX, "%s holds no private key in PEM", path);
    else if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) !=
                 1 ||
             SSL_CTX_use_PrivateKey(context, key) != 1)
        snprintf(
            why, TLS_WHY_MAX, "%s is not the key of %s beside it", path,
            file_name(tls_context_of(context)->options.server, TLS_X509_CERT));
    else
        result = 0;
    ERR_clear_error();
    EVP_PKEY_free(key);
    BIO_free(bio);
    tls_text_clear(&text);
    return result;
}

/* A list that has expired would have every peer refused. */
static int
take_crl(SSL_CTX *context, X509_CRL *crl, const char *path,
         char why[TLS_WHY_MAX])
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    char date[TLS_DATE_MAX];
    time_t now = time(NULL);

    if (next != NULL && X509_cmp_time(next, &now) <= 0) {
        snprintf(why, TLS_WHY_MAX,
                 "the revocation list %s expired on %s: renew it", path,
                 tls_date_text(next, date));
        return -1;
    }
    if (X509_STORE_add_crl(SSL_CTX_get_cert_store(context), crl) == 1)
        return 0;
    snprintf(why, TLS_WHY_MAX, "%s: no memory", path);
    return -1;
}

static int
read_crls(SSL_CTX *context, const char *path, char why[TLS_WHY_MAX])
{
    struct tls_text text;
    BIO *bio = open_pem(path, TLS_FILE_PUBLIC, &text, why);
    bool good = true;
    int count = 0;
    X509_CRL *crl;

    if (bio == NULL)
        return -1;
    while (good &&
           (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        good = take_crl(context, crl, path, why) == 0;
        X509_CRL_free(crl);
        count++;
    }
    if (good && (!at_end_of_pem() || count == 0)) {
        snprintf(why, TLS_WHY_MAX, "%s holds no revocation list in PEM", path);
        good = false;
    }
    ERR_clear_error();
    BIO_free(bio);
    tls_text_clear(&text);
    tls_context_of(context)->revocation = true;
    /* The CAs in between can be revoked, too: with a list of some of the CAs
       only, those whose list is missing are refused. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                                X509_V_FLAG_CRL_CHECK |
                                    X509_V_FLAG_CRL_CHECK_ALL);
    return good ? 0 : -1;
}

static bool
is_address(const char *hostname)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, hostname, address) == 1 ||
           inet_pton(AF_INET6, hostname, address) == 1;
}

bool
tls_x509_name_sent(const char *hostname)
{
    return hostname != NULL && hostname[0] != '\0' && !is_address(hostname);
}

/* The name that the server's certificate must have. */
static int
expect_name(SSL_CTX *context, char why[TLS_WHY_MAX])
{
    const char *hostname = tls_context_of(context)->options.hostname;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    int good = 0;

    if (hostname == NULL || hostname[0] == '\0') {
        snprintf(why, TLS_WHY_MAX,
                 "no name of the server to check: give "
                 "--tls-hostname");
        return -1;
    }
    X509_VERIFY_PARAM_set_hostflags(param, TLS_X509_HOST_FLAGS);
    if (is_address(hostname))
        good = X509_VERIFY_PARAM_set1_ip_asc(param, hostname);
    else if (hostname[0] != '.') /* for OpenSSL: every host of a domain */
        good = X509_VERIFY_PARAM_set1_host(param, hostname, 0);
    if (good == 1)
        return 0;
    ERR_clear_error();
    snprintf(why, TLS_WHY_MAX,
             "%.300s is no name that a certificate could have", hostname);
    return -1;
}

int
tls_x509_in_time(const SSL_CTX *context, char why[TLS_WHY_MAX])
{
    const struct tls_options *options = &tls_context_of(context)->options;
    const X509 *cert = SSL_CTX_get0_certificate(context);
    const ASN1_TIME *date = X509_get0_notAfter(cert);
    const char *what = "expired on", *hint = "renew it";
    char text[TLS_DATE_MAX];
    time_t now = time(NULL);

    if (X509_cmp_time(date, &now) > 0) {
        date = X509_get0_notBefore(cert);
        what = "is not valid before";
        hint = "is this host's clock right?";
        if (X509_cmp_time(date, &now) < 0)
            return 0;
    }
    snprintf(why, TLS_WHY_MAX, "%s/%s %s %s: %s", options->dir,
             file_name(options->server, TLS_X509_CERT), what,
             tls_date_text(date, text), hint);
    return -1;
}

/* Read one of the files; a list of revoked certificates need not exist. */
static int
read_file(SSL_CTX *context, enum tls_x509_file file, char why[TLS_WHY_MAX])
{
    const struct tls_options *options = &tls_context_of(context)->options;
    char path[TLS_PATH_MAX];

    if (tls_x509_path(options, file, path) != 0) {
        snprintf(why, TLS_WHY_MAX, "%.200s...: the path is too long",
                 options->dir);
        return -1;
    }
    if (file == TLS_X509_KEY)
        return read_key(context, path, why);
    if (file == TLS_X509_CERT)
        return read_certs(context, path, take_own, why);
    if (file == TLS_X509_CA)
        return read_certs(context, path, take_ca, why);
    return tls_file_absent(path) ? 0 : read_crls(context, path, why);
}

int
tls_x509_load(SSL_CTX *context, char why[TLS_WHY_MAX])
{
    const struct tls_options *options = &tls_context_of(context)->options;

    if (tls_folder_check(options->dir, why) != 0)
        return -1;
    for (int file = 0; file < TLS_X509_FILES; file++) {
        if (read_file(context, (enum tls_x509_file)file, why) != 0)
            return -1;
    }
    if (tls_x509_in_time(context, why) != 0)
        return -1;
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       tls_verify_peer);
    return options->server ? 0 : expect_name(context, why);
}
