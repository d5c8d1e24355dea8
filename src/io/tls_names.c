#include "io/tls_names.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/x509v3.h>

int
tls_name_text(const X509_NAME *name, char text[TLS_SUBJECT_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *bytes = NULL;
    size_t length = 0;
    int result = -1;

    text[0] = '\0';
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        length = (size_t)BIO_get_mem_data(bio, &bytes);
        if (length < TLS_SUBJECT_MAX)
            result = 0;
        else
            length = TLS_SUBJECT_MAX - 1;
        if (length > 0)
            memcpy(text, bytes, length);
        text[length] = '\0';
    }
    BIO_free(bio);
    return result;
}

void
tls_printable(char *text, size_t room, const void *bytes, size_t length)
{
    const char *from = bytes;

    if (length > room - 1)
        length = room - 1;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(from[i] >= ' ' && from[i] <= '~' ? from[i] : '?');
    text[length] = '\0';
}

/* Add ${name}, if it fits, with a comma before it if it is not the first. */
static void
add_name(char names[TLS_NAMES_MAX], const char *name, size_t length)
{
    size_t have = strlen(names);
    const char *between = have > 0 ? ", " : "";

    if (have + strlen(between) + length >= TLS_NAMES_MAX)
        return;
    have += (size_t)snprintf(names + have, TLS_NAMES_MAX - have, "%s", between);
    tls_printable(names + have, TLS_NAMES_MAX - have, name, length);
}

static void
add_alternative(char names[TLS_NAMES_MAX], const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    const unsigned char *bytes;
    int family, length;

    if (name->type == GEN_DNS) {
        bytes = ASN1_STRING_get0_data(name->d.dNSName);
        length = ASN1_STRING_length(name->d.dNSName);
        add_name(names, (const char *)bytes, (size_t)length);
    } else if (name->type == GEN_IPADD) {
        bytes = ASN1_STRING_get0_data(name->d.iPAddress);
        length = ASN1_STRING_length(name->d.iPAddress);
        family = length == 4 ? AF_INET : AF_INET6;
        if ((length == 4 || length == 16) &&
            inet_ntop(family, bytes, address, sizeof address) != NULL)
            add_name(names, address, strlen(address));
    }
}

void
tls_cert_names(const X509 *cert, char names[TLS_NAMES_MAX])
{
    GENERAL_NAMES *all;

    names[0] = '\0';
    all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++)
        add_alternative(names, sk_GENERAL_NAME_value(all, i));
    GENERAL_NAMES_free(all);
    if (names[0] == '\0')
        snprintf(names, TLS_NAMES_MAX, "no host (it has no subjectAltName)");
}

int
tls_cert_common_name(const X509 *cert, char text[TLS_SUBJECT_MAX])
{
    const X509_NAME *name = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    unsigned char *utf8 = NULL;
    int length;
    bool good;

    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return -1;
    length = ASN1_STRING_to_UTF8(
        &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    good = length > 0 && length < TLS_SUBJECT_MAX &&
           memchr(utf8, '\0', (size_t)length) == NULL;
    if (good) {
        memcpy(text, utf8, (size_t)length);
        text[length] = '\0';
    }
    OPENSSL_free(utf8);
    return good ? 0 : -1;
}

const char *
tls_date_text(const ASN1_TIME *date, char text[TLS_DATE_MAX])
{
    struct tm parts;

    if (ASN1_TIME_to_tm(date, &parts) != 1 ||
        strftime(text, TLS_DATE_MAX, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        snprintf(text, TLS_DATE_MAX, "an unknown date");
    return text;
}
