/*
 * Why a channel, a session or a greeting came to its end.  The numbers go over
 * the wire (PROTOCOL.md, "Reasons") and never change their meaning.
 */
#ifndef WIRE_REASON_H
#define WIRE_REASON_H

#include <stdint.h>

enum reason {
    REASON_NONE = 0, /* it goes on, or the greeting is accepted */

    /* A greeting is refused. */
    REASON_VERSION = 1,    /* no protocol version in common */
    REASON_NAME = 2,       /* the VM name is not valid, or needed and missing */
    REASON_BUSY = 3,       /* another session is served */
    REASON_UNKNOWN = 4,    /* the session to resume is not known */
    REASON_ORDER = 5,      /* the channel is not the next one */
    REASON_LIMIT = 6,      /* too many channels or sessions */
    REASON_TLS_NEEDED = 7, /* the server takes TLS only */
    REASON_TLS_ABSENT = 8, /* the server has no TLS */
    REASON_IDENTITY = 9,   /* the session belongs to somebody else */

    /* A session ends. */
    REASON_CANCELLED = 16,          /* cancelled by source */
    REASON_DESTINATION_CLOSED = 17, /* destination closed */
    REASON_LOST = 18,      /* transport lost for longer than resume-timeout */
    REASON_PROTOCOL = 19,  /* protocol error */
    REASON_STOPPED = 20,   /* a program was told to stop */
    REASON_NOT_READY = 21, /* the destination's QEMU could not be connected */

    /* What a peer did wrong, where a transport ends with REASON_PROTOCOL. */
    REASON_BAD_FRAME = 32,  /* unknown type, or a field that must be 0 is not */
    REASON_BAD_LENGTH = 33, /* longer than a frame may be, or empty */
    REASON_BAD_OFFSET = 34, /* DATA or FIN does not follow on */
    REASON_BAD_WINDOW = 35, /* more than the window allows */
    REASON_BAD_ACK = 36,    /* acknowledges what was not sent, or goes back */
    REASON_BAD_FIN = 37,    /* a second end, or data after the end */
    REASON_BAD_RESUME = 38, /* claims to have what was never sent */
    REASON_BAD_CONTROL = 39, /* a control message makes no sense */
    REASON_BAD_PACKED = 40,  /* compressed payload can't be taken apart */
    REASON_BAD_UNPACKED = 41 /* it makes more or less than it says */
};

/**
 * reason_text(reason):
 * Return a static text, the same at both ends; also for a number that is none
 * of these.
 */
const char *reason_text(enum reason reason);

/**
 * reason_known(number):
 * Return the reason with this number, REASON_PROTOCOL if there is none.
 */
enum reason reason_known(uint16_t number);

#endif
