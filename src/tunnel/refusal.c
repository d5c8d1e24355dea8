#include "tunnel/refusal.h"

#include "io/transport.h"
#include "wire/greeting.h"

enum { DRAIN_BYTES = 1024, DRAIN_READS = 16 };

/* A close with bytes unread would be a reset, which can overtake the answer. */
static void
drain(struct transport *transport)
{
    unsigned char bytes[DRAIN_BYTES];
    struct iovec iov = { bytes, sizeof bytes };

    for (int i = 0; i < DRAIN_READS; i++)
        if (transport_readv(transport, &iov, 1) <= 0)
            break;
}

void
refusal_send(struct transport *transport, uint32_t channel, enum reason reason)
{
    const struct server_greeting answer = { .version = PROTOCOL_VERSION_MAX,
                                            .reason = reason,
                                            .channel = channel };
    unsigned char bytes[GREETING_SERVER_BYTES];
    struct iovec iov = { bytes, sizeof bytes };

    server_greeting_encode(&answer, bytes);

    /* The first bytes on a connection always find room. */
    (void)transport_writev(transport, &iov, 1);
    drain(transport);
    transport_free(transport);
}
