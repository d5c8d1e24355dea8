/* Network addresses as people write them. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

enum {
    ADDRESS_HOST_MAX = 256, /* RFC 1035: 253 characters, and a scope id */
    ADDRESS_TEXT_MAX = ADDRESS_HOST_MAX + 16
};

struct address {
    char host[ADDRESS_HOST_MAX]; /* name or number, no brackets; "" for any */
    uint16_t port;               /* host byte order */
};

/**
 * address_parse(text, default_port, address):
 * Parse "HOST", "HOST:PORT", "[IPv6]", "[IPv6]:PORT" or ":PORT" into
 * ${address}.  A bare IPv6 address, which has more than one colon, is taken
 * as a host.  Without a port it is ${default_port}; if that is 0, a port is
 * needed.  Return NULL, or a static text that says what is wrong.
 */
const char *address_parse(const char *text, uint16_t default_port,
                          struct address *address);

/**
 * address_text(buf, address):
 * Write ${address} into ${buf} as "host:port" or "[ipv6]:port".  Return ${buf}.
 */
const char *address_text(char buf[ADDRESS_TEXT_MAX],
                         const struct address *address);

/**
 * address_peer_text(text, host, sa, len):
 * Write the socket address ${sa} of ${len} bytes into ${text}, numerically,
 * and its host alone into ${host}; an IPv4 address that is mapped into IPv6
 * (RFC 4291, 2.5.5.2) is written as IPv4.  An address that can't be written is
 * "unknown".
 */
void address_peer_text(char text[ADDRESS_TEXT_MAX], char host[ADDRESS_HOST_MAX],
                       const struct sockaddr *sa, socklen_t len);

#endif
