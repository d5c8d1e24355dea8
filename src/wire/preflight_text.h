/* A preflight as a table for people. */
#ifndef WIRE_PREFLIGHT_TEXT_H
#define WIRE_PREFLIGHT_TEXT_H

#include "wire/preflight.h"

enum { PREFLIGHT_COLUMNS_MIN = 60, PREFLIGHT_COLUMNS_MAX = 200 };

/**
 * preflight_text(preflight, width):
 * Return ${preflight} as lines of at most ${width} characters, each with its
 * line break, which the caller frees; NULL if there is no memory.  What does
 * not fit into its column goes on in the next line; a why has lines of its own.
 * The verdict stands at the left, where the eye finds it, and the last line
 * counts what stops.  A ${width} outside of PREFLIGHT_COLUMNS_MIN and
 * PREFLIGHT_COLUMNS_MAX counts as the nearer of these.
 */
char *preflight_text(const struct preflight *preflight, unsigned width);

#endif
