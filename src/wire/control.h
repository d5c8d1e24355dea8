/*
 * Control messages: what the two ends of a session say to each other over
 * channel 0, one JSON object a line (PROTOCOL.md, "Control messages").
 */
#ifndef WIRE_CONTROL_H
#define WIRE_CONTROL_H

#include <stddef.h>

#include "wire/reason.h"

enum { CONTROL_LINE_MAX = 64 << 10 };

enum control_type {
    CONTROL_OTHER,   /* of a later version: not for us */
    CONTROL_WAITING, /* server: the destination's QEMU does not listen */
    CONTROL_READY,   /* server: it does */
    CONTROL_END,     /* either: the session has ended, with a reason */
};

struct control_message {
    enum control_type type;
    enum reason reason; /* END only */
};

/**
 * control_parse(message, text, length):
 * Read the ${length} bytes of one line.  Return REASON_NONE, or
 * REASON_BAD_CONTROL if they are no message.
 */
enum reason control_parse(struct control_message *message, const char *text,
                          size_t length);

/**
 * control_text(message):
 * Return the line for ${message}, with its line break, which the caller frees;
 * NULL if there is no memory.
 */
char *control_text(const struct control_message *message);

#endif
