#include "support_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_process.h"
#include "support_proxy.h"
#include "support_wait.h"

void
session_start(struct e2e *e2e, struct tunnel *tunnel,
              const char *const *server_args, const char *const *client_args)
{
    tunnel_init(e2e, tunnel);
    tunnel->session = true;
    tunnel_start_server(e2e, tunnel, server_args);
    tunnel_start_client(e2e, tunnel, client_args);
}

void
session_start_partners(struct e2e *e2e, struct tunnel *tunnel)
{
    tunnel_init(e2e, tunnel);
    tunnel->session = true;
    tunnel->partners = true;
    tunnel_start_server(e2e, tunnel, NULL);
    tunnel_start_client(e2e, tunnel, NULL);
}

struct proxy *
session_start_proxied(struct e2e *e2e, struct tunnel *tunnel,
                      const char *const *server_args,
                      const char *const *client_args)
{
    struct proxy *proxy;

    tunnel_init(e2e, tunnel);
    tunnel->session = true;
    tunnel_start_server(e2e, tunnel, server_args);
    proxy = proxy_start(e2e, tunnel->port);
    tunnel->dest_port = proxy_port(proxy);
    tunnel_start_client(e2e, tunnel, client_args);
    return proxy;
}

unsigned
session_count(const struct process *process, const char *text)
{
    char *log = process_read(process->err);
    unsigned count = 0;

    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        count++;
    free(log);
    return count;
}

struct counted {
    struct process *process;
    const char *text;
    unsigned count;
};

static bool
is_counted(void *arg)
{
    const struct counted *counted = arg;

    return session_count(counted->process, counted->text) >= counted->count;
}

void
session_wait_count(struct process *process, const char *text, unsigned count)
{
    struct counted counted = { process, text, count };

    if (!wait_file(process->err, process->pid_fd, PATIENCE_MS, is_counted,
                   &counted))
        fail_msg("%s says \"%s\" %u times, and not %u", process->name, text,
                 session_count(process, text), count);
}

void
session_expect_ends(const struct tunnel *tunnel, const char *words,
                    unsigned count)
{
    struct process *ends[] = { tunnel->client, tunnel->server };
    char line[128];

    /* Only the line that ends a migration goes on with its totals. */
    snprintf(line, sizeof(line), ": %s; ", words);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        session_wait_count(ends[i], line, count);
        assert_int_equal(session_count(ends[i], line), count);
    }
}

void
session_expect_end(const struct tunnel *tunnel, const char *words)
{
    session_expect_ends(tunnel, words, 1);
}
