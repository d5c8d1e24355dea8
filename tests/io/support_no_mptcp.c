#include "support_no_mptcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);

static int refused;

void
no_mptcp(int error)
{
    refused = error;
}

int
__wrap_socket(int family, int type, int protocol)
{
    if (protocol == IPPROTO_MPTCP && refused != 0) {
        errno = refused;
        return -1;
    }
    return __real_socket(family, type, protocol);
}
