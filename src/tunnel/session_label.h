/* What a session is called in log lines, and how its end is told. */
#ifndef TUNNEL_SESSION_LABEL_H
#define TUNNEL_SESSION_LABEL_H

#include <stdint.h>

#include "base/exit_status.h"
#include "wire/greeting.h"
#include "wire/reason.h"

enum { SESSION_LABEL_MAX = 96 };

/* What a session has carried. */
struct session_totals {
    unsigned channels;
    uint64_t there_bytes; /* to the destination */
    uint64_t back_bytes;
    uint64_t replayed_bytes;
    uint64_t stream_bytes; /* to the destination, resent ones included, */
    uint64_t wire_bytes;   /* and what they took on the way */
    uint64_t ms;
};

/**
 * session_label(buf, id, name):
 * Write "session 3f2a81c0 (name)" into ${buf}; the name is left out if it is
 * "".  Return ${buf}.
 */
const char *session_label(char buf[SESSION_LABEL_MAX],
                          const unsigned char id[SESSION_ID_BYTES],
                          const char *name);

/**
 * session_log_end(label, reason, totals):
 * Write the line on a session's end: the same words at both ends.
 */
void session_log_end(const char *label, enum reason reason,
                     const struct session_totals *totals);

/**
 * session_status(reason):
 * Return the exit status that a session's end stands for.
 */
enum exit_status session_status(enum reason reason);

#endif
