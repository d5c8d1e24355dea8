/* Files of keys, the names that peers ask them for, and networks. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cidr.h"
#include "base/psk_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool true_of_it)
{
    if (!true_of_it)
        abort();
}

/* What is found for ${user} is what ${line}, a copy of its line, says. */
static void
check_found(const char *text, size_t size, const char *line)
{
    const char *colon = strchr(line, ':');
    char digits[2 * PSK_KEY_MAX_BYTES + 1];
    size_t length;
    struct psk psk;

    need(colon != NULL);
    length = (size_t)(colon - line);
    need(psk_file_find(text, size, line, length, &psk) == 0);
    need(strlen(psk.user) == length && memcmp(psk.user, line, length) == 0);
    need(psk.key_bytes >= PSK_KEY_MIN_BYTES);
    need(psk.key_bytes <= PSK_KEY_MAX_BYTES);
    for (size_t i = 0; i < psk.key_bytes; i++)
        snprintf(digits + 2 * i, 3, "%02x", (unsigned)psk.key[i]);
    need(strcasecmp(digits, colon + 1) == 0);
    /* Its name is nobody else's. */
    need(psk_file_find(text, size, line, length + 1, &psk) != 0);
}

/* Lines as this test reads them; a NUL is in a comment only. */
static unsigned
check_all(const char *text, size_t size)
{
    unsigned users = 0;
    size_t end;

    for (size_t at = 0; at < size; at = end + 1) {
        char *line;

        for (end = at; end < size && text[end] != '\n';)
            end++;
        line = strndup(text + at, end - at);
        need(line != NULL);
        if (strlen(line) > 0 && line[strlen(line) - 1] == '\r')
            line[strlen(line) - 1] = '\0';
        if (line[0] != '\0' && line[0] != '#') {
            check_found(text, size, line);
            users++;
        }
        free(line);
    }
    return users;
}

static void
use_as_file(const char *text, size_t size)
{
    unsigned line = UINT32_MAX;
    const char *why = psk_file_check(text, size, &line);
    struct psk psk;

    if (why == NULL)
        need(line == 0 && check_all(text, size) > 0);
    else
        need(why[0] != '\0' && line <= size);
    /* A file that was not checked, and any bytes for a name. */
    for (size_t length = 0; length <= size && length < 80; length++)
        if (psk_file_find(text, size, text, length, &psk) == 0)
            need(strlen(psk.user) == length && length > 0);
}

/* A network holds its own address, and is read again as it is written. */
static void
use_as_network(const char *text)
{
    struct cidr cidr = { .bits = 1 }, again;
    char address[INET6_ADDRSTRLEN], written[INET6_ADDRSTRLEN + 8];
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (cidr_parse(text, &cidr) != NULL)
        return;
    need(cidr.bits <= (cidr.family == AF_INET ? 32 : 128));
    memcpy(&in.sin_addr, cidr.address, sizeof in.sin_addr);
    memcpy(&in6.sin6_addr, cidr.address, sizeof in6.sin6_addr);
    need(cidr.family == AF_INET6 ||
         cidr_contains(&cidr, (const struct sockaddr *)&in));
    need(cidr.family == AF_INET ||
         cidr_contains(&cidr, (const struct sockaddr *)&in6));
    need(inet_ntop(cidr.family, cidr.address, address, sizeof address) != NULL);
    snprintf(written, sizeof written, "%s/%u", address, cidr.bits);
    need(cidr_parse(written, &again) == NULL);
    need(again.family == cidr.family && again.bits == cidr.bits);
    need(memcmp(again.address, cidr.address, sizeof again.address) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Copies of just that size, so that a byte beyond them is found. */
    char *file = malloc(size > 0 ? size : 1);
    char *string = malloc(size + 1);

    need(file != NULL && string != NULL);
    if (size > 0) {
        memcpy(file, data, size);
        memcpy(string, data, size);
    }
    string[size] = '\0';
    use_as_file(file, size);
    use_as_network(string);
    free(string);
    free(file);
    return 0;
}
