#include "support_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

ssize_t __real_readv(int fd, const struct iovec *iov, int count);
ssize_t __wrap_readv(int fd, const struct iovec *iov, int count);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_splice(int from, off64_t *from_at, int to, off64_t *to_at,
                      size_t bytes, unsigned flags);
ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at,
                      size_t bytes, unsigned flags);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *arg), void *arg);

void
faults_clear(void)
{
    pthread_mutex_lock(&lock);
    memset(faults, 0, sizeof faults);
    pthread_mutex_unlock(&lock);
}

void
fault_error(enum fault_call call, unsigned times, int error)
{
    pthread_mutex_lock(&lock);
    faults[call].times = times;
    faults[call].error = error;
    pthread_mutex_unlock(&lock);
}

void
fault_short(enum fault_call call, size_t bytes)
{
    pthread_mutex_lock(&lock);
    faults[call].short_bytes = bytes;
    pthread_mutex_unlock(&lock);
}

unsigned long
fault_count(enum fault_call call)
{
    unsigned long count;

    pthread_mutex_lock(&lock);
    count = faults[call].count;
    pthread_mutex_unlock(&lock);
    return count;
}

/* Count the call.  Return whether it fails, with errno set; if not, set
 * *${short_bytes} to what it may transfer, 0 for all. */
static bool
fails(enum fault_call call, size_t *short_bytes)
{
    struct fault *fault = &faults[call];
    int error = 0;

    pthread_mutex_lock(&lock);
    fault->count++;
    if (fault->times > 0) {
        fault->times--;
        error = fault->error;
    }
    *short_bytes = fault->short_bytes;
    pthread_mutex_unlock(&lock);
    if (error == 0)
        return false;
    errno = error;
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
    size_t short_bytes;
    struct iovec piece;

    if (fails(FAULT_READV, &short_bytes))
        return -1;
    if (short_bytes == 0)
        return __real_readv(fd, iov, count);
    piece = cut(iov, short_bytes);
    return __real_readv(fd, &piece, 1);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    size_t short_bytes;
    struct msghdr less = *msg;
    struct iovec piece;

    if (fails(FAULT_SENDMSG, &short_bytes))
        return -1;
    if (short_bytes == 0 || msg->msg_iovlen == 0)
        return __real_sendmsg(fd, msg, flags);
    piece = cut(msg->msg_iov, short_bytes);
    less.msg_iov = &piece;
    less.msg_iovlen = 1;
    return __real_sendmsg(fd, &less, flags);
}

ssize_t
__wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t bytes,
              unsigned flags)
{
    size_t short_bytes;

    if (fails(FAULT_SPLICE, &short_bytes))
        return -1;
    if (short_bytes > 0 && short_bytes < bytes)
        bytes = short_bytes;
    return __real_splice(from, from_at, to, to_at, bytes, flags);
}

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                      void *(*start)(void *arg), void *arg)
{
    size_t unused;

    if (fails(FAULT_PTHREAD_CREATE, &unused))
        return errno;
    return __real_pthread_create(thread, attributes, start, arg);
}
