/* Files that change while the program runs. */
#include "io/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "support_capture.h"
#include "support_certs.h"
#include "support_duel.h"
#include "support_net.h"
#include "support_session_clock.h"
#include "support_test.h"

/* Speeds of the clock: it stands still, and it is always a second later. */
enum { CLOCK_STOPPED = 0, CLOCK_RACING = 1000000000 };

/* Both ends, which live through the changes. */
struct pair {
    struct duel_files *files;
    struct tls *server;
    struct tls *client;
    const char *dir; /* the server's */
};

static int
pair_open(void **state)
{
    static struct pair pair;
    void *files;

    duel_files_open(&files);
    pair.files = files;
    pair.server = duel_tls(&pair.files->options[DUEL_SERVER]);
    pair.client = duel_tls(&pair.files->options[DUEL_CLIENT]);
    pair.dir = pair.files->dirs[DUEL_SERVER];
    *state = &pair;
    return 0;
}

static int
pair_close(void **state)
{
    struct pair *pair = *state;
    void *files = pair->files;

    certs_set_clock(0);
    session_clock_speed(1);
    tls_free(pair->server);
    tls_free(pair->client);
    return duel_files_close(&files);
}

/* The server looks again, and says what it says. */
static const char *
refresh(struct pair *pair)
{
    const char *text;

    capture_start();
    tls_refresh(pair->server);
    text = capture_stop();
    return text;
}

static void
assert_quiet(struct pair *pair)
{
    assert_string_equal(refresh(pair), "");
}

static void
assert_says(struct pair *pair, const char *words)
{
    const char *text = refresh(pair);

    if (strstr(text, words) == NULL)
        print_error("\"%s\" is not in \"%s\"\n", words, text);
    assert_int_equal(capture_count(text, words), 1);
    assert_int_equal(capture_count(text, "\n"), 1);
}

/* Whom the client meets, or "" if one refuses the other. */
static void
assert_meets(struct pair *pair, const char *whom)
{
    char identity[TLS_IDENTITY_MAX] = "";
    struct duel duel;

    duel_begin(&duel, pair->server, pair->client);
    duel_fight(&duel);
    if (whom[0] == '\0')
        duel_assert_refused(&duel);
    else
        duel_assert_good(&duel);
    if (whom[0] != '\0')
        tls_identity(duel.ends[DUEL_CLIENT].ssl, identity);
    assert_string_equal(identity, whom);
    duel_end(&duel);
}

static void
put_server(struct pair *pair, const char *common_name)
{
    const struct certs_wanted wanted = { .common_name = common_name,
                                         .alt_names = "DNS:host1" };

    certs_put(pair->files->ca, &wanted, pair->dir, "server");
}

static void
nothing_is_read_when_nothing_has_changed(void **state)
{
    struct pair *pair = *state;

    assert_quiet(pair);
    /* If it read this one it would say so. */
    chmod(pair->files->psk[DUEL_SERVER], 0666);
    assert_quiet(pair);
    assert_meets(pair, "certificate CN=host1,O=Example");
}

static void
renewed_files_count_from_the_next_connection(void **state)
{
    struct pair *pair = *state;

    put_server(pair, "renewed");
    assert_meets(pair, "certificate CN=host1,O=Example");
    assert_says(pair, "again, which has changed");
    assert_meets(pair, "certificate CN=renewed");
    assert_quiet(pair);
}

/* A connection has what it was begun with. */
static void
a_connection_that_was_begun_before_is_not_disturbed(void **state)
{
    struct pair *pair = *state;
    char identity[TLS_IDENTITY_MAX];
    struct duel duel;

    duel_begin(&duel, pair->server, pair->client);
    put_server(pair, "renewed");
    assert_says(pair, "again, which has changed");
    duel_fight(&duel);
    duel_assert_good(&duel);
    assert_int_equal(tls_identity(duel.ends[DUEL_CLIENT].ssl, identity), 0);
    assert_string_equal(identity, "certificate CN=host1,O=Example");
    duel_end(&duel);
}

static void
a_renewal_that_is_half_done_changes_nothing_and_is_told_once(void **state)
{
    struct pair *pair = *state;
    char cert[NET_PATH_MAX + 32], aside[NET_PATH_MAX + 32];

    snprintf(cert, sizeof cert, "%s/server-key.pem", pair->dir);
    snprintf(aside, sizeof aside, "%s/aside", pair->dir);
    rename(cert, aside);
    put_server(pair, "renewed"); /* both files, ... */
    rename(aside, cert);         /* ... but the key is the old one */
    assert_says(pair, "is not the key of server-cert.pem");
    assert_quiet(pair);
    assert_meets(pair, "certificate CN=host1,O=Example");
    put_server(pair, "complete");
    assert_says(pair, "again, which has changed");
    assert_meets(pair, "certificate CN=complete");
}

static void
a_file_that_is_missing_or_opened_to_others_changes_nothing(void **state)
{
    struct pair *pair = *state;
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/server-key.pem", pair->dir);
    chmod(path, 0644);
    assert_says(pair, "chmod 600");
    assert_quiet(pair);
    chmod(path, 0600);
    assert_says(pair, "again, which has changed");
    unlink(path);
    assert_says(pair, "No such file");
    assert_quiet(pair);
    assert_meets(pair, "certificate CN=host1,O=Example");
}

