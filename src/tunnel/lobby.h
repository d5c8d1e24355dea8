/*
 * The candidates that are in no migration yet, as they were accepted, and which
 * of them has to go when there are too many.
 */
#ifndef TUNNEL_LOBBY_H
#define TUNNEL_LOBBY_H

#include <stdbool.h>

#include "tunnel/candidate.h"

struct lobby {
    struct candidate_list list; /* the oldest first */
    unsigned count;
};

/**
 * lobby_init(lobby):
 * Nobody is there.
 */
void lobby_init(struct lobby *lobby);

/**
 * lobby_add(lobby, candidate):
 * lobby_remove(lobby, candidate):
 * ${candidate} is there from now on, as the youngest; or no longer.
 */
void lobby_add(struct lobby *lobby, struct candidate *candidate);
void lobby_remove(struct lobby *lobby, struct candidate *candidate);

/**
 * lobby_surplus(lobby, is_spared, arg):
 * Return the candidate that has to go before one more may come: the oldest of
 * which ${is_spared}(${arg}, candidate) does not hold, or of all if it holds of
 * each.  NULL if there is room.
 */
struct candidate *lobby_surplus(
    const struct lobby *lobby,
    bool (*is_spared)(void *arg, const struct candidate *candidate), void *arg);

/**
 * lobby_clear(lobby):
 * Free the candidates that are there.
 */
void lobby_clear(struct lobby *lobby);

#endif
