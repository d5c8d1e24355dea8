#include "io/sockopt.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/value.h"

enum {
    BUFFER_BYTES = 4 << 20, /* which the kernel doubles: */
    DOUBLED_BYTES = 2 * BUFFER_BYTES,

    /*
     * Enough for a QEMU that reads 32 KiB at a time to find much at each
     * wake-up, and little enough to be in the processor's cache still.
     */
    QEMU_BYTES = 256 << 10,

    /*
     * What is written but not sent waits here, where it can't be counted; the
     * rest waits in the ring.  A quarter MiB keeps a fast sender busy between
     * two wake-ups.
     */
    NOTSENT_BYTES = 256 << 10,

    /*
     * A peer is dead when it has not acknowledged anything for this long.  The
     * clock also runs while a live peer keeps its window shut (the kernel's
     * tcp_probe_timer), so it must be longer than any pause of a QEMU that is
     * loading a device's state.
     */
    DEAD_PEER_MS = 60000,
    KEEPALIVE_S = 10,
};

static int
set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

void
sockopt_tcp(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_PEER_MS);
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
}

/* The largest buffer that the kernel's own tuning gives a socket. */
static uint64_t
tuned_bytes(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[96] = "";
    const char *largest;
    uint64_t bytes = 0;

    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        largest = strrchr(line, '\t');
        if (largest != NULL)
            (void)value_size(largest + 1, 1, UINT64_MAX, &bytes);
    }
    fclose(file);
    return bytes;
}

void
sockopt_tcp_bulk(int fd)
{
    /*
     * A size that is set switches the tuning off, so it is set only where the
     * tuning stops short; and it is forced, because without the privilege the
     * size would be cut down to net.core.rmem_max.
     */
    if (tuned_bytes("/proc/sys/net/ipv4/tcp_wmem") < DOUBLED_BYTES)
        set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES);
    if (tuned_bytes("/proc/sys/net/ipv4/tcp_rmem") < DOUBLED_BYTES)
        set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
}

void
sockopt_qemu(int fd)
{
    if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, QEMU_BYTES) != 0)
        set_int(fd, SOL_SOCKET, SO_SNDBUF, QEMU_BYTES);
}

uint64_t
sockopt_unix_default_bytes(void)
{
    FILE *file = fopen("/proc/sys/net/core/wmem_default", "re");
    char line[32] = "";
    uint64_t bytes = 0;

    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        (void)value_size(line, 1, UINT64_MAX, &bytes);
    }
    fclose(file);
    return bytes;
}
