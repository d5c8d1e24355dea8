#include "support_stage.h"

#include <event2/event.h>
#include <time.h>

#include "io/loop.h"
#include "support_test.h"

/* Far above what any test takes, on the slowest machine. */
enum { STAGE_GUARD_S = 30 };

/* A busy loop wakes up thousands of times in this time. */
enum { REST_MS = 200, REST_TURNS = 3 };

static void
set_flag(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

void
stage_open(struct stage *stage)
{
    struct timeval limit = { .tv_sec = STAGE_GUARD_S };

    *stage = (struct stage){ .loop = loop_new() };
    assert_non_null(stage->loop);
    stage->guard =
        evtimer_new(loop_base(stage->loop), set_flag, &stage->expired);
    evtimer_add(stage->guard, &limit);
}

void
stage_close(struct stage *stage)
{
    event_free(stage->guard);
    loop_free(stage->loop);
}

void
stage_turn(struct stage *stage)
{
    assert_int_not_equal(event_base_loop(loop_base(stage->loop), EVLOOP_ONCE),
                         -1);
    stage->turns++;
    if (stage->expired)
        fail_msg("nothing came of it in %d s", STAGE_GUARD_S);
}

unsigned long
stage_turns_in(struct stage *stage, unsigned ms)
{
    struct timeval limit = { .tv_sec = ms / 1000,
                             .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
    unsigned long before = stage->turns;
    bool over = false;

    event_base_once(loop_base(stage->loop), -1, EV_TIMEOUT, set_flag, &over,
                    &limit);
    STAGE_UNTIL(stage, over);
    return stage->turns - before - 1;
}

void
stage_rest(struct stage *stage)
{
    while (stage_turns_in(stage, REST_MS) > REST_TURNS)
        continue;
}

uint64_t
stage_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
