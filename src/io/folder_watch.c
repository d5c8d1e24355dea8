#include "io/folder_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/loop.h"
#include "io/timer.h"

enum {
    PAUSE_MS = 200,
    EVENTS_BYTES = 4096,
    FOLDER_MAX = 256,
    HERE = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM,
    GONE = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED,
};

/* Of this program.  A user has 128 (fs.inotify.max_user_instances), which other
 * programs need, too. */
static unsigned instances;

struct folder_watch {
    char path[FOLDER_MAX];
    const char *name; /* in it: the last part */
    bool above;       /* it is not the path's own folder that is watched */
    int fd;
    int wd;
    struct event *readable;
    struct timer *pause;
    void (*on_change)(void *arg);
    void *arg;
};

static int
add_watch(struct folder_watch *watch, const char *folder)
{
    return inotify_add_watch(watch->fd, folder, HERE | GONE | IN_ONLYDIR);
}

/* Cut the last part off ${folder}: "a/b" to "a", "a" to ".", "/a" to "/". */
static void
cut(char *folder)
{
    char *slash = strrchr(folder, '/');

    if (slash == NULL)
        memcpy(folder, ".", sizeof ".");
    else if (slash == folder)
        folder[1] = '\0';
    else
        *slash = '\0';
}

/* Watch the deepest folder that there is. */
static int
place(struct folder_watch *watch)
{
    char folder[FOLDER_MAX];
    int wd, old = watch->wd;

    snprintf(folder, sizeof folder, "%s", watch->path);
    cut(folder);
    wd = add_watch(watch, folder);
    watch->above = wd < 0;
    while (wd < 0 && (errno == ENOENT || errno == ENOTDIR) &&
           strcmp(folder, "/") != 0 && strcmp(folder, ".") != 0) {
        cut(folder);
        wd = add_watch(watch, folder);
    }
    if (old >= 0 && old != wd)
        inotify_rm_watch(watch->fd, old);
    watch->wd = wd;
    return wd < 0 ? -1 : 0;
}

/* Take all that has been told.  Return whether it may concern the path. */
static bool
take_events(struct folder_watch *watch)
{
    _Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
    bool concerns = watch->above;
    ssize_t n;

    while ((n = read(watch->fd, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (void *)(bytes + at);

            concerns |=
                event->len == 0 || strcmp(event->name, watch->name) == 0;
            at += (ssize_t)(sizeof *event + event->len);
        }
    return concerns;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct folder_watch *watch = arg;

    (void)fd;
    (void)what;
    timer_start(watch->pause, PAUSE_MS);
    if (!take_events(watch))
        return;
    (void)place(watch); /* in vain, others look at long intervals */
    watch->on_change(watch->arg);
}

static void
on_pause_over(void *arg)
{
    struct folder_watch *watch = arg;

    event_add(watch->readable, NULL);
}

struct folder_watch *
folder_watch_new(struct loop *loop, const char *path,
                 void (*on_change)(void *arg), void *arg)
{
    struct folder_watch *watch;
    const char *slash;

    if (instances >= FOLDER_WATCHES_MAX) {
        errno = EMFILE;
        return NULL;
    }
    watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    instances++;
    watch->on_change = on_change;
    watch->arg = arg;
    watch->wd = -1;
    snprintf(watch->path, sizeof watch->path, "%s", path);
    slash = strrchr(watch->path, '/');
    watch->name = slash != NULL ? slash + 1 : watch->path;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->pause = timer_new(loop, on_pause_over, watch);
    if (watch->fd >= 0)
        watch->readable =
            event_new(loop_base(loop), watch->fd, EV_READ, on_readable, watch);
    if (watch->pause == NULL || watch->readable == NULL || place(watch) != 0 ||
        event_add(watch->readable, NULL) != 0) {
        folder_watch_free(watch);
        return NULL;
    }
    return watch;
}

void
folder_watch_free(struct folder_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->readable != NULL)
        event_free(watch->readable);
    timer_free(watch->pause);
    fd_close(&watch->fd);
    instances--;
    free(watch);
}
