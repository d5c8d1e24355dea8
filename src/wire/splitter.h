/*
 * Cuts a byte stream into JSON texts, one a line.  A text may also run over
 * several lines, as QEMU writes them for -qmp-pretty: a line break ends a text
 * only where every bracket is closed.
 */
#ifndef WIRE_SPLITTER_H
#define WIRE_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>

struct splitter {
    char *buf;
    size_t capacity;
    size_t start;   /* first byte of the text under way */
    size_t scanned; /* bytes before this one have been looked at */
    size_t len;     /* bytes in buf */
    size_t limit;   /* of one text, without its line break */
    unsigned depth; /* open brackets */
    bool in_string;
    bool escaped; /* the byte before was a backslash in a string */
    bool too_long;
};

enum splitter_result {
    SPLITTER_NONE,     /* more bytes are needed */
    SPLITTER_TEXT,     /* here is one */
    SPLITTER_TOO_LONG, /* a text is longer than the limit; there is no way on */
};

/**
 * splitter_init(splitter, limit):
 * Start without a byte; texts may have up to ${limit} bytes.  The caller ends
 * it with splitter_fini.
 */
void splitter_init(struct splitter *splitter, size_t limit);
void splitter_fini(struct splitter *splitter);

/**
 * splitter_room(splitter, room):
 * Return where the next bytes of the stream go and set *${room} (>= 1) to how
 * many fit there, or return NULL if there is no memory.  Not allowed before
 * splitter_next has returned SPLITTER_NONE.  What splitter_next returned before
 * is gone.
 */
char *splitter_room(struct splitter *splitter, size_t *room);

/**
 * splitter_add(splitter, bytes):
 * ${bytes} bytes have been put where splitter_room said.
 */
void splitter_add(struct splitter *splitter, size_t bytes);

/**
 * splitter_next(splitter, text, len):
 * Set ${text} and ${len} to the next whole text, without its line break; empty
 * lines are left out.  It is not terminated by NUL.
 */
enum splitter_result splitter_next(struct splitter *splitter, const char **text,
                                   size_t *len);

#endif
