#include "tunnel/raw_origin.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "io/transport.h"
#include "tunnel/candidate.h"

void
raw_origin_set(struct raw_origin *origin, const struct candidate *main)
{
    memcpy(origin->host, main->peer_host, sizeof origin->host);
    snprintf(origin->identity, sizeof origin->identity, "%s",
             transport_identity(main->transport));
}

bool
raw_origin_is_main(const struct raw_origin *origin,
                   const struct candidate *candidate)
{
    return candidate->verdict ==
           (origin->qemu_tls ? CANDIDATE_TLS : CANDIDATE_MAIN);
}

bool
raw_origin_is_host(const struct raw_origin *origin,
                   const struct candidate *candidate)
{
    return strcmp(candidate->peer_host, origin->host) == 0;
}

/* Two on one host need not be one: that takes the same proof. */
static bool
is_same(const struct raw_origin *origin, const struct candidate *candidate)
{
    return strcmp(transport_identity(candidate->transport), origin->identity) ==
           0;
}

/*
 * What people and their tools say first.  A postcopy-preempt channel begins
 * with the address of a page, and so with bytes that are 0.
 */
static bool
is_text(const struct candidate *candidate)
{
    enum { ENOUGH = 3 };

    for (size_t i = 0; i < candidate->early_bytes; i++)
        if (!isprint(candidate->early[i]) && !isspace(candidate->early[i]))
            return false;
    return candidate->early_bytes >= ENOUGH;
}

bool
raw_origin_admits(const struct raw_origin *origin,
                  const struct candidate *candidate)
{
    if (candidate->transport == NULL ||
        !raw_origin_is_host(origin, candidate) || !is_same(origin, candidate))
        return false;
    switch (candidate->verdict) {
    case CANDIDATE_MAIN:
    case CANDIDATE_CLOSED:
    case CANDIDATE_REFUSED: return false;
    case CANDIDATE_TLS: return origin->qemu_tls;
    case CANDIDATE_FOREIGN: return !is_text(candidate);
    default: return true;
    }
}

const char *
raw_origin_why_not(const struct raw_origin *origin,
                   const struct candidate *candidate,
                   char why[RAW_ORIGIN_WHY_MAX])
{
    if (candidate->verdict == CANDIDATE_REFUSED)
        return candidate->why;
    if (is_same(origin, candidate))
        return "it does not belong to the migration under way";
    snprintf(why, RAW_ORIGIN_WHY_MAX,
             "it is %s, and the migration under way belongs to %s",
             transport_identity(candidate->transport), origin->identity);
    return why;
}
