/*
 * The event loop.  One object belongs to one loop, and one loop to one thread.
 * libevent is known in this layer alone.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdint.h>

struct loop;
struct event_base;

/**
 * loop_new():
 * Make a loop.  Return NULL with errno set if that fails.  From here on SIGPIPE
 * is ignored, and so is SIGHUP: a migration must not end with the terminal from
 * which it was started.  The caller frees it with loop_free, after every object
 * on it.
 */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/**
 * loop_run(loop):
 * Serve events until loop_stop is called.  Return 0, or -1 if the loop could
 * not go on.
 */
int loop_run(struct loop *loop);

/**
 * loop_stop(loop):
 * Let loop_run return when the callbacks that are due have been made.
 */
void loop_stop(struct loop *loop);

/**
 * loop_now_ms(loop):
 * loop_now_us(loop):
 * Return the time in milliseconds or microseconds on the monotonic clock.
 */
uint64_t loop_now_ms(const struct loop *loop);
uint64_t loop_now_us(const struct loop *loop);

/**
 * loop_on_signals(loop, on_signal, arg):
 * Call ${on_signal}(${arg}, signo) from the loop at each SIGINT and SIGTERM.
 * At most one handler a loop.  Return 0 or -1 with errno set.
 */
int loop_on_signals(struct loop *loop, void (*on_signal)(void *arg, int signo),
                    void *arg);

/**
 * loop_base(loop):
 * Return libevent's own object, for the other files of this layer.
 */
struct event_base *loop_base(struct loop *loop);

#endif
