/*
 * What mig-send and mig-recv say to each other, by way of the tunnel: one JSON
 * object for each message.  What the statements about the guest mean is in
 * wire/handover.h; the rest is how they agree on a migration.
 *
 * All of it comes from another host.  Whatever is read here is bounded, and
 * every text is made safe for a terminal.
 */
#ifndef WIRE_PARTNER_H
#define WIRE_PARTNER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "wire/control.h"
#include "wire/handover.h"
#include "wire/reason.h"

enum {
    PARTNER_VERSION = 1,
    /* A control message goes around it. */
    PARTNER_TEXT_MAX = CONTROL_LINE_MAX - 256,
    PARTNER_NAME_MAX = 64, /* of a program, its version, a setting */
    PARTNER_WHY_MAX = 512,
    PARTNER_VALUE_MAX = 256, /* of a setting that is a text */
    PARTNER_SETTINGS_MAX = 64,
    PARTNER_DEPTH_MAX = 16
};

#define PARTNER_TYPES(X)                                                  \
    X(HELLO, "hello")       /* both: first of all */                      \
    X(FACTS, "facts")       /* both: what the own QEMU is */              \
    X(PLAN, "plan")         /* source: the settings for both */           \
    X(REFUSED, "refused")   /* destination: the plan is, and why */       \
    X(PROGRESS, "progress") /* source: how far it is */                   \
    X(PREPARED, "prepared")                                               \
    X(ARRIVED, "arrived")                                                 \
    X(RUNNING, "running")                                                 \
    X(FAILED, "failed")                                                   \
    X(DISCARDED, "discarded")                                             \
    X(GIVEN, "given")                                                     \
    X(KEPT, "kept")                                                       \
    X(GONE, "gone")                                                       \
    X(TAKE_BACK, "take-back")                                             \
    X(RELEASE_ASKED, "release-asked")                                     \
    X(CANCEL, "cancel")                                                   \
    X(BYE, "bye")                                                         \
    X(LISTENING, "listening") /* destination: QEMU waits to be resumed */ \
    X(STATUS, "status")       /* both: for who asks on the own host */

enum partner_type {
#define PARTNER_TYPE_ENUM(name, text) PARTNER_##name,
    PARTNER_TYPES(PARTNER_TYPE_ENUM)
#undef PARTNER_TYPE_ENUM
        PARTNER_OTHER /* of a later version: not for us */
};

struct partner_message {
    enum partner_type type;
    unsigned version;                           /* HELLO: of this protocol */
    char program[PARTNER_NAME_MAX + 1];         /* HELLO */
    char program_version[PARTNER_NAME_MAX + 1]; /* HELLO */
    char command[HANDOVER_COMMAND_MAX];         /* HELLO: how it is called
                                                   there; "" if not told */
    enum handover_run run;     /* PLAN, GIVEN: whether the guest ran */
    bool postcopy;             /* GIVEN: not whole yet */
    bool running;              /* KEPT: the guest runs at the source */
    char why[PARTNER_WHY_MAX]; /* REFUSED, KEPT, FAILED; "" if not told */
    json_t *capabilities;      /* PLAN: names, true or false */
    json_t *parameters;        /* PLAN: names, each a text, number or bool */
    json_t *body;              /* FACTS, PROGRESS, STATUS: an object */
};

/**
 * partner_parse(message, text, length):
 * Read the ${length} bytes at ${text}.  Return REASON_NONE, and then the caller
 * ends ${message} with partner_fini; or REASON_BAD_CONTROL if they are no
 * message, and then there is nothing to end.
 */
enum reason partner_parse(struct partner_message *message, const char *text,
                          size_t length);

/**
 * partner_take(message, object):
 * As partner_parse, from the ${object} of a control message, which is left as
 * it is.
 */
enum reason partner_take(struct partner_message *message, const json_t *object);

/**
 * partner_fini(message):
 * Let go of what ${message} holds.
 */
void partner_fini(struct partner_message *message);

/**
 * partner_text(message):
 * Return ${message} as one JSON object, without a line break, which the caller
 * frees.  Return NULL if it is longer than PARTNER_TEXT_MAX, if a text in it is
 * no UTF-8, or if there is no memory.
 */
char *partner_text(const struct partner_message *message);

/**
 * partner_type_name(type):
 * Return the name of ${type} as it is in a message.
 */
const char *partner_type_name(enum partner_type type);

#endif
