/* A clock that can run faster than the real one, for timers and loop_now_ms. */
#ifndef SUPPORT_SESSION_CLOCK_H
#define SUPPORT_SESSION_CLOCK_H

/* A timer goes by the kernel's tick, so it may seem to be early by that much.
 */
enum { SESSION_CLOCK_EARLY_MS = 200 };

/**
 * session_clock_speed(factor):
 * From now on ${factor} milliseconds pass in one: on the monotonic clock as
 * this program sees it, and for every timer that is started.  1 is the real
 * speed, at which every test begins and ends.
 */
void session_clock_speed(unsigned factor);

#endif
