/*
 * A stream that is never waited for: what can't be written now is dropped, or
 * kept for later.  It may be a terminal that somebody has stopped, or a pipe
 * whose reader sleeps, and a migration must not stand still for that.
 */
#ifndef MIGRATE_OUTPUT_STREAM_H
#define MIGRATE_OUTPUT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What is kept for a reader that does not read: hundreds of lines. */
enum { OUTPUT_STREAM_MAX = 64 * 1024 };

struct output_stream {
    FILE *file; /* NULL if there is none */
    char kept[OUTPUT_STREAM_MAX];
    size_t len;
};

/**
 * output_stream_init(stream, file):
 * Write to ${file}, which stays the caller's and may be NULL.  There is nothing
 * to end.
 */
void output_stream_init(struct output_stream *stream, FILE *file);

/**
 * output_stream_put(stream, text, len):
 * output_stream_offer(stream, text, len):
 * Write the ${len} bytes at ${text}, after everything that is kept.  What can't
 * be written now is kept, the whole of it, as long as there is room.  An offer
 * is dropped unless all of what was kept has gone and the reader takes more;
 * return whether it was taken.
 */
void output_stream_put(struct output_stream *stream, const char *text,
                       size_t len);
bool output_stream_offer(struct output_stream *stream, const char *text,
                         size_t len);

/**
 * output_stream_flush(stream):
 * Write as much of what is kept as can be written now.  A stream whose reader
 * has gone away forgets it.
 */
void output_stream_flush(struct output_stream *stream);

/**
 * output_stream_drain(stream, ms):
 * The same, but wait for the reader until it has read nothing for ${ms}
 * milliseconds, or until a signal comes.
 */
void output_stream_drain(struct output_stream *stream, int ms);

#endif
