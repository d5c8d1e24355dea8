/* Two ends of TLS over a pair of sockets, by hand and without a loop. */
#ifndef SUPPORT_DUEL_H
#define SUPPORT_DUEL_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "io/tls.h"
#include "support_certs.h"
#include "support_net.h"

enum duel_side { DUEL_SERVER, DUEL_CLIENT };

#define DUEL_KEY "00112233445566778899aabbccddeeff"

/* What the two have on their disks, each in a folder of its own. */
struct duel_files {
    struct certs_ca *ca;
    char dirs[2][NET_PATH_MAX];     /* each with all of certs_put_both, and */
    char psk[2][NET_PATH_MAX + 16]; /* a keys.psk with DUEL_KEY for qemu */
    struct tls_options options[2];  /* certificates, the name is host1 */
    long clocks[2]; /* how far each is ahead when it reads its files, in s */
};

struct duel_end {
    bool ours; /* and not somebody else's program */
    SSL *ssl;
    int fd;
    bool shaken;  /* the handshake is done, */
    bool heard;   /* and a byte came */
    bool refused; /* it failed with SSL_ERROR_SSL */
    char why[TLS_WHY_MAX];
};

struct duel {
    struct duel_end ends[2];
};

/**
 * duel_files_open(state):
 * duel_files_close(state):
 * Setup and teardown of a test: *${state} is a struct duel_files.
 */
int duel_files_open(void **state);
int duel_files_close(void **state);

/**
 * duel_use_keys(files):
 * Let both use their keys.
 */
void duel_use_keys(struct duel_files *files);

/**
 * duel_of(files, duel):
 * Begin a duel between the two, and fight it out.
 */
void duel_of(const struct duel_files *files, struct duel *duel);

/**
 * duel_tls(options):
 * Make one from files that are good.
 */
struct tls *duel_tls(const struct tls_options *options);

/**
 * duel_begin(duel, server, client):
 * Make the sockets, and an SSL for each side that is not NULL.
 */
void duel_begin(struct duel *duel, struct tls *server, struct tls *client);

/**
 * duel_stranger(duel, side, context):
 * Let somebody else's program be the ${side}.  ${context} is freed.
 */
void duel_stranger(struct duel *duel, enum duel_side side, SSL_CTX *context);

/**
 * duel_fight(duel):
 * Shake hands, and send a byte each way, until nothing more happens.
 */
void duel_fight(struct duel *duel);

/**
 * duel_end(duel):
 * Free what duel_begin and duel_stranger have made.
 */
void duel_end(struct duel *duel);

/**
 * duel_assert_good(duel):
 * duel_assert_refused(duel):
 * Both sides have shaken hands and heard each other, or neither has heard
 * anything and both of ours say why.
 */
void duel_assert_good(const struct duel *duel);
void duel_assert_refused(const struct duel *duel);

/**
 * duel_assert_says(duel, side, part):
 * What that side says of its failure is one line, and ${part} is in it.
 */
void duel_assert_says(const struct duel *duel, enum duel_side side,
                      const char *part);

#endif
