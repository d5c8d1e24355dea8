#include "support_duel.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "support_capture.h"
#include "support_test.h"

enum { ROUNDS = 50 };

int
duel_files_open(void **state)
{
    static struct duel_files files;

    memset(&files, 0, sizeof files);
    files.ca = certs_ca_new("Test CA");
    for (int side = 0; side < 2; side++) {
        char dir[NET_PATH_MAX];

        net_temp_dir(dir);
        memcpy(files.dirs[side], dir, sizeof dir);
        certs_put_both(files.ca, files.dirs[side]);
        certs_put_text(files.dirs[side], "keys.psk", 0600,
                       "qemu:" DUEL_KEY "\n");
        snprintf(files.psk[side], sizeof files.psk[side], "%s/keys.psk", dir);
        files.options[side] =
            (struct tls_options){ .server = side == DUEL_SERVER,
                                  .dir = files.dirs[side],
                                  .hostname =
                                      side == DUEL_SERVER ? NULL : "host1" };
    }
    *state = &files;
    return 0;
}

int
duel_files_close(void **state)
{
    struct duel_files *files = *state;

    certs_ca_free(files->ca);
    for (int side = 0; side < 2; side++)
        net_remove_dir(files->dirs[side]);
    return 0;
}

void
duel_use_keys(struct duel_files *files)
{
    for (int side = 0; side < 2; side++)
        files->options[side] =
            (struct tls_options){ .server = side == DUEL_SERVER,
                                  .psk_path = files->psk[side],
                                  .psk_user =
                                      side == DUEL_SERVER ? NULL : "qemu" };
}

void
duel_of(const struct duel_files *files, struct duel *duel)
{
    struct tls *server, *client;

    certs_set_clock(files->clocks[DUEL_SERVER]);
    server = duel_tls(&files->options[DUEL_SERVER]);
    certs_set_clock(files->clocks[DUEL_CLIENT]);
    client = duel_tls(&files->options[DUEL_CLIENT]);
    certs_set_clock(0);
    duel_begin(duel, server, client);
    duel_fight(duel);
    /* What a connection needs lives as long as it does. */
    tls_free(server);
    tls_free(client);
}

struct tls *
duel_tls(const struct tls_options *options)
{
    char why[TLS_WHY_MAX] = "";
    struct tls *tls = tls_new(options, why);

    assert_string_equal(why, "");
    assert_non_null(tls);
    return tls;
}

void
duel_begin(struct duel *duel, struct tls *server, struct tls *client)
{
    int fds[2];

    signal(SIGPIPE, SIG_IGN); /* as a loop does */
    memset(duel, 0, sizeof *duel);
    net_unix_pair(fds);
    for (int side = 0; side < 2; side++) {
        struct duel_end *end = &duel->ends[side];
        struct tls *tls = side == DUEL_SERVER ? server : client;

        end->fd = fds[side];
        end->ours = tls != NULL;
        if (!end->ours)
            continue;
        end->ssl = tls_begin(tls, end->fd);
        assert_non_null(end->ssl);
    }
}

void
duel_stranger(struct duel *duel, enum duel_side side, SSL_CTX *context)
{
    struct duel_end *end = &duel->ends[side];

    end->ssl = SSL_new(context);
    assert_non_null(end->ssl);
    SSL_CTX_free(context);
    SSL_set_fd(end->ssl, end->fd);
    if (side == DUEL_SERVER)
        SSL_set_accept_state(end->ssl);
    else
        SSL_set_connect_state(end->ssl);
}

/* Go on, as far as one step leads.  Return whether something happened. */
static bool
step(struct duel_end *end)
{
    char byte = 'x';
    int result;

    if (end->ssl == NULL || end->refused || end->heard)
        return false;
    ERR_clear_error();
    result =
        end->shaken ? SSL_read(end->ssl, &byte, 1) : SSL_do_handshake(end->ssl);
    if (result == 1 && end->shaken) {
        end->heard = true;
    } else if (result == 1) {
        end->shaken = true;
        SSL_write(end->ssl, &byte, 1);
    } else if (SSL_get_error(end->ssl, result) == SSL_ERROR_SSL) {
        end->refused = true;
        if (end->ours)
            tls_why(end->ssl, end->why);
        assert_true(!end->ours || ERR_peek_error() == 0);
    } else {
        return false;
    }
    return true;
}

void
duel_fight(struct duel *duel)
{
    int idle = 0;

    for (int round = 0; round < ROUNDS && idle < 3; round++) {
        bool one = step(&duel->ends[DUEL_CLIENT]);
        bool other = step(&duel->ends[DUEL_SERVER]);

        idle = one || other ? 0 : idle + 1;
    }
    ERR_clear_error();
}

void
duel_end(struct duel *duel)
{
    for (int side = 0; side < 2; side++) {
        SSL_free(duel->ends[side].ssl);
        close(duel->ends[side].fd);
    }
}

void
duel_assert_good(const struct duel *duel)
{
    for (int side = 0; side < 2; side++) {
        assert_string_equal(duel->ends[side].why, "");
        assert_true(duel->ends[side].heard);
    }
}

void
duel_assert_refused(const struct duel *duel)
{
    for (int side = 0; side < 2; side++) {
        const struct duel_end *end = &duel->ends[side];

        assert_false(end->heard);
        if (!end->ours)
            continue;
        assert_true(end->refused);
        assert_true(end->why[0] != '\0');
        assert_int_equal(capture_count(end->why, "\n"), 0);
    }
}

void
duel_assert_says(const struct duel *duel, enum duel_side side, const char *part)
{
    const char *why = duel->ends[side].why;

    if (strstr(why, part) == NULL)
        print_error("\"%s\" is not in \"%s\"\n", part, why);
    assert_true(strstr(why, part) != NULL);
}
