#include "support_versions.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support_test.h"

static const char unknown_command[] =
    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command has "
    "not been found\"}}";

void
version_set(struct play *play, int major, int minor)
{
    play->server.version = (struct qmp_version){ major, minor, 0 };
}

static size_t
place_of(const json_t *list, const char *capability)
{
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const char *name =
            json_string_value(json_object_get(entry, "capability"));

        if (strcmp(name, capability) == 0)
            return i;
    }
    return json_array_size(list);
}

void
version_lacks(struct play *play, const char *capability)
{
    json_t *list = play->server.capabilities;

    json_array_remove(list, place_of(list, capability));
    assert_int_equal(place_of(list, capability), json_array_size(list));
}

void
version_has(struct play *play, const char *capability)
{
    json_t *list = play->server.capabilities;

    assert_int_equal(place_of(list, capability), json_array_size(list));
    json_array_append_new(
        list, json_pack("{s:s, s:b}", "capability", capability, "state", 0));
}

void
version_knows_not(struct play *play, const char *command)
{
    qmp_server_answer(&play->server, command, unknown_command);
}

/* Take out member ${i}.  Return how many there are, at most ${i} + 1. */
static size_t
take_out(json_t *object, size_t i)
{
    const char *name;
    json_t *value;
    void *next;
    size_t at = 0;

    json_object_foreach_safe(object, next, name, value)
    {
        if (strcmp(name, "status") != 0 && at++ == i) {
            json_object_del(object, name);
            return at;
        }
        if (!json_is_object(value))
            continue;
        at += take_out(value, i - at);
        if (at > i)
            return at;
    }
    return at;
}

char *
version_without(const char *answer, size_t i)
{
    json_t *object = json_loads(answer, 0, NULL);
    size_t count = take_out(json_object_get(object, "return"), i);
    char *text = count > i ? json_dumps(object, JSON_COMPACT) : NULL;

    assert_non_null(object);
    json_decref(object);
    return text;
}

void
version_lines_take(struct version_lines *lines)
{
    lines->before = dup(STDERR_FILENO);
    lines->file = memfd_create("lines", MFD_CLOEXEC);
    assert_return_code(lines->before, 0);
    assert_return_code(lines->file, 0);
    assert_return_code(dup2(lines->file, STDERR_FILENO), 0);
}

unsigned
version_lines_count(struct version_lines *lines, const char *part)
{
    FILE *file = fdopen(lines->file, "r");
    char line[4096];
    unsigned count = 0;

    assert_return_code(dup2(lines->before, STDERR_FILENO), 0);
    close(lines->before);
    assert_non_null(file);
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, part) != NULL;
    fclose(file);
    return count;
}

void
version_assert_sense(struct play *play)
{
    fflush(play->json);
    for (const char *at = play->json_text; *at != '\0'; at++) {
        bool word = at == play->json_text || !isalpha((unsigned char)at[-1]);
        bool minus = *at == '-' && isdigit((unsigned char)at[1]);

        if ((minus && strchr(": [", at[-1]) != NULL) ||
            (word &&
             (strncmp(at, "nan", 3) == 0 || strncmp(at, "inf", 3) == 0)))
            fail_msg("no sense: %s", play->json_text);
    }
}
