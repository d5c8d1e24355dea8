#include "support_acceptor.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_stage.h"
#include "support_test.h"

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
    struct acceptor *acceptor = arg;
    int fd = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd < 0)
        return;
    if (acceptor->count == ACCEPTOR_MAX) {
        close(fd);
        return;
    }
    peer_open(&acceptor->peers[acceptor->count++], acceptor->stage, fd);
    acceptor->accepted_ms = stage_now_ms();
}

void
acceptor_open(struct acceptor *acceptor, struct stage *stage, int fd)
{
    acceptor->stage = stage;
    acceptor->fd = fd;
    acceptor->count = 0;
    acceptor->event = event_new(loop_base(stage->loop), fd,
                                EV_READ | EV_PERSIST, on_connection, acceptor);
    event_add(acceptor->event, NULL);
}

void
acceptor_pause(struct acceptor *acceptor, bool on)
{
    if (on)
        event_del(acceptor->event);
    else
        event_add(acceptor->event, NULL);
}

void
acceptor_close(struct acceptor *acceptor)
{
    for (unsigned i = 0; i < acceptor->count; i++)
        peer_close(&acceptor->peers[i]);
    event_free(acceptor->event);
    close(acceptor->fd);
}
