/*
 * Compares two QEMUs before a migration, by their facts (wire/facts.h): each
 * difference that would make it fail, or that the guest would feel, is known
 * before a byte moves.
 */
#ifndef WIRE_PREFLIGHT_H
#define WIRE_PREFLIGHT_H

#include <jansson.h>
#include <stddef.h>

struct settings;

enum preflight_verdict { PREFLIGHT_OK, PREFLIGHT_WARNING, PREFLIGHT_STOP };

enum preflight_side { PREFLIGHT_SOURCE, PREFLIGHT_DESTINATION };

enum {
    PREFLIGHT_ROWS_MAX = 128,
    PREFLIGHT_NAME_MAX = 64,
    PREFLIGHT_TEXT_MAX = 192,
    PREFLIGHT_WHY_MAX = 512
};

/* All texts are printable ASCII: what else was in them has become '?'. */
struct preflight_row {
    enum preflight_verdict verdict;
    char name[PREFLIGHT_NAME_MAX];    /* what is compared */
    char side[2][PREFLIGHT_TEXT_MAX]; /* what it is, at each side */
    char why[PREFLIGHT_WHY_MAX];      /* "" if there is nothing to say */
};

struct preflight {
    enum preflight_verdict verdict; /* the worst of all rows */
    size_t count;
    size_t left_out; /* rows for which there was no room */
    struct preflight_row rows[PREFLIGHT_ROWS_MAX];
};

/**
 * preflight_compare(preflight, source, destination, plan):
 * preflight_compare_settings(preflight, source, destination, plan):
 * Fill in ${preflight} with what comes of comparing the facts of ${source} and
 * ${destination}, for which facts_check has returned NULL, for a migration with
 * the settings of ${plan}; or of comparing the settings alone.
 */
void preflight_compare(struct preflight *preflight, const json_t *source,
                       const json_t *destination, const struct settings *plan);
void preflight_compare_settings(struct preflight *preflight,
                                const json_t *source, const json_t *destination,
                                const struct settings *plan);

/**
 * preflight_verdict_text(verdict):
 * Return "ok", "warning" or "STOP".
 */
const char *preflight_verdict_text(enum preflight_verdict verdict);

#endif
