/* The source's end of the tunnel: options, loop, exit status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/fd.h"
#include "base/harden.h"
#include "base/log.h"
#include "base/text.h"
#include "base/value.h"
#include "io/loop.h"
#include "io/net_cli.h"
#include "io/sockopt.h"
#include "io/unix_socket.h"
#include "io/worker_pool.h"
#include "tunnel/bandwidth_request.h"
#include "tunnel/raw_client.h"
#include "tunnel/session_client.h"
#include "wire/bucket.h"
#include "wire/compression.h"
#include "wire/control_line.h"
#include "wire/greeting.h"
#include "wire/packer.h"

enum { DEFAULT_PORT = 9999, WAIT_MAX_MS = 24 * 3600 * 1000 };
enum {
    OPTION_WINDOW = NET_OPTIONS_END,
    OPTION_CONTROL,
    OPTION_THREADS,
    OPTION_SET_BANDWIDTH,
    OPTION_COMPRESS,
    OPTION_COMPRESS_WINDOW,
};
enum { WINDOW_MIN = 256 << 10, WINDOW_MAX = 1 << 30 };
enum { QEMU_BUFFER_WANTED = 4 << 20 };

struct config {
    struct address dest;
    const char *unix_path;
    const char *control; /* as given; NULL: beside the other socket */
    char control_path[CONTROL_PATH_MAX + sizeof CONTROL_SUFFIX]; /* "": none */
    const char *name;
    uint64_t wait_ms;
    uint64_t resume_timeout_ms;
    uint64_t window;
    uint64_t threads;   /* 0: one for each processor */
    bool set_bandwidth; /* of a client that runs; nothing else is done: */
    uint64_t new_bandwidth;
    struct compression_wish compress;
    bool compress_given;
    bool raw;
    bool once;
    struct net_cli net;
    struct credentials_cli credentials;
};

struct client {
    struct loop *loop;
    struct worker_pool *pool;
    struct tls *tls;                /* NULL for plain text */
    struct raw_client *raw;         /* one of these two, */
    struct session_client *session; /* by --raw */
    char program[CONTROL_PROGRAM_MAX];
    struct bucket bandwidth;
    enum exit_status status;
};

static const struct cli_option options[] = {
    { 'd', "dest", "HOST[:PORT]",
      "where mig-server runs: a name, an IPv4 address or\n"
      "an [IPv6] address (needed; port 9999)" },
    { 'u', "unix", "PATH",
      "the socket to make for the source QEMU\n"
      "(/tmp/qemu_migration_source.sock)" },
    { OPTION_CONTROL, "control", "PATH",
      "the socket to make for mig-send to attach to, which\n"
      "reaches mig-recv through the tunnel, or \"none\"\n"
      "(that of --unix with .ctl behind it)" },
    { 'n', "name", "NAME",
      "the VM's name, for a mig-server that serves many:\n"
      "up to 64 letters, digits, '.', '_' and '-'" },
    { 'w', "wait", "SECONDS",
      "how long to try to reach mig-server at first (30)" },
    { 't', "resume-timeout", "SECONDS",
      "how long a lost connection may take to come back\n"
      "before the migration fails (300)" },
    { 'r', "raw", NULL,
      "no session: bytes as they are, for servers other\n"
      "than mig-server; a lost connection is the end" },
    { '1', "once", NULL,
      "exit after the first migration, with a status\n"
      "that says how it ended" },
    { OPTION_WINDOW, "window", "SIZE",
      "bytes on their way in one direction of a channel,\n"
      "at most (64M)" },
    { OPTION_THREADS, "threads", "N",
      "share the channels out among so many threads, at\n"
      "most (one for each processor)" },
    { OPTION_COMPRESS, "compress", "HOW",
      "auto: while the link is slow and the data gives way;\n"
      "off; or zstd, zstd:1 to zstd:19: always (auto)" },
    { OPTION_COMPRESS_WINDOW, "compress-window", "SIZE",
      "how far compression looks back for what repeats, 64K\n"
      "to 128M: memory at both ends, for each channel (2M)" },
    NET_MPTCP_OPTION,
    NET_CONGESTION_OPTION,
    NET_DSCP_OPTION,
    NET_BANDWIDTH_OPTION,
    { OPTION_SET_BANDWIDTH, "set-bandwidth", "RATE",
      "change the bandwidth of the mig-client or mig-server\n"
      "that runs here with this --unix, or this --control;\n"
      "0 for no limit; and exit" },
    CREDENTIALS_TLS_DIR_OPTION("client"),
    { CREDENTIALS_TLS_HOSTNAME, "tls-hostname", "NAME",
      "the name or address that the server's certificate\n"
      "must be for (that of --dest)" },
    CREDENTIALS_PSK_OPTION,
    { CREDENTIALS_PSK_USER, "psk-user", "NAME",
      "the user to be, one of FILE's (qemu)" },
    CREDENTIALS_INSECURE_OPTION,
};

