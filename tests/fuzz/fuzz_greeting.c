/* What a stranger says first, to either end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/greeting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

/* The promises of both parsers on how much there must be. */
static void
check_used(enum greeting_progress progress, size_t size, size_t used)
{
    if (progress == GREETING_MORE)
        require(used > size && used <= GREETING_MAX);
    if (progress == GREETING_DONE)
        require(used > 0 && used <= size && used <= GREETING_MAX);
}

static void
check_client(const uint8_t *data, size_t size)
{
    unsigned char bytes[GREETING_CLIENT_BYTES];
    struct client_greeting greeting, again;
    size_t used = 0, short_used = 0;
    enum greeting_progress progress =
        client_greeting_parse(&greeting, data, size, &used);

    check_used(progress, size, used);
    if (progress != GREETING_DONE)
        return;
    require(client_greeting_parse(&again, data, used - 1, &short_used) ==
            GREETING_MORE);
    if (greeting_version(&greeting) == 0)
        return;
    require(strlen(greeting.name) <= VM_NAME_MAX);
    (void)vm_name_valid(greeting.name);
    client_greeting_encode(&greeting, bytes);
    require(client_greeting_parse(&again, bytes, sizeof bytes, &used) ==
            GREETING_DONE);
    require(again.resume == greeting.resume &&
            again.channel == greeting.channel &&
            again.position.delivered == greeting.position.delivered &&
            again.position.fin_delivered == greeting.position.fin_delivered &&
            again.position.window == greeting.position.window &&
            strcmp(again.name, greeting.name) == 0 &&
            memcmp(again.session, greeting.session, SESSION_ID_BYTES) == 0);
}

static void
check_server(const uint8_t *data, size_t size)
{
    unsigned char bytes[GREETING_SERVER_BYTES];
    struct server_greeting greeting, again;
    size_t used = 0;
    enum greeting_progress progress =
        server_greeting_parse(&greeting, data, size, &used);

    check_used(progress, size, used);
    if (progress != GREETING_DONE)
        return;
    require(reason_text(greeting.reason) != NULL);
    server_greeting_encode(&greeting, bytes);
    require(server_greeting_parse(&again, bytes, sizeof bytes, &used) ==
            GREETING_DONE);
    require(again.version == greeting.version &&
            again.reason == greeting.reason &&
            again.channel == greeting.channel &&
            again.position.delivered == greeting.position.delivered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_client(data, size);
    check_server(data, size);
    return 0;
}
