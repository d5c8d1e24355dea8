/* The four programs, started as an operator would. */
#ifndef SUPPORT_TUNNEL_H
#define SUPPORT_TUNNEL_H

#include <stdbool.h>

#include "support_case.h"

struct process;
struct vm;

/* A mig-client and a mig-server, and where they meet the QEMUs. */
struct tunnel {
    struct process *server;
    struct process *client;
    bool session;                    /* not --raw */
    bool partners;                   /* the helpers find each other; else each
                                        works alone, as in raw mode */
    unsigned port;                   /* of the server */
    unsigned dest_port;              /* where the client goes; 0: to port */
    const char *server_host;         /* where the server listens, */
    const char *client_host;         /* and the client goes; 127.0.0.1 */
    char source[CASE_PATH_MAX];      /* the client's Unix socket */
    char destination[CASE_PATH_MAX]; /* the destination QEMU's */

    /* Options by which either end proves who it is; NULL is --insecure. */
    const char *const *server_security;
    const char *const *client_security;

    /* A program that starts the ends, and its arguments; NULL for none. */
    const char *const *through;

    /* The same for what is on the source's host: the client and mig-send. */
    const char *const *source_through;
};

/* A list of further arguments, as in ARGS("--multifd", "4"). */
#define ARGS(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

/**
 * tunnel_init(e2e, tunnel):
 * Choose a port and paths that nobody uses; nothing is started.
 */
void tunnel_init(struct e2e *e2e, struct tunnel *tunnel);

/**
 * tunnel_start_server(e2e, tunnel, args):
 * tunnel_start_client(e2e, tunnel, args):
 * Start one end with the further arguments ${args}, a NULL-terminated list or
 * NULL, and return when it listens.  The client of a session listens only when
 * the destination does: it is not waited for.
 */
void tunnel_start_server(struct e2e *e2e, struct tunnel *tunnel,
                         const char *const *args);
void tunnel_start_client(struct e2e *e2e, struct tunnel *tunnel,
                         const char *const *args);

/**
 * tunnel_start(e2e, tunnel):
 * Do all of the above, without further arguments.
 */
void tunnel_start(struct e2e *e2e, struct tunnel *tunnel);

/**
 * tool_dir():
 * Return the folder of the four programs: the build's, or MIG_BIN_DIR of the
 * environment, by which installed ones are tested.
 */
const char *tool_dir(void);

/**
 * tool_start(e2e, program, args):
 * Start one of the four programs with just the arguments ${args}.
 */
struct process *tool_start(struct e2e *e2e, const char *program,
                           const char *const *args);

/**
 * tunnel_recv(e2e, tunnel, vm, args):
 * tunnel_send(e2e, tunnel, vm, args):
 * Start mig-recv or mig-send for ${vm} at its end of the tunnel, with the
 * further arguments ${args}, a NULL-terminated list or NULL.
 */
struct process *tunnel_recv(struct e2e *e2e, const struct tunnel *tunnel,
                            const struct vm *vm, const char *const *args);
struct process *tunnel_send(struct e2e *e2e, const struct tunnel *tunnel,
                            const struct vm *vm, const char *const *args);

#endif
