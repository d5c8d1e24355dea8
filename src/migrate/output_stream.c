#include "migrate/output_stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void
output_stream_init(struct output_stream *stream, FILE *file)
{
    stream->file = file;
    stream->len = 0;
}

/* Return what poll(2) does; a stream without a descriptor is always ready. */
static int
wait_writable(const struct output_stream *stream, int ms)
{
    struct pollfd pollfd = { .fd = fileno(stream->file), .events = POLLOUT };

    return pollfd.fd == -1 ? 1 : poll(&pollfd, 1, ms);
}

/*
 * Write a part of ${text} without waiting.  Where poll(2) says that a pipe can
 * be written to, it takes PIPE_BUF bytes at once (pipe(7)).  Errors are not
 * looked at, but for those that pass: a reader that has gone away must not stop
 * a migration.
 */
static size_t
write_some(const struct output_stream *stream, const char *text, size_t len)
{
    size_t part = len < PIPE_BUF ? len : PIPE_BUF;

    if (fileno(stream->file) == -1) {
        fwrite(text, 1, len, stream->file);
        fflush(stream->file);
        return len;
    }
    ssize_t put = write(fileno(stream->file), text, part);
    if (put >= 0)
        return (size_t)put;
    return errno == EAGAIN || errno == EINTR ? 0 : len;
}

/* Write as much as goes with no wait longer than ${ms}. */
static size_t
write_all(const struct output_stream *stream, const char *text, size_t len,
          int ms)
{
    size_t done = 0, put = 1;

    while (done < len && put > 0 && wait_writable(stream, ms) > 0) {
        put = write_some(stream, text + done, len - done);
        done += put;
    }
    return done;
}

static void
write_kept(struct output_stream *stream, int ms)
{
    size_t done;

    if (stream->file == NULL || stream->len == 0)
        return;
    done = write_all(stream, stream->kept, stream->len, ms);
    stream->len -= done;
    memmove(stream->kept, stream->kept + done, stream->len);
}

void
output_stream_put(struct output_stream *stream, const char *text, size_t len)
{
    size_t done = 0;

    if (stream->file == NULL)
        return;
    write_kept(stream, 0);
    if (stream->len == 0)
        done = write_all(stream, text, len, 0);
    if (stream->len + len - done > sizeof stream->kept)
        return; /* only where nothing of it was written, if it fits at all */
    memcpy(stream->kept + stream->len, text + done, len - done);
    stream->len += len - done;
}

bool
output_stream_offer(struct output_stream *stream, const char *text, size_t len)
{
    if (stream->file == NULL)
        return false;
    write_kept(stream, 0);
    if (stream->len > 0 || wait_writable(stream, 0) <= 0)
        return false;
    output_stream_put(stream, text, len);
    return true;
}

void
output_stream_flush(struct output_stream *stream)
{
    write_kept(stream, 0);
}

void
output_stream_drain(struct output_stream *stream, int ms)
{
    write_kept(stream, ms);
}
