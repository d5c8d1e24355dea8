#include "wire/splitter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A query-migrate reply has about 800 bytes, so one read takes several. */
enum { FIRST_CAPACITY = 16 * 1024 };

/* Room for "\r\n", which QEMU puts at the end of a line. */
enum { LINE_BREAK = 2 };

void
splitter_init(struct splitter *splitter, size_t limit)
{
    *splitter = (struct splitter){ .limit = limit };
}

void
splitter_fini(struct splitter *splitter)
{
    free(splitter->buf);
    splitter->buf = NULL;
}

static void
compact(struct splitter *splitter)
{
    if (splitter->start == 0)
        return;
    memmove(splitter->buf, splitter->buf + splitter->start,
            splitter->len - splitter->start);
    splitter->len -= splitter->start;
    splitter->scanned -= splitter->start;
    splitter->start = 0;
}

static int
grow(struct splitter *splitter)
{
    size_t most = splitter->limit + LINE_BREAK;
    size_t capacity =
        splitter->capacity == 0 ? FIRST_CAPACITY : splitter->capacity * 2;
    if (capacity > most)
        capacity = most;
    char *buf = realloc(splitter->buf, capacity);
    if (buf == NULL)
        return -1;
    splitter->buf = buf;
    splitter->capacity = capacity;
    return 0;
}

char *
splitter_room(struct splitter *splitter, size_t *room)
{
    compact(splitter);
    if (splitter->len == splitter->capacity && grow(splitter) == -1)
        return NULL;
    *room = splitter->capacity - splitter->len;
    assert(*room > 0);
    return splitter->buf + splitter->len;
}

void
splitter_add(struct splitter *splitter, size_t bytes)
{
    assert(bytes <= splitter->capacity - splitter->len);
    splitter->len += bytes;
}

/* Return whether ${byte} ends the text under way. */
static bool
step(struct splitter *splitter, char byte)
{
    if (byte == '\n') {
        /* JSON has no line break in a string: what has one is no JSON, and
         * must not swallow the texts that follow. */
        bool ends = splitter->depth == 0 || splitter->in_string;
        if (ends) {
            splitter->depth = 0;
            splitter->in_string = false;
            splitter->escaped = false;
        }
        return ends;
    }
    if (splitter->in_string) {
        if (splitter->escaped)
            splitter->escaped = false;
        else if (byte == '\\')
            splitter->escaped = true;
        else if (byte == '"')
            splitter->in_string = false;
    } else if (byte == '"') {
        splitter->in_string = true;
    } else if (byte == '{' || byte == '[') {
        splitter->depth++;
    } else if ((byte == '}' || byte == ']') && splitter->depth > 0) {
        splitter->depth--;
    }
    return false;
}

/* Take the text that ends before the line break just scanned. */
static size_t
take(struct splitter *splitter, const char **text)
{
    *text = splitter->buf + splitter->start;
    size_t len = splitter->scanned - 1 - splitter->start;
    if (len > 0 && (*text)[len - 1] == '\r')
        len--;
    splitter->start = splitter->scanned;
    return len;
}

enum splitter_result
splitter_next(struct splitter *splitter, const char **text, size_t *len)
{
    while (!splitter->too_long && splitter->scanned < splitter->len) {
        if (!step(splitter, splitter->buf[splitter->scanned++]))
            continue;
        *len = take(splitter, text);
        if (*len > splitter->limit)
            splitter->too_long = true;
        else if (*len > 0)
            return SPLITTER_TEXT;
    }
    if (splitter->len - splitter->start >= splitter->limit + LINE_BREAK)
        splitter->too_long = true;
    return splitter->too_long ? SPLITTER_TOO_LONG : SPLITTER_NONE;
}
