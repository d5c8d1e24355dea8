/*
 * The channels of one migration in raw mode.  They stand or fall together:
 * when one breaks off, QEMU has lost the migration, and the others are torn
 * down so that both QEMUs see it at once.
 *
 * A QEMU at the source may abort when a connection that it has just made is
 * closed (7.2: an assertion in yank), so what is doomed stays open until
 * hold_ms after the last connection that it made.
 */
#ifndef TUNNEL_RAW_MIGRATION_H
#define TUNNEL_RAW_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnel/relay.h"

struct bucket;
struct raw_migration;
struct worker_pool;

struct raw_migration_options {
    struct loop *loop;
    struct worker_pool *pool; /* for the channels; NULL: one thread */
    enum side source;         /* the side where the stream comes from */
    struct bucket *bandwidth; /* of what goes out; NULL: no limit */
    uint64_t hold_ms;         /* see above; 0 at the destination */

    /**
     * on_broken(arg):
     * A channel broke off, and all others have been torn down.  The callback
     * must not free the migration.
     */
    void (*on_broken)(void *arg);

    /**
     * on_idle(arg):
     * No connection is open any more.  The callback may free the migration, or
     * add further channels.
     */
    void (*on_idle)(void *arg);
    void *arg;
};

struct raw_channel_options {
    unsigned number;                /* in QEMU's order, from 1 */
    struct transport *sides[SIDES]; /* the migration's from now on */
    const void *early;              /* see relay_options */
    size_t early_bytes;
};

/**
 * raw_migration_new(options):
 * Make a migration without a channel.  Return NULL with errno set if there is
 * no memory.  The caller frees it with raw_migration_free, which ends its
 * channels.
 */
struct raw_migration *raw_migration_new(
    const struct raw_migration_options *options);
void raw_migration_free(struct raw_migration *migration);

/**
 * raw_migration_add(migration, options):
 * Carry a further channel.  Return 0, or -1 with errno set if there is no
 * memory: its transports are closed then.
 */
int raw_migration_add(struct raw_migration *migration,
                      const struct raw_channel_options *options);

/**
 * raw_migration_hold(migration):
 * QEMU has connected just now: what is doomed stays open for hold_ms more.
 */
void raw_migration_hold(struct raw_migration *migration);

/**
 * raw_migration_doom(migration, qemu):
 * Close the connection ${qemu}, which got no further, together with the rest
 * of a migration that is broken.
 */
void raw_migration_doom(struct raw_migration *migration,
                        struct transport *qemu);

/**
 * raw_migration_break(migration):
 * Tear all channels down, and call on_idle when every connection is closed,
 * but not before this function returns.
 */
void raw_migration_break(struct raw_migration *migration);

/**
 * raw_migration_close_now(migration):
 * Tear all channels down and close every connection, without waiting for
 * hold_ms.  No callback is made.
 */
void raw_migration_close_now(struct raw_migration *migration);

/**
 * raw_migration_main_lives(migration):
 * Return whether channel 1 is open.
 */
bool raw_migration_main_lives(const struct raw_migration *migration);

/**
 * raw_migration_idle(migration):
 * Return whether no connection is open.
 */
bool raw_migration_idle(const struct raw_migration *migration);

/**
 * raw_migration_confirmed(migration):
 * Return false if the main channel has ended in order, but without the
 * destination's word that it has the VM (see relay_confirms).
 */
bool raw_migration_confirmed(const struct raw_migration *migration);

/**
 * raw_migration_abandoned(migration):
 * Return whether the migration is broken, and QEMU has closed all connections
 * of it by itself: what it connects now belongs to another one.
 */
bool raw_migration_abandoned(const struct raw_migration *migration);

/**
 * raw_migration_broken(migration):
 * Return whether a channel broke off.
 */
bool raw_migration_broken(const struct raw_migration *migration);

#endif