static const char *
take_compress(struct config *config, int key, const char *value)
{
    config->compress_given = true;
    if (key == OPTION_COMPRESS) {
        if (compression_parse(value, &config->compress) != 0)
            return "auto, off, zstd, or zstd:1 to zstd:19";
        return NULL;
    }
    if (compression_window_parse(value, &config->compress.pack_log) != 0)
        return "a size from 64K to 128M, such as 8M";
    return NULL;
}

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
    case 'n':
        if (!vm_name_valid(value))
            return "1 to 64 letters, digits, '.', '_' or '-'";
        config->name = value;
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
    case OPTION_COMPRESS:
    case OPTION_COMPRESS_WINDOW: return take_compress(config, key, value);
    case 'r': config->raw = true; break;
    case '1': config->once = true; break;
    case OPTION_SET_BANDWIDTH:
        config->set_bandwidth = true;
        return net_cli_rate(value, &config->new_bandwidth);
    case NET_MPTCP:
    case NET_CONGESTION:
    case NET_DSCP:
    case NET_BANDWIDTH: return net_cli_take(&config->net, key, value);
    default: return credentials_cli_take(&config->credentials, key, value);
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
    if (client->raw != NULL)
        raw_client_stop(client->raw);
    else
        session_client_stop(client->session);
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

static bool
start_raw(struct client *client, const struct config *config)
{
    char why[SOCKET_WHY_MAX];

    client->raw = raw_client_new(
        &(struct raw_client_options){
            .loop = client->loop,
            .pool = client->pool,
            .dest = config->dest,
            .tls = client->tls,
            .net = &config->net.options,
            .bandwidth = &client->bandwidth,
            .unix_path = config->unix_path,
            .wait_ms = config->wait_ms,
            .once = config->once,
            .on_done = on_done,
            .arg = client,
        },
        why);
    if (client->raw == NULL)
        log_warnx("%s", why);
    return client->raw != NULL;
}

static bool
start_session(struct client *client, const struct config *config)
{
    snprintf(client->program, sizeof client->program, "mig-client %s",
             cli_version());
    client->session = session_client_new(&(struct session_client_options){
        .loop = client->loop,
        .pool = client->pool,
        .dest = config->dest,
        .tls = client->tls,
        .net = &config->net.options,
        .bandwidth = &client->bandwidth,
        .unix_path = config->unix_path,
        .name = config->name,
        .wait_ms = config->wait_ms,
        .resume_timeout_ms = config->resume_timeout_ms,
        .window = (uint32_t)config->window,
        .compress = config->compress,
        .once = config->once,
        .control_path =
            config->control_path[0] != '\0' ? config->control_path : NULL,
        .control_needed = config->control != NULL,
        .program = client->program,
        .on_done = on_done,
        .arg = client,
    });
    if (client->session == NULL)
        log_warn("cannot start");
    return client->session != NULL;
}

