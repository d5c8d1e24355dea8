#include "migrate/output.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "migrate/output_stream.h"
#include "wire/progress_text.h"

enum { PLAIN_INTERVAL_MS = 5000, WIDTH_DEFAULT = 80, DRAIN_MS = 2000 };

struct output {
    struct output_stream json;
    struct output_stream terminal;
    bool drawn;        /* the cursor stands behind a live line */
    uint64_t plain_ms; /* when the last log line was due */
};

static void
clear(void *arg)
{
    /* Back to the first column, and erase to the end (ECMA-48, EL). */
    static const char erase[] = "\r\033[K";
    struct output *output = arg;

    if (output->drawn &&
        output_stream_offer(&output->terminal, erase, strlen(erase)))
        output->drawn = false;
}

struct output *
output_new(FILE *json, FILE *terminal)
{
    struct output *output = calloc(1, sizeof *output);

    if (output == NULL)
        return NULL;
    output_stream_init(&output->json, json);
    output_stream_init(&output->terminal, terminal);
    log_set_hook(clear, output);
    return output;
}

void
output_free(struct output *output)
{
    if (output == NULL)
        return;
    clear(output);
    log_set_hook(NULL, NULL);
    free(output);
}

/* Takes over the object. */
static void
write_json(struct output *output, json_t *object, bool droppable)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));
    size_t len = text != NULL ? strlen(text) : 0;

    json_decref(object);
    if (text == NULL)
        return;
    text[len++] = '\n'; /* in place of the NUL */
    if (droppable)
        output_stream_offer(&output->json, text, len);
    else
        output_stream_put(&output->json, text, len);
    free(text);
}

static unsigned
width(const struct output *output)
{
    struct winsize size;

    if (ioctl(fileno(output->terminal.file), TIOCGWINSZ, &size) != 0 ||
        size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

static void
draw(struct output *output, const struct progress *progress)
{
    char text[PROGRESS_TEXT_MAX], line[PROGRESS_TEXT_MAX + 8];
    int len;

    progress_live_text(text, progress, width(output));
    len = snprintf(line, sizeof line, "\r%s\033[K", text);
    if (output_stream_offer(&output->terminal, line, (size_t)len))
        output->drawn = true;
}

void
output_progress(struct output *output, const struct progress *progress)
{
    char text[PROGRESS_TEXT_MAX];
    uint64_t elapsed_ms = progress->now_ms - progress->begun_ms;

    if (output->json.file != NULL)
        write_json(output, progress_json(progress), true);
    if (output->terminal.file != NULL) {
        draw(output, progress);
    } else if (elapsed_ms >= output->plain_ms + PLAIN_INTERVAL_MS) {
        output->plain_ms = elapsed_ms;
        progress_plain_text(text, progress);
        log_info("migration: %s", text);
    }
}

void
output_status(struct output *output, const struct progress *progress)
{
    if (output->json.file != NULL)
        write_json(output, progress_status_json(progress), false);
}

void
output_state(struct output *output, json_t *state)
{
    if (output->json.file != NULL)
        write_json(output, state, false);
    else
        json_decref(state);
}

void
output_flush(struct output *output)
{
    output_stream_flush(&output->json);
    output_stream_flush(&output->terminal);
}

void
output_result(struct output *output, const struct progress_result *result)
{
    clear(output);
    if (output->json.file == NULL)
        return;
    write_json(output, progress_result_json(result), false);
    output_stream_drain(&output->json, DRAIN_MS);
}
