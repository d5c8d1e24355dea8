#include "support_certs.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support_test.h"

enum { PATH_ROOM = 256 };

struct certs_ca {
    X509 *cert;
    EVP_PKEY *key;
    long serial;
    bool below; /* and not the one at the top */
};

static long ahead;

time_t __real_time(time_t *now);
time_t __wrap_time(time_t *now);

time_t
__wrap_time(time_t *now)
{
    time_t shifted = __real_time(NULL) + ahead;

    if (now != NULL)
        *now = shifted;
    return shifted;
}

void
certs_set_clock(long ahead_s)
{
    ahead = ahead_s;
}

/* A file that is written aside, and then put in its place. */
struct file {
    char path[PATH_ROOM];
    char aside[PATH_ROOM + 4];
    BIO *bio;
};

static void
file_begin(struct file *file, const char *dir, const char *name, mode_t mode)
{
    snprintf(file->path, sizeof file->path, "%s/%s", dir, name);
    snprintf(file->aside, sizeof file->aside, "%s.new", file->path);
    file->bio = BIO_new_file(file->aside, "w");
    assert_non_null(file->bio);
    assert_int_equal(chmod(file->aside, mode), 0);
}

static void
file_end(struct file *file)
{
    BIO_free(file->bio);
    assert_int_equal(rename(file->aside, file->path), 0);
}

void
certs_put_text(const char *dir, const char *name, mode_t mode, const char *text)
{
    struct file file;

    file_begin(&file, dir, name, mode);
    BIO_write(file.bio, text, (int)strlen(text));
    file_end(&file);
}

static void
add_entry(X509_NAME *name, const char *field, const char *value)
{
    size_t length = value != NULL ? strlen(value) : 0;
    char bytes[PATH_ROOM];

    if (value == NULL)
        return;
    assert_true(length < sizeof bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(value[i] == CERTS_NUL[0] ? 0 : value[i]);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                                (const unsigned char *)bytes,
                                                (int)length, -1, 0),
                     1);
}

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;

    if (value == NULL)
        return;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *
make_cert(const struct certs_wanted *wanted, EVP_PKEY *key, long serial)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    bool usual = wanted->from_s == 0 && wanted->to_s == 0;

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert),
                    usual ? -CERTS_DAY_S : wanted->from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert),
                    usual ? CERTS_DAY_S : wanted->to_s);
    add_entry(name, "O", wanted->organization);
    add_entry(name, "CN", wanted->common_name);
    add_entry(name, "CN", wanted->common_name2);
    X509_set_pubkey(cert, key);
    return cert;
}

static void
sign(X509 *cert, X509 *issuer, EVP_PKEY *key)
{
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    if (cert != issuer)
        add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
}

static void
mark_ca(X509 *cert, X509 *issuer)
{
    add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
}

struct certs_ca *
certs_ca_new(const char *common_name)
{
    struct certs_wanted wanted = { .common_name = common_name,
                                   .from_s = -1000L * CERTS_DAY_S,
                                   .to_s = 1000L * CERTS_DAY_S };
    struct certs_ca *ca = calloc(1, sizeof *ca);

    assert_non_null(ca);
    ca->key = EVP_EC_gen("P-256");
    ca->serial = 1;
    ca->cert = make_cert(&wanted, ca->key, ca->serial++);
    mark_ca(ca->cert, ca->cert);
    sign(ca->cert, ca->cert, ca->key);
    return ca;
}

struct certs_ca *
certs_ca_below(struct certs_ca *ca, const char *common_name)
{
    struct certs_wanted wanted = { .common_name = common_name };
    struct certs_ca *below = calloc(1, sizeof *below);

    assert_non_null(below);
    below->key = EVP_EC_gen("P-256");
    below->serial = 1;
    below->below = true;
    below->cert = make_cert(&wanted, below->key, ca->serial++);
    mark_ca(below->cert, ca->cert);
    sign(below->cert, ca->cert, ca->key);
    return below;
}

void
certs_ca_free(struct certs_ca *ca)
{
    if (ca == NULL)
        return;
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca);
}

void
certs_put_ca(const struct certs_ca *ca, const char *dir)
{
    struct file file;

    file_begin(&file, dir, "ca-cert.pem", 0644);
    PEM_write_bio_X509(file.bio, ca->cert);
    file_end(&file);
}

