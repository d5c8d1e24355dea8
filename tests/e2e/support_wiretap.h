/* What somebody on the way has seen of a guest's memory. */
#ifndef SUPPORT_WIRETAP_H
#define SUPPORT_WIRETAP_H

#include <stdint.h>

#include "support_case.h"

struct memory;
struct proxy;

/* All bytes that go through a proxy, each direction of a connection in a file
 * of its own. */
struct wiretap {
    struct e2e *e2e;
    char prefix[CASE_PATH_MAX];
};

/* What was found. */
struct wiretap_report {
    uint64_t bytes;   /* seen on the way */
    unsigned samples; /* of the memory, that were looked for */
    unsigned found;   /* of these */
};

/**
 * wiretap_start(e2e, wiretap, proxy):
 * Record all connections that are made from now on.
 */
void wiretap_start(struct e2e *e2e, struct wiretap *wiretap,
                   struct proxy *proxy);

/**
 * wiretap_search(wiretap, memory, report):
 * Look for ${memory} in the record, by 16 bytes out of each KiB above the first
 * MiB, which is the BIOS's; at any place of the record.
 */
void wiretap_search(const struct wiretap *wiretap, const struct memory *memory,
                    struct wiretap_report *report);

#endif
