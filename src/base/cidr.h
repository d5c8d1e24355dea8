/* Networks as people write them (RFC 4632): 192.0.2.0/24, 2001:db8::/32. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include <stdbool.h>
#include <sys/socket.h>

struct cidr {
    int family;                /* AF_INET or AF_INET6 */
    unsigned char address[16]; /* network byte order; 4 or 16 bytes of it */
    unsigned bits;             /* that have to be the same */
};

/**
 * cidr_parse(text, cidr):
 * Parse "ADDRESS/BITS", or "ADDRESS" for one host alone.  Bits of the address
 * beyond ${cidr}->bits must be 0, or it was meant otherwise than it is written.
 * Return NULL, or a static text that says what was expected.
 */
const char *cidr_parse(const char *text, struct cidr *cidr);

/**
 * cidr_contains(cidr, peer):
 * Return whether the socket address ${peer} is in the network.  An IPv4 address
 * that is mapped into IPv6 (RFC 4291, 2.5.5.2) counts as IPv4.
 */
bool cidr_contains(const struct cidr *cidr, const struct sockaddr *peer);

#endif