/* Put the client on a list at the server. */
static void
revoke_client(struct pair *pair)
{
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/client-cert.pem",
             pair->files->dirs[DUEL_CLIENT]);
    certs_put_crl(pair->files->ca, pair->dir, path, CERTS_DAY_S);
}

static void
a_revocation_list_that_appears_counts(void **state)
{
    struct pair *pair = *state;

    revoke_client(pair);
    assert_says(pair, "again, which has changed");
    assert_meets(pair, "");
}

static void
a_revocation_list_that_is_lost_stays_in_use(void **state)
{
    struct pair *pair = *state;
    char path[NET_PATH_MAX + 32];

    revoke_client(pair);
    assert_says(pair, "again, which has changed");
    snprintf(path, sizeof path, "%s/ca-crl.pem", pair->dir);
    unlink(path);
    assert_says(pair, "ca-crl.pem is gone: put it back, or restart");
    assert_quiet(pair);
    assert_meets(pair, "");
    assert_int_equal(symlink("/nowhere/ca-crl.pem", path), 0);
    assert_says(pair, "ca-crl.pem: No such file");
    assert_meets(pair, "");
    certs_put_crl(pair->files->ca, pair->dir, NULL, CERTS_DAY_S);
    assert_says(pair, "again, which has changed");
    assert_meets(pair, "certificate CN=host1,O=Example");
}

static void
a_revocation_list_that_appears_as_a_broken_link_is_told(void **state)
{
    struct pair *pair = *state;
    char path[NET_PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/ca-crl.pem", pair->dir);
    assert_int_equal(symlink("/nowhere/ca-crl.pem", path), 0);
    assert_says(pair, "ca-crl.pem: No such file");
    unlink(path);
    assert_quiet(pair);
    assert_int_equal(symlink("/nowhere/ca-crl.pem", path), 0);
    assert_says(pair, "ca-crl.pem: No such file");
}

/* What is in the files was right; it is the time that was not. */
static void
a_renewal_that_is_early_is_read_when_it_is_time(void **state)
{
    const struct certs_wanted early = { .common_name = "early",
                                        .from_s = CERTS_DAY_S / 2,
                                        .to_s = 2L * CERTS_DAY_S };
    struct pair *pair = *state;

    session_clock_speed(CLOCK_RACING);
    certs_put(pair->files->ca, &early, pair->dir, "server");
    assert_says(pair, "is not valid before 20");
    assert_quiet(pair);
    assert_meets(pair, "certificate CN=host1,O=Example");
    certs_set_clock(CERTS_DAY_S * 3L / 4);
    assert_says(pair, "again, which has changed");
    assert_quiet(pair);
}

static void
files_that_could_not_be_read_are_tried_again_after_a_second(void **state)
{
    struct pair *pair = *state;
    struct rlimit limit, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
    session_clock_speed(CLOCK_STOPPED);
    revoke_client(pair);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    tls_refresh(pair->server);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_quiet(pair);
    assert_meets(pair, "certificate CN=host1,O=Example");
    session_clock_speed(CLOCK_RACING);
    assert_says(pair, "again, which has changed");
    assert_meets(pair, "");
}

static void
our_own_certificate_that_expires_is_told_once(void **state)
{
    struct pair *pair = *state;

    certs_set_clock(3L * CERTS_DAY_S);
    assert_says(pair, "server-cert.pem expired on 20");
    assert_quiet(pair);
    assert_quiet(pair);
    certs_set_clock(0);
    assert_quiet(pair);
    certs_set_clock(3L * CERTS_DAY_S);
    assert_says(pair, "server-cert.pem expired on 20");
}

static void
a_key_that_is_added_counts(void **state)
{
    struct pair *pair = *state;
    struct duel_files *files = pair->files;
    const char *client_dir = files->dirs[DUEL_CLIENT];

    tls_free(pair->server);
    tls_free(pair->client);
    duel_use_keys(files);
    certs_put_text(client_dir, "keys.psk", 0600, "bob:" DUEL_KEY "\n");
    files->options[DUEL_CLIENT].psk_user = "bob";
    pair->server = duel_tls(&files->options[DUEL_SERVER]);
    pair->client = duel_tls(&files->options[DUEL_CLIENT]);
    assert_meets(pair, "");
    certs_put_text(pair->dir, "keys.psk", 0600,
                   "qemu:" DUEL_KEY "\nbob:" DUEL_KEY "\n");
    assert_says(pair, "again, which has changed");
    assert_meets(pair, "PSK user bob");
    certs_put_text(pair->dir, "keys.psk", 0600, "rubbish\n");
    assert_says(pair, "keys.psk line 1");
    assert_quiet(pair);
    assert_meets(pair, "PSK user bob");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_open, pair_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_read_when_nothing_has_changed),
        TEST(renewed_files_count_from_the_next_connection),
        TEST(a_connection_that_was_begun_before_is_not_disturbed),
        TEST(a_renewal_that_is_half_done_changes_nothing_and_is_told_once),
        TEST(a_file_that_is_missing_or_opened_to_others_changes_nothing),
        TEST(a_revocation_list_that_appears_counts),
        TEST(a_revocation_list_that_is_lost_stays_in_use),
        TEST(a_revocation_list_that_appears_as_a_broken_link_is_told),
        TEST(a_renewal_that_is_early_is_read_when_it_is_time),
        TEST(files_that_could_not_be_read_are_tried_again_after_a_second),
        TEST(our_own_certificate_that_expires_is_told_once),
        TEST(a_key_that_is_added_counts),
    };

    return RUN_TESTS(tests);
}
