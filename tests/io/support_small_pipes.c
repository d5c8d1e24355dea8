#include "support_small_pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

static int size_bytes;

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);

void
small_pipes(int bytes)
{
    size_bytes = bytes;
}

int
__wrap_fcntl(int fd, int what, ...)
{
    va_list rest;
    long argument;

    if (what == F_GETPIPE_SZ && size_bytes > 0)
        return size_bytes;
    if (what == F_GETFD || what == F_GETFL || what == F_GETPIPE_SZ)
        return __real_fcntl(fd, what);
    if (what == F_SETPIPE_SZ && size_bytes > 0) {
        errno = EPERM;
        return -1;
    }
    va_start(rest, what);
    argument = va_arg(rest, long);
    va_end(rest);
    return __real_fcntl(fd, what, argument);
}
