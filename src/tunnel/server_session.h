/* One session at the destination: its channels, and the way to QEMU. */
#ifndef TUNNEL_SERVER_SESSION_H
#define TUNNEL_SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "wire/greeting.h"
#include "wire/reason.h"

struct bucket;
struct greeter;
struct helper_talk;
struct loop;
struct net_options;
struct server_session;
struct spent_sockets;
struct worker_pool;

struct server_session_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    const char *unix_path;    /* the destination QEMU's socket; copied */
    unsigned char id[SESSION_ID_BYTES];
    char name[VM_NAME_MAX + 1];
    const char *identity;       /* whom the client has proved to be; copied */
    uint64_t wait_ms;           /* for QEMU, once the source has connected */
    uint64_t resume_timeout_ms; /* for a lost transport */
    uint64_t linger_ms;         /* for a client to hear of the end */
    uint32_t window;            /* bytes */
    uint8_t pack_log;           /* see session_channel_options */
    const struct net_options *net; /* or NULL; outlives it */
    struct bucket *bandwidth;      /* of what goes out; NULL: no limit */
    struct spent_sockets *spent;   /* shared with the owner's other sessions */
    struct helper_talk *talk;      /* the owner's, for helpers; NULL without; no
                                      other session may begin in it meanwhile */

    /**
     * is_control(arg, path):
     * Return whether ${path} leads to a control socket of the owner's.  NULL
     * for an owner that has none.
     */
    bool (*is_control)(void *arg, const char *path);

    /**
     * on_ended(arg, session, reason):
     * The session has ended, with REASON_NONE if it is complete; QEMU has been
     * let go.  The session lives on until the client has heard of it.  The
     * callback must not free it.
     */
    void (*on_ended)(void *arg, struct server_session *session,
                     enum reason reason);

    /**
     * on_gone(arg, session):
     * There is nothing left of it: the owner frees it.
     */
    void (*on_gone)(void *arg, struct server_session *session);
    void *arg;
};

/**
 * server_session_new(options):
 * Make a session without a channel.  Return NULL with errno set if there is no
 * memory.  The caller frees it with server_session_free, which closes
 * everything.
 */
struct server_session *server_session_new(
    const struct server_session_options *options);
void server_session_free(struct server_session *session);

/**
 * server_session_admit(session, greeter):
 * Answer a greeting that names this session, take its transport and return
 * REASON_NONE; or return why it has to be refused.  The caller frees the
 * greeter.
 */
enum reason server_session_admit(struct server_session *session,
                                 struct greeter *greeter);

/**
 * server_session_end(session, reason):
 * End the session.  on_ended is called before this function returns, unless it
 * has ended already.
 */
void server_session_end(struct server_session *session, enum reason reason);

/**
 * server_session_is(session, id):
 * server_session_named(session, name):
 * server_session_identity(session):
 * server_session_live(session):
 * server_session_used(session):
 * server_session_abandoned(session):
 * Return whether it has this id; whether it has this name; to whom it belongs
 * ("" without TLS): the owner admits nobody else; whether it has not
 * ended; whether the source's QEMU has ever connected; whether it holds nothing
 * that a further client could harm: there is neither a migration in it nor a
 * client that is connected, or the migration is complete and only helpers go on
 * that can't hear each other or have had their time.
 */
bool server_session_is(const struct server_session *session,
                       const unsigned char id[SESSION_ID_BYTES]);
bool server_session_named(const struct server_session *session,
                          const char *name);
const char *server_session_identity(const struct server_session *session);
bool server_session_live(const struct server_session *session);
bool server_session_used(const struct server_session *session);
bool server_session_abandoned(struct server_session *session);

#endif
