#include "tunnel/candidate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/timer.h"
#include "io/transport.h"

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
            candidate->verdict = CANDIDATE_CLOSED;
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

struct candidate *
candidate_new(const struct candidate_options *options)
{
    struct candidate *candidate = calloc(1, sizeof *candidate);

    if (candidate == NULL) {
        close(options->fd);
        errno = ENOMEM;
        return NULL;
    }
    candidate->on_judged = options->on_judged;
    candidate->arg = options->arg;
    address_peer_text(candidate->peer, candidate->peer_host, options->peer,
                      options->peer_len);
    candidate->transport = transport_new(options->loop, options->fd);
    candidate->patience = timer_new(options->loop, on_patience_over, candidate);
    if (candidate->transport == NULL || candidate->patience == NULL) {
        candidate_free(candidate);
        errno = ENOMEM;
        return NULL;
    }
    transport_on_ready(candidate->transport, on_ready, candidate);
    transport_want(candidate->transport, true, false);
    timer_start(candidate->patience, PATIENCE_MS);
    return candidate;
}

void
candidate_free(struct candidate *candidate)
{
    if (candidate == NULL)
        return;
    timer_free(candidate->patience);
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
