#include "migrate/marks.h"

#include <stdio.h>
#include <string.h>

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void
take(struct marks *marks, const char *name)
{
    const char *rest = name + strlen(MARK_PREFIX);
    size_t length = strspn(rest, "0123456789abcdef");

    if (length == 0 || length > PARTNER_ID_MAX)
        return;
    if (ends_with(name, MARK_STARTED))
        marks->started = true;
    else if (ends_with(name, MARK_RUN))
        marks->run = RUN_YES;
    else if (ends_with(name, MARK_PAUSED))
        marks->run = RUN_NO;
    else
        return;
    marks->proved = true;
    snprintf(marks->id, sizeof marks->id, "%.*s", (int)length, rest);
}

void
marks_take(struct marks *marks, const json_t *objects)
{
    json_t *object;
    size_t i;

    *marks = (struct marks){ .run = RUN_UNKNOWN };
    json_array_foreach(objects, i, object)
    {
        const char *name = json_string_value(json_object_get(object, "name"));

        if (name != NULL &&
            strncmp(name, MARK_PREFIX, strlen(MARK_PREFIX)) == 0)
            take(marks, name);
    }
}
