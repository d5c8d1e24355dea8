/* A pipe in the kernel, to move bytes between two sockets without copying. */
#ifndef TUNNEL_PIPE_H
#define TUNNEL_PIPE_H

#include <stdbool.h>
#include <stddef.h>

struct pipe {
    int fds[2];  /* -1 while it is not open */
    size_t size; /* bytes that it can hold at best */
    size_t held; /* bytes in it */
};

/**
 * pipe_init(pipe):
 * Begin without a pipe.  The caller ends it with pipe_fini, and what is in it
 * is lost; after that it may be opened again.
 */
void pipe_init(struct pipe *pipe);
void pipe_fini(struct pipe *pipe);

/**
 * pipe_open(pipe):
 * Return whether there is a pipe now: it is made when it is first asked for,
 * and there is none where it would hold too little to be of use.
 */
bool pipe_open(struct pipe *pipe);

#endif
