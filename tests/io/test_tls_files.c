/* Which files are taken, and what is said of those that are not. */
#include "io/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_certs.h"
#include "support_duel.h"
#include "support_net.h"
#include "support_test.h"

enum { PATH_ROOM = NET_PATH_MAX + 32 };

static const char *
path_of(const struct duel_files *files, enum duel_side side, const char *name)
{
    static char path[PATH_ROOM];

    snprintf(path, sizeof path, "%s/%s", files->dirs[side], name);
    return path;
}

/* The files of ${side} are refused in one line that has both parts. */
static void
assert_refused(const struct duel_files *files, enum duel_side side,
               const char *name, const char *words)
{
    char why[TLS_WHY_MAX] = "";
    unsigned fds = net_open_fds();

    assert_null(tls_new(&files->options[side], why));
    if (strstr(why, name) == NULL || strstr(why, words) == NULL)
        print_error("\"%s\" is not what is expected (%s, %s)\n", why, name,
                    words);
    assert_int_not_equal(capture_count(why, name), 0);
    assert_int_equal(capture_count(why, words), 1);
    assert_int_equal(capture_count(why, "\n"), 0);
    assert_int_equal(net_open_fds(), fds);
}

static void
assert_taken(const struct duel_files *files, enum duel_side side)
{
    tls_free(duel_tls(&files->options[side]));
}

static void
a_key_that_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = { 0640, 0604, 0660, 0601, 0610, 0602 };
    struct duel_files *files = *state;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char words[32];

        snprintf(words, sizeof words, "(mode %04o): chmod 600 /",
                 (unsigned)modes[i]);
        chmod(path_of(files, DUEL_SERVER, "server-key.pem"), modes[i]);
        assert_refused(files, DUEL_SERVER, "server-key.pem", words);
        chmod(path_of(files, DUEL_CLIENT, "client-key.pem"), modes[i]);
        assert_refused(files, DUEL_CLIENT, "client-key.pem", words);
    }
    chmod(path_of(files, DUEL_SERVER, "server-key.pem"), 0400);
    assert_taken(files, DUEL_SERVER);
    duel_use_keys(files);
    chmod(path_of(files, DUEL_SERVER, "keys.psk"), 0644);
    assert_refused(files, DUEL_SERVER, "keys.psk", "(mode 0644): chmod 600 /");
}

/* Each side needs the key of its own only. */
static void
the_other_sides_key_does_not_matter(void **state)
{
    struct duel_files *files = *state;

    chmod(path_of(files, DUEL_SERVER, "client-key.pem"), 0644);
    assert_taken(files, DUEL_SERVER);
    unlink(path_of(files, DUEL_SERVER, "client-key.pem"));
    unlink(path_of(files, DUEL_SERVER, "client-cert.pem"));
    assert_taken(files, DUEL_SERVER);
}

static void
a_certificate_that_others_can_write_is_refused(void **state)
{
    static const char *const names[] = { "ca-cert.pem", "ca-crl.pem",
                                         "server-cert.pem" };
    struct duel_files *files = *state;

    certs_put_crl(files->ca, files->dirs[DUEL_SERVER], NULL, CERTS_DAY_S);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        chmod(path_of(files, DUEL_SERVER, names[i]), 0664);
        assert_refused(files, DUEL_SERVER, names[i], "written by others");
        chmod(path_of(files, DUEL_SERVER, names[i]), 0646);
        assert_refused(files, DUEL_SERVER, names[i], "(mode 0646)");
        chmod(path_of(files, DUEL_SERVER, names[i]), 0644);
        assert_taken(files, DUEL_SERVER);
    }
}

static void
a_folder_that_others_can_write_is_refused(void **state)
{
    static const mode_t modes[] = { 0720, 0702, 0777, 0775 };
    struct duel_files *files = *state;
    const char *dir = files->dirs[DUEL_SERVER];

    for (int keys = 0; keys < 2; keys++) {
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            char words[NET_PATH_MAX + 64];

            chmod(dir, modes[i]);
            snprintf(words, sizeof words, "(mode %04o): chmod go-w %s",
                     (unsigned)modes[i], dir);
            assert_refused(files, DUEL_SERVER, dir, words);
        }
        chmod(dir, 01777); /* what is ours can't be replaced */
        assert_taken(files, DUEL_SERVER);
        chmod(dir, 0755);
        assert_taken(files, DUEL_SERVER);
        duel_use_keys(files);
    }
}

