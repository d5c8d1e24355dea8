#include "wire/preflight.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/facts.h"
#include "wire/preflight_rows.h"

/* A terminal obeys what it is sent, and a partner could send anything. */
static void
make_safe(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

struct preflight_row *
preflight_row(struct preflight_work *work, enum preflight_verdict verdict,
              const char *name)
{
    struct preflight *preflight = work->preflight;
    struct preflight_row *row = &preflight->rows[preflight->count];

    if (verdict > preflight->verdict)
        preflight->verdict = verdict;
    if (preflight->count + 1 == PREFLIGHT_ROWS_MAX)
        preflight->left_out++; /* the last is overwritten, and taken off */
    else
        preflight->count++;
    memset(row, 0, sizeof *row);
    row->verdict = verdict;
    snprintf(row->name, sizeof row->name, "%s", name);
    make_safe(row->name);
    return row;
}

void
preflight_say(struct preflight_row *row, enum preflight_side side,
              const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->side[side], sizeof row->side[side], format, args);
    va_end(args);
    make_safe(row->side[side]);
}

void
preflight_why(struct preflight_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->why, sizeof row->why, format, args);
    va_end(args);
    make_safe(row->why);
}

const char *
preflight_fact(const struct preflight_work *work, enum preflight_side side,
               const char *key)
{
    return json_string_value(json_object_get(work->facts[side], key));
}

const char *
preflight_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

struct preflight_row *
preflight_unknown(struct preflight_work *work, const char *name)
{
    struct preflight_row *row = preflight_row(work, PREFLIGHT_WARNING, name);

    for (unsigned side = 0; side < 2; side++)
        preflight_say(row, side, "unknown");
    preflight_why(row, "QEMU does not tell it, so it is not compared");
    return row;
}

struct preflight_row *
preflight_texts(struct preflight_work *work, enum preflight_verdict verdict,
                const char *name, const char *key)
{
    const char *text[2] = { preflight_fact(work, PREFLIGHT_SOURCE, key),
                            preflight_fact(work, PREFLIGHT_DESTINATION, key) };
    bool known = text[0] != NULL && text[1] != NULL;
    bool same = known && strcmp(text[0], text[1]) == 0;
    struct preflight_row *row =
        known ? preflight_row(work, same ? PREFLIGHT_OK : verdict, name)
              : preflight_unknown(work, name);

    for (unsigned side = 0; side < 2; side++)
        if (text[side] != NULL)
            preflight_say(row, side, "%s", text[side]);
    return known && !same ? row : NULL;
}

void
preflight_same(struct preflight_work *work, const char *name, size_t count)
{
    struct preflight_row *row;

    if (count == 0)
        return;
    row = preflight_row(work, PREFLIGHT_OK, name);
    for (unsigned side = 0; side < 2; side++)
        preflight_say(row, side, "%zu, the same", count);
}

const char *
preflight_verdict_text(enum preflight_verdict verdict)
{
    switch (verdict) {
    case PREFLIGHT_OK: return "ok";
    case PREFLIGHT_WARNING: return "warning";
    default: return "STOP";
    }
}

static bool
same_version(const struct preflight_work *work)
{
    int major[2], minor[2];

    for (unsigned side = 0; side < 2; side++)
        if (facts_major_minor(work->facts[side], &major[side], &minor[side]) !=
            0)
            return false;
    return major[0] == major[1] && minor[0] == minor[1];
}

/* Rows that are not there can't be looked at, so they may not pass for ok. */
static void
add_cut(struct preflight_work *work)
{
    struct preflight_row *row;

    if (!work->cut)
        return;
    row = preflight_row(work, PREFLIGHT_WARNING, "lists");
    for (unsigned side = 0; side < 2; side++)
        preflight_say(row, side, "%s",
                      json_is_true(json_object_get(work->facts[side], "cut"))
                          ? "cut"
                          : "whole");
    preflight_why(row, "this VM has more devices than are compared: what is at "
                       "one side only may just be left out at the other");
}

static void
begin(struct preflight_work *work, struct preflight *preflight,
      const json_t *source, const json_t *destination,
      const struct settings *plan)
{
    *work = (struct preflight_work){
        .preflight = preflight,
        .facts = { source, destination },
        .plan = plan,
    };
    preflight->verdict = PREFLIGHT_OK;
    preflight->count = 0;
    preflight->left_out = 0;
    work->cut = json_is_true(json_object_get(source, "cut")) ||
                json_is_true(json_object_get(destination, "cut"));
    work->same_version = same_version(work);
}

void
preflight_compare(struct preflight *preflight, const json_t *source,
                  const json_t *destination, const struct settings *plan)
{
    struct preflight_work work;

    begin(&work, preflight, source, destination, plan);
    preflight_machine(&work);
    preflight_memory(&work);
    preflight_guest(&work);
    preflight_devices(&work);
    preflight_disks(&work);
    preflight_nics(&work);
    preflight_settings(&work);
    add_cut(&work);
}

void
preflight_compare_settings(struct preflight *preflight, const json_t *source,
                           const json_t *destination,
                           const struct settings *plan)
{
    struct preflight_work work;

    begin(&work, preflight, source, destination, plan);
    preflight_settings(&work);
}
