/*
 * QEMU writes options as "key=value,key=value".  A comma in a value is doubled;
 * the first part may leave its key out where the option has an implied one;
 * a key alone means "on", and with "no" before it "off" (util/qemu-option.c).
 *
 * A monitor is found in two steps: -qmp tells its socket itself; -mon names a
 * -chardev, which may stand before it or behind.
 */
#include "wire/qemu_args.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_MAX = 512 };

struct args {
    const char *text;
    size_t len;
    size_t pos;
};

/* Return the next argument, or NULL at the end.  The last one may lack its
 * NUL, and is then left out: the kernel has cut it. */
static const char *
next_arg(struct args *args)
{
    const char *arg = args->text + args->pos;
    const char *end = NULL;

    if (args->pos < args->len)
        end = memchr(arg, '\0', args->len - args->pos);
    if (end == NULL)
        return NULL;
    args->pos = (size_t)(end - args->text) + 1;
    return arg;
}

static bool
is_option(const char *arg, const char *name)
{
    if (arg[0] != '-')
        return false;
    arg += arg[1] == '-' ? 2 : 1;
    return strcmp(arg, name) == 0;
}

/* Copy the part of an option that ${text} begins with, undoubling commas, and
 * return where the next part begins.  What is too long is cut. */
static const char *
next_part(const char *text, char part[VALUE_MAX])
{
    size_t used = 0;

    for (; *text != '\0'; text++) {
        if (*text == ',' && *++text != ',')
            break;
        if (used < VALUE_MAX - 1)
            part[used++] = *text;
    }
    part[used] = '\0';
    return text;
}

/* Find ${key} in the option ${text}, whose first part may be a value of
 * ${implied}; the last one counts.  Return whether it is there. */
static bool
get(const char *text, const char *implied, const char *key,
    char value[VALUE_MAX])
{
    char part[VALUE_MAX];
    bool first = true, found = false;

    for (; *text != '\0'; first = false) {
        text = next_part(text, part);
        char *equals = strchr(part, '=');
        const char *name = part, *given = part;
        if (equals != NULL) {
            *equals = '\0';
            given = equals + 1;
        } else if (first && implied != NULL) {
            name = implied;
        } else {
            bool off = strncmp(part, "no", 2) == 0;
            name = off ? part + 2 : part;
            given = off ? "off" : "on";
        }
        if (strcmp(name, key) != 0)
            continue;
        found = true;
        snprintf(value, VALUE_MAX, "%s", given);
    }
    return found;
}

static bool
is_on(const char *text, const char *implied, const char *key)
{
    char value[VALUE_MAX];

    /* "wait" is in older QEMUs written "nowait", and a key that begins with
     * "no" by itself does not occur among those asked for. */
    return get(text, implied, key, value) &&
           (strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 ||
            strcmp(value, "true") == 0 || strcmp(value, "y") == 0);
}

static const char *
take_path(const char *path, struct qmp_target *target)
{
    if (path[0] == '\0' || strlen(path) >= sizeof target->path)
        return "its path is no path of a socket";
    memcpy(target->path, path, strlen(path) + 1);
    return NULL;
}

/* An empty host is every address: this machine has it. */
static const char *
take_address(const char *text, struct qmp_target *target)
{
    if (address_parse(text, 0, &target->address) != NULL)
        return "its address is no HOST:PORT";
    const char *host = target->address.host;
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0)
        strcpy(target->address.host, "localhost");
    else if (strcmp(host, "::") == 0)
        strcpy(target->address.host, "::1");
    return NULL;
}

