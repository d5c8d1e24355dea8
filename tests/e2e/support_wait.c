#include "support_wait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

/* Short beside anything a test measures, and cheap for what it watches. */
enum { NAP_MS = 10 };

uint64_t
wait_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int
left_ms(uint64_t deadline)
{
    uint64_t now = wait_now_ms();

    return now >= deadline ? 0 : (int)(deadline - now);
}

/* Wait for the next change.  Return false if there will be none. */
static bool
next_change(int notify, int pid_fd, uint64_t deadline)
{
    char events[4096];
    struct pollfd fds[] = { { .fd = notify, .events = POLLIN },
                            { .fd = pid_fd, .events = POLLIN } };
    int n;

    do
        n = poll(fds, 2, left_ms(deadline));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    if (fds[0].revents != 0)
        return read(notify, events, sizeof(events)) > 0;
    return false;
}

bool
wait_file(const char *path, int pid_fd, unsigned timeout_ms,
          bool (*done)(void *arg), void *arg)
{
    uint64_t deadline = wait_now_ms() + timeout_ms;
    int notify = inotify_init1(IN_CLOEXEC);
    bool ok;

    if (notify < 0)
        return false;
    if (inotify_add_watch(notify, path, IN_MODIFY) < 0) {
        close(notify);
        return false;
    }
    while (!(ok = done(arg)) && next_change(notify, pid_fd, deadline))
        ;
    close(notify);
    return ok || done(arg);
}

bool
wait_until(unsigned timeout_ms, bool (*done)(void *arg), void *arg)
{
    uint64_t deadline = wait_now_ms() + timeout_ms;

    while (!done(arg)) {
        if (wait_now_ms() >= deadline)
            return false;
        poll(NULL, 0, NAP_MS);
    }
    return true;
}
