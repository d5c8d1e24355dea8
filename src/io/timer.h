/* One-shot timers. */
#ifndef IO_TIMER_H
#define IO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;

/**
 * timer_new(loop, on_timer, arg):
 * Make a timer that calls ${on_timer}(${arg}) when it fires; it does not run
 * yet.  The callback may start or free the timer.  Return NULL with errno set
 * if there is no memory.  The caller frees it with timer_free.
 */
struct timer *timer_new(struct loop *loop, void (*on_timer)(void *arg),
                        void *arg);
void timer_free(struct timer *timer);

/**
 * timer_move(timer, loop):
 * The timer, which must not run, is on ${loop} from now on.
 */
void timer_move(struct timer *timer, struct loop *loop);

/**
 * timer_start(timer, ms):
 * Fire once, ${ms} milliseconds from now.  A timer that runs is started anew.
 */
void timer_start(struct timer *timer, uint64_t ms);

/**
 * timer_stop(timer):
 * Do not fire.
 */
void timer_stop(struct timer *timer);

/**
 * timer_pending(timer):
 * Return whether the timer runs.
 */
bool timer_pending(const struct timer *timer);

#endif
