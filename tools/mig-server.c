/* The destination's end of the tunnel: options, loop, exit status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/cli.h"
#include "base/fd.h"
#include "base/harden.h"
#include "base/log.h"
#include "base/value.h"
#include "io/loop.h"
#include "io/net_cli.h"
#include "io/unix_socket.h"
#include "io/worker_pool.h"
#include "tunnel/door.h"
#include "tunnel/raw_server.h"
#include "tunnel/session_server.h"
#include "wire/bucket.h"
#include "wire/compression.h"
#include "wire/control_line.h"
#include "wire/unpacker.h"
#include "wire/vm_path.h"

enum { DEFAULT_PORT = 9999, WAIT_MAX_MS = 24 * 3600 * 1000 };
enum {
    OPTION_QEMU_TLS = NET_OPTIONS_END,
    OPTION_WINDOW,
    OPTION_ALLOW,
    OPTION_CONTROL,
    OPTION_THREADS,
    OPTION_NO_COMPRESS,
    OPTION_COMPRESS_WINDOW,
};
enum { WINDOW_MIN = 256 << 10, WINDOW_MAX = 1 << 30 };

struct config {
    struct address listen;
    const char *unix_path;
    const char *control; /* as given; NULL: beside the other socket */
    char control_path[CONTROL_PATH_MAX + sizeof CONTROL_SUFFIX]; /* "": none */
    uint64_t wait_ms;
    uint64_t resume_timeout_ms;
    uint64_t window;
    uint64_t threads; /* 0: one for each processor */
    bool raw;
    bool once;
    bool qemu_tls;
    uint8_t pack_log; /* of --compress-window */
    bool no_compress;
    struct cidr allow[DOOR_ALLOW_MAX];
    size_t allow_count;
    struct net_cli net;
    struct credentials_cli credentials;
};

struct server {
    struct loop *loop;
    struct worker_pool *pool;
    struct tls *tls;                /* NULL for plain text */
    struct raw_server *raw;         /* one of these two, */
    struct session_server *session; /* by --raw */
    char program[CONTROL_PROGRAM_MAX];
    struct bucket bandwidth;
    enum exit_status status;
};

static const struct cli_option options[] = {
    { 'l', "listen", "[HOST]:PORT",
      "accept TCP connections there (:9999, which is\n"
      "every IPv4 and IPv6 address of this host)" },
    { 'u', "unix", "PATH",
      "the destination QEMU's migration socket; %n in it\n"
      "stands for the VM's name, so as to serve many VMs\n"
      "(/tmp/qemu_migration_dest.sock)" },
    { OPTION_CONTROL, "control", "PATH",
      "the socket to make for mig-recv to attach to, which\n"
      "reaches mig-send through the tunnel, with %n where\n"
      "--unix has it, or \"none\" (that of --unix with .ctl\n"
      "behind it)" },
    { 'w', "wait", "SECONDS",
      "how long a migration that has arrived waits for\n"
      "QEMU to listen (30)" },
    { 't', "resume-timeout", "SECONDS",
      "how long a lost connection may take to come back\n"
      "before the migration fails (300)" },
    { 'r', "raw", NULL,
      "no session: bytes as they are, for clients other\n"
      "than mig-client; a lost connection is the end" },
    { '1', "once", NULL,
      "exit after the first migration, with a status\n"
      "that says how it ended" },
    { OPTION_WINDOW, "window", "SIZE",
      "bytes on their way in one direction of a channel,\n"
      "at most (64M)" },
    { OPTION_THREADS, "threads", "N",
      "share the channels out among so many threads, at\n"
      "most (one for each processor)" },
    { OPTION_NO_COMPRESS, "no-compress", NULL,
      "take nothing compressed, whatever clients want: it\n"
      "costs this host processor time and memory" },
    { OPTION_COMPRESS_WINDOW, "compress-window", "SIZE",
      "how far clients' compression may look back, 64K to\n"
      "128M: memory for each channel (128M)" },
    { OPTION_QEMU_TLS, "qemu-tls", NULL,
      "with --raw: the QEMUs encrypt (tls-creds), so\n"
      "take TLS streams instead of plain ones" },
    { OPTION_ALLOW, "allow", "CIDR",
      "let peers in from this network alone, such as\n"
      "192.0.2.0/24 or 2001:db8::7; may be given several\n"
      "times (from everywhere)" },
    NET_MPTCP_OPTION,
    NET_CONGESTION_OPTION,
    NET_DSCP_OPTION,
    NET_BANDWIDTH_OPTION,
    CREDENTIALS_TLS_DIR_OPTION("server"),
    { CREDENTIALS_TLS_ALLOW, "tls-allow", "PATTERN",
      "let in clients alone whose certificate has this\n"
      "subject (\"CN=host1,O=Example\") or common name; with\n"
      "*, ? and [...]; may be given several times (all)" },
    CREDENTIALS_PSK_OPTION,
    CREDENTIALS_INSECURE_OPTION,
};

