/*
 * Control lines: what a helper (mig-send, mig-recv) and the tunnel's end on its
 * host say to each other over the control socket, one JSON object a line
 * (PROTOCOL.md, "Control sockets").
 */
#ifndef WIRE_CONTROL_LINE_H
#define WIRE_CONTROL_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/control.h"

enum {
    CONTROL_LINE_VERSION = 1,
    CONTROL_PROGRAM_MAX = 64,        /* bytes of "mig-send 0.1.0" */
    CONTROL_WHY_MAX = 256,           /* bytes of why a helper is refused */
    CONTROL_SESSION_MAX = 16,        /* bytes of a session's name */
    CONTROL_MESSAGE_MAX = 60 * 1024, /* of a message to the partner */
    CONTROL_PATH_MAX = 108,          /* sun_path, unix(7) */
};

/* Behind the path of the migration socket that it belongs to. */
#define CONTROL_SUFFIX ".ctl"

enum helper_role {
    HELPER_DRIVER,   /* speaks to the partner; one at most */
    HELPER_OBSERVER, /* listens, and may ask the driver for something */
};

/* What an observer asks of the driver. */
enum helper_request {
    REQUEST_STATUS, /* to say how it stands */
    REQUEST_CANCEL,
    REQUEST_RELEASE,
};

enum line_type {
    LINE_OTHER, /* of a later version: not for us */
    LINE_HELLO,
    LINE_MESSAGE,
    LINE_REQUEST,
    LINE_BANDWIDTH, /* set it; from the tunnel: it is set */
    LINE_STATE,     /* tunnel only */
    LINE_REFUSED,   /* tunnel only */
};

/* From a helper to the tunnel. */
struct helper_line {
    enum line_type type;
    unsigned version; /* HELLO; of another one nothing else is read */
    char program[CONTROL_PROGRAM_MAX + 1]; /* HELLO */
    enum helper_role role;                 /* HELLO */
    enum helper_request request;           /* REQUEST */
    uint64_t rate;                         /* BANDWIDTH: see tunnel_line */
    json_t *message;                       /* MESSAGE: an object */
};

enum tunnel_state {
    TUNNEL_JOINING, /* the other end has not answered yet */
    TUNNEL_WAITING, /* for the destination's QEMU to listen */
    TUNNEL_READY,   /* the source's QEMU can migrate */
    TUNNEL_RUNNING, /* it has connected */
    TUNNEL_ENDED,   /* the session has, and another may follow */
    TUNNEL_UNKNOWN, /* of a later version */
};

/* What a helper is told of the tunnel. */
struct tunnel_view {
    enum tunnel_state state;
    char session[CONTROL_SESSION_MAX + 1]; /* "" if there is none */
    bool partner; /* a driver is attached at the other end */
};

enum line_from { FROM_PARTNER, FROM_HERE };

/* From the tunnel to a helper. */
struct tunnel_line {
    enum line_type type;
    unsigned version; /* HELLO; of another one nothing else is read */
    char program[CONTROL_PROGRAM_MAX + 1]; /* HELLO */
    struct tunnel_view view;               /* HELLO, STATE */
    enum helper_request request;           /* REQUEST */
    uint64_t rate;       /* BANDWIDTH: bytes a second; 0 is no limit */
    enum line_from from; /* MESSAGE */
    json_t *message;     /* MESSAGE: an object */
    char why[CONTROL_WHY_MAX + 1]; /* REFUSED */
};

/**
 * helper_line_parse(line, text, length):
 * tunnel_line_parse(line, text, length):
 * Read the ${length} bytes of one line.  Return REASON_NONE, and then the
 * caller gives the message, if there is one, back with json_decref; or
 * REASON_BAD_CONTROL if they are no line.
 */
enum reason helper_line_parse(struct helper_line *line, const char *text,
                              size_t length);
enum reason tunnel_line_parse(struct tunnel_line *line, const char *text,
                              size_t length);

/**
 * helper_line_text(line):
 * tunnel_line_text(line):
 * Return ${line}, which is not LINE_OTHER, as text with its line break, which
 * the caller frees; the message stays the caller's.  NULL if there is no memory
 * or it would be longer than CONTROL_LINE_MAX.
 */
char *helper_line_text(const struct helper_line *line);
char *tunnel_line_text(const struct tunnel_line *line);

/**
 * control_message_fits(message):
 * Return whether ${message} is an object that can be sent to the partner: as
 * text it has at most CONTROL_MESSAGE_MAX bytes.
 */
bool control_message_fits(const json_t *message);

/**
 * control_path(path, unix_path):
 * Write into ${path} where the control socket is that belongs to the migration
 * socket ${unix_path}.  Return whether it fits; it is cut if not.
 */
bool control_path(char path[CONTROL_PATH_MAX], const char *unix_path);

/**
 * tunnel_state_name(state):
 * Return the word for ${state}, which is static.
 */
const char *tunnel_state_name(enum tunnel_state state);

#endif
