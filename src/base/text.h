/* Numbers as people read them. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdint.h>

/* Room for any text that this module makes, with its final NUL. */
enum { TEXT_MAX = 32 };

/**
 * text_size(buf, bytes):
 * Write ${bytes} into ${buf} in the largest binary unit that it fills, with at
 * most one decimal: "0 B", "1.5 KiB", "12 GiB".  Return ${buf}.
 */
const char *text_size(char buf[TEXT_MAX], uint64_t bytes);

/**
 * text_rate(buf, bytes, ms):
 * Write the rate of ${bytes} in ${ms} milliseconds into ${buf}, as
 * "87.5 MiB/s"; "-" when ${ms} is 0.  Return ${buf}.
 */
const char *text_rate(char buf[TEXT_MAX], uint64_t bytes, uint64_t ms);

/**
 * text_duration(buf, ms):
 * Write a duration of ${ms} milliseconds into ${buf}: "35 ms", "4.2 s",
 * "3m 05s", "2h 07m".  Return ${buf}.
 */
const char *text_duration(char buf[TEXT_MAX], uint64_t ms);

#endif
