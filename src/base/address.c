#include "base/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"

static const char *
store_host(struct address *address, const char *host, size_t length)
{
    if (length >= sizeof address->host)
        return "a host name of at most 253 characters";
    for (size_t i = 0; i < length; i++)
        if (host[i] <= ' ' || host[i] > '~' || strchr("[]/,", host[i]) != NULL)
            return "a host name or address";
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    return NULL;
}

static const char *
store_port(struct address *address, const char *text)
{
    uint64_t port;

    if (value_count(text, 1, 65535, &port) != 0)
        return "a port from 1 to 65535 after the last colon";
    address->port = (uint16_t)port;
    return NULL;
}

const char *
address_parse(const char *text, uint16_t default_port, struct address *address)
{
    struct address made = { .port = default_port };
    const char *host = text, *port = NULL, *why;
    size_t length;

    if (text[0] == '[') {
        const char *close = strchr(text, ']');

        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return "[IPv6] or [IPv6]:PORT";
        host = text + 1;
        length = (size_t)(close - host);
        if (memchr(host, ':', length) == NULL)
            return "an IPv6 address between the brackets";
        if (close[1] == ':')
            port = close + 2;
    } else {
        const char *colon = strrchr(text, ':');

        if (colon != NULL && strchr(text, ':') == colon) {
            length = (size_t)(colon - text);
            port = colon + 1;
        } else {
            length = strlen(text); /* no colon, or a bare IPv6 address */
        }
        if (length == 0 && port == NULL)
            return "a host name or address";
    }
    if ((why = store_host(&made, host, length)) != NULL)
        return why;
    if (port != NULL && (why = store_port(&made, port)) != NULL)
        return why;
    if (made.port == 0)
        return "HOST:PORT";
    *address = made;
    return NULL;
}

const char *
address_text(char buf[ADDRESS_TEXT_MAX], const struct address *address)
{
    unsigned port = address->port;

    if (strchr(address->host, ':') != NULL)
        snprintf(buf, ADDRESS_TEXT_MAX, "[%s]:%u", address->host, port);
    else
        snprintf(buf, ADDRESS_TEXT_MAX, "%s:%u", address->host, port);
    return buf;
}

void
address_peer_text(char text[ADDRESS_TEXT_MAX], char host[ADDRESS_HOST_MAX],
                  const struct sockaddr *sa, socklen_t len)
{
    struct address made = { .host = "unknown" };
    struct sockaddr_in6 in6 = { .sin6_addr = IN6ADDR_ANY_INIT };
    char port[8];
    uint64_t number;

    if (sa->sa_family == AF_INET6 && len >= sizeof in6)
        memcpy(&in6, sa, sizeof in6);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], made.host,
                  sizeof made.host);
        made.port = ntohs(in6.sin6_port);
    } else if (getnameinfo(sa, len, made.host, sizeof made.host, port,
                           sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
               value_count(port, 0, 65535, &number) == 0) {
        made.port = (uint16_t)number;
    }
    memcpy(host, made.host, sizeof made.host);
    address_text(text, &made);
}
