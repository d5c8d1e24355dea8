/* Where a QMP socket is. */
#ifndef WIRE_QMP_TARGET_H
#define WIRE_QMP_TARGET_H

#include "base/address.h"

enum { QMP_TARGET_TEXT_MAX = 300 };

struct qmp_target {
    char path[108];         /* of a Unix socket (unix(7)); "" if it is TCP */
    struct address address; /* used if path is "" */
};

/**
 * qmp_target_parse(text, target):
 * Parse a PATH or HOST:PORT, which may have "unix:" or "tcp:" before it as
 * QEMU has, into ${target}.  What has a slash is a path.  Return NULL, or a
 * static text that says what was expected, as in "a HOST:PORT".
 */
const char *qmp_target_parse(const char *text, struct qmp_target *target);

/**
 * qmp_target_text(buf, target):
 * Write ${target} as people write it into ${buf}.  Return ${buf}.
 */
const char *qmp_target_text(char buf[QMP_TARGET_TEXT_MAX],
                            const struct qmp_target *target);

#endif
