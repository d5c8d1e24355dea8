/* Frames: what a transport carries after its greetings (PROTOCOL.md). */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdint.h>

#include "wire/reason.h"

enum {
    FRAME_HEADER_BYTES = 16,
    FRAME_DATA_MAX = 256 << 10, /* of the stream, in one DATA frame */
};

enum frame_type {
    FRAME_DATA = 1,  /* offset of the first byte, length of what follows */
    FRAME_ACK = 2,   /* offset up to which all is delivered */
    FRAME_FIN = 3,   /* offset at which the stream ends */
    FRAME_RESET = 4, /* the code is a reason */
    FRAME_PING = 5,  /* the offset is any number ... */
    FRAME_PONG = 6,  /* ... which comes back */
};

enum {
    FRAME_FLAG_FIN = 1,    /* with ACK: the end of the stream is delivered */
    FRAME_FLAG_PACKED = 1, /* with DATA: the payload is compressed */
};

struct frame {
    enum frame_type type;
    uint8_t flags;
    uint16_t code;   /* RESET only */
    uint32_t length; /* DATA only; of what the payload stands for */
    uint64_t offset;
};

/**
 * frame_encode(frame, bytes):
 * Write the header of ${frame}.
 */
void frame_encode(const struct frame *frame,
                  unsigned char bytes[FRAME_HEADER_BYTES]);

/**
 * frame_parse(frame, bytes):
 * Read a header.  Return REASON_NONE, or REASON_BAD_FRAME or REASON_BAD_LENGTH
 * for one that no peer of ours sends.
 */
enum reason frame_parse(struct frame *frame,
                        const unsigned char bytes[FRAME_HEADER_BYTES]);

#endif
