/*
 * Values as people write them on a command line.  Every function returns 0 and
 * stores the value, or returns -1 and leaves the destination as it was.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * value_count(text, min, max, out):
 * Parse a whole decimal number in [${min}, ${max}].
 */
int value_count(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/**
 * value_size(text, min, max, out):
 * Parse a number of bytes in [${min}, ${max}]: digits with an optional
 * fraction and an optional unit K, M, G or T, each 1024 times the one before,
 * written as K, KB or KiB in either case.
 */
int value_size(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/**
 * value_rate(text, out):
 * Parse a data rate into bytes a second.  A size (see value_size) is bytes a
 * second, with or without "/s" at its end; a number with kbit, Mbit or Gbit at
 * its end is bits a second, in powers of 1000.  0 is allowed,
 * but nothing that is above 0 and would be rounded to it.
 */
int value_rate(const char *text, uint64_t *out);

/* The least limit, in bytes a second: below that, one small frame would be sent
 * every so many seconds. */
enum { VALUE_BANDWIDTH_MIN = 16 << 10 };

/**
 * value_duration(text, max_ms, out):
 * Parse a duration into milliseconds, at most ${max_ms}: seconds with an
 * optional fraction, or a number with ms, s, m or h at its end.
 */
int value_duration(const char *text, uint64_t max_ms, uint64_t *out);

/**
 * value_dscp(text, out):
 * Parse the mark of a packet (DSCP): a number from 0 to 63, or the name of one
 * in either case: cs0 to cs7, af11 to af43, le, va and ef (RFC 2474, 2597,
 * 3246, 5865, 8622).
 */
int value_dscp(const char *text, unsigned *out);

/**
 * value_switch(text, out):
 * Parse on, yes, true or 1 as true and off, no, false or 0 as false.
 */
int value_switch(const char *text, bool *out);

#endif
