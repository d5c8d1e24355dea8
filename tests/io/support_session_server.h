/* A session server on the test's loop; the test is the clients and the QEMUs.
 */
#ifndef SUPPORT_SESSION_SERVER_H
#define SUPPORT_SESSION_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "support_acceptor.h"
#include "support_net.h"
#include "support_session_peer.h"
#include "support_stage.h"
#include "tunnel/session_server.h"

enum {
    SESSIONS_CLIENTS_MAX = 300,
    SESSIONS_QEMUS_MAX = 2,
    SESSIONS_WINDOW = 1 << 20,
    SESSIONS_LONG_MS = 300000, /* never, as far as a test goes */
    SESSIONS_FIRST_BYTES = 10000,
};

struct sessions {
    struct stage stage;
    struct worker_pool *pool;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8];
    struct acceptor qemus[SESSIONS_QEMUS_MAX];
    unsigned qemu_count;
    struct session_server *server;
    uint16_t port;
    unsigned dones;
    enum exit_status status;
    struct session_peer clients[SESSIONS_CLIENTS_MAX];
    unsigned count;
};

/**
 * sessions_defaults():
 * Return options that wait long for everything, and serve on.
 */
struct session_server_options sessions_defaults(void);

/**
 * sessions_open(options, by_name):
 * sessions_close(rig):
 * Start a server with ${options}, for one VM or for many, by their names; end
 * it, and all that is connected to it.
 */
struct sessions *sessions_open(const struct session_server_options *options,
                               bool by_name);
void sessions_close(struct sessions *rig);

/**
 * sessions_qemu(rig, name):
 * Let the QEMU of the VM ${name} listen; "dest" is the one without a name.
 */
struct acceptor *sessions_qemu(struct sessions *rig, const char *name);

/**
 * sessions_dial(rig):
 * sessions_greet(rig, greeting):
 * Connect; and greet, and wait for the answer.
 */
struct session_peer *sessions_dial(struct sessions *rig);
struct session_peer *sessions_greet(struct sessions *rig,
                                    const struct client_greeting *greeting);

/**
 * sessions_resume(session, name, channel, delivered):
 * Return the greeting of a client that resumes.
 */
struct client_greeting sessions_resume(char session, const char *name,
                                       uint32_t channel, uint64_t delivered);

/**
 * sessions_refused(rig, greeting, reason):
 * Greet, and see to it that this is refused with ${reason}.
 */
void sessions_refused(struct sessions *rig,
                      const struct client_greeting *greeting,
                      enum reason reason);

/**
 * sessions_channel(rig, session, name, number):
 * Open a channel, and see to it that it is accepted.
 */
struct session_peer *sessions_channel(struct sessions *rig, char session,
                                      const char *name, uint32_t number);

/* A migration under way, of which SESSIONS_FIRST_BYTES have arrived. */
struct sessions_migration {
    struct session_peer *control;
    struct session_peer *main;
    struct acceptor *qemu;
    unsigned first; /* of its connections to QEMU */
};

/**
 * sessions_migrate(rig, session, name, qemu):
 * Begin a migration of one channel to ${qemu}, which listens.
 */
struct sessions_migration sessions_migrate(struct sessions *rig, char session,
                                           const char *name,
                                           struct acceptor *qemu);

/**
 * sessions_told(rig, control, reason):
 * See to it that the control channel says that it has ended so.
 */
void sessions_told(struct sessions *rig, struct session_peer *control,
                   enum reason reason);

/**
 * sessions_finish_with(rig, migration, tail):
 * Let the source end with ${tail}, then QEMU, and see to it that all arrives.
 */
void sessions_finish_with(struct sessions *rig, struct sessions_migration *now,
                          const char *tail);

/**
 * sessions_leave(rig, migration):
 * The client has heard of the end, and the session is gone.
 */
void sessions_leave(struct sessions *rig, struct sessions_migration *now);

/**
 * sessions_finish(rig, migration):
 * All of it: the migration is complete.
 */
void sessions_finish(struct sessions *rig, struct sessions_migration *now);

#endif
