#include "io/tls_error.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "io/tls_context.h"
#include "io/tls_names.h"
#include "io/tls_x509.h"

enum { OURS_MAX = 400 }; /* leaves room for the rest of the line */

/* What is known when an operation has failed. */
struct failure {
    const SSL *ssl;
    const struct tls_options *options;
    const struct tls_note *note;
    const char *peer;
    unsigned long error; /* OpenSSL's */
    bool psk;
};

const char *
tls_error_reason(unsigned long error)
{
    const char *words = ERR_reason_error_string(error);

    return words != NULL ? words : "no reason given";
}

/*
 * Empty the queue.  What libssl said first is the cause: below it may be what
 * a certificate's parser met, and above it what followed.
 */
static unsigned long
take_error(void)
{
    unsigned long error, first = 0, cause = 0;

    while ((error = ERR_get_error()) != 0) {
        first = first != 0 ? first : error;
        if (cause == 0 && ERR_GET_LIB(error) == ERR_LIB_SSL)
            cause = error;
    }
    return cause != 0 ? cause : first;
}

/* A server that has shown its certificate is done but for what it has against
   the client's. */
static bool
server_has_shown(const struct failure *failure)
{
    return !failure->options->server &&
           SSL_get0_peer_certificate(failure->ssl) != NULL;
}

/*
 * What our certificate is: the peer that does not accept it may not have said
 * what it has against it, and the operator can tell from this.
 */
static void
describe_ours(const struct failure *failure, char text[OURS_MAX])
{
    const X509 *cert = SSL_get_certificate(failure->ssl);
    char subject[TLS_SUBJECT_MAX], issuer[TLS_SUBJECT_MAX];
    char names[TLS_NAMES_MAX] = "", before[TLS_DATE_MAX], after[TLS_DATE_MAX];

    text[0] = '\0';
    if (cert == NULL)
        return;
    tls_name_text(X509_get_subject_name(cert), subject);
    tls_name_text(X509_get_issuer_name(cert), issuer);
    if (failure->options->server)
        tls_cert_names(cert, names);
    snprintf(text, OURS_MAX,
             "; ours is %.80s%s%.80s, issued by %.80s, valid from %s to %s",
             subject, names[0] != '\0' ? ", for " : "", names, issuer,
             tls_date_text(X509_get0_notBefore(cert), before),
             tls_date_text(X509_get0_notAfter(cert), after));
}

static const char early[] =
    "it is not valid yet by the clock there, or damaged";

/*
 * OpenSSL sends bad_certificate both for a wrong name and for a certificate
 * that is not valid yet.  A client that has told us which name it looks for
 * leaves one of the two.
 */
static const char *
bad_certificate(const struct failure *failure)
{
    const char *name;

    if (!failure->options->server)
        return early;
    name = SSL_get_servername(failure->ssl, TLSEXT_NAMETYPE_host_name);
    if (name == NULL)
        return "it is not for the address that the client looks for, or not "
               "valid yet by the clock there";
    return X509_check_host(SSL_get_certificate(failure->ssl), name, 0,
                           TLS_X509_HOST_FLAGS, NULL) == 1
               ? early
               : "it is not for the name that the client looks for "
                 "(--tls-hostname there)";
}

/* What the peer's alert has against our certificate, NULL if it is about
   something else. */
static const char *
certificate_trouble(const struct failure *failure, int alert)
{
    switch (alert) {
    case SSL_AD_UNKNOWN_CA:
        return "it was not issued by a CA that is known there (ca-cert.pem, "
               "ca-crl.pem)";
    case SSL_AD_CERTIFICATE_EXPIRED: return "it has expired by the clock there";
    case SSL_AD_CERTIFICATE_REVOKED: return "it was revoked (ca-crl.pem there)";
    case SSL_AD_BAD_CERTIFICATE: return bad_certificate(failure);
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
        return "it was not made for this end (key usage)";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "it does not say why";
    case SSL_AD_DECRYPT_ERROR: return "a signature is wrong";
    case SSL_AD_ACCESS_DENIED: return "it is not allowed there (--tls-allow)";
    case SSL_AD_HANDSHAKE_FAILURE:
        return server_has_shown(failure)
                   ? "it is not allowed there (--tls-allow)"
                   : NULL;
    default: return NULL;
    }
}

static void
say_certificate_alert(const struct failure *failure, const char *trouble,
                      char why[TLS_WHY_MAX])
{
    char ours[OURS_MAX];

    describe_ours(failure, ours);
    snprintf(why, TLS_WHY_MAX, "the %s refuses our certificate: %s%s",
             failure->peer, trouble, ours);
}

/* The words for what is no matter of a certificate or a key; NULL: unknown. */
static const char *
common_trouble(int alert)
{
    switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
        return "does not speak TLS 1.3, which is needed";
    case SSL_AD_UNRECOGNIZED_NAME:
        return "does not know the name that we ask for (--tls-hostname)";
    case SSL_AD_INTERNAL_ERROR: return "has failed by itself: look at its log";
    default: return NULL;
    }
}