static void
a_folder_of_another_user_is_refused(void **state)
{
    struct duel_files *files = *state;
    const char *dir = files->dirs[DUEL_SERVER];

    if (geteuid() != 0) {
        print_message("needs root to give a folder away: not run\n");
        skip();
    }
    assert_int_equal(chown(dir, 4321, 4321), 0);
    assert_refused(files, DUEL_SERVER, dir, "belongs to user 4321");
    duel_use_keys(files);
    assert_refused(files, DUEL_SERVER, dir, "belongs to user 4321");
    assert_int_equal(chown(dir, 0, 4321), 0);
    assert_taken(files, DUEL_SERVER);
}

/* It would let in whom it should shut out. */
static void
a_revocation_list_that_cannot_be_read_is_not_absent(void **state)
{
    struct duel_files *files = *state;
    const char *path = path_of(files, DUEL_SERVER, "ca-crl.pem");

    assert_int_equal(symlink("/nowhere/ca-crl.pem", path), 0);
    assert_refused(files, DUEL_SERVER, "ca-crl.pem", "No such file");
    unlink(path);
    assert_int_equal(symlink("ca-crl.pem", path), 0);
    assert_refused(files, DUEL_SERVER, "ca-crl.pem", "Too many levels");
    unlink(path);
    assert_taken(files, DUEL_SERVER);
}

static void
a_file_of_another_user_is_refused(void **state)
{
    struct duel_files *files = *state;
    const char *key = path_of(files, DUEL_SERVER, "server-key.pem");

    if (geteuid() != 0) {
        print_message("needs root to give a file away: not run\n");
        skip();
    }
    assert_int_equal(chown(key, 4321, 4321), 0);
    assert_refused(files, DUEL_SERVER, "server-key.pem",
                   "belongs to user 4321");
    assert_int_equal(chown(key, 0, 4321), 0);
    assert_taken(files, DUEL_SERVER);
}

static void
a_missing_file_is_named(void **state)
{
    static const char *const names[] = { "server-key.pem", "server-cert.pem",
                                         "ca-cert.pem" };
    struct duel_files *files = *state;

    /* Read in the other order, so each is the first that is missing. */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(path_of(files, DUEL_SERVER, names[i]));
        assert_refused(files, DUEL_SERVER, names[i],
                       "No such file or directory");
    }
    duel_use_keys(files);
    unlink(files->psk[DUEL_SERVER]);
    assert_refused(files, DUEL_SERVER, "keys.psk", "No such file");
}

static void
what_is_no_regular_file_is_refused(void **state)
{
    static const char *const names[] = { "server-key.pem", "server-cert.pem",
                                         "ca-crl.pem" };
    struct duel_files *files = *state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = path_of(files, DUEL_SERVER, names[i]);

        unlink(path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_refused(files, DUEL_SERVER, names[i], "not a regular file");
        unlink(path);
        certs_put_both(files->ca, files->dirs[DUEL_SERVER]);
    }
}

static void
empty_files_and_rubbish_are_refused(void **state)
{
    static const char *const names[] = { "ca-cert.pem", "server-cert.pem",
                                         "server-key.pem", "ca-crl.pem" };
    static const char *const words[] = { "holds no certificate",
                                         "holds no certificate",
                                         "holds no private key",
                                         "holds no revocation list" };
    struct duel_files *files = *state;
    const char *dir = files->dirs[DUEL_SERVER];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        certs_put_text(dir, names[i], 0600, "");
        assert_refused(files, DUEL_SERVER, names[i], "is empty");
        certs_put_text(dir, names[i], 0600, "this is not PEM\n");
        assert_refused(files, DUEL_SERVER, names[i], words[i]);
        certs_put_text(dir, names[i], 0600,
                       "-----BEGIN CERTIFICATE-----\nAAAA\n"
                       "-----END CERTIFICATE-----\n");
        assert_refused(files, DUEL_SERVER, names[i], words[i]);
        certs_put_both(files->ca, dir);
    }
}