static const char *
take_allow(struct config *config, const char *value)
{
    const char *why;

    if (config->allow_count == DOOR_ALLOW_MAX)
        return "at most 64 networks";
    why = cidr_parse(value, &config->allow[config->allow_count]);
    if (why == NULL)
        config->allow_count++;
    return why;
}

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;

    switch (key) {
    case 'l': return address_parse(value, 0, &config->listen);
    case 'u':
        if (!socket_path_fits(value))
            return "a path of 1 to 107 characters";
        config->unix_path = value;
        break;
    case OPTION_CONTROL:
        if (!socket_path_fits(value))
            return "a path of 1 to 107 characters";
        config->control = value;
        break;
    case 'w':
        if (value_duration(value, WAIT_MAX_MS, &config->wait_ms) != 0)
            return "seconds, at most a day, such as 30, 500ms or 2m";
        break;
    case 't':
        if (value_duration(value, WAIT_MAX_MS, &config->resume_timeout_ms) != 0)
            return "seconds, at most a day, such as 300 or 5m";
        break;
    case OPTION_WINDOW:
        if (value_size(value, WINDOW_MIN, WINDOW_MAX, &config->window) != 0)
            return "a size from 256K to 1G, such as 64M";
        break;
    case OPTION_THREADS:
        if (value_count(value, 1, WORKER_POOL_MAX, &config->threads) != 0)
            return "a number from 1 to 256";
        break;
    case 'r': config->raw = true; break;
    case '1': config->once = true; break;
    case OPTION_NO_COMPRESS: config->no_compress = true; break;
    case OPTION_COMPRESS_WINDOW:
        if (compression_window_parse(value, &config->pack_log) != 0)
            return "a size from 64K to 128M, such as 8M";
        break;
    case OPTION_QEMU_TLS: config->qemu_tls = true; break;
    case OPTION_ALLOW: return take_allow(config, value);
    case NET_MPTCP:
    case NET_CONGESTION:
    case NET_DSCP:
    case NET_BANDWIDTH: return net_cli_take(&config->net, key, value);
    default: return credentials_cli_take(&config->credentials, key, value);
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
    if (server->raw != NULL)
        raw_server_stop(server->raw);
    else
        session_server_stop(server->session);
}

static void
on_done(void *arg, enum exit_status status)
{
    struct server *server = arg;

    server->status = status;
    loop_stop(server->loop);
}

static bool
start_raw(struct server *server, const struct config *config,
          char why[LISTENER_WHY_MAX])
{
    server->raw = raw_server_new(
        &(struct raw_server_options){
            .loop = server->loop,
            .pool = server->pool,
            .listen = config->listen,
            .tls = server->tls,
            .net = &config->net.options,
            .bandwidth = &server->bandwidth,
            .allow = config->allow,
            .allow_count = config->allow_count,
            .unix_path = config->unix_path,
            .wait_ms = config->wait_ms,
            .once = config->once,
            .qemu_tls = config->qemu_tls,
            .on_done = on_done,
            .arg = server,
        },
        why);
    return server->raw != NULL;
}

static bool
start_session(struct server *server, const struct config *config,
              char why[LISTENER_WHY_MAX])
{
    snprintf(server->program, sizeof server->program, "mig-server %s",
             cli_version());
    server->session = session_server_new(
        &(struct session_server_options){
            .loop = server->loop,
            .pool = server->pool,
            .listen = config->listen,
            .tls = server->tls,
            .net = &config->net.options,
            .bandwidth = &server->bandwidth,
            .allow = config->allow,
            .allow_count = config->allow_count,
            .unix_path = config->unix_path,
            .wait_ms = config->wait_ms,
            .resume_timeout_ms = config->resume_timeout_ms,
            .window = (uint32_t)config->window,
            .pack_log = config->no_compress ? 0 : config->pack_log,
            .once = config->once,
            .control_path =
                config->control_path[0] != '\0' ? config->control_path : NULL,
            .control_needed = config->control != NULL,
            .program = server->program,
            .on_done = on_done,
            .arg = server,
        },
        why);
    return server->session != NULL;
}

static bool
load_credentials(struct server *server, const struct config *config)
{
    char why[TLS_WHY_MAX];

    if (credentials_load(&config->credentials.options, &server->tls, why) == 0)
        return true;
    log_warnx("%s", why);
    return false;
}

