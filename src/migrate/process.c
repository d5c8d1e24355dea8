#include "migrate/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* Far above what a QEMU needs; ARG_MAX may be several MiB. */
enum { ARGS_MAX = 1024 * 1024, PROC_PATH_MAX = 64 };

ssize_t
process_read(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[PROC_PATH_MAX];
    size_t len = 0;
    ssize_t got = -1;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    while (len < size && (got = read(fd, buf + len, size - len)) > 0)
        len += (size_t)got;
    fd_close(&fd);
    return got == -1 ? -1 : (ssize_t)len;
}

static bool
has_argument(const char *args, size_t len, const char *wanted)
{
    for (const char *at = args; at < args + len; at += strlen(at) + 1)
        if (strcmp(at, wanted) == 0)
            return true;
    return false;
}

bool
process_is_destination(pid_t pid)
{
    char *args = malloc(ARGS_MAX + 1);
    bool result = false;

    if (args == NULL || pid <= 0) {
        free(args);
        return false;
    }
    ssize_t len = process_read(pid, "cmdline", args, ARGS_MAX);
    if (len > 0) {
        args[len] = '\0';
        result = has_argument(args, (size_t)len, "-incoming") ||
                 has_argument(args, (size_t)len, "--incoming");
    }
    free(args);
    return result;
}

pid_t
process_qemu(pid_t pid)
{
    char name[32];
    ssize_t len =
        pid > 0 ? process_read(pid, "comm", name, sizeof name - 1) : -1;

    if (len <= 0)
        return 0;
    name[len] = '\0';
    return strncmp(name, "qemu", 4) == 0 || strncmp(name, "kvm", 3) == 0 ? pid
                                                                         : 0;
}

bool
process_has_exited(pid_t pid)
{
    char stat[512];
    const char *state;
    ssize_t len;

    if (kill(pid, 0) == -1 && errno == ESRCH)
        return true;
    len = process_read(pid, "stat", stat, sizeof stat - 1);
    if (len <= 0)
        return false;
    stat[len] = '\0';
    /* PID (NAME) STATE; the name may have brackets of its own.  Z is a zombie
     * and X is dead. */
    state = strrchr(stat, ')');
    return state != NULL && state[1] == ' ' &&
           (state[2] == 'Z' || state[2] == 'X');
}
