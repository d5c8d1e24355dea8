#include "tunnel/greeter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/timer.h"
#include "io/transport.h"
#include "wire/sniff.h"

enum { PATIENCE_MS = 5000 };

static void
greeted(struct greeter *greeter, const char *trouble)
{
    timer_stop(greeter->patience);
    transport_want(greeter->transport, false, false);
    greeter->on_greeted(greeter->arg, greeter, trouble);
}

static const char *
what_it_is(const struct greeter *greeter)
{
    if (sniff_stream(greeter->bytes, greeter->length) == SNIFF_MAIN)
        return "a raw QEMU stream: both ends need --raw, or neither";
    return "not a mig-client";
}

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct greeter *greeter = arg;
    struct iovec iov = { greeter->bytes + greeter->length,
                         sizeof greeter->bytes - greeter->length };
    ssize_t n = transport_readv(greeter->transport, &iov, 1);

    (void)readable;
    (void)writable;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        greeted(greeter, "closed before it greeted");
        return;
    }
    greeter->length += (size_t)n;
    switch (client_greeting_parse(&greeter->greeting, greeter->bytes,
                                  greeter->length, &greeter->used)) {
    case GREETING_MORE: break;
    case GREETING_DONE: greeted(greeter, NULL); break;
    case GREETING_FOREIGN: greeted(greeter, what_it_is(greeter)); break;
    }
}

static void
on_patience_over(void *arg)
{
    greeted(arg, "too slow to greet");
}

struct greeter *
greeter_new(const struct greeter_options *options)
{
    struct greeter *greeter = calloc(1, sizeof *greeter);
    char host[ADDRESS_HOST_MAX];

    if (greeter == NULL) {
        close(options->fd);
        errno = ENOMEM;
        return NULL;
    }
    greeter->on_greeted = options->on_greeted;
    greeter->arg = options->arg;
    address_peer_text(greeter->peer, host, options->peer, options->peer_len);
    greeter->transport = transport_new(options->loop, options->fd);
    greeter->patience = timer_new(options->loop, on_patience_over, greeter);
    if (greeter->transport == NULL || greeter->patience == NULL) {
        greeter_free(greeter);
        errno = ENOMEM;
        return NULL;
    }
    transport_on_ready(greeter->transport, on_ready, greeter);
    transport_want(greeter->transport, true, false);
    timer_start(greeter->patience, PATIENCE_MS);
    return greeter;
}

void
greeter_free(struct greeter *greeter)
{
    if (greeter == NULL)
        return;
    timer_free(greeter->patience);
    transport_abort(greeter->transport);
    free(greeter);
}

int
greeter_answer(struct greeter *greeter, const struct server_greeting *answer)
{
    unsigned char bytes[GREETING_SERVER_BYTES];
    struct iovec iov = { bytes, sizeof bytes };

    server_greeting_encode(answer, bytes);

    /* The first bytes on a connection always find room. */
    return transport_writev(greeter->transport, &iov, 1) ==
                   (ssize_t)sizeof bytes
               ? 0
               : -1;
}

void
greeter_refuse(struct greeter *greeter, enum reason reason)
{
    struct server_greeting answer = { .version = PROTOCOL_VERSION_MAX,
                                      .reason = reason,
                                      .channel = greeter->greeting.channel };

    (void)greeter_answer(greeter, &answer);
    transport_free(greeter_take(greeter));
}

struct transport *
greeter_take(struct greeter *greeter)
{
    struct transport *transport = greeter->transport;

    greeter->transport = NULL;
    return transport;
}
