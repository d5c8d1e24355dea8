#include "tunnel/lobby.h"

#include <stddef.h>

#include "tunnel/door.h"

void
lobby_init(struct lobby *lobby)
{
    TAILQ_INIT(&lobby->list);
    lobby->count = 0;
}

void
lobby_add(struct lobby *lobby, struct candidate *candidate)
{
    TAILQ_INSERT_TAIL(&lobby->list, candidate, entry);
    lobby->count++;
}

void
lobby_remove(struct lobby *lobby, struct candidate *candidate)
{
    TAILQ_REMOVE(&lobby->list, candidate, entry);
    lobby->count--;
}

struct candidate *
lobby_surplus(const struct lobby *lobby,
              bool (*is_spared)(void *arg, const struct candidate *candidate),
              void *arg)
{
    struct candidate *candidate;

    if (lobby->count < DOOR_STRANGERS_MAX)
        return NULL;
    TAILQ_FOREACH (candidate, &lobby->list, entry)
        if (!is_spared(arg, candidate))
            return candidate;
    return TAILQ_FIRST(&lobby->list);
}

void
lobby_clear(struct lobby *lobby)
{
    struct candidate *candidate;

    while ((candidate = TAILQ_FIRST(&lobby->list)) != NULL) {
        lobby_remove(lobby, candidate);
        candidate_free(candidate);
    }
}
