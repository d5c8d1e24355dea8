/*
 * The settings of a migration: from what the operator asks for and what both
 * QEMUs are (wire/facts.h), what each of them is to be given.
 */
#ifndef WIRE_PLAN_H
#define WIRE_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/preflight.h"
#include "wire/settings.h"

enum { PLAN_WHY_MAX = PREFLIGHT_NAME_MAX + PREFLIGHT_WHY_MAX };

struct plan_options {
    const struct settings *given; /* --capability and --parameter */
    uint64_t multifd;             /* channels beside the first; 0 for none */
    const char *compression;      /* of multifd; NULL if it is not given */
    bool postcopy;                /* may be started */
    bool preempt;                 /* in postcopy */
    uint64_t postcopy_bandwidth;  /* bytes a second; 0 for no limit */
    bool xbzrle;
    bool auto_converge;         /* from the start */
    bool slow_down_later;       /* --on-timeout auto-converge */
    uint64_t max_bandwidth;     /* bytes a second; 0 for no limit */
    uint64_t downtime_limit_ms; /* 0: as QEMU has it */
};

struct plan {
    struct settings wanted;    /* all; what preflight_compare compares */
    struct settings side[2];   /* [preflight_side]: what this QEMU gets */
    struct settings slow_down; /* parameters for the source's QEMU, while the
                                  migration runs, to switch auto-converge on */
};

/**
 * plan_compression(text):
 * Return NULL if ${text} is a compression for --multifd-compression, or a
 * static text that says what was expected.
 */
const char *plan_compression(const char *text);

/**
 * plan_wish(wanted, options, why):
 * Set ${wanted} to what follows from ${options} alone.  Return 0, or -1 and
 * write one line into ${why} if they contradict each other.
 */
int plan_wish(struct settings *wanted, const struct plan_options *options,
              char why[PLAN_WHY_MAX]);

/**
 * plan_make(plan, options, source, destination, preflight, why):
 * Fill in ${plan} from ${options} and from the facts of ${source} and
 * ${destination}, for which facts_check has returned NULL; with nothing known
 * of the destination's QEMU, both are the source's.  ${preflight} gets the
 * rows on the settings.  Return 0, or -1 and write one line into ${why} if
 * it can't be; then ${plan}->side is undefined.
 */
int plan_make(struct plan *plan, const struct plan_options *options,
              const json_t *source, const json_t *destination,
              struct preflight *preflight, char why[PLAN_WHY_MAX]);

#endif
