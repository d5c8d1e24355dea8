#include "tunnel/spent_sockets.h"

#include <sys/stat.h>

static bool
identify(const char *path, struct spent_socket *socket)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *socket = (struct spent_socket){ .dev = st.st_dev,
                                     .ino = st.st_ino,
                                     .ctime = st.st_ctim };
    return true;
}

void
spent_sockets_add(struct spent_sockets *spent, const char *path,
                  uint64_t now_ms)
{
    struct spent_socket socket;

    if (!identify(path, &socket))
        return;
    socket.until_ms = now_ms + SPENT_MS;
    spent->sockets[spent->count++ % SPENT_SOCKETS_MAX] = socket;
}

bool
spent_sockets_has(const struct spent_sockets *spent, const char *path,
                  uint64_t now_ms)
{
    unsigned kept =
        spent->count < SPENT_SOCKETS_MAX ? spent->count : SPENT_SOCKETS_MAX;
    struct spent_socket socket;

    if (!identify(path, &socket))
        return false;
    for (unsigned i = 0; i < kept; i++) {
        const struct spent_socket *known = &spent->sockets[i];

        if (now_ms < known->until_ms && known->dev == socket.dev &&
            known->ino == socket.ino &&
            known->ctime.tv_sec == socket.ctime.tv_sec &&
            known->ctime.tv_nsec == socket.ctime.tv_nsec)
            return true;
    }
    return false;
}
