#include "migrate/target.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migrate/process.h"
#include "wire/qemu_args.h"

/* Far above what a QEMU needs; ARG_MAX may be several MiB. */
enum { ARGS_MAX = 1024 * 1024, PROC_PATH_MAX = 64 };

/* A path that is too long for a socket address is reached by way of /proc. */
static int
make_absolute(pid_t pid, struct qmp_target *target, char why[TARGET_WHY_MAX])
{
    char proc[PROC_PATH_MAX], cwd[PATH_MAX], whole[PATH_MAX + 128];
    ssize_t len;

    if (target->path[0] == '\0' || target->path[0] == '/')
        return 0;
    snprintf(proc, sizeof proc, "/proc/%d/cwd", (int)pid);
    len = readlink(proc, cwd, sizeof cwd - 1);
    if (len == -1) {
        snprintf(why, TARGET_WHY_MAX,
                 "the QMP socket '%s' of process %d is relative to its working "
                 "directory, and %s can't be read: %s",
                 target->path, (int)pid, proc, strerror(errno));
        return -1;
    }
    cwd[len] = '\0';
    snprintf(whole, sizeof whole, "%s/%s", cwd, target->path);
    if (strlen(whole) >= sizeof target->path)
        snprintf(whole, sizeof whole, "%s/%s", proc, target->path);
    if (strlen(whole) >= sizeof target->path) {
        snprintf(why, TARGET_WHY_MAX,
                 "the QMP socket '%s' of process %d has too long a path",
                 target->path, (int)pid);
        return -1;
    }
    memcpy(target->path, whole, strlen(whole) + 1);
    return 0;
}

static int
find_in_args(pid_t pid, const char *args, size_t len, struct qmp_target *target,
             char why[TARGET_WHY_MAX])
{
    const char *wrong = NULL;

    switch (qemu_args_find_qmp(args, len, target, &wrong)) {
    case QEMU_ARGS_FOUND: return make_absolute(pid, target, why);
    case QEMU_ARGS_NO_SOCKET:
        snprintf(why, TARGET_WHY_MAX,
                 "process %d has a QMP monitor, but %s: give its socket with "
                 "--qmp",
                 (int)pid, wrong);
        return -1;
    case QEMU_ARGS_NONE: break;
    }
    /* The first argument is the program. */
    snprintf(why, TARGET_WHY_MAX,
             "process %d (%.100s) has no -qmp, -qmp-pretty or -mon "
             "mode=control on its command line: give its QMP socket with --qmp",
             (int)pid, len > 0 ? args : "without a command line");
    return -1;
}

int
target_of_pid(pid_t pid, struct qmp_target *target, char why[TARGET_WHY_MAX])
{
    char path[PROC_PATH_MAX];
    char *args = malloc(ARGS_MAX + 1);
    int result = -1;

    if (args == NULL) {
        snprintf(why, TARGET_WHY_MAX, "out of memory");
        return -1;
    }
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    ssize_t len = process_read(pid, "cmdline", args, ARGS_MAX);
    if (len == -1 && (errno == ENOENT || errno == ESRCH)) {
        snprintf(why, TARGET_WHY_MAX, "there is no process %d", (int)pid);
    } else if (len == -1) {
        snprintf(why, TARGET_WHY_MAX, "%s: %s", path, strerror(errno));
    } else {
        args[len] = '\0';
        result = find_in_args(pid, args, (size_t)len, target, why);
    }
    free(args);
    return result;
}

int
target_check(const struct qmp_target *target, char why[TARGET_WHY_MAX])
{
    struct stat st;

    if (target->path[0] == '\0' || stat(target->path, &st) == -1 ||
        S_ISSOCK(st.st_mode))
        return 0;
    snprintf(why, TARGET_WHY_MAX, "%s is no socket", target->path);
    return -1;
}
