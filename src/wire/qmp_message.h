/*
 * QMP messages: what QEMU says (a greeting, a reply, an event) and what it is
 * told (a command).  See docs/interop/qmp-spec in QEMU's sources.
 */
#ifndef WIRE_QMP_MESSAGE_H
#define WIRE_QMP_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Longest message that is taken: 1 MiB, a hundred times what QEMU sends. */
enum { QMP_MESSAGE_MAX = 1024 * 1024 };

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };

struct qmp_version {
    int major;
    int minor;
    int micro;
};

struct qmp_message {
    enum qmp_kind kind;
    const char *id;             /* of a reply; NULL if it has none of ours */
    const char *event;          /* name of the event */
    const json_t *data;         /* what is returned, or comes with the event;
                                   NULL if nothing does */
    const char *error_class;    /* of an error; never NULL */
    const char *error_desc;     /* the same */
    struct qmp_version version; /* in a greeting; 0.0.0 if it is not there */
    json_t *root;               /* owns all of the above */
};

/**
 * qmp_version_at_least(version, major, minor):
 * Return whether ${version} is ${major}.${minor} or later.
 */
bool qmp_version_at_least(const struct qmp_version *version, int major,
                          int minor);

/**
 * qmp_message_parse(message, text, len):
 * Parse the ${len} bytes at ${text} into ${message}.  Return NULL, and then
 * the caller ends it with qmp_message_fini; or a static text that says what
 * is wrong, and then there is nothing to end.
 */
const char *qmp_message_parse(struct qmp_message *message, const char *text,
                              size_t len);
void qmp_message_fini(struct qmp_message *message);

/**
 * qmp_command_text(name, arguments, id):
 * Return the command ${name} with ${arguments} (an object, or NULL for none)
 * and ${id} as one line with its line break, or NULL if there is no memory or
 * a text is no UTF-8.  The caller frees it.
 */
char *qmp_command_text(const char *name, const json_t *arguments,
                       const char *id);

/**
 * json_text_copy(buf, size, text):
 * Copy ${text} into the ${size} (>= 1) bytes at ${buf}, cut at the end of a
 * UTF-8 character if it is too long.
 */
void json_text_copy(char *buf, size_t size, const char *text);

#endif
