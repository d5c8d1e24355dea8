#include "support_session_clock.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "io/timer.h"

enum { SECOND_NS = 1000000000 };

/* For all three. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t factor = 1;
static uint64_t real_base_ns;
static uint64_t shown_base_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
void __real_timer_start(struct timer *timer, uint64_t ms);
void __wrap_timer_start(struct timer *timer, uint64_t ms);

static uint64_t
real_ns(void)
{
    struct timespec now;

    __real_clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static uint64_t
shown_ns(void)
{
    return shown_base_ns + (real_ns() - real_base_ns) * factor;
}

void
session_clock_speed(unsigned new_factor)
{
    pthread_mutex_lock(&lock);
    shown_base_ns = shown_ns();
    real_base_ns = real_ns();
    factor = new_factor;
    pthread_mutex_unlock(&lock);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    uint64_t ns;

    if (clock != CLOCK_MONOTONIC)
        return __real_clock_gettime(clock, now);
    pthread_mutex_lock(&lock);
    ns = real_base_ns != 0 ? shown_ns() : real_ns();
    pthread_mutex_unlock(&lock);
    now->tv_sec = (time_t)(ns / SECOND_NS);
    now->tv_nsec = (long)(ns % SECOND_NS);
    return 0;
}

/* Never early. */
void
__wrap_timer_start(struct timer *timer, uint64_t ms)
{
    uint64_t by;

    pthread_mutex_lock(&lock);
    by = factor;
    pthread_mutex_unlock(&lock);
    __real_timer_start(timer, (ms + by - 1) / by);
}
