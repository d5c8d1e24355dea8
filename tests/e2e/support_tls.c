#include "support_tls.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_proc.h"
#include "support_process.h"
#include "support_tunnel.h"

enum { OPTIONS_MAX = 4, TREE_DEPTH = 8 };

static const char make_certs[] = MIG_SCRIPTS "/make-certs";

/* The arguments of a program, and where their text is. */
struct options {
    const char *args[OPTIONS_MAX + 1];
    char path[CASE_PATH_MAX];
};

/* Run a program to its end, which must be a good one. */
static void
run(struct e2e *e2e, const char *name, const char *const *args)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, args);
    process_expect(process_start(e2e, name, &command), 0);
}

/* The same with some lines of shell, where $1 is the first of ${args}. */
static void
run_lines(struct e2e *e2e, const char *lines, const char *const *args)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, ARGS("sh", "-euc", lines, "sh"));
    command_add_all(&command, args);
    process_expect(process_start(e2e, "sh", &command), 0);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void
remove_tree(void *arg)
{
    nftw(arg, remove_entry, TREE_DEPTH, FTW_DEPTH | FTW_PHYS);
    free(arg);
}

void
certs_make(struct e2e *e2e, struct certs *certs, const char *const *hosts)
{
    struct command command = { .argc = 0 };
    char *dir;

    certs->e2e = e2e;
    dir = strdup(e2e_path(e2e, "certs", certs->dir));
    assert_non_null(dir);
    e2e_defer(e2e, remove_tree, dir);
    command_add_all(&command, ARGS(make_certs, certs->dir));
    command_add_all(&command, hosts);
    process_expect(process_start(e2e, "make-certs", &command), 0);
}

char *
certs_path(const struct certs *certs, const char *host, const char *file,
           char path[CASE_PATH_MAX])
{
    int n = snprintf(path, CASE_PATH_MAX, "%s/%s%s%s", certs->dir, host,
                     file[0] != '\0' ? "/" : "", file);

    assert_in_range(n, 1, CASE_PATH_MAX - 1);
    return path;
}

static struct options *
new_options(struct e2e *e2e)
{
    struct options *options = calloc(1, sizeof(*options));

    assert_non_null(options);
    e2e_defer(e2e, free, options);
    return options;
}

const char *const *
certs_options(const struct certs *certs, const char *host)
{
    struct options *options = new_options(certs->e2e);

    options->args[0] = "--tls-dir";
    options->args[1] = certs_path(certs, host, "", options->path);
    return options->args;
}

void
certs_copy(const struct certs *certs, const char *from, const char *to)
{
    char from_path[CASE_PATH_MAX], to_path[CASE_PATH_MAX];

    run(certs->e2e, "cp",
        ARGS("cp", "-a", certs_path(certs, from, "", from_path),
             certs_path(certs, to, "", to_path)));
}

void
certs_put(const struct certs *certs, const char *host, const char *file,
          const struct certs *from, const char *from_host)
{
    char from_path[CASE_PATH_MAX], to_path[CASE_PATH_MAX];

    /* Never half a file. */
    run_lines(certs->e2e, "cp -p \"$1\" \"$2.new\"; mv \"$2.new\" \"$2\"",
              ARGS(certs_path(from, from_host, file, from_path),
                   certs_path(certs, host, file, to_path)));
}

/* $1 is the folder of all, $2 the host, $3 and $4 the dates. */
static const char date_lines[] =
    "cd \"$1\"; : >ca/dated.index\n"
    "cat >ca/dated.cnf <<-EOF\n"
    "[ca]\n"
    "default_ca=dated\n"
    "[dated]\n"
    "database=ca/dated.index\n"
    "policy=any\n"
    "copy_extensions=copy\n"
    "unique_subject=no\n"
    "rand_serial=yes\n"
    "[any]\n"
    "organizationName=optional\n"
    "commonName=supplied\n"
    "EOF\n"
    "for side in server client; do\n"
    "  openssl x509 -x509toreq -in $2/$side-cert.pem \\\n"
    "    -signkey $2/$side-key.pem -copy_extensions copyall -out ca/dated.req\n"
    "  openssl ca -batch -config ca/dated.cnf -preserveDN -in ca/dated.req \\\n"
    "    -cert ca/ca-cert.pem -keyfile ca/ca-key.pem -md sha256 -notext \\\n"
    "    -outdir ca -startdate $3 -enddate $4 -out $2/$side-cert.pem\n"
    "done\n";

void
certs_date(const struct certs *certs, const char *host, const char *from,
           const char *until)
{
    run_lines(certs->e2e, date_lines, ARGS(certs->dir, host, from, until));
}

void
certs_revoke(const struct certs *certs, const char *host)
{
    run(certs->e2e, "make-certs",
        ARGS(make_certs, "--revoke", host, certs->dir));
}

void
psk_make(struct e2e *e2e, char path[CASE_PATH_MAX], const char *user)
{
    run(e2e, "make-certs",
        ARGS(make_certs, "--psk", e2e_path(e2e, "keys.psk", path), user));
}

const char *const *
psk_options(struct e2e *e2e, const char *path, const char *user)
{
    struct options *options = new_options(e2e);

    snprintf(options->path, sizeof(options->path), "%s", path);
    options->args[0] = "--psk";
    options->args[1] = options->path;
    options->args[2] = user != NULL ? "--psk-user" : NULL;
    options->args[3] = user;
    return options->args;
}

struct process *
openssl_client(struct e2e *e2e, unsigned port, const char *said,
               const char *const *args)
{
    struct command command = { .argc = 0 };

    command_add_all(&command,
                    ARGS("sh", "-c", "in=$1; shift; exec \"$@\" <\"$in\"", "sh",
                         said, "openssl", "s_client", "-quiet",
                         "-verify_return_error", "-connect"));
    command_add(&command, "127.0.0.1:%u", port);
    command_add_all(&command, args);
    return process_start(e2e, "s_client", &command);
}

struct process *
openssl_server(struct e2e *e2e, unsigned port, const char *const *args)
{
    struct command command = { .argc = 0 };
    struct process *server;

    command_add_all(&command, ARGS("openssl", "s_server", "-rev", "-accept"));
    command_add(&command, "127.0.0.1:%u", port);
    command_add_all(&command, args);
    server = process_start(e2e, "s_server", &command);
    proc_wait_tcp(server, port);
    return server;
}