static bool
check_net(struct net_options *net)
{
    char why[NET_WHY_MAX];

    if (net_options_check(net, why) == 0)
        return true;
    log_warnx("%s", why);
    return false;
}

static enum exit_status
serve(struct server *server, struct config *config)
{
    char why[LISTENER_WHY_MAX], listen[ADDRESS_TEXT_MAX];

    if (!check_net(&config->net.options) || !load_credentials(server, config))
        return STATUS_FAILED;
    if (!(config->raw ? start_raw : start_session)(server, config, why)) {
        log_warnx("%s", why);
        return STATUS_FAILED;
    }
    log_info("listening on %s%s, for the QEMU at %s",
             address_text(listen, &config->listen), config->raw ? " (raw)" : "",
             config->unix_path);
    if (loop_run(server->loop) != 0)
        return STATUS_UNKNOWN;
    return server->status;
}

/*
 * With names in both patterns one VM's control socket must never be at the path
 * of another's migration socket, whatever their names: whoever may choose a
 * name would get at it.  That is so if one part that is fixed differs, or if
 * the name is a folder of its own in both.
 */
static bool
may_meet(const char *control, const char *unix_path)
{
    size_t control_fixed = strcspn(control, "%");
    size_t unix_fixed = strcspn(unix_path, "%");
    size_t both = control_fixed < unix_fixed ? control_fixed : unix_fixed;
    const char *control_rest = control + control_fixed + strlen("%n");
    const char *unix_rest = unix_path + unix_fixed + strlen("%n");

    if (strncmp(control, unix_path, both) != 0)
        return false;
    return control_fixed != unix_fixed || control_rest[0] != '/' ||
           unix_rest[0] != '/' || strcmp(control_rest, unix_rest) == 0;
}

/* Why --control does not go with the rest, or NULL. */
static const char *
control_clash(const struct config *config)
{
    bool by_name = vm_path_named(config->unix_path);

    if (config->raw)
        return "--control needs sessions: not with --raw";
    if (vm_path_named(config->control) != by_name)
        return "--control has %n in it where --unix has, and only there";
    if (by_name && may_meet(config->control, config->unix_path))
        return "--control needs a folder of its own: the names of two VMs "
               "could bring it and --unix to one path";
    if (strcmp(config->control, config->unix_path) == 0)
        return "--control and --unix are the same path";
    return NULL;
}

/* Decide where the control socket is.  Return why that can't be, or NULL.  By
 * default the server sees to it that no name leads there. */
static const char *
choose_control(struct config *config)
{
    const char *clash = NULL;

    if (config->control == NULL) {
        snprintf(config->control_path, sizeof config->control_path,
                 "%s" CONTROL_SUFFIX, config->unix_path);
    } else if (strcmp(config->control, "none") != 0) {
        snprintf(config->control_path, sizeof config->control_path, "%s",
                 config->control);
        clash = control_clash(config);
    }
    return clash;
}

int
main(int argc, char **argv)
{
    struct config config = { .listen = { .port = DEFAULT_PORT },
                             .unix_path = "/tmp/qemu_migration_dest.sock",
                             .wait_ms = 30000,
                             .resume_timeout_ms = 300000,
                             .window = 64 << 20,
                             .pack_log = PACKED_WINDOW_LOG_MAX };
    struct server server = { .status = STATUS_FAILED };
    const char *clash;

    harden_process();
    credentials_cli_init(&config.credentials, true);
    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    case CLI_RUN: break;
    }
    if (config.raw && vm_path_named(config.unix_path))
        return cli_error(&cli,
                         "--unix with %%n needs sessions: not with --raw");
    clash = choose_control(&config);
    if (clash != NULL)
        return cli_error(&cli, "%s", clash);
    if (config.qemu_tls && !config.raw)
        return cli_error(&cli, "--qemu-tls goes with --raw: a session carries "
                               "QEMU's own TLS as it is");
    clash = credentials_cli_check(&config.credentials);
    if (clash != NULL)
        return cli_error(&cli, "%s", clash);
    fd_raise_limit();
    bucket_init(&server.bandwidth, config.net.bandwidth);
    server.loop = loop_new();
    if (server.loop == NULL ||
        loop_on_signals(server.loop, on_signal, &server) != 0 ||
        (server.pool =
             worker_pool_new(server.loop, (unsigned)config.threads)) == NULL)
        log_warn("cannot start");
    else
        server.status = serve(&server, &config);
    raw_server_free(server.raw);
    session_server_free(server.session);
    tls_free(server.tls);
    worker_pool_free(server.pool);
    loop_free(server.loop);
    return (int)server.status;
}
