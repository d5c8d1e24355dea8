/* What the code under test writes to stderr. */
#ifndef SUPPORT_CAPTURE_H
#define SUPPORT_CAPTURE_H

/**
 * capture_start():
 * Collect what is written to stderr from now on, in place of showing it.
 */
void capture_start(void);

/**
 * capture_stop():
 * Show stderr again.  Return what was collected, which stays valid until the
 * next capture_start.
 */
const char *capture_stop(void);

/**
 * capture_text():
 * Return what was collected so far, and collect on.
 */
const char *capture_text(void);

/**
 * capture_count(text, part):
 * Return how often ${part} occurs in ${text}.
 */
unsigned capture_count(const char *text, const char *part);

#endif
