#include "support_paths.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_process.h"
#include "support_wait.h"

enum { COMMAND_TEXT_MAX = 256 };

/* Whether a shell can do it. */
static bool
can(const char *command)
{
    return system(command) == 0;
}

static void __attribute__((format(printf, 1, 2))) must(const char *format, ...)
{
    char command[COMMAND_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    if (!can(command))
        fail_msg("failed: %s", command);
}

const char *
paths_missing(void)
{
    int fd;

    if (geteuid() != 0)
        return "to be root";
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    if (fd < 0)
        return "a kernel with MPTCP";
    close(fd);
    if (!can("unshare -n true && nsenter --version >/dev/null"))
        return "network namespaces, with unshare and nsenter";
    if (!can("unshare -n sh -c 'ip link add mig1 type veth peer name mig2 && "
             "ip mptcp limits' >/dev/null 2>&1"))
        return "ip with veth and mptcp";
    return NULL;
}

static void
make_path(const struct paths *paths, unsigned path)
{
    must("ip link add mig%us type veth peer name mig%uc netns %d", path, path,
         (int)paths->host->pid);
    must("ip addr add 10.77.%u.2/24 dev mig%us && ip link set mig%us up", path,
         path, path);
    must("nsenter %s sh -c 'ip addr add 10.77.%u.1/24 dev mig%uc && "
         "ip link set mig%uc up'",
         paths->prefix, path, path, path);
}

/* A process is in its own namespace only some time after it was started. */
static bool
has_moved(void *arg)
{
    const struct paths *paths = arg;
    char theirs[64], ours[64], path[64];
    ssize_t n, m;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)paths->host->pid);
    n = readlink(path, theirs, sizeof(theirs));
    m = readlink("/proc/self/ns/net", ours, sizeof(ours));
    return n > 0 && m > 0 && (n != m || memcmp(theirs, ours, (size_t)n) != 0);
}

void
paths_start(struct e2e *e2e, struct paths *paths)
{
    struct command command = { .argc = 0 };

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    command_add_all(&command, (const char *const[]){ "unshare", "-n", "sleep",
                                                     "1000", NULL });
    paths->host = process_start(e2e, "host", &command);
    snprintf(paths->prefix, sizeof(paths->prefix), "--net=/proc/%d/ns/net",
             (int)paths->host->pid);
    assert_true(wait_until(PATIENCE_MS, has_moved, paths));
    must("ip link set lo up && nsenter %s ip link set lo up", paths->prefix);
    for (unsigned path = 1; path <= PATHS; path++)
        make_path(paths, path);
    must("ip mptcp limits set subflow 4 add_addr_accepted 4 && "
         "nsenter %s ip mptcp limits set subflow 4 add_addr_accepted 4",
         paths->prefix);
    must("ip mptcp endpoint add 10.77.2.2 dev mig2s signal");
}

void
paths_cut(unsigned path)
{
    must("ip link set mig%us down", path);
}

uint64_t
paths_received(unsigned path)
{
    FILE *file = fopen("/proc/self/net/dev", "re");
    char line[512], name[16];
    uint64_t bytes = 0;
    bool found = false;

    assert_non_null(file);
    snprintf(name, sizeof(name), "mig%us:", path);
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        const char *at = strstr(line, name);

        found =
            at != NULL && sscanf(at + strlen(name), "%" SCNu64, &bytes) == 1;
    }
    fclose(file);
    assert_true(found);
    return bytes;
}
