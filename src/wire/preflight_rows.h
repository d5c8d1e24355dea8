/* Rows of a preflight (wire/preflight.h), and what each group of them asks. */
#ifndef WIRE_PREFLIGHT_ROWS_H
#define WIRE_PREFLIGHT_ROWS_H

#include <stdbool.h>

#include "wire/preflight.h"

/* What is compared, and where the rows go. */
struct preflight_work {
    struct preflight *preflight;
    const json_t *facts[2]; /* [side] */
    const struct settings *plan;
    bool cut;          /* either list may end too early */
    bool same_version; /* both QEMUs have the same major and minor version */
};

/**
 * preflight_row(work, verdict, name):
 * Add a row and return it, its other texts empty; never NULL.
 */
struct preflight_row *preflight_row(struct preflight_work *work,
                                    enum preflight_verdict verdict,
                                    const char *name);

/**
 * preflight_say(row, side, format, ...):
 * preflight_why(row, format, ...):
 * Set what stands at a side; set the why.
 */
void preflight_say(struct preflight_row *row, enum preflight_side side,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void preflight_why(struct preflight_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * preflight_fact(work, side, key):
 * Return the text ${key} of one side's facts, or NULL.
 */
const char *preflight_fact(const struct preflight_work *work,
                           enum preflight_side side, const char *key);

/**
 * preflight_text_of(object, key):
 * Return the text ${key} of ${object}, "" if it has none.
 */
const char *preflight_text_of(const json_t *object, const char *key);

/**
 * preflight_texts(work, verdict, name, key):
 * Add a row with the texts ${key} of both sides: ok if they are the same,
 * ${verdict} if not, and a warning that says so if one is not known.  Return
 * the row if they are not the same, so that the caller says why, else NULL.
 */
struct preflight_row *preflight_texts(struct preflight_work *work,
                                      enum preflight_verdict verdict,
                                      const char *name, const char *key);

/**
 * preflight_unknown(work, name):
 * Add a row that warns that ${name} can't be compared, and return it.
 */
struct preflight_row *preflight_unknown(struct preflight_work *work,
                                        const char *name);

/**
 * preflight_same(work, name, count):
 * Add one row for ${count} things that are the same; none if there are none.
 */
void preflight_same(struct preflight_work *work, const char *name,
                    size_t count);

/**
 * preflight_machine(work):
 * preflight_guest(work):
 * preflight_memory(work):
 * preflight_devices(work):
 * preflight_disks(work):
 * preflight_nics(work):
 * preflight_settings(work):
 * Add the rows on: the QEMUs, machine, processors and state; UUID and blocked
 * reasons; memory; devices; disks; network; capabilities and parameters.
 */
void preflight_machine(struct preflight_work *work);
void preflight_guest(struct preflight_work *work);
void preflight_memory(struct preflight_work *work);
void preflight_devices(struct preflight_work *work);
void preflight_disks(struct preflight_work *work);
void preflight_nics(struct preflight_work *work);
void preflight_settings(struct preflight_work *work);

#endif