/* The server has to be the one that was asked for. */
static bool
load_credentials(struct client *client, const struct config *config)
{
    struct credentials_options credentials = config->credentials.options;
    char why[TLS_WHY_MAX];

    if (credentials.tls.hostname == NULL)
        credentials.tls.hostname = config->dest.host;
    if (credentials.tls.psk_user == NULL)
        credentials.tls.psk_user = "qemu";
    if (credentials_load(&credentials, &client->tls, why) == 0)
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

/* Why --set-bandwidth does not go with the rest, or NULL. */
static const char *
set_bandwidth_clash(const struct config *config)
{
    if (config->control_path[0] == '\0' || config->raw)
        return "--set-bandwidth needs a control socket: not with --raw or "
               "--control none";
    if (config->dest.host[0] != '\0')
        return "--set-bandwidth is for one that runs: not with --dest";
    return NULL;
}

static enum exit_status
set_bandwidth(const struct config *config)
{
    char program[CONTROL_PROGRAM_MAX], why[SOCKET_WHY_MAX];

    snprintf(program, sizeof program, "mig-client %s", cli_version());
    if (bandwidth_request(config->control_path, program, config->new_bandwidth,
                          why) == 0)
        return STATUS_DONE;
    log_warnx("%s", why);
    return STATUS_FAILED;
}

static enum exit_status
serve(struct client *client, struct config *config)
{
    char dest[ADDRESS_TEXT_MAX];

    if (!check_net(&config->net.options) || !load_credentials(client, config))
        return STATUS_FAILED;
    if (!(config->raw ? start_raw : start_session)(client, config))
        return STATUS_FAILED;
    advise_on_buffers();
    if (config->raw)
        log_info("listening on %s, for mig-server at %s (raw)",
                 config->unix_path, address_text(dest, &config->dest));
    if (loop_run(client->loop) != 0)
        return STATUS_UNKNOWN;
    return client->status;
}

/* Decide where the control socket is.  Return why that can't be, or NULL. */
static const char *
choose_control(struct config *config)
{
    const char *given = config->control;

    if (given != NULL && strcmp(given, "none") == 0)
        return NULL;
    if (given == NULL)
        snprintf(config->control_path, sizeof config->control_path,
                 "%s" CONTROL_SUFFIX, config->unix_path);
    else if (config->raw)
        return "--control needs sessions: not with --raw";
    else if (strcmp(given, config->unix_path) == 0)
        return "--control and --unix are the same path";
    else
        snprintf(config->control_path, sizeof config->control_path, "%s",
                 given);
    return NULL;
}

int
main(int argc, char **argv)
{
    struct config config = { .unix_path = "/tmp/qemu_migration_source.sock",
                             .name = "",
                             .wait_ms = 30000,
                             .resume_timeout_ms = 300000,
                             .window = 64 << 20,
                             .compress = { .mode = COMPRESSION_AUTO,
                                           .pack_log = PACKER_WINDOW_LOG } };
    struct client client = { .status = STATUS_FAILED };
    const char *clash;

    harden_process();
    credentials_cli_init(&config.credentials, false);
    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    case CLI_RUN: break;
    }
    clash = choose_control(&config);
    if (clash != NULL)
        return cli_error(&cli, "%s", clash);
    if (config.set_bandwidth) {
        clash = set_bandwidth_clash(&config);
        return clash != NULL ? cli_error(&cli, "%s", clash)
                             : (int)set_bandwidth(&config);
    }
    if (config.dest.host[0] == '\0')
        return cli_error(&cli, "--dest is needed: the host that mig-server "
                               "runs on");
    if (config.raw && config.name[0] != '\0')
        return cli_error(&cli, "--name needs sessions: not with --raw");
    if (config.raw && config.compress_given)
        return cli_error(&cli, "compression needs sessions: not with --raw");
    clash = credentials_cli_check(&config.credentials);
    if (clash != NULL)
        return cli_error(&cli, "%s", clash);
    fd_raise_limit();
    bucket_init(&client.bandwidth, config.net.bandwidth);
    client.loop = loop_new();
    if (client.loop == NULL ||
        loop_on_signals(client.loop, on_signal, &client) != 0 ||
        (client.pool =
             worker_pool_new(client.loop, (unsigned)config.threads)) == NULL)
        log_warn("cannot start");
    else
        client.status = serve(&client, &config);
    raw_client_free(client.raw);
    session_client_free(client.session);
    tls_free(client.tls);
    worker_pool_free(client.pool);
    loop_free(client.loop);
    return (int)client.status;
}
