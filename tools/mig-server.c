/* The destination's end of the tunnel: options, loop, exit status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/value.h"
#include "io/loop.h"
#include "tunnel/raw_server.h"

enum { DEFAULT_PORT = 9999, WAIT_MAX_MS = 24 * 3600 * 1000 };
enum { OPTION_QEMU_TLS = CLI_LONG };

struct config {
    struct address listen;
    const char *unix_path;
    uint64_t wait_ms;
    bool once;
    bool qemu_tls;
};

struct server {
    struct loop *loop;
    struct raw_server *raw;
    enum exit_status status;
};

static const struct cli_option options[] = {
    { 'l', "listen", "[HOST]:PORT",
      "accept TCP connections there (:9999, which is\n"
      "every IPv4 and IPv6 address of this host)" },
    { 'u', "unix", "PATH",
      "the destination QEMU's migration socket\n"
      "(/tmp/qemu_migration_dest.sock)" },
    { 'w', "wait", "SECONDS",
      "how long a migration that has arrived waits for\n"
      "QEMU to listen (30)" },
    { 'r', "raw", NULL, "bytes as they are (the only mode so far)" },
    { '1', "once", NULL,
      "exit after the first migration, with status 0 if\n"
      "every channel ended cleanly" },
    { OPTION_QEMU_TLS, "qemu-tls", NULL,
      "the QEMUs encrypt (tls-creds): take TLS streams\n"
      "instead of plain ones" },
};

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;

    switch (key) {
    case 'l': return address_parse(value, 0, &config->listen);
    case 'u': config->unix_path = value; break;
    case 'w':
        if (value_duration(value, WAIT_MAX_MS, &config->wait_ms) != 0)
            return "seconds, at most a day, such as 30, 500ms or 2m";
        break;
    case 'r': break;
    case '1': config->once = true; break;
    case OPTION_QEMU_TLS: config->qemu_tls = true; break;
    }
    return NULL;
}

static const struct cli cli = {
    .program = "mig-server",
    .synopsis = "[options]",
    .summary = "Carry a migration that arrives over TCP to the destination "
               "QEMU's Unix socket.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
};

static void
on_signal(void *arg, int signo)
{
    struct server *server = arg;

    log_info("%s", strsignal(signo));
    raw_server_stop(server->raw);
}

static void
on_done(void *arg, enum exit_status status)
{
    struct server *server = arg;

    server->status = status;
    loop_stop(server->loop);
}

static enum exit_status
serve(struct server *server, const struct config *config)
{
    char why[LISTENER_WHY_MAX], listen[ADDRESS_TEXT_MAX];

    server->raw = raw_server_new(
        &(struct raw_server_options){
            .loop = server->loop,
            .listen = config->listen,
            .unix_path = config->unix_path,
            .wait_ms = config->wait_ms,
            .once = config->once,
            .qemu_tls = config->qemu_tls,
            .on_done = on_done,
            .arg = server,
        },
        why);
    if (server->raw == NULL) {
        log_warnx("%s", why);
        return STATUS_FAILED;
    }
    log_info("listening on %s, for the QEMU at %s",
             address_text(listen, &config->listen), config->unix_path);
    if (loop_run(server->loop) != 0)
        return STATUS_UNKNOWN;
    return server->status;
}

int
main(int argc, char **argv)
{
    struct config config = { .listen = { .port = DEFAULT_PORT },
                             .unix_path = "/tmp/qemu_migration_dest.sock",
                             .wait_ms = 30000 };
    struct server server = { .status = STATUS_FAILED };

    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    case CLI_RUN: break;
    }
    fd_raise_limit();
    server.loop = loop_new();
    if (server.loop == NULL ||
        loop_on_signals(server.loop, on_signal, &server) != 0)
        log_warn("cannot start");
    else
        server.status = serve(&server, &config);
    raw_server_free(server.raw);
    loop_free(server.loop);
    return (int)server.status;
}
