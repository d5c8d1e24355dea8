/* The destination's end of session mode: greets, and sorts by session. */
#ifndef TUNNEL_SESSION_SERVER_H
#define TUNNEL_SESSION_SERVER_H

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
struct session_server;
struct tls;
struct worker_pool;

struct session_server_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    struct address listen;
    struct tls *tls; /* NULL for plain text; outlives the server */
    const struct net_options *net; /* or NULL; outlives it */
    struct bucket *bandwidth;      /* of what goes out; NULL: no limit */
    const struct cidr *allow;      /* see door_init */
    size_t allow_count;
    const char *unix_path; /* "%n" in it stands for the VM's name */
    uint64_t wait_ms;
    uint64_t resume_timeout_ms;
    uint32_t window;  /* bytes */
    uint8_t pack_log; /* compressed streams with windows of up to 2^pack_log
                         bytes are taken; 0 for none */
    bool once;        /* done after the first session in which a VM came, and
                         when its driver, if there is one, has left */
    const char *control_path; /* for helpers to attach, with "%n" where
                                 ${unix_path} has it; NULL for none */
    bool control_needed;      /* see helper_talk_open */
    const char *program;      /* "mig-server 0.1.0"; outlives it */

    /**
     * on_done(arg, status):
     * There is nothing more to do.  The callback may free the server.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *arg;
};

/**
 * session_server_new(options, why):
 * Listen on TCP, and for helpers, and serve.  Return NULL, with one line in
 * ${why}, if that is not possible.  The caller frees it with
 * session_server_free, which closes everything.
 */
struct session_server *session_server_new(
    const struct session_server_options *options, char why[LISTENER_WHY_MAX]);
void session_server_free(struct session_server *server);

/**
 * session_server_stop(server):
 * The first time: accept no new session, and let those under way go on for up
 * to 5 s.  The second time: end everything at once.  on_done follows, perhaps
 * before this function returns.
 */
void session_server_stop(struct session_server *server);

#endif
