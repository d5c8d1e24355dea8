#include "migrate/doorbell.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "io/listener.h"
#include "io/timer.h"
#include "io/transport.h"

enum { RINGERS_MAX = 4, BACKLOG = 4, ANSWER_MS = 15000 };

struct doorbell {
    struct listener *listener;
    int ringers[RINGERS_MAX]; /* who waits for the answer; -1 is free */
    void (*on_ring)(void *arg);
    void *arg;
};

/* The same for every path to the same socket. */
static socklen_t
name_of(const struct qmp_target *target, struct sockaddr_un *name)
{
    char text[QMP_TARGET_TEXT_MAX];
    struct stat st;
    int length;

    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    if (target->path[0] != '\0' && stat(target->path, &st) == 0)
        length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1,
                          "mig-tunnel-qmp-%jx-%jx", (uintmax_t)st.st_dev,
                          (uintmax_t)st.st_ino);
    else
        length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1,
                          "mig-tunnel-qmp-%s", qmp_target_text(text, target));
    if (length > (int)sizeof name->sun_path - 2)
        length = (int)sizeof name->sun_path - 2;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)length);
}

static bool
is_trusted(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct doorbell *doorbell = arg;
    size_t i = 0;

    (void)peer;
    (void)peer_len;
    while (i < RINGERS_MAX && doorbell->ringers[i] != -1)
        i++;
    if (i == RINGERS_MAX || !is_trusted(fd)) {
        close(fd);
        return;
    }
    doorbell->ringers[i] = fd;
    doorbell->on_ring(doorbell->arg);
}

static int
listen_on(const struct qmp_target *target)
{
    struct sockaddr_un name;
    socklen_t length = name_of(target, &name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1 || (bind(fd, (struct sockaddr *)&name, length) == 0 &&
                     listen(fd, BACKLOG) == 0))
        return fd;
    close(fd);
    return -1;
}

struct doorbell *
doorbell_new(struct loop *loop, const struct qmp_target *target,
             void (*on_ring)(void *arg), void *arg)
{
    struct doorbell *doorbell = calloc(1, sizeof *doorbell);
    int fd;

    if (doorbell == NULL)
        return NULL;
    for (size_t i = 0; i < RINGERS_MAX; i++)
        doorbell->ringers[i] = -1;
    doorbell->on_ring = on_ring;
    doorbell->arg = arg;
    const struct listener_options options = { .on_accept = on_accept,
                                              .arg = doorbell };
    fd = listen_on(target);
    if (fd != -1)
        doorbell->listener = listener_new_fd(loop, fd, &options);
    if (doorbell->listener != NULL)
        return doorbell;
    log_info("--release does not reach this program without a tunnel: %s",
             strerror(errno));
    free(doorbell);
    return NULL;
}

void
doorbell_answer(struct doorbell *doorbell, enum exit_status status)
{
    const unsigned char byte = (unsigned char)status;

    if (doorbell == NULL)
        return;
    for (size_t i = 0; i < RINGERS_MAX; i++) {
        if (doorbell->ringers[i] == -1)
            continue;
        if (send(doorbell->ringers[i], &byte, 1, MSG_NOSIGNAL) != 1)
            log_debug("who asked for the release has left");
        close(doorbell->ringers[i]);
        doorbell->ringers[i] = -1;
    }
}

void
doorbell_free(struct doorbell *doorbell)
{
    if (doorbell == NULL)
        return;
    listener_free(doorbell->listener);
    for (size_t i = 0; i < RINGERS_MAX; i++)
        if (doorbell->ringers[i] != -1)
            close(doorbell->ringers[i]);
    free(doorbell);
}

struct ring {
    struct transport *transport;
    struct timer *timer;
    void (*on_answer)(void *arg, enum exit_status status);
    void *arg;
};

static void
on_ready(void *arg, bool readable, bool writable)
{
    struct ring *ring = arg;
    unsigned char byte = STATUS_UNKNOWN;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    ssize_t got = transport_readv(ring->transport, &iov, 1);

    (void)readable;
    (void)writable;
    if (got == -1 && errno == EAGAIN)
        return;
    transport_want(ring->transport, false, false);
    timer_stop(ring->timer);
    if (got != 1 || byte > STATUS_UNKNOWN)
        byte = STATUS_UNKNOWN;
    ring->on_answer(ring->arg, (enum exit_status)byte);
}

static void
on_timer(void *arg)
{
    struct ring *ring = arg;

    transport_want(ring->transport, false, false);
    ring->on_answer(ring->arg, STATUS_UNKNOWN);
}

static int
connect_to(const struct qmp_target *target)
{
    struct sockaddr_un name;
    socklen_t length = name_of(target, &name);
    /* Whoever has the name first may never accept: do not wait for that. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1 ||
        (connect(fd, (struct sockaddr *)&name, length) == 0 && is_trusted(fd)))
        return fd;
    close(fd);
    return -1;
}

struct ring *
ring_new(struct loop *loop, const struct qmp_target *target,
         void (*on_answer)(void *arg, enum exit_status status), void *arg)
{
    int fd = connect_to(target);
    struct ring *ring;

    if (fd == -1)
        return NULL;
    ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        close(fd);
        return NULL;
    }
    ring->on_answer = on_answer;
    ring->arg = arg;
    ring->timer = timer_new(loop, on_timer, ring);
    ring->transport = transport_new(loop, fd);
    if (ring->timer == NULL || ring->transport == NULL) {
        ring_free(ring);
        return NULL;
    }
    transport_on_ready(ring->transport, on_ready, ring);
    transport_want(ring->transport, true, false);
    timer_start(ring->timer, ANSWER_MS);
    return ring;
}

void
ring_free(struct ring *ring)
{
    if (ring == NULL)
        return;
    transport_free(ring->transport);
    timer_free(ring->timer);
    free(ring);
}
