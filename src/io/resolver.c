#include "io/resolver.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/loop.h"

/*
 * The thread and the loop share nothing but a socket pair.  The thread owns
 * the request until it has sent its pointer through; if the resolver is freed
 * first, sending fails and the thread cleans up.  A pointer that was sent but
 * never received is fetched by resolver_free.
 *
 * A number needs no thread, and so can be dialled where there is none to be
 * had: it is answered at once, by the same way.
 */
struct request {
    struct address address;
    int fd; /* the thread's end */
    int error;
    struct addrinfo *list;
};

/* What goes through the pair. */
struct answer {
    struct request *request;
};

struct resolver {
    int fd; /* the loop's end */
    struct event *event;
    void (*on_done)(void *arg, struct addrinfo *list, const char *why);
    void *arg;
};

static void
request_free(struct request *request)
{
    if (request->list != NULL)
        freeaddrinfo(request->list);
    fd_close(&request->fd);
    free(request);
}

static void
look_up(struct request *request, const struct addrinfo *hints)
{
    char port[8];

    snprintf(port, sizeof port, "%u", (unsigned)request->address.port);
    request->error =
        getaddrinfo(request->address.host, port, hints, &request->list);
}

/* The request is the resolver's when it is sent, and else is gone. */
static void
answer(struct request *request)
{
    struct answer answer = { request };
    int fd = request->fd;

    request->fd = -1;
    if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) !=
        (ssize_t)sizeof answer)
        request_free(request);
    close(fd);
}

static void *
resolve(void *arg)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                           .ai_flags = AI_ADDRCONFIG };
    /* AI_ADDRCONFIG hides ::1 on a host with no other IPv6 address. */
    static const struct addrinfo any = { .ai_socktype = SOCK_STREAM };
    struct request *request = arg;

    look_up(request, &hints);
    if (request->error == EAI_NONAME)
        look_up(request, &any);
    answer(request);
    return NULL;
}

/* Return whether there was nothing to look up, and so nothing to wait for. */
static bool
is_number(struct request *request)
{
    static const struct addrinfo number = { .ai_socktype = SOCK_STREAM,
                                            .ai_flags = AI_NUMERICHOST };

    look_up(request, &number);
    return request->error == 0;
}

/* Fetch what the thread has sent, if it has. */
static struct request *
receive(struct resolver *resolver)
{
    struct answer answer;

    if (recv(resolver->fd, &answer, sizeof answer, MSG_DONTWAIT) !=
        (ssize_t)sizeof answer)
        return NULL;
    return answer.request;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *resolver = arg;
    struct request *request = receive(resolver);
    struct addrinfo *list = NULL;
    const char *why = "the name could not be looked up";

    (void)fd;
    (void)what;
    if (request != NULL) {
        list = request->list;
        request->list = NULL;
        if (request->error != 0)
            why = gai_strerror(request->error);
        request_free(request);
    }
    resolver->on_done(resolver->arg, list, why);
}

/* Threads take no signals: those belong to the loop. */
static int
start_thread(struct request *request)
{
    pthread_t thread;
    sigset_t all, old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&thread, NULL, resolve, request);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    pthread_detach(thread);
    return 0;
}

static int
start(struct request *request)
{
    if (!is_number(request))
        return start_thread(request);
    answer(request);
    return 0;
}

struct resolver *
resolver_new(struct loop *loop, const struct address *address,
             void (*on_done)(void *arg, struct addrinfo *list, const char *why),
             void *arg)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    struct request *request = calloc(1, sizeof *request);
    int pair[2] = { -1, -1 };

    if (resolver == NULL || request == NULL ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        goto fail;
    *resolver = (struct resolver){
        .fd = pair[0],
        .event =
            event_new(loop_base(loop), pair[0], EV_READ, on_readable, resolver),
        .on_done = on_done,
        .arg = arg,
    };
    *request = (struct request){ .address = *address, .fd = pair[1] };
    if (resolver->event == NULL || event_add(resolver->event, NULL) != 0 ||
        start(request) != 0)
        goto fail;
    return resolver;

fail:
    if (resolver != NULL && resolver->event != NULL)
        event_free(resolver->event);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    free(request);
    free(resolver);
    return NULL;
}

void
resolver_free(struct resolver *resolver)
{
    struct request *request;

    if (resolver == NULL)
        return;
    event_free(resolver->event);
    /* Shut first: after that the thread's send can't succeed unseen. */
    shutdown(resolver->fd, SHUT_RD);
    if ((request = receive(resolver)) != NULL)
        request_free(request);
    close(resolver->fd);
    free(resolver);
}
