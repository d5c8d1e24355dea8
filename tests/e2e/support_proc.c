#include "support_proc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_case.h"
#include "support_process.h"
#include "support_wait.h"

/* Return the number after "${field}:" in /proc/PID/status. */
static uint64_t
status_field(pid_t pid, const char *field)
{
    char path[64], line[256];
    size_t len = strlen(field);
    uint64_t value = 0;
    bool found = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (!found && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, field, len) == 0 && line[len] == ':') {
            value = strtoull(line + len + 1, NULL, 10);
            found = true;
        }
    fclose(file);
    assert_true(found);
    return value;
}

/* utime and stime are fields 14 and 15 of /proc/PID/stat (proc(5)); field 2,
 * the name, may hold anything, but ends at the last parenthesis. */
static uint64_t
cpu_ms(pid_t pid)
{
    char path[64], line[1024];
    uint64_t user = 0, system = 0;
    const char *after;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    after = strrchr(line, ')');
    assert_non_null(after);
    assert_int_equal(sscanf(after + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
                            " %" SCNu64 " %" SCNu64,
                            &user, &system),
                     2);
    return (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static unsigned
count_fds(pid_t pid)
{
    char path[64];
    unsigned n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

void
proc_read_usage(pid_t pid, struct proc_usage *usage)
{
    usage->resident_kib = status_field(pid, "VmRSS");
    usage->peak_resident_kib = status_field(pid, "VmHWM");
    usage->wakeups = status_field(pid, "voluntary_ctxt_switches");
    usage->cpu_ms = cpu_ms(pid);
    usage->fds = count_fds(pid);
    usage->threads = (unsigned)status_field(pid, "Threads");
}

/* State 0A of /proc/net/tcp and tcp6 is a listening socket (proc(5)). */
static bool
table_has_listener(const char *table, unsigned port)
{
    unsigned local, state;
    char line[512];
    bool found = false;
    FILE *file = fopen(table, "r");

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local,
                       &state) == 2 &&
                local == port && state == 0x0a;
    fclose(file);
    return found;
}

bool
proc_tcp_listening(unsigned port)
{
    return table_has_listener("/proc/net/tcp", port) ||
           table_has_listener("/proc/net/tcp6", port);
}

/* Flag 00010000 of /proc/net/unix is __SO_ACCEPTCON: it listens (proc(5)). */
bool
proc_unix_listening(const char *path)
{
    char line[512], is[256];
    unsigned flags;
    bool found = false;
    FILE *file;

    if (access(path, F_OK) < 0)
        return false; /* it may be listed, but nobody can reach it */
    file = fopen("/proc/net/unix", "r");
    assert_non_null(file);
    while (!found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "%*[^:]: %*x %*x %x %*x %*x %*u %255s", &flags,
                       is) == 2 &&
                (flags & 0x10000) != 0 && strcmp(is, path) == 0;
    fclose(file);
    return found;
}

struct awaited {
    struct process *by;
    unsigned port;
    const char *path; /* or NULL: the port */
};

static bool
awaited_listens(const struct awaited *awaited)
{
    return awaited->path != NULL ? proc_unix_listening(awaited->path)
                                 : proc_tcp_listening(awaited->port);
}

static bool
is_decided(void *arg)
{
    const struct awaited *awaited = arg;

    return awaited_listens(awaited) || !process_running(awaited->by);
}

void
proc_wait_tcp(struct process *by, unsigned port)
{
    struct awaited awaited = { .by = by, .port = port };

    wait_until(PATIENCE_MS, is_decided, &awaited);
    if (!awaited_listens(&awaited))
        fail_msg("%s does not listen on port %u", by->name, port);
}

void
proc_wait_unix(struct process *by, const char *path)
{
    struct awaited awaited = { .by = by, .path = path };

    wait_until(PATIENCE_MS, is_decided, &awaited);
    if (!awaited_listens(&awaited))
        fail_msg("%s does not listen on %s", by->name, path);
}

unsigned
proc_free_port(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    close(fd);
    return ntohs(sin.sin_port);
}
