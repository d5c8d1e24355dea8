#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { PATH_ROOM = 64, LINE_ROOM = 512 };

/* A file of /proc/PID/net. */
static FILE *
open_table(pid_t pid, const char *name)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, name);
    return fopen(path, "re");
}

/*
 * Whether a socket that was bound as ${name} is at ${path}.  HAProxy binds
 * PATH.PID.tmp and renames it.  Any other name that goes on behind ${path} is
 * another socket, such as that of mig-client's control, PATH.ctl.
 */
static bool
is_bound_at(const char *name, const char *path)
{
    static const char temporary[] = ".tmp";
    size_t length = strcspn(name, "\n");
    size_t wanted = strlen(path);

    if (length < wanted || strncmp(name, path, wanted) != 0)
        return false;
    return length == wanted ||
           (name[wanted] == '.' && length > sizeof(temporary) &&
            strncmp(name + length - (sizeof(temporary) - 1), temporary,
                    sizeof(temporary) - 1) == 0);
}

bool
proc_listens_unix(pid_t pid, const char *path)
{
    FILE *file = open_table(pid, "unix");
    char line[LINE_ROOM];
    struct stat st;
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        /* Num RefCount Protocol Flags Type St Inode Path */
        unsigned flags;
        int name = 0;

        if (sscanf(line, "%*s %*s %*s %x %*s %*s %*s %n", &flags, &name) < 1 ||
            name == 0)
            continue;
        found = flags == 0x10000 && is_bound_at(line + name, path);
    }
    fclose(file);
    return found && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool
table_listens(pid_t pid, const char *table, uint16_t port)
{
    FILE *file = open_table(pid, table);
    char line[LINE_ROOM];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        unsigned local;
        unsigned state;

        /* sl: address:port address:port state; 0A is TCP_LISTEN */
        found = sscanf(line, "%*s %*[^:]:%x %*s %x", &local, &state) == 2 &&
                local == port && state == 0x0A;
    }
    fclose(file);
    return found;
}

bool
proc_listens_tcp(pid_t pid, uint16_t port)
{
    return table_listens(pid, "tcp", port) || table_listens(pid, "tcp6", port);
}

size_t
proc_children(pid_t pid, pid_t *pids, size_t max)
{
    char path[PATH_ROOM];
    size_t count = 0;
    FILE *file;
    int child;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (count < max && fscanf(file, "%d", &child) == 1) {
        pids[count++] = child;
        count += proc_children(child, pids + count, max - count);
    }
    fclose(file);
    return count;
}

double
proc_cpu_seconds(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

uint64_t
proc_peak_kib(pid_t pid)
{
    char path[PATH_ROOM];
    char line[LINE_ROOM];
    unsigned long long kib = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
            break;
    fclose(file);
    return kib;
}
