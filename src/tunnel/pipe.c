#include "tunnel/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

/*
 * What every process may have (pipe(7)).  A user with many such pipes gets them
 * with two pages (fs.pipe-user-pages-soft): that moves so little at a time that
 * copying is cheaper.
 */
enum { WANTED_BYTES = 1 << 20, LEAST_BYTES = 64 << 10 };

void
pipe_init(struct pipe *pipe)
{
    *pipe = (struct pipe){ .fds = { -1, -1 } };
}

void
pipe_fini(struct pipe *pipe)
{
    fd_close(&pipe->fds[0]);
    fd_close(&pipe->fds[1]);
    pipe->held = 0;
}

bool
pipe_open(struct pipe *pipe)
{
    int size;

    if (pipe->fds[0] >= 0)
        return true;
    if (pipe2(pipe->fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        pipe_init(pipe);
        return false;
    }
    (void)fcntl(pipe->fds[1], F_SETPIPE_SZ, WANTED_BYTES);
    size = fcntl(pipe->fds[1], F_GETPIPE_SZ);
    if (size < LEAST_BYTES) {
        pipe_fini(pipe);
        return false;
    }
    pipe->size = (size_t)size;
    return true;
}
