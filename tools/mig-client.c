/* The source's end of the tunnel: options, loop, exit status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "base/value.h"
#include "io/loop.h"
#include "io/sockopt.h"
#include "tunnel/raw_client.h"

enum { DEFAULT_PORT = 9999, WAIT_MAX_MS = 24 * 3600 * 1000 };
enum { QEMU_BUFFER_WANTED = 4 << 20 };

struct config {
    struct address dest;
    const char *unix_path;
    uint64_t wait_ms;
    bool once;
};

struct client {
    struct loop *loop;
    struct raw_client *raw;
    enum exit_status status;
};

static const struct cli_option options[] = {
    { 'd', "dest", "HOST[:PORT]",
      "where mig-server runs: a name, an IPv4 address or\n"
      "an [IPv6] address (needed; port 9999)" },
    { 'u', "unix", "PATH",
      "the socket to make for the source QEMU\n"
      "(/tmp/qemu_migration_source.sock)" },
    { 'w', "wait", "SECONDS",
      "how long to try to reach mig-server for each\n"
      "connection of QEMU's (30)" },
    { 'r', "raw", NULL, "bytes as they are (the only mode so far)" },
    { '1', "once", NULL,
      "exit after the first migration, with status 0 if\n"
      "every channel ended cleanly" },
};

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;
    const char *why;

    switch (key) {
    case 'd':
        why = address_parse(value, DEFAULT_PORT, &config->dest);
        if (why != NULL || config->dest.host[0] != '\0')
            return why;
        return "a host before the port";
    case 'u': config->unix_path = value; break;
    case 'w':
        if (value_duration(value, WAIT_MAX_MS, &config->wait_ms) != 0)
            return "seconds, at most a day, such as 30, 500ms or 2m";
        break;
    case 'r': break;
    case '1': config->once = true; break;
    }
    return NULL;
}

static const struct cli cli = {
    .program = "mig-client",
    .synopsis = "--dest HOST[:PORT] [options]",
    .summary = "Make a Unix socket for the source QEMU and carry its migration "
               "to mig-server.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
};

static void
on_signal(void *arg, int signo)
{
    struct client *client = arg;

    log_info("%s", strsignal(signo));
    raw_client_stop(client->raw);
}

static void
on_done(void *arg, enum exit_status status)
{
    struct client *client = arg;

    client->status = status;
    loop_stop(client->loop);
}

/* QEMU's own end of the socket gets the system's default, which is small. */
static void
advise_on_buffers(void)
{
    uint64_t bytes = sockopt_unix_default_bytes();
    char text[TEXT_MAX];

    if (bytes == 0 || bytes >= QEMU_BUFFER_WANTED)
        return;
    log_info("QEMU's socket buffer will be %s; migration is faster after "
             "sysctl net.core.wmem_default=%d",
             text_size(text, bytes), QEMU_BUFFER_WANTED);
}

static enum exit_status
serve(struct client *client, const struct config *config)
{
    char why[SOCKET_WHY_MAX], dest[ADDRESS_TEXT_MAX];

    client->raw = raw_client_new(
        &(struct raw_client_options){
            .loop = client->loop,
            .dest = config->dest,
            .unix_path = config->unix_path,
            .wait_ms = config->wait_ms,
            .once = config->once,
            .on_done = on_done,
            .arg = client,
        },
        why);
    if (client->raw == NULL) {
        log_warnx("%s", why);
        return STATUS_FAILED;
    }
    advise_on_buffers();
    log_info("listening on %s, for mig-server at %s", config->unix_path,
             address_text(dest, &config->dest));
    if (loop_run(client->loop) != 0)
        return STATUS_UNKNOWN;
    return client->status;
}

int
main(int argc, char **argv)
{
    struct config config = { .unix_path = "/tmp/qemu_migration_source.sock",
                             .wait_ms = 30000 };
    struct client client = { .status = STATUS_FAILED };

    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    case CLI_RUN: break;
    }
    if (config.dest.host[0] == '\0')
        return cli_error(&cli, "--dest is needed: the host that mig-server "
                               "runs on");
    fd_raise_limit();
    client.loop = loop_new();
    if (client.loop == NULL ||
        loop_on_signals(client.loop, on_signal, &client) != 0)
        log_warn("cannot start");
    else
        client.status = serve(&client, &config);
    raw_client_free(client.raw);
    loop_free(client.loop);
    return (int)client.status;
}
