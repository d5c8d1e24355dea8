/*
 * Compressed payload that a peer says is some: what is made of it never goes
 * beyond what was said, and what we compress ourselves comes back as it was.
 *
 * Three bytes say how: the window's bound, the size of the pieces in which it
 * comes, and where the room that it goes to wraps.  Each payload begins with
 * two more, on what it is said to make.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/packer.h"
#include "wire/unpacker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 3, SAYS_BYTES = 2, LOG_MOST = 20, LEVELS = 4 };

struct input {
    const uint8_t *data;
    size_t left;
    size_t step;
    size_t cut;
};

static void
require(bool holds)
{
    if (!holds)
        abort();
}

/* One payload to ${out}, which has exactly ${says} bytes. */
static enum reason
unpack(struct unpacker *unpacker, struct input *input, unsigned char *out,
       uint32_t says)
{
    enum reason reason = REASON_NONE;
    size_t done = 0;

    unpacker_begin(unpacker, says);
    while (reason == REASON_NONE && unpacker_wants(unpacker) > 0) {
        size_t n = unpacker_wants(unpacker), made, first = says - done;
        struct iovec iov[2];
        int count = 1;

        if (n > input->step)
            n = input->step;
        if (n > input->left)
            n = input->left;
        if (n == 0)
            return REASON_LOST;
        if (first > input->cut)
            first = input->cut;
        iov[0] = (struct iovec){ out + done, first };
        if (first < says - done)
            iov[count++] =
                (struct iovec){ out + done + first, says - done - first };
        reason = unpacker_take(unpacker, input->data, n, iov, count, &made);
        require(made <= says - done);
        done += made;
        input->data += n;
        input->left -= n;
    }
    require(reason != REASON_NONE || done == says);
    return reason;
}

static void
take_apart(unsigned log, struct input input)
{
    struct unpacker *unpacker = unpacker_new(log);
    enum reason reason = REASON_NONE;

    require(unpacker != NULL);
    while (reason == REASON_NONE && input.left > SAYS_BYTES) {
        uint32_t says = 1 + ((uint32_t)input.data[0] << 8 | input.data[1]);
        unsigned char *out = malloc(says);

        require(out != NULL);
        input.data += SAYS_BYTES;
        input.left -= SAYS_BYTES;
        reason = unpack(unpacker, &input, out, says);
        require(reason == REASON_NONE || reason == REASON_LOST ||
                reason == REASON_BAD_LENGTH || reason == REASON_BAD_PACKED ||
                reason == REASON_BAD_UNPACKED);
        free(out);
    }
    unpacker_free(unpacker);
}

/* The input itself, compressed in pieces, with a level for each. */
static void
go_there_and_back(unsigned log, struct input input)
{
    static unsigned char payload[PACKER_OUT_BYTES], out[PACKER_IN_BYTES];
    struct packer *packer = packer_new(log);
    struct unpacker *unpacker = unpacker_new(log);

    require(packer != NULL && unpacker != NULL);
    while (input.left > 0) {
        size_t n = 1 + (size_t)input.data[0] * 16;
        struct input packed = { payload, 0, input.step, input.cut };

        if (n > input.left)
            n = input.left;
        packed.left = packer_pack(packer, 1 + input.data[0] % LEVELS,
                                  input.data, n, payload);
        require(packed.left > PACKED_LENGTH_BYTES);
        require(unpack(unpacker, &packed, out, (uint32_t)n) == REASON_NONE);
        require(packed.left == 0 && memcmp(out, input.data, n) == 0);
        input.data += n;
        input.left -= n;
    }
    packer_free(packer);
    unpacker_free(unpacker);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input;
    unsigned log;

    if (size < HEAD_BYTES)
        return 0;
    log = PACKED_WINDOW_LOG_MIN + data[0] % (LOG_MOST - PACKED_WINDOW_LOG_MIN);
    input = (struct input){ data + HEAD_BYTES, size - HEAD_BYTES,
                            1 + (size_t)data[1] * data[1],
                            1 + (size_t)data[2] * 256 };
    take_apart(log, input);
    if (data[0] >= 128)
        go_there_and_back(log, input);
    return 0;
}
