/*
 * What to do about a migration that does not come to its end: from what
 * query-migrate tells, and what the operator wants.
 */
#ifndef WIRE_CONVERGENCE_H
#define WIRE_CONVERGENCE_H

#include "wire/convergence_options.h"
#include "wire/migration.h"

enum { CONVERGENCE_REMARK_MAX = 512 };

enum convergence_decision {
    CONVERGENCE_NOTHING,
    CONVERGENCE_POSTCOPY,
    CONVERGENCE_CANCEL,
    CONVERGENCE_PAUSE,         /* `stop`: nothing is dirtied any more */
    CONVERGENCE_AUTO_CONVERGE, /* let QEMU slow the guest down */
};

/* Where a migration was at some time. */
struct convergence_point {
    uint64_t at_ms;
    int64_t iteration;
    double sent_bytes; /* of memory; negative if it is not told */
    double sum_bytes;  /* sent and remaining: all there was to send so far */
};

struct convergence {
    struct convergence_options options;
    uint64_t begun_ms;
    uint64_t deadline_ms; /* 0 if there is none, or none any more */
    bool tried;           /* what --on-timeout says */
    bool postcopy;        /* was decided */
    bool paused;
    bool cancelled;

    /* Whether remaining falls from iteration to iteration. */
    bool seen;
    struct convergence_point point; /* the latest */
    struct convergence_point base;  /* when it had fallen for the last time */
    double base_bytes;              /* what an iteration had to send then */
    int64_t throttle_percent;
    unsigned flat; /* iterations since then */
};

/**
 * convergence_init(convergence, options, begun_ms):
 * A migration began at ${begun_ms} on the caller's clock, which may be before
 * the caller did.  There is nothing to free.
 */
void convergence_init(struct convergence *convergence,
                      const struct convergence_options *options,
                      uint64_t begun_ms);

/**
 * convergence_take(convergence, migration, now_ms, remark):
 * Take what query-migrate told, or the same as the last time if only the time
 * is new, and return what is to be done; each decision comes once.  Write what
 * people should know into ${remark}, a line without an end, or "".
 *
 * Decisions are wishes.  QEMU may have gone on in the meantime: the caller
 * cancels only after it has looked again (wire/handover.h).  A guest that was
 * paused by CONVERGENCE_PAUSE has to be continued wherever it stays.
 */
enum convergence_decision convergence_take(struct convergence *convergence,
                                           const struct migration *migration,
                                           uint64_t now_ms,
                                           char remark[CONVERGENCE_REMARK_MAX]);

/**
 * convergence_refused(convergence, decision):
 * ${decision} has failed for sure: QEMU has answered with an error.  It does
 * not come again, but for cancelling, when as much time as --timeout says has
 * passed again.  That is what follows the others, too.
 */
void convergence_refused(struct convergence *convergence,
                         enum convergence_decision decision);

/**
 * convergence_is_stalled(convergence):
 * Return whether remaining has not fallen for three iterations.
 */
bool convergence_is_stalled(const struct convergence *convergence);

#endif
