/* What a program uses when it is told, and when it is not. */
#include "io/credentials.h"
#include "io/credentials_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/tls_kernel.h"
#include "support_capture.h"
#include "support_certs.h"
#include "support_duel.h"
#include "support_net.h"
#include "support_test.h"

/* A host: what is in its folder, which is the server's of the files. */
struct host {
    struct duel_files *files;
    struct credentials_options options;
    char why[TLS_WHY_MAX];
    const char *log;
};

static int
host_open(void **state)
{
    static struct host host;
    void *files;

    memset(&host, 0, sizeof host);
    duel_files_open(&files);
    host.files = files;
    host.options.default_dir = host.files->dirs[DUEL_SERVER];
    host.options.tls.server = true;
    host.options.tls.psk_user = "qemu";
    host.options.tls.hostname = "host1";
    *state = &host;
    return 0;
}

static int
host_close(void **state)
{
    struct host *host = *state;
    void *files = host->files;

    return duel_files_close(&files);
}

static int
load(struct host *host, struct tls **tls)
{
    int result;

    host->why[0] = '\0';
    capture_start();
    result = credentials_load(&host->options, tls, host->why);
    host->log = capture_stop();
    return result;
}

/* TLS is used, and the one line says ${words} and where they are. */
static void
assert_uses(struct host *host, const char *words, const char *where)
{
    char line[256];
    struct tls *tls;

    assert_int_equal(load(host, &tls), 0);
    assert_non_null(tls);
    tls_free(tls);
    snprintf(line, sizeof line, "TLS: %s %s (", words, where);
    assert_int_equal(capture_count(host->log, line), 1);
    assert_int_equal(capture_count(host->log, "\n"), 1);
    assert_int_equal(capture_count(host->log, "the kernel has no TLS"),
                     !tls_kernel_available());
}

/* Plain text, with ${lines} lines of warning. */
static void
assert_plain(struct host *host, unsigned lines)
{
    struct tls *tls;

    assert_int_equal(load(host, &tls), 0);
    assert_null(tls);
    assert_int_equal(capture_count(host->log, "\n"), lines);
    assert_int_equal(capture_count(host->log, "unencrypted"), lines);
    assert_int_equal(capture_count(host->log, "--insecure"), lines);
    assert_int_equal(capture_count(host->log, "--tls-dir"), lines);
    assert_int_equal(capture_count(host->log, "--psk"), lines);
}

/* An error, and in no case plain text. */
static void
assert_error(struct host *host, const char *words)
{
    struct tls *tls;

    assert_int_equal(load(host, &tls), -1);
    assert_null(tls);
    if (strstr(host->why, words) == NULL)
        print_error("\"%s\" is not in \"%s\"\n", words, host->why);
    assert_non_null(strstr(host->why, words));
    assert_int_equal(capture_count(host->why, "\n"), 0);
    assert_string_equal(host->log, "");
}

static void
take_away(struct host *host, const char *name)
{
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/%s", host->options.default_dir, name);
    assert_int_equal(unlink(path), 0);
}

static void
take_all_away(struct host *host)
{
    take_away(host, "ca-cert.pem");
    take_away(host, "server-cert.pem");
    take_away(host, "server-key.pem");
    take_away(host, "client-cert.pem");
    take_away(host, "client-key.pem");
    take_away(host, "keys.psk");
}

static void
what_is_given_is_used(void **state)
{
    struct host *host = *state;
    const char *dir = host->files->dirs[DUEL_CLIENT];
    const char *psk = host->files->psk[DUEL_CLIENT];

    for (int server = 0; server < 2; server++) {
        host->options.tls.server = server;
        host->options.tls.dir = dir;
        assert_uses(host, "certificates in", dir);
        host->options.tls.dir = NULL;
        host->options.tls.psk_path = psk;
        assert_uses(host, "keys of", psk);
        host->options.tls.psk_path = NULL;
    }
    host->options.tls.dir = "/nowhere";
    assert_error(host, "/nowhere: No such file");
}

