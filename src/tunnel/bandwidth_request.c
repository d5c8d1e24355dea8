#include "tunnel/bandwidth_request.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire/control_line.h"
#include "wire/splitter.h"

enum { ANSWER_MS = 5000 };

/* What a line means for a request: nothing, done, or refused. */
enum outcome { PENDING, DONE, FAILED };

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A fresh socket has room for a line. */
static int
say(int fd, const struct helper_line *line)
{
    char *text = helper_line_text(line);
    size_t length = text != NULL ? strlen(text) : 0;
    ssize_t n = text != NULL ? send(fd, text, length, MSG_NOSIGNAL) : -1;

    free(text);
    return n == (ssize_t)length ? 0 : -1;
}

static int
ask(int fd, const char *program, uint64_t rate)
{
    struct helper_line hello = { .type = LINE_HELLO,
                                 .version = CONTROL_LINE_VERSION,
                                 .role = HELPER_OBSERVER };
    struct helper_line request = { .type = LINE_BANDWIDTH, .rate = rate };

    snprintf(hello.program, sizeof hello.program, "%s", program);
    if (say(fd, &hello) != 0)
        return -1;
    return say(fd, &request);
}

static enum outcome
take(const char *text, size_t length, char why[SOCKET_WHY_MAX])
{
    struct tunnel_line line;
    enum outcome outcome = PENDING;

    if (tunnel_line_parse(&line, text, length) != REASON_NONE) {
        snprintf(why, SOCKET_WHY_MAX, "what answers is no tunnel");
        return FAILED;
    }
    if (line.type == LINE_BANDWIDTH) {
        outcome = DONE;
    } else if (line.type == LINE_REFUSED) {
        snprintf(why, SOCKET_WHY_MAX, "refused: %s", line.why);
        outcome = FAILED;
    }
    json_decref(line.message);
    return outcome;
}

/* Wait for more and read it.  Return whether something came. */
static bool
read_more(int fd, struct splitter *splitter, int64_t until_ms,
          char why[SOCKET_WHY_MAX])
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    int64_t left_ms = until_ms - now_ms();
    size_t room;
    char *at;
    ssize_t n;

    snprintf(why, SOCKET_WHY_MAX, "no answer within %d s", ANSWER_MS / 1000);
    if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) <= 0)
        return false;
    at = splitter_room(splitter, &room);
    n = at != NULL ? recv(fd, at, room, 0) : -1;
    if (n > 0)
        splitter_add(splitter, (size_t)n);
    else
        snprintf(why, SOCKET_WHY_MAX, "it hung up");
    return n > 0;
}

static enum outcome
await(int fd, struct splitter *splitter, char why[SOCKET_WHY_MAX])
{
    int64_t until_ms = now_ms() + ANSWER_MS;
    enum outcome outcome = PENDING;
    const char *text;
    size_t length;

    while (outcome == PENDING) {
        switch (splitter_next(splitter, &text, &length)) {
        case SPLITTER_TEXT: outcome = take(text, length, why); break;
        case SPLITTER_NONE:
            if (!read_more(fd, splitter, until_ms, why))
                outcome = FAILED;
            break;
        case SPLITTER_TOO_LONG:
            snprintf(why, SOCKET_WHY_MAX, "what answers is no tunnel");
            outcome = FAILED;
        }
    }
    return outcome;
}

int
bandwidth_request(const char *path, const char *program, uint64_t rate,
                  char why[SOCKET_WHY_MAX])
{
    struct splitter splitter;
    enum outcome outcome = FAILED;
    char what[SOCKET_WHY_MAX];
    int fd = unix_connect(path);

    splitter_init(&splitter, CONTROL_LINE_MAX);
    if (fd < 0 || ask(fd, program, rate) != 0)
        snprintf(what, sizeof what, "%s", strerror(errno));
    else
        outcome = await(fd, &splitter, what);
    splitter_fini(&splitter);
    if (fd >= 0)
        close(fd);
    if (outcome == DONE)
        return 0;
    snprintf(why, SOCKET_WHY_MAX, "cannot set the bandwidth at %.108s: %.256s",
             path, what);
    return -1;
}
