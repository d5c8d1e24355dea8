#include "tunnel/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

enum {
    WANTED_BYTES = 1 << 20, /* what every user may have (pipe(7)) */
    USUAL_BYTES = 64 << 10,
};

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
    size = fcntl(pipe->fds[1], F_SETPIPE_SZ, WANTED_BYTES);
    pipe->size = size > 0 ? (size_t)size : USUAL_BYTES;
    return true;
}
