#include "io/listener.h"

#include <errno.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/net_options.h"
#include "io/timer.h"

enum { SOCKETS_MAX = 16, BACKLOG = 1024, PAUSE_MS = 500 };

struct listener {
    struct listener_options options;
    struct evconnlistener *sockets[SOCKETS_MAX];
    size_t count;
    struct timer *pause;
    bool paused;
};

static void
set_enabled(struct listener *listener, bool enabled)
{
    for (size_t i = 0; i < listener->count; i++) {
        if (enabled)
            evconnlistener_enable(listener->sockets[i]);
        else
            evconnlistener_disable(listener->sockets[i]);
    }
}

static void
on_pause_over(void *arg)
{
    set_enabled(arg, true);
}

static void
on_connection(struct evconnlistener *socket, evutil_socket_t fd,
              struct sockaddr *peer, int peer_len, void *arg)
{
    struct listener *listener = arg;

    (void)socket;
    if (listener->paused) {
        listener->paused = false;
        log_info("accepting connections again");
    }
    listener->options.on_accept(listener->options.arg, (int)fd, peer,
                                (socklen_t)peer_len);
}

static void
on_error(struct evconnlistener *socket, void *arg)
{
    struct listener *listener = arg;

    (void)socket;
    if (!listener->paused)
        log_warn("cannot accept a connection: raise the limit (ulimit -n); "
                 "trying again every %d ms",
                 PAUSE_MS);
    listener->paused = true;
    set_enabled(listener, false);
    timer_start(listener->pause, PAUSE_MS);
}

static struct listener *
listener_new(struct loop *loop, const struct listener_options *options)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL)
        return NULL;
    listener->options = *options;
    listener->pause = timer_new(loop, on_pause_over, listener);
    if (listener->pause == NULL) {
        free(listener);
        return NULL;
    }
    return listener;
}

/* Takes ${fd} over, also when it fails. */
static int
add_socket(struct listener *listener, struct loop *loop, int fd)
{
    struct evconnlistener *made = NULL;

    if (listener->count < SOCKETS_MAX)
        made = evconnlistener_new(loop_base(loop), on_connection, listener,
                                  LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                  0, fd);
    if (made == NULL) {
        fd_close(&fd);
        errno = ENOMEM;
        return -1;
    }
    evconnlistener_set_error_cb(made, on_error);
    listener->sockets[listener->count++] = made;
    return 0;
}

static int
listen_tcp(const struct addrinfo *ai, const struct net_options *net)
{
    static const int on = 1;
    int fd = net_socket(net, ai->ai_family);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        fd_close(&fd);
    return fd;
}

/*
 * A machine without IPv6 still lists "::" among its wildcard addresses, which
 * is no error as long as one address serves.
 */
static int
add_addresses(struct listener *listener, struct loop *loop,
              const struct addrinfo *list, const char *text,
              char why[LISTENER_WHY_MAX])
{
    int absent = EADDRNOTAVAIL;

    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        int fd = listen_tcp(ai, listener->options.net);

        if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
            absent = errno;
            continue;
        }
        if (fd < 0 || add_socket(listener, loop, fd) != 0) {
            snprintf(why, LISTENER_WHY_MAX, "cannot listen on %s: %s", text,
                     strerror(errno));
            return -1;
        }
    }
    if (listener->count > 0)
        return 0;
    snprintf(why, LISTENER_WHY_MAX, "cannot listen on %s: %s", text,
             strerror(absent));
    return -1;
}

struct listener *
listener_new_tcp(struct loop *loop, const struct address *address,
                 const struct listener_options *options,
                 char why[LISTENER_WHY_MAX])
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                           .ai_flags = AI_PASSIVE };
    struct listener *listener = listener_new(loop, options);
    struct addrinfo *list = NULL;
    char text[ADDRESS_TEXT_MAX], port[8];
    int error;

    address_text(text, address);
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    error = getaddrinfo(address->host[0] != '\0' ? address->host : NULL, port,
                        &hints, &list);
    if (error != 0 || listener == NULL) {
        snprintf(why, LISTENER_WHY_MAX, "cannot listen on %s: %s", text,
                 error != 0 ? gai_strerror(error) : strerror(ENOMEM));
    } else if (add_addresses(listener, loop, list, text, why) == 0) {
        freeaddrinfo(list);
        return listener;
    }
    if (list != NULL)
        freeaddrinfo(list);
    listener_free(listener);
    return NULL;
}

struct listener *
listener_new_fd(struct loop *loop, int fd,
                const struct listener_options *options)
{
    struct listener *listener = listener_new(loop, options);

    if (listener == NULL) {
        fd_close(&fd);
        return NULL;
    }
    if (add_socket(listener, loop, fd) != 0) {
        listener_free(listener);
        return NULL;
    }
    return listener;
}

void
listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    for (size_t i = 0; i < listener->count; i++)
        evconnlistener_free(listener->sockets[i]);
    timer_free(listener->pause);
    free(listener);
}
