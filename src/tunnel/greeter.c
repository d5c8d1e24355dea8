#include "tunnel/greeter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/handshake.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"
#include "tunnel/refusal.h"
#include "wire/sniff.h"

/*
 * Theory of operation.  Without TLS there is a transport at once, and with it
 * after the handshake.  A client without TLS, where it is needed, is heard as
 * well, but only to tell it that: what it says changes nothing.
 */
enum { PATIENCE_MS = 5000 };

static void
greeted(struct greeter *greeter, const char *trouble)
{
    timer_stop(greeter->patience);
    if (greeter->transport != NULL)
        transport_want(greeter->transport, false, false);
    greeter->on_greeted(greeter->arg, greeter, trouble);
}

/* What says a first word that is no greeting. */
static void
judge_foreign(struct greeter *greeter)
{
    enum sniff_kind kind = sniff_stream(greeter->bytes, greeter->length);

    if (kind == SNIFF_TLS && !greeter->tls) {
        greeter->refusal = REASON_TLS_ABSENT;
        greeted(greeter, "a TLS client, and this server has no credentials: "
                         "give it --tls-dir or --psk, too");
    } else if (kind == SNIFF_MAIN) {
        greeted(greeter,
                greeter->plain
                    ? "a raw QEMU stream without TLS: this server takes "
                      "sessions with TLS only"
                    : "a raw QEMU stream: both ends need --raw, or neither");
    } else {
        greeted(greeter, greeter->plain
                             ? "not a mig-client, and without TLS: this "
                               "server takes TLS only"
                             : "not a mig-client");
    }
}

static void
judge_greeting(struct greeter *greeter)
{
    if (!greeter->plain) {
        greeted(greeter, NULL);
        return;
    }
    greeter->refusal = REASON_TLS_NEEDED;
    greeted(greeter, "a mig-client without TLS, and this server takes TLS "
                     "only: give the client credentials, too");
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
    if (n < 0 && errno == EPROTO) {
        greeted(greeter, transport_why(greeter->transport));
        return;
    }
    if (n <= 0) {
        greeted(greeter, "closed before it greeted");
        return;
    }
    greeter->length += (size_t)n;
    switch (client_greeting_parse(&greeter->greeting, greeter->bytes,
                                  greeter->length, &greeter->used)) {
    case GREETING_MORE: break;
    case GREETING_DONE: judge_greeting(greeter); break;
    case GREETING_FOREIGN: judge_foreign(greeter); break;
    }
}

static void
on_patience_over(void *arg)
{
    greeted(arg, "too slow to greet");
}

static void
listen_to(struct greeter *greeter)
{
    transport_on_ready(greeter->transport, on_ready, greeter);
    transport_want(greeter->transport, true, false);
    timer_start(greeter->patience, PATIENCE_MS);
}

static void
on_handshake(void *arg, enum handshake_end end, struct transport *transport,
             const char *why)
{
    struct greeter *greeter = arg;

    greeter->transport = transport;
    if (transport == NULL) {
        greeted(greeter, why);
        return;
    }
    handshake_free(greeter->handshake);
    greeter->handshake = NULL;
    greeter->plain = end == HANDSHAKE_PLAIN;
    listen_to(greeter);
}

/* Return -1 if there is no memory. */
static int
secure(struct greeter *greeter, const struct greeter_options *options)
{
    if (options->tls == NULL) {
        greeter->transport = transport_new(options->loop, options->fd);
        return greeter->transport != NULL ? 0 : -1;
    }
    tls_refresh(options->tls);
    greeter->tls = true;
    greeter->handshake = handshake_new(&(struct handshake_options){
        .loop = options->loop,
        .fd = options->fd,
        .tls = options->tls,
        .on_done = on_handshake,
        .arg = greeter,
    });
    return greeter->handshake != NULL ? 0 : -1;
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
    greeter->patience = timer_new(options->loop, on_patience_over, greeter);
    if (secure(greeter, options) != 0 || greeter->patience == NULL) {
        greeter_free(greeter);
        errno = ENOMEM;
        return NULL;
    }
    if (greeter->transport != NULL)
        listen_to(greeter);
    return greeter;
}

void
greeter_free(struct greeter *greeter)
{
    if (greeter == NULL)
        return;
    timer_free(greeter->patience);
    handshake_free(greeter->handshake);
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
    refusal_send(greeter_take(greeter), greeter->greeting.channel, reason);
}

const char *
greeter_identity(const struct greeter *greeter)
{
    return transport_identity(greeter->transport);
}

struct transport *
greeter_take(struct greeter *greeter)
{
    struct transport *transport = greeter->transport;

    greeter->transport = NULL;
    return transport;
}
