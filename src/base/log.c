#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static const char *log_program;
static enum log_level log_level = LOG_LEVEL_NORMAL;
static void (*log_hook)(void *arg);
static void *log_hook_arg;

void
log_open(const char *program, enum log_level level)
{
    log_program = program;
    log_level = level;
}

bool
log_wants(enum log_level level)
{
    return level <= log_level;
}

void
log_set_hook(void (*hook)(void *arg), void *arg)
{
    log_hook = hook;
    log_hook_arg = arg;
}

/* A terminal that somebody has stopped must not stop a migration. */
static void
put(const char *line, size_t len)
{
    static atomic_uint lost;
    struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
    unsigned missing;
    char note[64];

    if (poll(&pollfd, 1, 0) == 0) {
        atomic_fetch_add(&lost, 1);
        return;
    }
    missing = atomic_exchange(&lost, 0);
    if (missing > 0) {
        int n = snprintf(note, sizeof note, "(%u lines are missing here)\n",
                         missing);

        if (write(STDERR_FILENO, note, (size_t)n) < 0)
            return;
    }
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* there is nowhere left to say so */
}

static void log_write(const char *suffix, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* A line is one write, so that lines of several processes or threads don't
 * mix. */
static void
log_write(const char *suffix, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    size_t room = sizeof line - 1; /* the newline has a place of its own */
    int n = 0;

    if (log_program != NULL)
        n = snprintf(line, room, "%s: ", log_program);
    n += vsnprintf(line + n, room - (size_t)n, format, args);
    if (suffix != NULL && (size_t)n < room)
        n += snprintf(line + n, room - (size_t)n, ": %s", suffix);

    size_t len = (size_t)n < room ? (size_t)n : room - 1;
    for (size_t i = 0; i < len; i++)
        if (line[i] < 0x20 || line[i] > 0x7e)
            line[i] = '?';
    line[len++] = '\n';

    if (log_hook != NULL)
        log_hook(log_hook_arg);
    put(line, len);
}

#define LOG_AT(level, suffix, format)    \
    do {                                 \
        int saved = errno;               \
        va_list args;                    \
        if (log_level < (level))         \
            break;                       \
        va_start(args, format);          \
        log_write(suffix, format, args); \
        va_end(args);                    \
        errno = saved;                   \
    } while (0)

void
log_debug(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_VERBOSE, NULL, format);
}

void
log_info(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_NORMAL, NULL, format);
}

void
log_warnx(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_QUIET, NULL, format);
}

void
log_warn(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_QUIET, strerror(saved), format);
}

bool
log_limit_pass(struct log_limit *limit, uint64_t now_ms, uint64_t *dropped)
{
    while (limit->spent > 0 && now_ms - limit->since_ms >= limit->interval_ms) {
        limit->spent--;
        limit->since_ms += limit->interval_ms;
    }
    if (limit->spent == 0)
        limit->since_ms = now_ms;
    if (limit->spent >= limit->burst) {
        limit->dropped++;
        return false;
    }
    limit->spent++;
    *dropped = limit->dropped;
    limit->dropped = 0;
    return true;
}
