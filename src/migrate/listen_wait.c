#include "migrate/listen_wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/loop.h"
#include "io/timer.h"
#include "io/unix_socket.h"

/* Reading /proc/net/unix costs well under a millisecond. */
enum { POLL_MS = 100 };

struct listen_wait {
    struct loop *loop;
    struct listen_wait_options options;
    struct timer *timer;
    uint64_t deadline_ms;
    bool said;
};

static bool
is_no_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

static void
on_timer(void *arg)
{
    struct listen_wait *wait = arg;
    const struct listen_wait_options *options = &wait->options;
    int listening = unix_listening(options->path);

    if (listening == 1) {
        options->on_done(options->arg, LISTEN_WAIT_READY);
    } else if (listening == -1) {
        options->on_done(options->arg, LISTEN_WAIT_FAILED);
    } else if (is_no_socket(options->path)) {
        options->on_done(options->arg, LISTEN_WAIT_NO_SOCKET);
    } else if (loop_now_ms(wait->loop) >= wait->deadline_ms) {
        options->on_done(options->arg, LISTEN_WAIT_TIMED_OUT);
    } else {
        timer_start(wait->timer, POLL_MS);
        if (!wait->said)
            options->on_wait(options->arg);
        wait->said = true;
    }
}

struct listen_wait *
listen_wait_new(struct loop *loop, const struct listen_wait_options *options)
{
    struct listen_wait *wait = calloc(1, sizeof *wait);

    if (wait == NULL)
        return NULL;
    wait->loop = loop;
    wait->options = *options;
    wait->deadline_ms = loop_now_ms(loop) + options->wait_ms;
    wait->timer = timer_new(loop, on_timer, wait);
    if (wait->timer == NULL) {
        free(wait);
        return NULL;
    }
    timer_start(wait->timer, 0);
    return wait;
}

void
listen_wait_free(struct listen_wait *wait)
{
    if (wait == NULL)
        return;
    timer_free(wait->timer);
    free(wait);
}
