/* A migration's progress in words. */
#ifndef WIRE_PROGRESS_TEXT_H
#define WIRE_PROGRESS_TEXT_H

#include "wire/progress.h"

/* Room for any text that is made here. */
enum { PROGRESS_TEXT_MAX = 512 };

/**
 * progress_live_text(buf, progress, width):
 * Write a line for a terminal of ${width} columns into ${buf}: from 60 columns
 * on a bar, then as many of percent, transferred, rate, remaining, ETA, dirty
 * rate, iteration, expected downtime and throttling as fit, the most wanted
 * ones first.  At 80 columns all but the last fit, as a rule; at 100 they do
 * with more space between them.  It has at most ${width} - 1 characters, so
 * that the cursor stays in the line.  Sizes are short: 1.3G is 1.3 GiB.
 */
void progress_live_text(char buf[PROGRESS_TEXT_MAX],
                        const struct progress *progress, unsigned width);

/**
 * progress_plain_text(buf, progress):
 * Write the same as one line of any length, in whole words, for a log.
 */
void progress_plain_text(char buf[PROGRESS_TEXT_MAX],
                         const struct progress *progress);

/**
 * progress_stuck_text(buf, progress):
 * Write that the migration will not converge, with the rates that say so and
 * the options that would help.
 */
void progress_stuck_text(char buf[PROGRESS_TEXT_MAX],
                         const struct progress *progress);

/**
 * progress_help_text(buf, progress):
 * Write which options would help a migration that does not converge.
 */
void progress_help_text(char buf[PROGRESS_TEXT_MAX],
                        const struct progress *progress);

/**
 * progress_report_text(buf, progress):
 * Write what a migration that is over took: total time, downtime, bytes,
 * average rate, iterations.
 */
void progress_report_text(char buf[PROGRESS_TEXT_MAX],
                          const struct progress *progress);

/**
 * progress_average_rate(progress):
 * Return the bytes a second on the wire from the end of the setup until the
 * end, or PROGRESS_ABSENT.
 */
int64_t progress_average_rate(const struct progress *progress);

#endif
