#include "wire/vm_path.h"

#include <stdio.h>
#include <string.h>

#include "wire/greeting.h"

static const char mark[] = "%n";

bool
vm_path_named(const char *pattern)
{
    return strstr(pattern, mark) != NULL;
}

bool
vm_path(char path[VM_PATH_MAX], const char *pattern, const char *name)
{
    const char *at = strstr(pattern, mark);
    int n;

    if (at == NULL)
        n = snprintf(path, VM_PATH_MAX, "%s", pattern);
    else
        n = snprintf(path, VM_PATH_MAX, "%.*s%s%s", (int)(at - pattern),
                     pattern, name, at + strlen(mark));
    return n > 0 && n < VM_PATH_MAX;
}

/* Whether ${text} is ${first} and ${second}. */
static bool
is_both(const char *text, const char *first, const char *second)
{
    size_t length = strlen(first);

    return strncmp(text, first, length) == 0 &&
           strcmp(text + length, second) == 0;
}

bool
vm_path_meets(const char *path, const char *pattern, const char *suffix)
{
    const char *at = strstr(pattern, mark);
    size_t fixed = at != NULL ? (size_t)(at - pattern) : 0;
    size_t length = strlen(path), rest;
    char name[VM_NAME_MAX + 1];

    if (at == NULL)
        return is_both(path, pattern, suffix);
    at += strlen(mark);
    rest = strlen(at) + strlen(suffix);
    if (length <= fixed + rest || length - fixed - rest > VM_NAME_MAX)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(length - fixed - rest),
             path + fixed);
    return strncmp(path, pattern, fixed) == 0 && vm_name_valid(name) &&
           is_both(path + length - rest, at, suffix);
}
