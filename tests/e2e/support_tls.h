/*
 * Certificates and keys, made as an operator makes them, with
 * scripts/make-certs; what that script would not make, with openssl.
 */
#ifndef SUPPORT_TLS_H
#define SUPPORT_TLS_H

#include "support_case.h"

struct process;

/* A CA, and a folder for each host that it knows. */
struct certs {
    struct e2e *e2e;
    char dir[CASE_PATH_MAX];
};

/**
 * certs_make(e2e, certs, hosts):
 * Make a new CA and certificates for ${hosts}, a NULL-terminated list of what
 * make-certs takes: "HOST,NAME,ADDRESS".
 */
void certs_make(struct e2e *e2e, struct certs *certs, const char *const *hosts);

/**
 * certs_path(certs, host, file, path):
 * Write into ${path} the name of a file of ${host}, or of its folder if ${file}
 * is "".  Return ${path}.
 */
char *certs_path(const struct certs *certs, const char *host, const char *file,
                 char path[CASE_PATH_MAX]);

/**
 * certs_options(certs, host):
 * Return the options by which a program uses the credentials of ${host}; good
 * until the end of the test.
 */
const char *const *certs_options(const struct certs *certs, const char *host);

/**
 * certs_copy(certs, from, to):
 * Make a folder ${to} with the files of ${from}.
 */
void certs_copy(const struct certs *certs, const char *from, const char *to);

/**
 * certs_put(certs, host, file, from, from_host):
 * Replace a file of ${host} by that of ${from_host} of the CA ${from}.
 */
void certs_put(const struct certs *certs, const char *host, const char *file,
               const struct certs *from, const char *from_host);

/**
 * certs_date(certs, host, from, until):
 * Replace the certificates of ${host} by ones that hold from ${from} until
 * ${until}, both as YYYYMMDD000000Z.
 */
void certs_date(const struct certs *certs, const char *host, const char *from,
                const char *until);

/**
 * certs_revoke(certs, host):
 * Have the CA revoke the certificates of ${host}.  Its list is then in the
 * folder of each host.
 */
void certs_revoke(const struct certs *certs, const char *host);

/**
 * psk_make(e2e, path, user):
 * Write a new file with a new key for ${user}, and its name into ${path}.
 */
void psk_make(struct e2e *e2e, char path[CASE_PATH_MAX], const char *user);

/**
 * psk_options(e2e, path, user):
 * Return the options by which a program uses the keys in ${path}; as ${user},
 * unless that is NULL.  Good until the end of the test.
 */
const char *const *psk_options(struct e2e *e2e, const char *path,
                               const char *user);

/**
 * openssl_client(e2e, port, said, args):
 * Start openssl s_client with the further arguments ${args}; it connects to
 * ${port} of 127.0.0.1, sends what is in the file ${said} and then listens
 * until the server ends the connection.
 */
struct process *openssl_client(struct e2e *e2e, unsigned port, const char *said,
                               const char *const *args);

/**
 * openssl_server(e2e, port, args):
 * Start openssl s_server with the further arguments ${args} at ${port} of
 * 127.0.0.1, and return when it listens.  It answers each line with the same
 * backwards.
 */
struct process *openssl_server(struct e2e *e2e, unsigned port,
                               const char *const *args);

#endif
