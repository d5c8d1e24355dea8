#include "support_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct fault {
    unsigned times;
    int error;
    size_t short_bytes; /* 0: as many as there are */
    unsigned long count;
};

static struct fault faults[FAULT_CALLS];

ssize_t __real_readv(int fd, const struct iovec *iov, int count);
ssize_t __wrap_readv(int fd, const struct iovec *iov, int count);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_splice(int from, off64_t *from_at, int to, off64_t *to_at,
                      size_t bytes, unsigned flags);
ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at,
                      size_t bytes, unsigned flags);

void
faults_clear(void)
{
    memset(faults, 0, sizeof faults);
}

void
fault_error(enum fault_call call, unsigned times, int error)
{
    faults[call].times = times;
    faults[call].error = error;
}

void
fault_short(enum fault_call call, size_t bytes)
{
    faults[call].short_bytes = bytes;
}

unsigned long
fault_count(enum fault_call call)
{
    return faults[call].count;
}

static bool
fails(struct fault *fault)
{
    fault->count++;
    if (fault->times == 0)
        return false;
    fault->times--;
    errno = fault->error;
    return true;
}

/* The first piece, cut down: enough for a call that falls short. */
static struct iovec
cut(const struct iovec *iov, size_t bytes)
{
    struct iovec piece = *iov;

    if (piece.iov_len > bytes)
        piece.iov_len = bytes;
    return piece;
}

ssize_t
__wrap_readv(int fd, const struct iovec *iov, int count)
{
    struct fault *fault = &faults[FAULT_READV];
    struct iovec piece;

    if (fails(fault))
        return -1;
    if (fault->short_bytes == 0)
        return __real_readv(fd, iov, count);
    piece = cut(iov, fault->short_bytes);
    return __real_readv(fd, &piece, 1);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct fault *fault = &faults[FAULT_SENDMSG];
    struct msghdr less = *msg;
    struct iovec piece;

    if (fails(fault))
        return -1;
    if (fault->short_bytes == 0 || msg->msg_iovlen == 0)
        return __real_sendmsg(fd, msg, flags);
    piece = cut(msg->msg_iov, fault->short_bytes);
    less.msg_iov = &piece;
    less.msg_iovlen = 1;
    return __real_sendmsg(fd, &less, flags);
}

ssize_t
__wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t bytes,
              unsigned flags)
{
    struct fault *fault = &faults[FAULT_SPLICE];

    if (fails(fault))
        return -1;
    if (fault->short_bytes > 0 && fault->short_bytes < bytes)
        bytes = fault->short_bytes;
    return __real_splice(from, from_at, to, to_at, bytes, flags);
}