static char *
text_of(const char *path)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(path, "r");

    assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static void
a_file_that_breaks_off_is_refused(void **state)
{
    struct duel_files *files = *state;
    char *text = text_of(path_of(files, DUEL_SERVER, "server-cert.pem"));
    char twice[1 << 12];

    /* A certificate that is whole, and half of another. */
    snprintf(twice, sizeof twice, "%s%.*s", text, (int)strlen(text) / 2, text);
    certs_put_text(files->dirs[DUEL_SERVER], "server-cert.pem", 0644, twice);
    assert_refused(files, DUEL_SERVER, "server-cert.pem",
                   "after the first ones");
    text[strlen(text) / 2] = '\0';
    certs_put_text(files->dirs[DUEL_SERVER], "server-cert.pem", 0644, text);
    assert_refused(files, DUEL_SERVER, "server-cert.pem", "no certificate");
    free(text);
    certs_put_both(files->ca, files->dirs[DUEL_SERVER]);
    certs_put_crl(files->ca, files->dirs[DUEL_SERVER], NULL, CERTS_DAY_S);
    text = text_of(path_of(files, DUEL_SERVER, "ca-crl.pem"));
    snprintf(twice, sizeof twice, "%s%.*s", text, (int)strlen(text) / 2, text);
    certs_put_text(files->dirs[DUEL_SERVER], "ca-crl.pem", 0644, twice);
    assert_refused(files, DUEL_SERVER, "ca-crl.pem", "no revocation list");
    free(text);
}

static void
a_huge_file_is_refused(void **state)
{
    struct duel_files *files = *state;

    assert_int_equal(
        truncate(path_of(files, DUEL_SERVER, "ca-cert.pem"), (1 << 20) + 1), 0);
    assert_refused(files, DUEL_SERVER, "ca-cert.pem", "larger than 1 MiB");
}

static void
a_key_of_another_certificate_is_refused(void **state)
{
    struct duel_files *files = *state;
    char *text = text_of(path_of(files, DUEL_SERVER, "client-key.pem"));

    certs_put_text(files->dirs[DUEL_SERVER], "server-key.pem", 0600, text);
    assert_refused(files, DUEL_SERVER, "server-key.pem",
                   "is not the key of server-cert.pem");
    free(text);
}

/* OpenSSL takes such a pair, until it is used. */
static void
a_key_of_another_kind_is_refused(void **state)
{
    struct duel_files *files = *state;

    certs_put_ed25519(files->dirs[DUEL_SERVER], "server");
    assert_refused(files, DUEL_SERVER, "server-key.pem",
                   "is not the key of server-cert.pem");
}

static void
a_key_with_a_passphrase_is_refused(void **state)
{
    struct duel_files *files = *state;

    certs_lock_key(files->dirs[DUEL_SERVER], "server", "secret");
    assert_refused(files, DUEL_SERVER, "server-key.pem",
                   "is encrypted with a passphrase");
}

static void
a_certificate_of_ours_that_is_out_of_time_is_refused(void **state)
{
    struct certs_wanted wanted = { .common_name = "host1",
                                   .alt_names = "DNS:host1" };
    struct duel_files *files = *state;
    const char *dir = files->dirs[DUEL_SERVER];
    long now_s = (long)time(NULL);

    wanted.from_s = 1709640000L - CERTS_DAY_S - now_s;
    wanted.to_s = 1709640000L - now_s;
    certs_put(files->ca, &wanted, dir, "server");
    assert_refused(files, DUEL_SERVER, "server-cert.pem",
                   "expired on 2024-03-05 ");
    wanted.from_s = CERTS_DAY_S;
    wanted.to_s = 2 * CERTS_DAY_S;
    certs_put(files->ca, &wanted, dir, "server");
    assert_refused(files, DUEL_SERVER, "server-cert.pem",
                   "is not valid before 20");
    certs_put(files->ca, &wanted, files->dirs[DUEL_CLIENT], "client");
    assert_refused(files, DUEL_CLIENT, "client-cert.pem",
                   "is not valid before 20");
}