/* With pre-shared keys: return whether the alert is about the key. */
static bool
say_key_alert(const struct failure *failure, int alert, char why[TLS_WHY_MAX])
{
    switch (alert) {
    case SSL_AD_ILLEGAL_PARAMETER:
    case SSL_AD_DECRYPT_ERROR:
        snprintf(why, TLS_WHY_MAX,
                 "the server has another key for PSK user %s than %.200s: both "
                 "files must have the same",
                 failure->note->psk_user, failure->options->psk_path);
        return true;
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
    case SSL_AD_HANDSHAKE_FAILURE:
        snprintf(why, TLS_WHY_MAX,
                 "the server has no key for PSK user %s: add it there, or "
                 "choose another one with --psk-user",
                 failure->note->psk_user);
        return true;
    default: return false;
    }
}

static void
say_alert(const struct failure *failure, int alert, char why[TLS_WHY_MAX])
{
    const char *trouble = certificate_trouble(failure, alert);
    bool server = failure->options->server;

    if (failure->psk && !server && say_key_alert(failure, alert, why))
        return;
    if (!failure->psk && server && failure->note->psk_user[0] != '\0')
        snprintf(why, TLS_WHY_MAX,
                 "the client wants a pre-shared key (as user %s), and we use "
                 "certificates: use one kind at both ends",
                 failure->note->psk_user);
    else if (!failure->psk && !server && alert == SSL_AD_CERTIFICATE_REQUIRED)
        snprintf(why, TLS_WHY_MAX,
                 "the server requires a certificate of ours, and got none");
    else if (!failure->psk && trouble != NULL)
        say_certificate_alert(failure, trouble, why);
    else if (!failure->psk && !server && alert == SSL_AD_HANDSHAKE_FAILURE)
        snprintf(why, TLS_WHY_MAX,
                 "the server has no certificate for us, it may use pre-shared "
                 "keys: use one kind at both ends");
    else if ((trouble = common_trouble(alert)) != NULL)
        snprintf(why, TLS_WHY_MAX, "the %s %s", failure->peer, trouble);
    else
        snprintf(why, TLS_WHY_MAX, "the %s has ended TLS, saying \"%s\"",
                 failure->peer, SSL_alert_desc_string_long(alert));
}

static void
say_plain(const struct failure *failure, char why[TLS_WHY_MAX])
{
    if (failure->options->server)
        snprintf(why, TLS_WHY_MAX,
                 "the client speaks without TLS, which is required here");
    else
        snprintf(why, TLS_WHY_MAX,
                 "the server answers without TLS: start it with --tls-dir or "
                 "--psk, too");
}

/* A server with keys alone has found none to go by. */
static void
say_no_key(const struct failure *failure, char why[TLS_WHY_MAX])
{
    if (failure->note->psk_user[0] != '\0')
        snprintf(why, TLS_WHY_MAX,
                 "%.200s has no key for the client's PSK user \"%s\"",
                 failure->options->psk_path, failure->note->psk_user);
    else
        snprintf(why, TLS_WHY_MAX,
                 "the client offers no pre-shared key, it may use "
                 "certificates: use one kind at both ends");
}

static void
say_wrong_key(const struct failure *failure, char why[TLS_WHY_MAX])
{
    snprintf(why, TLS_WHY_MAX,
             "the client's key for PSK user %s is not the one in %.200s",
             failure->note->psk_user, failure->options->psk_path);
}

/* What we found wrong ourselves. */
static void
say_own(const struct failure *failure, char why[TLS_WHY_MAX])
{
    int reason = ERR_GET_REASON(failure->error);

    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNKNOWN_PROTOCOL: say_plain(failure, why); return;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
        snprintf(why, TLS_WHY_MAX,
                 "the %s speaks an older TLS than 1.3, which is needed",
                 failure->peer);
        return;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        snprintf(why, TLS_WHY_MAX,
                 "the client has shown no certificate: it needs one of our CA");
        return;
    case SSL_R_BINDER_DOES_NOT_VERIFY: say_wrong_key(failure, why); return;
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_CIPHER:
        if (failure->psk && failure->options->server) {
            say_no_key(failure, why);
            return;
        }
        break;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        snprintf(why, TLS_WHY_MAX,
                 "the %s has closed the connection in the midst of TLS",
                 failure->peer);
        return;
    default: break;
    }
    snprintf(why, TLS_WHY_MAX, "TLS with the %s failed: %s", failure->peer,
             tls_error_reason(failure->error));
}

void
tls_why(const SSL *ssl, char why[TLS_WHY_MAX])
{
    const struct tls_context *context = tls_context_ssl(ssl);
    struct failure failure = {
        .ssl = ssl,
        .options = &context->options,
        .note = tls_context_note(ssl),
        .peer = context->options.server ? "client" : "server",
        .error = take_error(),
        .psk = context->options.psk_path != NULL,
    };
    int reason = ERR_GET_REASON(failure.error);
    bool of_ssl = ERR_GET_LIB(failure.error) == ERR_LIB_SSL;

    if (failure.note->refusal[0] != '\0')
        snprintf(why, TLS_WHY_MAX, "%s", failure.note->refusal);
    else if (of_ssl && reason >= SSL_AD_REASON_OFFSET)
        say_alert(&failure, reason - SSL_AD_REASON_OFFSET, why);
    else
        say_own(&failure, why);
}
