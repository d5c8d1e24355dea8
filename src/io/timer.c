#include "io/timer.h"

#include <event2/event.h>
#include <stdlib.h>

#include "io/loop.h"

struct timer {
    struct event *event;
    void (*on_timer)(void *arg);
    void *arg;
};

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct timer *timer = arg;

    (void)fd;
    (void)what;
    timer->on_timer(timer->arg);
}

struct timer *
timer_new(struct loop *loop, void (*on_timer)(void *arg), void *arg)
{
    struct timer *timer = calloc(1, sizeof *timer);

    if (timer == NULL)
        return NULL;
    timer->on_timer = on_timer;
    timer->arg = arg;
    timer->event = evtimer_new(loop_base(loop), on_timeout, timer);
    if (timer->event == NULL) {
        free(timer);
        return NULL;
    }
    return timer;
}

void
timer_free(struct timer *timer)
{
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}

void
timer_move(struct timer *timer, struct loop *loop)
{
    event_base_set(loop_base(loop), timer->event);
}

void
timer_start(struct timer *timer, uint64_t ms)
{
    struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
                          .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

    evtimer_add(timer->event, &tv);
}

void
timer_stop(struct timer *timer)
{
    evtimer_del(timer->event);
}

bool
timer_pending(const struct timer *timer)
{
    return evtimer_pending(timer->event, NULL) != 0;
}