static void
a_revocation_list_that_has_expired_is_refused(void **state)
{
    struct duel_files *files = *state;

    certs_put_crl(files->ca, files->dirs[DUEL_SERVER], NULL, -CERTS_DAY_S);
    assert_refused(files, DUEL_SERVER, "ca-crl.pem", "expired on 20");
    certs_put_crl(files->ca, files->dirs[DUEL_SERVER], NULL, CERTS_DAY_S);
    assert_taken(files, DUEL_SERVER);
}

static void
a_client_needs_a_name_to_check(void **state)
{
    struct duel_files *files = *state;

    files->options[DUEL_CLIENT].hostname = NULL;
    assert_refused(files, DUEL_CLIENT, "no name", "--tls-hostname");
    files->options[DUEL_CLIENT].hostname = "";
    assert_refused(files, DUEL_CLIENT, "no name", "--tls-hostname");
    /* For OpenSSL it stands for any host of the domain. */
    files->options[DUEL_CLIENT].hostname = ".example";
    assert_refused(files, DUEL_CLIENT, ".example", "is no name that");
    files->options[DUEL_CLIENT].hostname = ".";
    assert_refused(files, DUEL_CLIENT, ".", "is no name that");
}

static void
a_bad_file_of_keys_is_refused_with_its_line(void **state)
{
    struct duel_files *files = *state;
    const char *dir = files->dirs[DUEL_CLIENT];

    duel_use_keys(files);
    certs_put_text(dir, "keys.psk", 0600, "# keys\nqemu:xyz\n");
    assert_refused(files, DUEL_CLIENT, "keys.psk line 2", "hexadecimal");
    certs_put_text(dir, "keys.psk", 0600, "# none\n");
    assert_refused(files, DUEL_CLIENT, "keys.psk", "no key");
    certs_put_text(dir, "keys.psk", 0600, "bob:" DUEL_KEY "\n");
    assert_refused(files, DUEL_CLIENT, "keys.psk",
                   "has no key for user qemu: choose one with --psk-user");
}

/* The key is what must never be shown. */
static void
no_line_has_a_key_in_it(void **state)
{
    struct duel_files *files = *state;
    char why[TLS_WHY_MAX];

    duel_use_keys(files);
    certs_put_text(files->dirs[DUEL_CLIENT], "keys.psk", 0600,
                   "bob:" DUEL_KEY "\nal:" DUEL_KEY "z\n");
    assert_null(tls_new(&files->options[DUEL_CLIENT], why));
    assert_int_equal(capture_count(why, "0011"), 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, duel_files_open, duel_files_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_others_can_read_is_refused),
        TEST(the_other_sides_key_does_not_matter),
        TEST(a_certificate_that_others_can_write_is_refused),
        TEST(a_folder_that_others_can_write_is_refused),
        TEST(a_folder_of_another_user_is_refused),
        TEST(a_revocation_list_that_cannot_be_read_is_not_absent),
        TEST(a_file_of_another_user_is_refused),
        TEST(a_missing_file_is_named),
        TEST(what_is_no_regular_file_is_refused),
        TEST(empty_files_and_rubbish_are_refused),
        TEST(a_file_that_breaks_off_is_refused),
        TEST(a_huge_file_is_refused),
        TEST(a_key_of_another_certificate_is_refused),
        TEST(a_key_of_another_kind_is_refused),
        TEST(a_key_with_a_passphrase_is_refused),
        TEST(a_certificate_of_ours_that_is_out_of_time_is_refused),
        TEST(a_revocation_list_that_has_expired_is_refused),
        TEST(a_client_needs_a_name_to_check),
        TEST(a_bad_file_of_keys_is_refused_with_its_line),
        TEST(no_line_has_a_key_in_it),
    };

    return RUN_TESTS(tests);
}
