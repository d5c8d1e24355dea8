/* Telling a client why it is refused: the greeting with which it ends. */
#ifndef TUNNEL_REFUSAL_H
#define TUNNEL_REFUSAL_H

#include <stdint.h>

#include "wire/reason.h"

struct transport;

/**
 * refusal_send(transport, channel, reason):
 * Send the server's greeting with ${reason} for ${channel}, which is 0 if it is
 * not known, and close ${transport} in order, so that it arrives.
 */
void refusal_send(struct transport *transport, uint32_t channel,
                  enum reason reason);

#endif
