/*
 *           what            source                      destination
 * ok        QEMU            7.2.22                      9.1.0
 * STOP      machine         pc-i440fx-7.2               pc-i440fx-7.1
 *           other machine type: the destination's QEMU refuses the VM; start it
 *           with -machine pc-i440fx-7.2
 */
#include "wire/preflight_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERDICT_COLUMNS = 9, /* "warning" and two spaces */
    NAME_COLUMNS = 15,
    NAME_COLUMNS_WIDE = 23, /* from here on long names fit, too: */
    WIDE_COLUMNS = 100,
    CELLS = 4
};

/* One cell of a row: text that is still to be written, and its column. */
struct cell {
    const char *text;
    unsigned columns; /* with the space to the next one */
};

/* How much of ${text} goes into ${columns}: whole words; else up to where a
 * path, a list or an address can be parted; else what fits. */
static size_t
fitting(const char *text, size_t columns)
{
    size_t len = strlen(text), at = columns;

    if (len <= columns)
        return len;
    while (at > 0 && text[at] != ' ')
        at--;
    if (at > 0)
        return at;
    at = columns;
    while (at > 0 && strchr("/,-:", text[at - 1]) == NULL)
        at--;
    return at > 0 ? at : columns;
}

/* Write the next line of ${cell}, without the space behind it.  Return how many
 * columns it took. */
static size_t
write_cell(FILE *file, struct cell *cell, size_t columns)
{
    size_t len = fitting(cell->text, columns);

    fprintf(file, "%.*s", (int)len, cell->text);
    cell->text += len;
    cell->text += strspn(cell->text, " ");
    return len;
}

static bool
anything_left(const struct cell cells[CELLS])
{
    for (int i = 0; i < CELLS; i++)
        if (cells[i].text[0] != '\0')
            return true;
    return false;
}

/* Nothing is written before a cell but what it is set off by, so that no line
 * ends with spaces. */
static void
write_cells(FILE *file, struct cell cells[CELLS])
{
    while (anything_left(cells)) {
        size_t owed = 0;
        for (int i = 0; i < CELLS; i++) {
            if (cells[i].text[0] != '\0') {
                fprintf(file, "%*s", (int)owed, "");
                owed = 0;
                owed -= write_cell(file, &cells[i], cells[i].columns - 1);
            }
            owed += cells[i].columns;
        }
        fputc('\n', file);
    }
}

static void
write_why(FILE *file, const char *why, unsigned width)
{
    struct cell cell = { .text = why };

    while (cell.text[0] != '\0') {
        fprintf(file, "%*s", VERDICT_COLUMNS, "");
        write_cell(file, &cell, width - VERDICT_COLUMNS);
        fputc('\n', file);
    }
}

static void
write_row(FILE *file, unsigned width, const char *const texts[CELLS])
{
    unsigned name = width >= WIDE_COLUMNS ? NAME_COLUMNS_WIDE : NAME_COLUMNS;
    unsigned side = (width + 1 - VERDICT_COLUMNS - name) / 2;
    struct cell cells[CELLS] = { { texts[0], VERDICT_COLUMNS },
                                 { texts[1], name },
                                 { texts[2], side },
                                 { texts[3], side } };

    write_cells(file, cells);
}

static unsigned
count(const struct preflight *preflight, enum preflight_verdict verdict)
{
    unsigned rows = 0;

    for (size_t i = 0; i < preflight->count; i++)
        rows += preflight->rows[i].verdict == verdict;
    return rows;
}

static void
write_sum(FILE *file, const struct preflight *preflight)
{
    unsigned stops = count(preflight, PREFLIGHT_STOP);
    unsigned warnings = count(preflight, PREFLIGHT_WARNING);

    if (preflight->left_out > 0)
        fprintf(file, "%zu more rows are left out\n", preflight->left_out);
    if (preflight->verdict == PREFLIGHT_STOP)
        fprintf(file, "STOP: %u to put right, %u warning%s\n", stops, warnings,
                warnings == 1 ? "" : "s");
    else
        fprintf(file, "ok: nothing stops the migration, %u warning%s\n",
                warnings, warnings == 1 ? "" : "s");
}

char *
preflight_text(const struct preflight *preflight, unsigned width)
{
    static const char *const head[CELLS] = { "", "what", "source",
                                             "destination" };
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    bool failed;

    if (file == NULL)
        return NULL;
    if (width < PREFLIGHT_COLUMNS_MIN)
        width = PREFLIGHT_COLUMNS_MIN;
    if (width > PREFLIGHT_COLUMNS_MAX)
        width = PREFLIGHT_COLUMNS_MAX;
    write_row(file, width, head);
    for (size_t i = 0; i < preflight->count; i++) {
        const struct preflight_row *row = &preflight->rows[i];
        const char *const texts[CELLS] = { preflight_verdict_text(row->verdict),
                                           row->name, row->side[0],
                                           row->side[1] };
        write_row(file, width, texts);
        write_why(file, row->why, width);
    }
    write_sum(file, preflight);
    failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
