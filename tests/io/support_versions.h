/* QEMUs of other versions, for the plays and dialogues. */
#ifndef SUPPORT_VERSIONS_H
#define SUPPORT_VERSIONS_H

#include "support_play.h"

/**
 * version_set(play, major, minor):
 * The QEMU of ${play} is one of this version.  Before it is started.
 */
void version_set(struct play *play, int major, int minor);

/**
 * version_lacks(play, capability):
 * version_has(play, capability):
 * It does not know ${capability}; it does, and it is off.
 */
void version_lacks(struct play *play, const char *capability);
void version_has(struct play *play, const char *capability);

/**
 * version_knows_not(play, command):
 * It does not know ${command}.
 */
void version_knows_not(struct play *play, const char *command);

/**
 * version_without(answer, i):
 * Return ${answer}, an object with "return", without the member ${i} of what is
 * returned, counted through all the objects in it but for each "status"; NULL
 * if there are not so many.  The caller frees it.
 */
char *version_without(const char *answer, size_t i);

/**
 * version_lines_take(lines):
 * version_lines_count(lines, part):
 * From now on the log's lines go into ${lines}; back to where they went before,
 * and return how many of them had ${part} in them.
 */
struct version_lines {
    int before;
    int file;
};
void version_lines_take(struct version_lines *lines);
unsigned version_lines_count(struct version_lines *lines, const char *part);

/**
 * version_assert_sense(play):
 * No line of JSON has a number that makes no sense: a negative one, "nan" or
 * "inf".
 */
void version_assert_sense(struct play *play);

#endif
