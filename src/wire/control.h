/*
 * Control messages: what the two ends of a session say to each other over
 * channel 0, one JSON object a line (PROTOCOL.md, "Control messages").
 */
#ifndef WIRE_CONTROL_H
#define WIRE_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "wire/reason.h"

enum { CONTROL_LINE_MAX = 64 << 10 };

enum control_type {
    CONTROL_OTHER,   /* of a later version: not for us */
    CONTROL_WAITING, /* server: the destination's QEMU does not listen */
    CONTROL_READY,   /* server: it does */
    CONTROL_END,     /* either: the session has ended, with a reason */
    CONTROL_HELPER,  /* either: a driver is attached there, or not */
    CONTROL_MESSAGE, /* either: from its driver to ours */
};

struct control_message {
    enum control_type type;
    enum reason reason; /* END only */
    bool attached;      /* HELPER only */
    json_t *message;    /* MESSAGE only: an object, of which nothing is known */
};

/**
 * control_parse(message, text, length):
 * control_message_fini(message):
 * Read the ${length} bytes of one line.  Return REASON_NONE, and then the
 * caller ends ${message} with control_message_fini; or REASON_BAD_CONTROL if
 * they are no message.
 */
enum reason control_parse(struct control_message *message, const char *text,
                          size_t length);
void control_message_fini(struct control_message *message);

/**
 * control_text(message):
 * Return the line for ${message}, with its line break, which the caller frees;
 * what ${message} holds stays the caller's.  NULL if there is no memory, or if
 * it would be longer than CONTROL_LINE_MAX.
 */
char *control_text(const struct control_message *message);

#endif
