/* Many connections through a tunnel at once, without a QEMU at either end. */
#ifndef SUPPORT_CHANNELS_H
#define SUPPORT_CHANNELS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One connection: the end where QEMU would send, and where it would receive. */
struct channel_pair {
    int near_fd;
    int far_fd;
    uint64_t sent[2]; /* bytes: [0] from near to far, [1] from far to near */
    uint64_t received[2];
};

/**
 * channels_connect(path):
 * Return a socket connected to the Unix socket ${path}.
 */
int channels_connect(const char *path);

/**
 * channels_listen(path):
 * Return a socket that listens on the new Unix socket ${path}.
 */
int channels_listen(const char *path);

/**
 * channels_accept(listener):
 * Return the next connection.  The test fails if there is none in time.
 */
int channels_accept(int listener);

/**
 * channels_open(near_path, listener, pairs, count):
 * Open ${count} connections to ${near_path} and take them from ${listener} one
 * by one.  The first starts with QEMU's magic number, so that a mig-server lets
 * it through; no other sends a byte before all are there.
 */
void channels_open(const char *near_path, int listener,
                   struct channel_pair *pairs, size_t count);

/**
 * channels_exchange(pairs, count, bytes):
 * Send ${bytes} through each connection in both directions, all at the same
 * time, and check that each end receives what its own other end has sent.
 */
void channels_exchange(struct channel_pair *pairs, size_t count,
                       uint64_t bytes);

/**
 * channels_finish(pairs, count):
 * End each connection at the near end and check that the far end sees a clean
 * end of the stream; then the other way round.  Close them all.
 */
void channels_finish(struct channel_pair *pairs, size_t count);

#endif
