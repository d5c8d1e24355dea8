#include "tunnel/door.h"

#include <unistd.h>

#include "base/address.h"
#include "base/cidr.h"
#include "io/loop.h"

enum { DROP_BURST = 5, DROP_INTERVAL_MS = 10000 };

void
door_init(struct door *door, struct loop *loop, const struct cidr *allow,
          size_t allow_count)
{
    *door = (struct door){
        .loop = loop,
        .allow = allow,
        .allow_count = allow_count,
        .drops = { .burst = DROP_BURST, .interval_ms = DROP_INTERVAL_MS },
    };
}

static bool
is_allowed(const struct door *door, const struct sockaddr *peer)
{
    for (size_t i = 0; i < door->allow_count; i++)
        if (cidr_contains(&door->allow[i], peer))
            return true;
    return door->allow_count == 0;
}

bool
door_admits(struct door *door, int fd, const struct sockaddr *peer,
            socklen_t peer_len)
{
    char text[ADDRESS_TEXT_MAX], host[ADDRESS_HOST_MAX];

    if (is_allowed(door, peer))
        return true;
    close(fd);
    address_peer_text(text, host, peer, peer_len);
    door_say_dropped(door, text, "in none of the networks of --allow");
    return false;
}

bool
door_may_warn(struct door *door)
{
    uint64_t unsaid;

    if (!log_limit_pass(&door->drops, loop_now_ms(door->loop), &unsaid))
        return false;
    if (unsaid > 0)
        log_info("%llu more connections dropped", (unsigned long long)unsaid);
    return true;
}

void
door_say_dropped(struct door *door, const char *peer, const char *why)
{
    if (door_may_warn(door))
        log_info("%s dropped: %s", peer, why);
}
