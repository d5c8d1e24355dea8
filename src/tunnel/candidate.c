#include "tunnel/candidate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/handshake.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"
#include "tunnel/refusal.h"

/*
 * A QEMU sends its first bytes when it has prepared its memory, which takes a
 * while for a large guest; a silent connection costs one descriptor.
 */
enum { PATIENCE_MS = 30000 };

static enum candidate_verdict
judge(const struct candidate *candidate)
{
    switch (sniff_stream(candidate->early, candidate->early_bytes)) {
    case SNIFF_MORE: return CANDIDATE_UNKNOWN;
    case SNIFF_MAIN:
    case SNIFF_RESUME: return CANDIDATE_MAIN;
    case SNIFF_MULTIFD: return CANDIDATE_FURTHER;
    case SNIFF_TLS: return CANDIDATE_TLS;
    case SNIFF_FOREIGN: break;
    }
    return CANDIDATE_FOREIGN;
}

/* There is nothing more to read, and errno is still as it was. */
static void
judge_end(struct candidate *candidate, bool tls_failed)
{
    candidate->verdict = tls_failed ? CANDIDATE_REFUSED : CANDIDATE_CLOSED;
    if (tls_failed)
        candidate->why = transport_why(candidate->transport);
}

bool
candidate_look(struct candidate *candidate)
{
    while (candidate->verdict == CANDIDATE_UNKNOWN) {
        struct iovec iov = {
            .iov_base = candidate->early + candidate->early_bytes,
            .iov_len = sizeof candidate->early - candidate->early_bytes,
        };
        ssize_t n = transport_readv(candidate->transport, &iov, 1);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            judge_end(candidate, n < 0 && errno == EPROTO);
            break;
        }
        candidate->early_bytes += (size_t)n;
        candidate->verdict = judge(candidate);
    }
    return candidate->verdict != CANDIDATE_UNKNOWN;
}

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct candidate *candidate = arg;

    (void)readable;
    (void)writable;
    if (!candidate_look(candidate))
        return;
    transport_want(candidate->transport, false, false);
    candidate->on_judged(candidate->arg, candidate);
}

static void
on_patience_over(void *arg)
{
    struct candidate *candidate = arg;

    candidate->verdict = CANDIDATE_SILENT;
    candidate->on_judged(candidate->arg, candidate);
}

static void
listen_to(struct candidate *candidate)
{
    transport_on_ready(candidate->transport, on_ready, candidate);
    transport_want(candidate->transport, true, false);
    timer_start(candidate->patience, PATIENCE_MS);
}

/*
 * It does not speak TLS.  A QEMU's stream comes through a mig-client, which
 * understands a refusal; nobody else gets an answer.
 */
static void
turn_away(struct candidate *candidate, struct transport *transport)
{
    candidate->transport = transport;
    candidate_look(candidate);
    if (candidate->verdict == CANDIDATE_MAIN ||
        candidate->verdict == CANDIDATE_FURTHER)
        refusal_send(candidate_take(candidate), 0, REASON_TLS_NEEDED);
}

static void
on_handshake(void *arg, enum handshake_end end, struct transport *transport,
             const char *why)
{
    struct candidate *candidate = arg;

    if (end != HANDSHAKE_DONE) {
        if (transport != NULL)
            turn_away(candidate, transport);
        candidate->verdict = CANDIDATE_REFUSED;
        candidate->why = why;
        candidate->on_judged(candidate->arg, candidate);
        return;
    }
    handshake_free(candidate->handshake);
    candidate->handshake = NULL;
    candidate->transport = transport;
    listen_to(candidate);
    candidate->on_secured(candidate->arg, candidate);
}

/* Return -1 if there is no memory. */
static int
secure(struct candidate *candidate, const struct candidate_options *options)
{
    if (options->tls == NULL) {
        candidate->transport = transport_new(options->loop, options->fd);
        return candidate->transport != NULL ? 0 : -1;
    }
    tls_refresh(options->tls);
    candidate->handshake = handshake_new(&(struct handshake_options){
        .loop = options->loop,
        .fd = options->fd,
        .tls = options->tls,
        .on_done = on_handshake,
        .arg = candidate,
    });
    return candidate->handshake != NULL ? 0 : -1;
}

struct candidate *
candidate_new(const struct candidate_options *options)
{
    struct candidate *candidate = calloc(1, sizeof *candidate);

    if (candidate == NULL) {
        close(options->fd);
        errno = ENOMEM;
        return NULL;
    }
    candidate->on_secured = options->on_secured;
    candidate->on_judged = options->on_judged;
    candidate->arg = options->arg;
    address_peer_text(candidate->peer, candidate->peer_host, options->peer,
                      options->peer_len);
    candidate->patience = timer_new(options->loop, on_patience_over, candidate);
    if (secure(candidate, options) != 0 || candidate->patience == NULL) {
        candidate_free(candidate);
        errno = ENOMEM;
        return NULL;
    }
    if (candidate->transport != NULL)
        listen_to(candidate);
    return candidate;
}

void
candidate_free(struct candidate *candidate)
{
    if (candidate == NULL)
        return;
    timer_free(candidate->patience);
    handshake_free(candidate->handshake);
    transport_abort(candidate->transport);
    free(candidate);
}

void
candidate_stop(struct candidate *candidate)
{
    timer_stop(candidate->patience);
    transport_want(candidate->transport, false, false);
}

struct transport *
candidate_take(struct candidate *candidate)
{
    struct transport *transport = candidate->transport;

    candidate->transport = NULL;
    return transport;
}