/* "-chardev socket,id=...,path=..." and the like. */
static const char *
take_chardev(const char *option, struct qmp_target *target)
{
    char value[VALUE_MAX] = "", host[VALUE_MAX] = "";
    char address[2 * VALUE_MAX + 4];

    if (!get(option, "backend", "backend", value) ||
        strcmp(value, "socket") != 0)
        return "it is no socket";
    if (get(option, "backend", "fd", value))
        return "its socket was handed to QEMU as a descriptor, as libvirt "
               "does";
    if (!is_on(option, "backend", "server"))
        return "QEMU is the client of its socket (no server=on)";
    if (is_on(option, "backend", "abstract"))
        return "its socket has an abstract name";
    if (is_on(option, "backend", "telnet") ||
        is_on(option, "backend", "websocket"))
        return "it speaks telnet or websocket";
    if (get(option, "backend", "path", value))
        return take_path(value, target);
    if (!get(option, "backend", "port", value))
        return "its socket has neither a path nor a port";
    get(option, "backend", "host", host);
    const char *open = strchr(host, ':') != NULL ? "[" : "";
    const char *close = strchr(host, ':') != NULL ? "]" : "";
    snprintf(address, sizeof address, "%s%s%s:%s", open, host, close, value);
    return take_address(address, target);
}

/* Find the -chardev called ${id}. */
static const char *
find_chardev(const struct args *args, const char *id, struct qmp_target *target)
{
    struct args rest = { args->text, args->len, 0 };
    char value[VALUE_MAX];
    const char *arg;

    while ((arg = next_arg(&rest)) != NULL) {
        if (!is_option(arg, "chardev") || (arg = next_arg(&rest)) == NULL)
            continue;
        if (get(arg, "backend", "id", value) && strcmp(value, id) == 0)
            return take_chardev(arg, target);
    }
    return "its -chardev is not on the command line";
}

/* "-qmp unix:PATH,server=on", "-qmp tcp:HOST:PORT,server", "-qmp chardev:ID".
 */
static const char *
take_qmp(const struct args *args, const char *option, struct qmp_target *target)
{
    char first[VALUE_MAX] = "";

    next_part(option, first);
    if (strncmp(first, "chardev:", 8) == 0)
        return find_chardev(args, first + 8, target);
    bool is_unix = strncmp(first, "unix:", 5) == 0;
    if (!is_unix && strncmp(first, "tcp:", 4) != 0)
        return "it is neither unix: nor tcp:";
    if (!is_on(option, "address", "server"))
        return "QEMU is the client of its socket (no server=on)";
    if (is_on(option, "address", "abstract"))
        return "its socket has an abstract name";
    if (is_unix)
        return take_path(first + 5, target);
    return take_address(first + 4, target);
}

/* "-mon chardev=ID,mode=control"; a -mon without that is for people. */
static bool
is_control(const char *option)
{
    char mode[VALUE_MAX];

    return get(option, "chardev", "mode", mode) && strcmp(mode, "control") == 0;
}

static const char *
take_mon(const struct args *args, const char *option, struct qmp_target *target)
{
    char id[VALUE_MAX];

    if (!get(option, "chardev", "chardev", id))
        return "it names no -chardev";
    return find_chardev(args, id, target);
}

enum qemu_args_result
qemu_args_find_qmp(const char *args, size_t len, struct qmp_target *target,
                   const char **why)
{
    struct args all = { args, len, 0 };
    enum qemu_args_result result = QEMU_ARGS_NONE;
    const char *arg, *wrong = NULL;

    while ((arg = next_arg(&all)) != NULL) {
        bool qmp = is_option(arg, "qmp") || is_option(arg, "qmp-pretty");
        if (!qmp && !is_option(arg, "mon"))
            continue;
        if ((arg = next_arg(&all)) == NULL)
            break;
        if (!qmp && !is_control(arg))
            continue;
        memset(target, 0, sizeof *target);
        wrong = qmp ? take_qmp(&all, arg, target) : take_mon(&all, arg, target);
        if (wrong == NULL)
            return QEMU_ARGS_FOUND;
        if (result == QEMU_ARGS_NONE)
            *why = wrong;
        result = QEMU_ARGS_NO_SOCKET;
    }
    return result;
}
