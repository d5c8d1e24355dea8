/*
 * Where a migration in raw mode comes from, and whom that makes its own: raw
 * streams name no migration, so a further channel is known by its host, by what
 * it has proved to be, and by its first bytes.
 */
#ifndef TUNNEL_RAW_ORIGIN_H
#define TUNNEL_RAW_ORIGIN_H

#include <stdbool.h>

#include "base/address.h"
#include "io/tls.h"

struct candidate;

struct raw_origin {
    bool qemu_tls; /* QEMU encrypts, so that its streams are TLS */
    char host[ADDRESS_HOST_MAX];
    char identity[TLS_IDENTITY_MAX]; /* "" without TLS */
};

enum { RAW_ORIGIN_WHY_MAX = 2 * TLS_IDENTITY_MAX + 64 };

/**
 * raw_origin_set(origin, main):
 * The migration is the one that the main channel ${main} begins.
 */
void raw_origin_set(struct raw_origin *origin, const struct candidate *main);

/**
 * raw_origin_is_main(origin, candidate):
 * Return whether ${candidate} has shown itself to be a main channel, as they
 * are expected here.
 */
bool raw_origin_is_main(const struct raw_origin *origin,
                        const struct candidate *candidate);

/**
 * raw_origin_is_host(origin, candidate):
 * Return whether ${candidate} comes from the host of the main channel, whoever
 * it may be there.
 */
bool raw_origin_is_host(const struct raw_origin *origin,
                        const struct candidate *candidate);

/**
 * raw_origin_admits(origin, candidate):
 * Return whether ${candidate} may be a further channel of the migration: it is
 * from the same host, has proved to be the same, and is not visibly something
 * else.  Not before it has a transport.
 */
bool raw_origin_admits(const struct raw_origin *origin,
                       const struct candidate *candidate);

/**
 * raw_origin_why_not(origin, candidate, why):
 * Return one line on why ${candidate}, which has a transport, is not admitted;
 * perhaps in ${why}.
 */
const char *raw_origin_why_not(const struct raw_origin *origin,
                               const struct candidate *candidate,
                               char why[RAW_ORIGIN_WHY_MAX]);

#endif
