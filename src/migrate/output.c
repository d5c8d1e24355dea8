#include "migrate/output.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "wire/progress_text.h"

enum { PLAIN_INTERVAL_MS = 5000, WIDTH_DEFAULT = 80 };

struct output {
    FILE *json;
    FILE *terminal;
    bool drawn;        /* the cursor stands behind a live line */
    uint64_t plain_ms; /* when the last log line was due */
};

static void
clear(void *arg)
{
    struct output *output = arg;

    if (!output->drawn)
        return;
    /* Back to the first column, and erase to the end (ECMA-48, EL). */
    fputs("\r\033[K", output->terminal);
    fflush(output->terminal);
    output->drawn = false;
}

struct output *
output_new(FILE *json, FILE *terminal)
{
    struct output *output = calloc(1, sizeof *output);

    if (output == NULL)
        return NULL;
    output->json = json;
    output->terminal = terminal;
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

/* A reader that has gone away must not stop a migration, so no error is looked
 * for. */
static void
write_json(struct output *output, json_t *object)
{
    if (output->json != NULL && object != NULL) {
        json_dumpf(object, output->json,
                   JSON_COMPACT | JSON_REAL_PRECISION(15));
        fputc('\n', output->json);
        fflush(output->json);
    }
    json_decref(object);
}

static unsigned
width(const struct output *output)
{
    struct winsize size;

    if (ioctl(fileno(output->terminal), TIOCGWINSZ, &size) != 0 ||
        size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

static void
draw(struct output *output, const struct progress *progress)
{
    char text[PROGRESS_TEXT_MAX];

    progress_live_text(text, progress, width(output));
    fprintf(output->terminal, "\r%s\033[K", text);
    fflush(output->terminal);
    output->drawn = true;
}

void
output_progress(struct output *output, const struct progress *progress)
{
    char text[PROGRESS_TEXT_MAX];
    uint64_t elapsed_ms = progress->now_ms - progress->begun_ms;

    if (output->json != NULL)
        write_json(output, progress_json(progress));
    if (output->terminal != NULL) {
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
    if (output->json != NULL)
        write_json(output, progress_status_json(progress));
}

void
output_result(struct output *output, const struct progress_result *result)
{
    clear(output);
    if (output->json != NULL)
        write_json(output, progress_result_json(result));
}
