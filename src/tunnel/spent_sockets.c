#include "tunnel/spent_sockets.h"

#include <sys/stat.h>

static bool
identify(const char *path, struct spent_socket *socket)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *socket = (struct spent_socket){ st.st_dev, st.st_ino, st.st_ctim };
    return true;
}

void
spent_sockets_add(struct spent_sockets *spent, const char *path)
{
    struct spent_socket socket;

    if (identify(path, &socket))
        spent->sockets[spent->count++ % SPENT_SOCKETS_MAX] = socket;
}

bool
spent_sockets_has(const struct spent_sockets *spent, const char *path)
{
    unsigned kept =
        spent->count < SPENT_SOCKETS_MAX ? spent->count : SPENT_SOCKETS_MAX;
    struct spent_socket socket;

    if (!identify(path, &socket))
        return false;
    for (unsigned i = 0; i < kept; i++) {
        const struct spent_socket *known = &spent->sockets[i];

        if (known->dev == socket.dev && known->ino == socket.ino &&
            known->ctime.tv_sec == socket.ctime.tv_sec &&
            known->ctime.tv_nsec == socket.ctime.tv_nsec)
            return true;
    }
    return false;
}
