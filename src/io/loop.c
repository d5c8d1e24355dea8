#include "io/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { SIGNAL_COUNT = 2 };
static const int signals[SIGNAL_COUNT] = { SIGINT, SIGTERM };

struct loop {
    struct event_base *base;
    struct event *signals[SIGNAL_COUNT];
    void (*on_signal)(void *arg, int signo);
    void *arg;
};

/*
 * libevent's usual clock lags behind by up to a tick, so that it often wakes up
 * for a timer, finds it not due and sleeps for another two milliseconds.
 */
static struct event_base *
base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config != NULL &&
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    return base;
}

struct loop *
loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (loop == NULL || (loop->base = base_new()) == NULL) {
        free(loop);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return loop;
}

void
loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (loop->signals[i] != NULL)
            event_free(loop->signals[i]);
    event_base_free(loop->base);
    free(loop);
}

int
loop_run(struct loop *loop)
{
    return event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -1 : 0;
}

void
loop_stop(struct loop *loop)
{
    event_base_loopexit(loop->base, NULL);
}

uint64_t
loop_now_us(const struct loop *loop)
{
    struct timespec now;

    (void)loop;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
loop_now_ms(const struct loop *loop)
{
    return loop_now_us(loop) / 1000;
}

static void
on_signal_event(evutil_socket_t signo, short what, void *arg)
{
    struct loop *loop = arg;

    (void)what;
    loop->on_signal(loop->arg, (int)signo);
}

int
loop_on_signals(struct loop *loop, void (*on_signal)(void *arg, int signo),
                void *arg)
{
    loop->on_signal = on_signal;
    loop->arg = arg;
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        loop->signals[i] =
            evsignal_new(loop->base, signals[i], on_signal_event, loop);
        if (loop->signals[i] == NULL || event_add(loop->signals[i], NULL) != 0)
            return -1;
    }
    return 0;
}

struct event_base *
loop_base(struct loop *loop)
{
    return loop->base;
}