static void
the_hosts_certificates_come_before_its_keys(void **state)
{
    struct host *host = *state;

    assert_uses(host, "certificates in", host->options.default_dir);
    host->options.tls.server = false;
    assert_uses(host, "certificates in", host->options.default_dir);
    take_away(host, "client-key.pem");
    assert_uses(host, "keys of", host->files->psk[DUEL_SERVER]);
    host->options.tls.server = true;
    assert_uses(host, "certificates in", host->options.default_dir);
    take_away(host, "server-key.pem");
    assert_uses(host, "keys of", host->files->psk[DUEL_SERVER]);
}

static void
keys_alone_are_used(void **state)
{
    struct host *host = *state;

    take_all_away(host);
    certs_put_text(host->options.default_dir, "keys.psk", 0600,
                   "qemu:" DUEL_KEY "\n");
    assert_uses(host, "keys of", host->files->psk[DUEL_SERVER]);
}

static void
without_any_it_is_plain_text_with_one_warning(void **state)
{
    struct host *host = *state;

    host->options.default_dir = "/nowhere/at/all";
    assert_plain(host, 1);
    host->options.default_dir = "/dev/null/no";
    assert_plain(host, 1);
    host->options.default_dir = NULL;
    assert_plain(host, 1);
}

static void
insecure_is_plain_text_and_silent(void **state)
{
    struct host *host = *state;

    host->options.insecure = true;
    assert_plain(host, 0);
    host->options.default_dir = "/nowhere";
    assert_plain(host, 0);
}

/* Somebody meant something else than plain text. */
static void
a_host_that_is_half_set_up_is_an_error(void **state)
{
    static const char *const names[] = { "ca-cert.pem", "client-key.pem",
                                         "keys.psk.new" };
    struct host *host = *state;

    take_all_away(host);
    assert_error(host, host->options.default_dir);
    assert_error(host, "neither server-key.pem nor keys.psk");
    assert_error(host, "--insecure");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        certs_put_text(host->options.default_dir, names[i], 0600, "x");
        assert_error(host, "neither server-key.pem nor keys.psk");
        take_away(host, names[i]);
    }
    certs_put_text(host->options.default_dir, "server-key.pem", 0600, "x");
    assert_error(host, "ca-cert.pem");
    host->options.tls.server = false;
    assert_error(host, "neither client-key.pem nor keys.psk");
}

static void
credentials_that_cannot_be_used_are_an_error(void **state)
{
    struct host *host = *state;
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/server-key.pem", host->options.default_dir);
    chmod(path, 0644);
    assert_error(host, "chmod 600");
    unlink(path);
    assert_int_equal(symlink("/nowhere/key", path), 0);
    assert_error(host, "server-key.pem");
}

static void
a_folder_that_is_none_is_an_error(void **state)
{
    struct host *host = *state;
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/link", host->options.default_dir);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    host->options.default_dir = path;
    assert_error(host, "--insecure");
    unlink(path);
    assert_plain(host, 1);
    assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
    assert_error(host, "--insecure");
}

/* A link that leads in a circle can't be looked through, even by root. */
static void
a_folder_that_cannot_be_read_is_an_error(void **state)
{
    struct host *host = *state;
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/circle", host->options.default_dir);
    assert_int_equal(symlink("circle", path), 0);
    host->options.default_dir = path;
    assert_error(host, "circle/server-key.pem");
}

static void
patterns_without_certificates_are_an_error(void **state)
{
    struct host *host = *state;
    const char *allow[] = { "host2" };

    host->options.tls.allow = allow;
    host->options.tls.allow_count = 1;
    assert_uses(host, "certificates in", host->options.default_dir);
    take_away(host, "server-key.pem");
    assert_error(host, "--tls-allow is for certificates");
    host->options.default_dir = "/nowhere";
    assert_error(host, "--tls-allow is for certificates");
    host->options.tls.psk_path = host->files->psk[DUEL_CLIENT];
    assert_error(host, "--tls-allow is for certificates");
    host->options.tls.psk_path = NULL;
    host->options.insecure = true;
    assert_error(host, "--tls-allow is for certificates");
}

