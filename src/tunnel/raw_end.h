/*
 * What both ends of raw mode have in common: one migration at a time, what
 * follows when it is over, and stopping.
 */
#ifndef TUNNEL_RAW_END_H
#define TUNNEL_RAW_END_H

#include <stdbool.h>
#include <stdint.h>

#include "base/exit_status.h"
#include "tunnel/relay.h"

struct bucket;
struct loop;
struct raw_end;
struct raw_migration;
struct worker_pool;

struct raw_end_options {
    struct loop *loop;
    struct worker_pool *pool; /* see raw_migration_options */
    enum side source;         /* see raw_migration_options */
    struct bucket *bandwidth; /* of what goes out; NULL: no limit */
    uint64_t hold_ms;
    bool once; /* done after the first migration */

    /**
     * on_done(arg, status):
     * There is nothing more to do.  The callback may free the end.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *done_arg;

    /* What the one end has that the other has not: */

    /* Drop the connections that were to join the migration. */
    void (*drop_queue)(void *arg);
    /* Nothing is open: whether the migration goes on with a queued one. */
    bool (*is_expecting)(void *arg);
    /* The migration is over, and the next one may begin. */
    void (*on_over)(void *arg);
    /* Accept nothing more. */
    void (*halt)(void *arg);
    void *arg;
};

/**
 * raw_end_new(options):
 * Return NULL with errno set if there is no memory.  The caller frees it with
 * raw_end_free, which closes what is open.
 */
struct raw_end *raw_end_new(const struct raw_end_options *options);
void raw_end_free(struct raw_end *end);

/**
 * raw_end_migration(end):
 * Return the migration under way, or NULL.
 */
struct raw_migration *raw_end_migration(struct raw_end *end);

/**
 * raw_end_begin(end):
 * Return a new migration; there must be none.  NULL with errno set if there is
 * no memory.
 */
struct raw_migration *raw_end_begin(struct raw_end *end);

/**
 * raw_end_renew(end):
 * QEMU has connected: if it has abandoned the migration under way, that is over
 * now, and what was connected is the first channel of another one.  Nothing of
 * it with `once`, when there is no other one.
 */
void raw_end_renew(struct raw_end *end);

/**
 * raw_end_break(end):
 * Give the migration up: drop what is queued, and tear its channels down.
 */
void raw_end_break(struct raw_end *end);

/**
 * raw_end_stop(end):
 * The first time: accept nothing more, and let a migration go on for up to
 * 5 s.  The second time: close everything at once.  on_done follows, perhaps
 * before this function returns.
 */
void raw_end_stop(struct raw_end *end);

#endif
