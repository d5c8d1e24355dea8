#include "io/tls_kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"

/*
 * The socket is not connected, so all that comes of asking is an error: without
 * TLS in the kernel, or the right to load the module, ENOENT; with it the
 * module's own (tls_init in net/tls/tls_main.c), that there is no connection.
 */
bool
tls_kernel_available(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool available;

    if (fd < 0)
        return false;
    available = setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof "tls") != 0 &&
                errno == ENOTCONN;
    fd_close(&fd);
    return available;
}
