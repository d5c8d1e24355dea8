#include "migrate/marks.h"

#include <stdio.h>
#include <string.h>

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

const struct mark *
marks_find(const struct marks *marks, const char *id)
{
    for (size_t i = 0; i < marks->count; i++)
        if (strcmp(marks->marks[i].id, id) == 0)
            return &marks->marks[i];
    return NULL;
}

static void
add(struct marks *marks, const char *id, enum handover_run run)
{
    const struct mark *mark = marks_find(marks, id);
    struct mark *own;

    if (mark == NULL && marks->count == MARKS_MAX)
        return;
    own = &marks->marks[mark != NULL ? (size_t)(mark - marks->marks)
                                     : marks->count++];
    snprintf(own->id, sizeof own->id, "%s", id);
    if (run != RUN_UNKNOWN)
        own->run = run;
}

static void
take(struct marks *marks, const char *rest)
{
    size_t length = strspn(rest, "0123456789abcdef");
    enum handover_run run = RUN_UNKNOWN;
    char id[PARTNER_ID_MAX + 1];

    if (length == 0 || length > PARTNER_ID_MAX)
        return;
    if (ends_with(rest, MARK_STARTED))
        marks->started = true;
    else if (ends_with(rest, MARK_RUN))
        run = RUN_YES;
    else if (ends_with(rest, MARK_PAUSED))
        run = RUN_NO;
    else
        return;
    snprintf(id, sizeof id, "%.*s", (int)length, rest);
    add(marks, id, run);
}

const char *
mark_rest(const json_t *object, const char *prefix)
{
    const char *name = json_string_value(json_object_get(object, "name"));

    if (name == NULL || strncmp(name, prefix, strlen(prefix)) != 0)
        return NULL;
    return name + strlen(prefix);
}

void
marks_take(struct marks *marks, const json_t *objects)
{
    json_t *object;
    size_t i;

    *marks = (struct marks){ .run = RUN_UNKNOWN };
    json_array_foreach(objects, i, object)
    {
        const char *rest = mark_rest(object, MARK_RECEIVED);

        if (rest != NULL)
            take(marks, rest);
    }
    if (marks->count > 0)
        marks->run = marks->marks[0].run;
    for (i = 1; i < marks->count; i++)
        if (marks->marks[i].run != marks->run)
            marks->run = RUN_UNKNOWN;
}
