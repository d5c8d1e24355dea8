/*
 * Certificates and keys for tests, in folders with QEMU's file names.  Keys are
 * of P-256, which is fast.
 */
#ifndef SUPPORT_CERTS_H
#define SUPPORT_CERTS_H

#include <sys/types.h>

enum { CERTS_DAY_S = 24 * 60 * 60 };

/* Stands for a NUL in a name. */
#define CERTS_NUL "\x01"

struct certs_ca;

struct certs_wanted {
    const char *common_name;  /* NULL for none */
    const char *common_name2; /* a second one */
    const char *organization;
    const char *alt_names; /* "DNS:host1,IP:127.0.0.1", NULL for none */
    const char *usage;     /* "serverAuth", NULL for any */
    long from_s;           /* from now; both 0 for yesterday to tomorrow */
    long to_s;
};

/**
 * certs_ca_new(common_name):
 * Make an authority, with a certificate of its own that has a name and a key.
 * The caller frees it with certs_ca_free.
 */
struct certs_ca *certs_ca_new(const char *common_name);
void certs_ca_free(struct certs_ca *ca);

/**
 * certs_ca_below(ca, common_name):
 * Make an authority whose certificate is of ${ca}; it stands after each that
 * certs_put issues.
 */
struct certs_ca *certs_ca_below(struct certs_ca *ca, const char *common_name);

/**
 * certs_put_ca(ca, dir):
 * Write ca-cert.pem.
 */
void certs_put_ca(const struct certs_ca *ca, const char *dir);

/**
 * certs_put(ca, wanted, dir, side):
 * Issue a certificate, and write ${side}-cert.pem and ${side}-key.pem.
 */
void certs_put(struct certs_ca *ca, const struct certs_wanted *wanted,
               const char *dir, const char *side);

/**
 * certs_put_chain(ca, wanted, dir, side):
 * The same through an authority in between, whose certificate stands in
 * ${side}-cert.pem after the other.
 */
void certs_put_chain(struct certs_ca *ca, const struct certs_wanted *wanted,
                     const char *dir, const char *side);

/**
 * certs_put_ed25519(dir, side):
 * Put a new key of another kind into ${side}-key.pem.
 */
void certs_put_ed25519(const char *dir, const char *side);

/**
 * certs_lock_key(dir, side, passphrase):
 * Encrypt ${side}-key.pem.
 */
void certs_lock_key(const char *dir, const char *side, const char *passphrase);

/**
 * certs_put_crl(ca, dir, revoked, next_s):
 * Write ca-crl.pem, in which the certificate in the file ${revoked} is (NULL
 * for none), and which is good for ${next_s} from now.
 */
void certs_put_crl(const struct certs_ca *ca, const char *dir,
                   const char *revoked, long next_s);

/**
 * certs_add_crl(ca, dir, revoked):
 * Write another list, good for a day, to the end of ca-crl.pem.
 */
void certs_add_crl(const struct certs_ca *ca, const char *dir,
                   const char *revoked);

/**
 * certs_put_both(ca, dir):
 * Write all that both sides need on one host: a server "host1" at 127.0.0.1 and
 * ::1, and a client "host2" of the organization "Example".
 */
void certs_put_both(struct certs_ca *ca, const char *dir);

/**
 * certs_put_text(dir, name, mode, text):
 * Write a file.  It replaces what was there at once.
 */
void certs_put_text(const char *dir, const char *name, mode_t mode,
                    const char *text);

/**
 * certs_set_clock(ahead_s):
 * Let time(2) be ahead by so much, for the code under test (not for OpenSSL).
 */
void certs_set_clock(long ahead_s);

#endif
