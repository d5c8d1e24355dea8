/*
 * How a migration comes along: numbers for people and programs, from what
 * query-migrate told at several times.
 */
#ifndef WIRE_PROGRESS_H
#define WIRE_PROGRESS_H

#include "wire/migration.h"

/* Samples that are kept to tell a rate; at two a second, eight seconds. */
enum { PROGRESS_SAMPLES = 16 };

/* A number that can't be told. */
enum { PROGRESS_ABSENT = MIGRATION_ABSENT };

/* What was set, to know which option would help. */
struct progress_options {
    uint64_t max_bandwidth; /* bytes a second; 0 for no limit */
    uint64_t downtime_limit_ms;
    bool auto_converge;
    bool xbzrle;
    bool multifd;
    bool postcopy; /* may be started */
};

/* What is counted. */
enum progress_count {
    PROGRESS_SENT,   /* bytes on the wire */
    PROGRESS_MEMORY, /* bytes of the guest's memory that were dealt with: an
                        empty page costs 9 bytes on the wire, but counts here */
    PROGRESS_COUNTS
};

struct progress_sample {
    uint64_t at_ms;
    int64_t bytes[PROGRESS_COUNTS];
};

struct progress {
    struct progress_options options;
    struct migration migration; /* the newest of each number */
    uint64_t begun_ms;
    uint64_t now_ms;
    uint64_t moved_ms; /* when a byte more had been sent */
    struct progress_sample samples[PROGRESS_SAMPLES];
    unsigned sample_count;
    int64_t iteration;       /* the one that was looked at last */
    unsigned hot_iterations; /* how many in a row were dirtied too fast */
    uint64_t hot_since_ms;   /* when the first of them was seen */
};

/* Each number is PROGRESS_ABSENT if it can't be told. */
struct progress_view {
    int64_t percent_tenths; /* of memory that the destination has, up to date */
    int64_t elapsed_ms;
    int64_t transferred_bytes;
    int64_t remaining_bytes;
    int64_t total_bytes;
    int64_t rate;       /* bytes a second on the wire, over a few seconds */
    int64_t stalled_ms; /* for how long not a byte has been sent; absent
                           unless it is some seconds */
    int64_t dirty_rate; /* bytes a second of memory that the guest writes */
    int64_t carry_rate; /* bytes a second of memory that arrive */
    int64_t iteration;
    int64_t eta_ms; /* if rates stay; absent if it does not converge */
    int64_t expected_downtime_ms;
    int64_t throttle_percent;
    bool stuck; /* the guest dirties as fast as the link carries */
};

/**
 * progress_init(progress, options, now_ms):
 * A migration began at ${now_ms} on a monotonic clock.  There is nothing to
 * free.
 */
void progress_init(struct progress *progress,
                   const struct progress_options *options, uint64_t now_ms);

/**
 * progress_take(progress, migration, now_ms):
 * Take what query-migrate told at ${now_ms}.
 */
void progress_take(struct progress *progress, const struct migration *migration,
                   uint64_t now_ms);

/**
 * progress_view(progress, view):
 * Work out ${view} at the time of the last progress_take.
 */
void progress_view(const struct progress *progress, struct progress_view *view);

/**
 * progress_rate(bytes, ms):
 * Return ${bytes} in ${ms} (> 0) milliseconds as bytes a second, or
 * PROGRESS_ABSENT if that is more than any QEMU can mean.
 */
int64_t progress_rate(int64_t bytes, int64_t ms);

#endif
