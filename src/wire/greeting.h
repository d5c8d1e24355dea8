/*
 * Greetings: what opens each transport, one from either end (PROTOCOL.md).
 */
#ifndef WIRE_GREETING_H
#define WIRE_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/reason.h"

enum {
    PROTOCOL_VERSION_MIN = 1,
    PROTOCOL_VERSION_MAX = 1,

    SESSION_ID_BYTES = 16,
    VM_NAME_MAX = 64,

    GREETING_CLIENT_MIN = 116, /* of a peer that knows no compression */
    GREETING_CLIENT_BYTES = 120,
    GREETING_SERVER_MIN = 32,
    GREETING_SERVER_BYTES = 36,
    GREETING_MAX = 1024, /* of a later version, the rest is skipped */
};

/* Where one end stands, as it tells the other. */
struct greeting_position {
    uint64_t delivered; /* bytes of the other's stream it has delivered */
    bool fin_delivered; /* and its end, too */
    uint32_t window;    /* bytes it has room for beyond these */
    uint8_t pack_log;   /* The client may compress, with a window of 2^pack_log
                           bytes; the server takes up to that.  0: it does not.
                           PACKED_WINDOW_LOG_MIN to ..._MAX, wire/unpacker.h. */
};

struct client_greeting {
    uint8_t version_min;
    uint8_t version_max;
    bool resume; /* of a channel that the server has seen before */
    uint32_t channel;
    unsigned char session[SESSION_ID_BYTES];
    char name[VM_NAME_MAX + 1]; /* "" for none */
    struct greeting_position position;
};

struct server_greeting {
    uint8_t version;
    enum reason reason; /* REASON_NONE, or why it is refused */
    uint32_t channel;
    struct greeting_position position;
};

enum greeting_progress {
    GREETING_MORE,    /* so far it is one, but not all of it is there */
    GREETING_DONE,    /* it is all there */
    GREETING_FOREIGN, /* not our protocol, or a field makes no sense */
};

/**
 * vm_name_valid(name):
 * Return whether ${name} may name a VM: 1 to VM_NAME_MAX letters, digits, '.',
 * '_' and '-', and neither "." nor "..".  Then it is safe in a path.
 */
bool vm_name_valid(const char *name);

/**
 * client_greeting_encode(greeting, bytes):
 * server_greeting_encode(greeting, bytes):
 * Write ${greeting}.
 */
void client_greeting_encode(const struct client_greeting *greeting,
                            unsigned char bytes[GREETING_CLIENT_BYTES]);
void server_greeting_encode(const struct server_greeting *greeting,
                            unsigned char bytes[GREETING_SERVER_BYTES]);

/**
 * client_greeting_parse(greeting, bytes, length, used):
 * server_greeting_parse(greeting, bytes, length, used):
 * Read a greeting from the first ${length} bytes of a transport.  When it is
 * DONE, ${greeting} is filled in and *${used} says how many bytes it had.  When
 * it needs MORE, *${used} says how many bytes there must be at least.  Never
 * MORE when ${length} is GREETING_MAX.
 *
 * A greeting without a version in common is DONE, so that it can be answered:
 * check the versions first.
 */
enum greeting_progress client_greeting_parse(struct client_greeting *greeting,
                                             const void *bytes, size_t length,
                                             size_t *used);
enum greeting_progress server_greeting_parse(struct server_greeting *greeting,
                                             const void *bytes, size_t length,
                                             size_t *used);

/**
 * greeting_version(greeting):
 * Return the highest version that both ends speak, or 0.
 */
uint8_t greeting_version(const struct client_greeting *greeting);

/**
 * greeting_claims(greeting):
 * Return whether the client says that it has had something of the server's
 * stream, which can't be when it greets for the first time.
 */
bool greeting_claims(const struct client_greeting *greeting);

/**
 * greeting_begins(bytes, length):
 * Return whether the ${length} bytes are how a greeting begins, or more of one,
 * and enough of it (4) not to be taken for anything that QEMU says.
 */
bool greeting_begins(const void *bytes, size_t length);

#endif
