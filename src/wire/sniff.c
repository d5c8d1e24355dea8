#include "wire/sniff.h"

#include <stdbool.h>

/* A range of values for each of the first bytes. */
struct pattern {
    enum sniff_kind kind;
    unsigned length;
    struct {
        unsigned char min, max;
    } bytes[SNIFF_BYTES];
};

#define IS(byte)   \
    {              \
        byte, byte \
    }
#define ANY        \
    {              \
        0x00, 0xff \
    }

static const struct pattern patterns[] = {
    { SNIFF_MAIN, 4, { IS('Q'), IS('E'), IS('V'), IS('M') } },
    { SNIFF_MULTIFD, 4, { IS(0x11), IS(0x22), IS(0x33), IS(0x44) } },

    /* A command (8) to send back the bitmap of received pages (10), with a
     * name of 1 to 255 characters behind its own length. */
    { SNIFF_RESUME,
      6,
      { IS(0x08), IS(0x00), IS(0x0a), { 0x00, 0x01 }, ANY, { 0x01, 0xff } } },

    /* A handshake record of version 3.x that holds a ClientHello. */
    { SNIFF_TLS, 6, { IS(0x16), IS(0x03), { 0, 4 }, ANY, ANY, IS(0x01) } },
};

static bool
agrees(const struct pattern *pattern, const unsigned char *bytes, size_t length)
{
    if (length > pattern->length)
        length = pattern->length;
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < pattern->bytes[i].min ||
            bytes[i] > pattern->bytes[i].max)
            return false;
    return true;
}

enum sniff_kind
sniff_stream(const void *bytes, size_t length)
{
    enum sniff_kind kind = SNIFF_FOREIGN;

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (!agrees(&patterns[i], bytes, length))
            continue;
        if (length >= patterns[i].length)
            return patterns[i].kind;
        kind = SNIFF_MORE;
    }
    return kind;
}
