/* The source's end of session mode. */
#ifndef TUNNEL_SESSION_CLIENT_H
#define TUNNEL_SESSION_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/exit_status.h"
#include "wire/compression.h"

struct bucket;
struct loop;
struct net_options;
struct session_client;
struct tls;
struct worker_pool;

struct session_client_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    struct address dest;
    struct tls *tls; /* NULL for plain text; outlives the client */
    const struct net_options *net; /* or NULL; outlives it */
    struct bucket *bandwidth;      /* of what goes out; NULL: no limit */
    const char *unix_path;
    const char *name; /* of the VM, valid; "" for none */
    uint64_t wait_ms; /* how long to try to reach ${dest} at first */
    uint64_t resume_timeout_ms;
    uint32_t window; /* bytes */
    struct compression_wish compress;
    bool once; /* done after the first session in which a VM went, and
                  when its driver, if there is one, has left */
    const char *control_path; /* for helpers to attach; NULL for none */
    bool control_needed;      /* see helper_talk_open */
    const char *program;      /* "mig-client 0.1.0"; outlives it */

    /**
     * on_done(arg, status):
     * There is nothing more to do.  The callback may free the client.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *arg;
};

/**
 * session_client_new(options):
 * Connect to the server, make the Unix socket when the destination is ready,
 * and carry what QEMU sends.  Return NULL with errno set if there is no memory,
 * or the control socket is needed and can't be made, which has been logged. The
 * caller frees it with session_client_free, which closes everything and
 * removes the socket.
 */
struct session_client *session_client_new(
    const struct session_client_options *options);
void session_client_free(struct session_client *client);

/**
 * session_client_stop(client):
 * The first time: let a migration under way go on for up to 5 s.  The second
 * time: end everything at once.  on_done follows, perhaps before this function
 * returns.
 */
void session_client_stop(struct session_client *client);

#endif