static void
put_key(const EVP_PKEY *key, const char *dir, const char *side)
{
    char name[PATH_ROOM];
    struct file file;

    snprintf(name, sizeof name, "%s-key.pem", side);
    file_begin(&file, dir, name, 0600);
    PEM_write_bio_PrivateKey(file.bio, key, NULL, NULL, 0, NULL, NULL);
    file_end(&file);
}

void
certs_put_ed25519(const char *dir, const char *side)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    put_key(key, dir, side);
    EVP_PKEY_free(key);
}

void
certs_put(struct certs_ca *ca, const struct certs_wanted *wanted,
          const char *dir, const char *side)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_cert(wanted, key, ca->serial++);
    char name[PATH_ROOM];
    struct file file;

    add_extension(cert, ca->cert, NID_subject_alt_name, wanted->alt_names);
    add_extension(cert, ca->cert, NID_ext_key_usage, wanted->usage);
    sign(cert, ca->cert, ca->key);
    put_key(key, dir, side);
    snprintf(name, sizeof name, "%s-cert.pem", side);
    file_begin(&file, dir, name, 0644);
    PEM_write_bio_X509(file.bio, cert);
    if (ca->below)
        PEM_write_bio_X509(file.bio, ca->cert);
    file_end(&file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void
certs_put_chain(struct certs_ca *ca, const struct certs_wanted *wanted,
                const char *dir, const char *side)
{
    struct certs_ca *between = certs_ca_below(ca, "Between");

    certs_put(between, wanted, dir, side);
    certs_ca_free(between);
}

void
certs_lock_key(const char *dir, const char *side, const char *passphrase)
{
    char name[PATH_ROOM], path[2 * PATH_ROOM];
    struct file file;
    EVP_PKEY *key;
    BIO *bio;

    snprintf(name, sizeof name, "%s-key.pem", side);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    bio = BIO_new_file(path, "r");
    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(key);
    BIO_free(bio);
    file_begin(&file, dir, name, 0600);
    PEM_write_bio_PKCS8PrivateKey(file.bio, key, EVP_aes_128_cbc(), passphrase,
                                  (int)strlen(passphrase), NULL, NULL);
    file_end(&file);
    EVP_PKEY_free(key);
}

static void
add_revoked(X509_CRL *crl, const char *path)
{
    BIO *bio = BIO_new_file(path, "r");
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509_REVOKED *entry = X509_REVOKED_new();

    assert_non_null(cert);
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert));
    X509_REVOKED_set_revocationDate(
        entry, (ASN1_TIME *)(uintptr_t)X509_CRL_get0_lastUpdate(crl));
    X509_CRL_add0_revoked(crl, entry);
    X509_free(cert);
    BIO_free(bio);
}

static X509_CRL *
make_crl(const struct certs_ca *ca, const char *revoked, long next_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *date = ASN1_TIME_new();

    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(date, -2L * CERTS_DAY_S));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(date, next_s));
    if (revoked != NULL)
        add_revoked(crl, revoked);
    X509_CRL_sort(crl);
    assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
    ASN1_TIME_free(date);
    return crl;
}

void
certs_put_crl(const struct certs_ca *ca, const char *dir, const char *revoked,
              long next_s)
{
    X509_CRL *crl = make_crl(ca, revoked, next_s);
    struct file file;

    file_begin(&file, dir, "ca-crl.pem", 0644);
    PEM_write_bio_X509_CRL(file.bio, crl);
    file_end(&file);
    X509_CRL_free(crl);
}

void
certs_add_crl(const struct certs_ca *ca, const char *dir, const char *revoked)
{
    X509_CRL *crl = make_crl(ca, revoked, CERTS_DAY_S);
    char path[PATH_ROOM];
    BIO *bio;

    snprintf(path, sizeof path, "%s/ca-crl.pem", dir);
    bio = BIO_new_file(path, "a");
    assert_non_null(bio);
    PEM_write_bio_X509_CRL(bio, crl);
    BIO_free(bio);
    X509_CRL_free(crl);
}

void
certs_put_both(struct certs_ca *ca, const char *dir)
{
    const struct certs_wanted server = { .common_name = "host1",
                                         .organization = "Example",
                                         .alt_names = "DNS:host1,IP:127.0.0.1,"
                                                      "IP:::1",
                                         .usage = "serverAuth" };
    const struct certs_wanted client = { .common_name = "host2",
                                         .organization = "Example",
                                         .usage = "clientAuth" };

    certs_put_ca(ca, dir);
    certs_put(ca, &server, dir, "server");
    certs_put(ca, &client, dir, "client");
}
