/* What QEMU tells of a migration: its status, and the query-migrate reply. */
#ifndef WIRE_MIGRATION_H
#define WIRE_MIGRATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Every MigrationStatus up to QEMU 10.2. */
#define MIGRATION_STATUSES(X)                           \
    X(NONE, "none")                                     \
    X(SETUP, "setup")                                   \
    X(WAIT_UNPLUG, "wait-unplug")                       \
    X(ACTIVE, "active")                                 \
    X(PRE_SWITCHOVER, "pre-switchover")                 \
    X(DEVICE, "device")                                 \
    X(POSTCOPY_DEVICE, "postcopy-device")               \
    X(POSTCOPY_ACTIVE, "postcopy-active")               \
    X(POSTCOPY_PAUSED, "postcopy-paused")               \
    X(POSTCOPY_RECOVER_SETUP, "postcopy-recover-setup") \
    X(POSTCOPY_RECOVER, "postcopy-recover")             \
    X(CANCELLING, "cancelling")                         \
    X(CANCELLED, "cancelled")                           \
    X(COMPLETED, "completed")                           \
    X(FAILED, "failed")                                 \
    X(COLO, "colo")

enum migration_status {
#define MIGRATION_STATUS_ENUM(name, text) MIGRATION_##name,
    MIGRATION_STATUSES(MIGRATION_STATUS_ENUM)
#undef MIGRATION_STATUS_ENUM
        MIGRATION_UNKNOWN, /* one of another QEMU: its name is kept */
};

/* A number that QEMU did not tell. */
enum { MIGRATION_ABSENT = -1 };

struct migration {
    enum migration_status status; /* MIGRATION_NONE if there is none */
    char status_name[40];         /* as QEMU writes it */
    char error[512];              /* "" if there is none */
    char blocked[512];            /* why QEMU refuses to migrate, or "" */
    char socket_path[108];        /* where a destination listens, or "" */

    /* Each is MIGRATION_ABSENT if it is not there. */
    int64_t total_time_ms;
    int64_t setup_time_ms;
    int64_t downtime_ms;
    int64_t expected_downtime_ms;
    int64_t throttle_percent;
    int64_t transferred_bytes;
    int64_t remaining_bytes;
    int64_t total_bytes;
    int64_t normal_bytes;
    int64_t zero_pages;
    int64_t page_size_bytes;
    int64_t dirty_pages_per_s;
    int64_t iteration;
    int64_t mbits_per_s;
};

/**
 * migration_parse(migration, reply):
 * Take what query-migrate returned, or the data of a MIGRATION event, into
 * ${migration}.  Whatever is missing, or is not of the kind that it should be,
 * counts as not told.
 */
void migration_parse(struct migration *migration, const json_t *reply);

/**
 * migration_json(migration):
 * Return the status and the numbers of ${migration} as an object that
 * migration_parse takes, which the caller owns; NULL if there is no memory.
 */
json_t *migration_json(const struct migration *migration);

/**
 * migration_merge(migration, newer):
 * Take ${newer} into ${migration}, but keep each number and text that ${newer}
 * does not have: QEMU 7.2 leaves the numbers out when a migration has failed.
 */
void migration_merge(struct migration *migration,
                     const struct migration *newer);

/**
 * migration_is_over(status):
 * migration_is_idle(status):
 * Return whether a migration in ${status} has ended; whether a new one can
 * begin.  An unknown status counts as running.
 */
bool migration_is_over(enum migration_status status);
bool migration_is_idle(enum migration_status status);

/**
 * migration_is_postcopy(migration):
 * Return whether the VM needs both hosts by now, so that nothing may be
 * cancelled.  An unknown status whose name begins with "postcopy" counts.
 */
bool migration_is_postcopy(const struct migration *migration);

/**
 * migration_goes_on(migration):
 * Return whether one that was interrupted in postcopy is not any more. QEMU 7.2
 * says "setup" by an event when it is told to listen anew, which is no sign of
 * that.
 */
bool migration_goes_on(const struct migration *migration);

/**
 * migration_destination_failed(migration):
 * Return whether ${migration}, which has failed, proves that the destination
 * can't have got the whole VM: the source was still writing, or the
 * destination said that it failed.
 */
bool migration_destination_failed(const struct migration *migration);

/**
 * migration_memory_bytes(migration):
 * Return how many bytes of the guest's memory were dealt with, an empty page as
 * a whole one; MIGRATION_ABSENT if that is not told.
 */
int64_t migration_memory_bytes(const struct migration *migration);

#endif
