/*
 * The destination's end of raw mode: for each TCP connection of a migration
 * one connection to the Unix socket of the QEMU that waits for it.
 */
#ifndef TUNNEL_RAW_SERVER_H
#define TUNNEL_RAW_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/exit_status.h"
#include "io/listener.h"

struct bucket;
struct cidr;
struct loop;
struct net_options;
struct raw_server;
struct tls;
struct worker_pool;

struct raw_server_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    struct address listen;
    struct tls *tls; /* NULL for plain text; outlives the server */
    const struct net_options *net; /* or NULL; outlives it */
    struct bucket *bandwidth;      /* of what goes out; NULL: no limit */
    const struct cidr *allow;      /* see door_init */
    size_t allow_count;
    const char *unix_path;
    uint64_t wait_ms; /* how long a migration waits for QEMU to listen */
    bool once;        /* done after the first migration */
    bool qemu_tls;    /* QEMU encrypts: a migration begins with its TLS */

    /**
     * on_done(arg, status):
     * There is nothing more to do.  The callback may free the server.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *arg;
};

/**
 * raw_server_new(options, why):
 * Listen on TCP and serve.  Return NULL, with one line in ${why}, if that is
 * not possible.  The caller frees it with raw_server_free, which closes
 * everything.
 */
struct raw_server *raw_server_new(const struct raw_server_options *options,
                                  char why[LISTENER_WHY_MAX]);
void raw_server_free(struct raw_server *server);

/**
 * raw_server_stop(server):
 * See raw_end_stop.
 */
void raw_server_stop(struct raw_server *server);

#endif
