#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/value.h"

enum {
    IPV4_BITS = 32,
    IPV6_BITS = 128,
    MAPPED_BITS = 96, /* of an IPv6 address, before the IPv4 one that it maps */
};

/* Return NULL if ${length} characters of ${text} are an address. */
static const char *
parse_address(const char *text, size_t length, struct cidr *cidr)
{
    char host[INET6_ADDRSTRLEN];

    if (length < sizeof host) {
        memcpy(host, text, length);
        host[length] = '\0';
        cidr->family = AF_INET;
        cidr->bits = IPV4_BITS;
        if (inet_pton(AF_INET, host, cidr->address) == 1)
            return NULL;
        cidr->family = AF_INET6;
        cidr->bits = IPV6_BITS;
        if (inet_pton(AF_INET6, host, cidr->address) == 1)
            return NULL;
    }
    return "an IPv4 or IPv6 address, or one with /BITS after it";
}

static bool
is_zero_beyond(const struct cidr *cidr)
{
    unsigned bits = cidr->family == AF_INET ? IPV4_BITS : IPV6_BITS;

    for (unsigned i = cidr->bits; i < bits; i++)
        if ((cidr->address[i / 8] & (0x80U >> (i % 8))) != 0)
            return false;
    return true;
}

/* Write an IPv4 address that is mapped into IPv6 as what it is. */
static void
unmap(struct cidr *cidr)
{
    static const unsigned char mapped[MAPPED_BITS / 8] = {
        [10] = 0xff, [11] = 0xff
    };

    if (cidr->family != AF_INET6 || cidr->bits < MAPPED_BITS ||
        memcmp(cidr->address, mapped, sizeof mapped) != 0)
        return;
    cidr->family = AF_INET;
    cidr->bits -= MAPPED_BITS;
    memcpy(cidr->address, cidr->address + sizeof mapped, IPV4_BITS / 8);
    memset(cidr->address + IPV4_BITS / 8, 0, sizeof mapped);
}

const char *
cidr_parse(const char *text, struct cidr *cidr)
{
    const char *slash = strchr(text, '/'), *why;
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct cidr made = { .family = AF_UNSPEC };
    uint64_t bits;

    if ((why = parse_address(text, length, &made)) != NULL)
        return why;
    if (slash != NULL) {
        if (value_count(slash + 1, 0, made.bits, &bits) != 0)
            return made.family == AF_INET
                       ? "from 0 to 32 bits after the slash"
                       : "from 0 to 128 bits after the slash";
        made.bits = (unsigned)bits;
    }
    if (!is_zero_beyond(&made))
        return "an address that has only zeros beyond its /BITS";
    unmap(&made);
    *cidr = made;
    return NULL;
}

/* The network of one host that a peer is; AF_UNSPEC if it has no address. */
static struct cidr
host_of(const struct sockaddr *peer)
{
    struct cidr host = { .family = AF_UNSPEC };
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (peer->sa_family == AF_INET) {
        memcpy(&in, peer, sizeof in);
        host.family = AF_INET;
        host.bits = IPV4_BITS;
        memcpy(host.address, &in.sin_addr, sizeof in.sin_addr);
    } else if (peer->sa_family == AF_INET6) {
        memcpy(&in6, peer, sizeof in6);
        host.family = AF_INET6;
        host.bits = IPV6_BITS;
        memcpy(host.address, &in6.sin6_addr, sizeof in6.sin6_addr);
        unmap(&host);
    }
    return host;
}

bool
cidr_contains(const struct cidr *cidr, const struct sockaddr *peer)
{
    struct cidr host = host_of(peer);
    unsigned whole = cidr->bits / 8, rest = cidr->bits % 8;

    if (host.family != cidr->family ||
        memcmp(host.address, cidr->address, whole) != 0)
        return false;
    return rest == 0 ||
           (host.address[whole] ^ cidr->address[whole]) >> (8 - rest) == 0;
}
