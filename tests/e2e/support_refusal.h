/*
 * Peers that are to be refused, at a mig-server in front of a QEMU that listens
 * for a migration: one connection that comes and goes would kill its VM.
 */
#ifndef SUPPORT_REFUSAL_H
#define SUPPORT_REFUSAL_H

#include "support_move.h"

struct process;

/* What either end is to say of it, or NULL. */
struct refusal {
    const char *client_says;
    const char *server_says;
};

/**
 * refusal_prepare(e2e, move):
 * Start a guest and a QEMU that listens for it, and choose where the tunnel's
 * ends will be; they are not started.
 */
void refusal_prepare(struct e2e *e2e, struct move *move);

/**
 * refusal_of_client(e2e, tunnel, options, refusal):
 * Start a further mig-client with ${options}; check that it exits with status
 * 1, and what both ends say.
 */
void refusal_of_client(struct e2e *e2e, const struct tunnel *tunnel,
                       const char *const *options,
                       const struct refusal *refusal);

/**
 * refusal_of_openssl(e2e, tunnel, args, refusal):
 * The same with openssl s_client.
 */
void refusal_of_openssl(struct e2e *e2e, const struct tunnel *tunnel,
                        const char *const *args, const struct refusal *refusal);

/**
 * refusal_of_probe(tunnel, refusal):
 * The same with a raw QEMU stream in plain text.
 */
void refusal_of_probe(const struct tunnel *tunnel,
                      const struct refusal *refusal);

/**
 * refusal_finish(e2e, move, joined):
 * Check that no more than ${joined} clients have got through to the server so
 * far, and that the QEMU still waits; then move the guest there by the same
 * server and by a new client, with move->tunnel.client_security.
 */
void refusal_finish(struct e2e *e2e, struct move *move, unsigned joined);

#endif