static void
a_name_to_check_without_certificates_is_an_error(void **state)
{
    struct host *host = *state;

    host->options.tls.server = false;
    host->options.hostname_given = true;
    assert_uses(host, "certificates in", host->options.default_dir);
    take_away(host, "client-key.pem");
    assert_error(host, "--tls-hostname is for certificates, but keys are used");
    host->options.default_dir = "/nowhere";
    assert_error(host, "--tls-hostname is for certificates, but there are");
    host->options.hostname_given = false;
    assert_plain(host, 1);
}

static void
a_user_to_be_without_keys_is_an_error(void **state)
{
    struct host *host = *state;

    host->options.tls.server = false;
    host->options.psk_user_given = true;
    assert_error(host, "--psk-user is for pre-shared keys, but certificates");
    take_away(host, "client-key.pem");
    assert_uses(host, "keys of", host->files->psk[DUEL_SERVER]);
    host->options.default_dir = "/nowhere";
    assert_error(host, "--psk-user is for pre-shared keys, but there are");
    host->options.psk_user_given = false;
    assert_plain(host, 1);
}

/* Options that fit to what the host has must not need --tls-dir or --psk. */
static void
options_go_with_what_the_host_has(void **state)
{
    struct host *host = *state;
    struct credentials_cli cli;

    credentials_cli_init(&cli, true);
    assert_string_equal(cli.options.default_dir, CREDENTIALS_DIR);
    assert_null(credentials_cli_take(&cli, CREDENTIALS_TLS_ALLOW, "host2"));
    assert_null(credentials_cli_check(&cli));
    cli.options.default_dir = host->options.default_dir;
    host->options = cli.options;
    assert_uses(host, "certificates in", host->options.default_dir);

    credentials_cli_init(&cli, false);
    cli.options.default_dir = host->options.default_dir;
    assert_null(credentials_cli_take(&cli, CREDENTIALS_TLS_HOSTNAME, "host1"));
    assert_null(credentials_cli_check(&cli));
    host->options = cli.options;
    assert_uses(host, "certificates in", host->options.default_dir);
    take_away(host, "client-key.pem");
    assert_error(host, "--tls-hostname is for certificates");

    credentials_cli_init(&cli, false);
    cli.options.default_dir = host->options.default_dir;
    assert_null(credentials_cli_take(&cli, CREDENTIALS_PSK_USER, "qemu"));
    assert_null(credentials_cli_check(&cli));
    host->options = cli.options;
    assert_uses(host, "keys of", host->files->psk[DUEL_SERVER]);
}

static void
options_that_contradict_each_other_are_refused(void **state)
{
    static const int keys[] = { CREDENTIALS_TLS_DIR, CREDENTIALS_PSK,
                                CREDENTIALS_TLS_ALLOW, CREDENTIALS_TLS_HOSTNAME,
                                CREDENTIALS_PSK_USER };
    struct credentials_cli cli;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        credentials_cli_init(&cli, false);
        assert_null(credentials_cli_take(&cli, keys[i], "x"));
        assert_null(credentials_cli_check(&cli));
        assert_null(credentials_cli_take(&cli, CREDENTIALS_INSECURE, NULL));
        assert_non_null(credentials_cli_check(&cli));
    }
    credentials_cli_init(&cli, false);
    assert_null(credentials_cli_take(&cli, CREDENTIALS_TLS_DIR, "x"));
    assert_null(credentials_cli_take(&cli, CREDENTIALS_PSK, "x"));
    assert_non_null(credentials_cli_check(&cli));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, host_open, host_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_given_is_used),
        TEST(the_hosts_certificates_come_before_its_keys),
        TEST(keys_alone_are_used),
        TEST(without_any_it_is_plain_text_with_one_warning),
        TEST(insecure_is_plain_text_and_silent),
        TEST(a_host_that_is_half_set_up_is_an_error),
        TEST(credentials_that_cannot_be_used_are_an_error),
        TEST(a_folder_that_cannot_be_read_is_an_error),
        TEST(a_folder_that_is_none_is_an_error),
        TEST(patterns_without_certificates_are_an_error),
        TEST(a_name_to_check_without_certificates_is_an_error),
        TEST(a_user_to_be_without_keys_is_an_error),
        TEST(options_go_with_what_the_host_has),
        TEST(options_that_contradict_each_other_are_refused),
    };

    return RUN_TESTS(tests);
}
