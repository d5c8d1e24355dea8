#include "io/tls_verify.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "io/tls_context.h"
#include "io/tls_names.h"

/*
 * In a subject a backslash stands before a ',' or a '+' that is part of a value
 * and not its end.  A '*' can't tell the two apart, so such a subject has to be
 * written out: "CN=*,O=Example" must not be met by a common name that ends in
 * ",O=Example".
 */
static bool
subject_matches(const char *pattern, const char *subject)
{
    if (strchr(subject, '\\') != NULL)
        return strcmp(pattern, subject) == 0;
    return fnmatch(pattern, subject, 0) == 0;
}

bool
tls_verify_allowed(const struct tls_options *options, const X509 *cert)
{
    char subject[TLS_SUBJECT_MAX], common[TLS_SUBJECT_MAX];
    bool has_subject, has_common;

    has_subject = tls_name_text(X509_get_subject_name(cert), subject) == 0;
    has_common = tls_cert_common_name(cert, common) == 0;
    for (size_t i = 0; i < options->allow_count; i++) {
        const char *pattern = options->allow[i];

        if (strchr(pattern, '=') != NULL
                ? has_subject && subject_matches(pattern, subject)
                : has_common && fnmatch(pattern, common, 0) == 0)
            return true;
    }
    return options->allow_count == 0;
}

/* One refusal: the certificate at fault, and whose it is. */
struct refusal {
    const struct tls_options *options;
    const X509 *cert;
    const X509 *leaf; /* the peer's own */
    char subject[TLS_SUBJECT_MAX];
    const char *peer;
    const char *whose; /* "", or what stands before a CA's certificate */
};

static void
say_foreign(const struct refusal *refusal, char *why)
{
    char subject[TLS_SUBJECT_MAX], issuer[TLS_SUBJECT_MAX];

    tls_name_text(X509_get_subject_name(refusal->leaf), subject);
    tls_name_text(X509_get_issuer_name(refusal->leaf), issuer);
    snprintf(why, TLS_WHY_MAX,
             "the %s's certificate %.120s is not signed by our CA, but by "
             "%.120s: ca-cert.pem must be of the same CA at both ends",
             refusal->peer, subject, issuer);
}

static void
say_date(const struct refusal *refusal, bool expired, char *why)
{
    char date[TLS_DATE_MAX];

    tls_date_text(expired ? X509_get0_notAfter(refusal->cert)
                          : X509_get0_notBefore(refusal->cert),
                  date);
    snprintf(why, TLS_WHY_MAX, "the %s's %scertificate %.200s %s %s: %s",
             refusal->peer, refusal->whose, refusal->subject,
             expired ? "expired on" : "is not valid before", date,
             expired ? "renew it there" : "compare the clocks of both hosts");
}

static void
say_wrong_name(const struct refusal *refusal, char *why)
{
    char names[TLS_NAMES_MAX];

    tls_cert_names(refusal->leaf, names);
    snprintf(why, TLS_WHY_MAX,
             "the server's certificate is for %s, and not for %.120s: connect "
             "to a name that it has, or give that name with --tls-hostname",
             names, refusal->options->hostname);
}

static void
say_purpose(const struct refusal *refusal, char *why)
{
    snprintf(why, TLS_WHY_MAX,
             "the %s's %scertificate %.200s was not made for a %s: look at its "
             "key usage",
             refusal->peer, refusal->whose, refusal->subject,
             refusal->whose[0] != '\0' ? "CA" : refusal->peer);
}

static void
say_no_list(const struct refusal *refusal, char *why)
{
    char issuer[TLS_SUBJECT_MAX];

    tls_name_text(X509_get_issuer_name(refusal->cert), issuer);
    snprintf(why, TLS_WHY_MAX,
             "our ca-crl.pem holds no revocation list of the CA %.150s, which "
             "has issued the %s's %scertificate %.150s: add it",
             issuer, refusal->peer, refusal->whose, refusal->subject);
}

static void
say_error(const struct refusal *refusal, int error, char *why)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say_foreign(refusal, why);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED: say_date(refusal, true, why); return;
    case X509_V_ERR_CERT_NOT_YET_VALID: say_date(refusal, false, why); return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: say_wrong_name(refusal, why); return;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_PURPOSE: say_purpose(refusal, why); return;
    case X509_V_ERR_CERT_REVOKED:
        snprintf(why, TLS_WHY_MAX,
                 "the %s's %scertificate %.200s is revoked by our ca-crl.pem",
                 refusal->peer, refusal->whose, refusal->subject);
        return;
    case X509_V_ERR_UNABLE_TO_GET_CRL: say_no_list(refusal, why); return;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        snprintf(why, TLS_WHY_MAX,
                 "our revocation list ca-crl.pem has expired, so the %s's "
                 "%scertificate %.200s can't be checked: renew the list",
                 refusal->peer, refusal->whose, refusal->subject);
        return;
    default:
        snprintf(why, TLS_WHY_MAX, "the %s's %scertificate %.200s: %s",
                 refusal->peer, refusal->whose, refusal->subject,
                 X509_verify_cert_error_string(error));
    }
}

static SSL *
ssl_of(X509_STORE_CTX *store)
{
    return X509_STORE_CTX_get_ex_data(store,
                                      SSL_get_ex_data_X509_STORE_CTX_idx());
}

static void
note_error(SSL *ssl, X509_STORE_CTX *store)
{
    struct tls_note *note = tls_context_note(ssl);
    struct refusal refusal = {
        .options = &tls_context_ssl(ssl)->options,
        .cert = X509_STORE_CTX_get_current_cert(store),
        .leaf = X509_STORE_CTX_get0_cert(store),
        .whose = X509_STORE_CTX_get_error_depth(store) > 0 ? "CA's " : "",
    };

    if (note == NULL || note->refusal[0] != '\0')
        return;
    refusal.peer = refusal.options->server ? "client" : "server";
    if (refusal.cert == NULL)
        refusal.cert = refusal.leaf;
    tls_name_text(X509_get_subject_name(refusal.cert), refusal.subject);
    say_error(&refusal, X509_STORE_CTX_get_error(store), note->refusal);
}

static int
refuse_subject(SSL *ssl, X509_STORE_CTX *store, const X509 *cert)
{
    struct tls_note *note = tls_context_note(ssl);
    char subject[TLS_SUBJECT_MAX];

    tls_name_text(X509_get_subject_name(cert), subject);
    if (note != NULL)
        snprintf(note->refusal, sizeof note->refusal,
                 "the client's certificate %.250s matches no --tls-allow of "
                 "ours",
                 subject);
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

int
tls_verify_peer(int good, X509_STORE_CTX *store)
{
    SSL *ssl = ssl_of(store);
    const struct tls_options *options = &tls_context_ssl(ssl)->options;
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (!good) {
        note_error(ssl, store);
        return 0;
    }
    if (!options->server || X509_STORE_CTX_get_error_depth(store) > 0 ||
        cert == NULL || tls_verify_allowed(options, cert))
        return 1;
    return refuse_subject(ssl, store, cert);
}

int
tls_verify_none(int good, X509_STORE_CTX *store)
{
    struct tls_note *note = tls_context_note(ssl_of(store));

    (void)good;
    if (note != NULL)
        snprintf(note->refusal, sizeof note->refusal,
                 "the server uses certificates, and we a pre-shared key: use "
                 "one kind at both ends");
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}
