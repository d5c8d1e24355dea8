/*
 * The source's end of raw mode: a local Unix socket for QEMU, and one TCP
 * connection for each connection that QEMU makes to it, in QEMU's order.
 */
#ifndef TUNNEL_RAW_CLIENT_H
#define TUNNEL_RAW_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/exit_status.h"
#include "io/unix_socket.h"

struct bucket;
struct loop;
struct net_options;
struct raw_client;
struct tls;
struct worker_pool;

struct raw_client_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    struct address dest;
    struct tls *tls; /* NULL for plain text; outlives the client */
    const struct net_options *net; /* or NULL; outlives it */
    struct bucket *bandwidth;      /* of what goes out; NULL: no limit */
    const char *unix_path;
    uint64_t wait_ms; /* how long to try to reach ${dest} */
    bool once;        /* done after the first migration */

    /**
     * on_done(arg, status):
     * There is nothing more to do.  The callback may free the client.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *arg;
};

/**
 * raw_client_new(options, why):
 * Listen on the Unix socket and serve it.  Return NULL, with one line in
 * ${why}, if that is not possible.  The caller frees it with raw_client_free,
 * which closes everything and removes the socket.
 */
struct raw_client *raw_client_new(const struct raw_client_options *options,
                                  char why[SOCKET_WHY_MAX]);
void raw_client_free(struct raw_client *client);

/**
 * raw_client_stop(client):
 * See raw_end_stop.
 */
void raw_client_stop(struct raw_client *client);

#endif
