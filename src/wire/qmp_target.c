#include "wire/qmp_target.h"

#include <stdio.h>
#include <string.h>

static const char *
parse_path(const char *path, struct qmp_target *target)
{
    if (path[0] == '\0')
        return "a PATH or HOST:PORT";
    if (strlen(path) >= sizeof target->path)
        return "a path of at most 107 bytes, as Unix sockets have";
    memcpy(target->path, path, strlen(path) + 1);
    return NULL;
}

static const char *
parse_address(const char *text, struct qmp_target *target)
{
    const char *why = address_parse(text, 0, &target->address);

    if (why == NULL && target->address.host[0] == '\0')
        memcpy(target->address.host, "localhost", sizeof "localhost");
    return why;
}

const char *
qmp_target_parse(const char *text, struct qmp_target *target)
{
    memset(target, 0, sizeof *target);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(text + 5, target);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_address(text + 4, target);
    if (strchr(text, '/') != NULL || strchr(text, ':') == NULL)
        return parse_path(text, target);
    return parse_address(text, target);
}

const char *
qmp_target_text(char buf[QMP_TARGET_TEXT_MAX], const struct qmp_target *target)
{
    char address[ADDRESS_TEXT_MAX];
    const char *text = target->path;

    if (text[0] == '\0')
        text = address_text(address, &target->address);
    snprintf(buf, QMP_TARGET_TEXT_MAX, "%s", text);
    return buf;
}
