#include "support_proxy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_channels.h"
#include "support_proc.h"
#include "support_process.h"

enum { LINE_MAX_BYTES = 256 };

struct proxy {
    struct process *process;
    unsigned port;
    int fd;
    FILE *replies;
};

static void
proxy_release(void *arg)
{
    struct proxy *proxy = arg;

    fclose(proxy->replies);
    free(proxy);
}

struct proxy *
proxy_start(struct e2e *e2e, unsigned server_port)
{
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    struct command command = { .argc = 0 };
    char control[CASE_PATH_MAX];

    assert_non_null(proxy);
    proxy->port = proc_free_port();
    e2e_path(e2e, "faults.ctl", control);
    command_add(&command, "%s", MIG_FAULTS);
    command_add(&command, "%u", proxy->port);
    command_add(&command, "%u", server_port);
    command_add(&command, "%s", control);
    proxy->process = process_start(e2e, "mig-faults", &command);
    proc_wait_unix(proxy->process, control);
    proxy->fd = channels_connect(control);
    setsockopt(proxy->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    proxy->replies = fdopen(proxy->fd, "r");
    assert_non_null(proxy->replies);
    e2e_defer(e2e, proxy_release, proxy);
    return proxy;
}

unsigned
proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

/* Send a command line and return the reply, which must not be an error. */
static void
converse(struct proxy *proxy, const char *line, char reply[LINE_MAX_BYTES])
{
    size_t length = strlen(line);

    assert_int_equal(send(proxy->fd, line, length, MSG_NOSIGNAL), length);
    if (fgets(reply, LINE_MAX_BYTES, proxy->replies) == NULL)
        fail_msg("mig-faults does not answer to %s", line);
    if (strncmp(reply, "ok", 2) != 0)
        fail_msg("mig-faults: %s%s", line, reply);
}

void
proxy_do(struct proxy *proxy, const char *format, ...)
{
    char line[LINE_MAX_BYTES], reply[LINE_MAX_BYTES];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(line, sizeof(line) - 1, format, ap);
    va_end(ap);
    assert_in_range(n, 1, sizeof(line) - 2);
    line[n] = '\n';
    line[n + 1] = '\0';
    converse(proxy, line, reply);
}

void
proxy_report(struct proxy *proxy, struct proxy_report *report)
{
    char reply[LINE_MAX_BYTES];

    converse(proxy, "report\n", reply);
    assert_int_equal(sscanf(reply, "ok %u %u %u %" SCNu64 " %" SCNu64,
                            &report->connections, &report->open,
                            &report->faults, &report->bytes[0],
                            &report->bytes[1]),
                     5);
}
