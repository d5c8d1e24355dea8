#include "wire/reason.h"

#include <stddef.h>

static const char *
known_text(enum reason reason)
{
    switch (reason) {
    case REASON_NONE: return "completed";
    case REASON_VERSION: return "no protocol version in common";
    case REASON_NAME: return "the VM name is missing or not valid there";
    case REASON_BUSY: return "another session is being served";
    case REASON_UNKNOWN: return "the session is not known there";
    case REASON_ORDER: return "the channel is not the next one";
    case REASON_LIMIT: return "too many channels or sessions";
    case REASON_TLS_NEEDED:
        return "the server takes TLS only: give this end credentials, too";
    case REASON_TLS_ABSENT:
        return "the server has no TLS: give it credentials, too";
    case REASON_IDENTITY: return "the session belongs to another identity";
    case REASON_CANCELLED: return "cancelled by source";
    case REASON_DESTINATION_CLOSED: return "destination closed";
    case REASON_LOST: return "transport lost for longer than resume-timeout";
    case REASON_PROTOCOL: return "protocol error";
    case REASON_STOPPED: return "stopped";
    case REASON_NOT_READY: return "the destination's QEMU can't be reached";
    case REASON_BAD_FRAME: return "protocol error: not a frame";
    case REASON_BAD_LENGTH: return "protocol error: length out of bounds";
    case REASON_BAD_OFFSET: return "protocol error: offset does not follow on";
    case REASON_BAD_WINDOW: return "protocol error: beyond the window";
    case REASON_BAD_ACK: return "protocol error: ACK of what was not sent";
    case REASON_BAD_FIN: return "protocol error: data after the end";
    case REASON_BAD_RESUME:
        return "protocol error: resume of what was not sent";
    case REASON_BAD_CONTROL: return "protocol error: bad control message";
    case REASON_BAD_PACKED: return "protocol error: compressed data is corrupt";
    case REASON_BAD_UNPACKED:
        return "protocol error: compressed data of another length than it says";
    }
    return NULL;
}

const char *
reason_text(enum reason reason)
{
    const char *text = known_text(reason);

    return text != NULL ? text : "unknown reason";
}

enum reason
reason_known(uint16_t number)
{
    enum reason reason = (enum reason)number;

    return known_text(reason) != NULL ? reason : REASON_PROTOCOL;
}
