#include "support_ends.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_faults.h"
#include "support_pool.h"
#include "support_test.h"

enum { FDS_MAX = 1024 };

static void
on_done(void *arg, enum exit_status status)
{
    struct ends_outcome *outcome = arg;

    outcome->dones++;
    outcome->status = status;
}

void
ends_open(struct ends *rig, bool once, bool by_name)
{
    *rig = (struct ends){ 0 };
    faults_clear();
    capture_start();
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_temp_dir(rig->dir);
    snprintf(rig->source_path, sizeof rig->source_path, "%s/src", rig->dir);
    snprintf(rig->dest_path, sizeof rig->dest_path, "%s/dst-%s", rig->dir,
             by_name ? "vm" : "1");
    snprintf(rig->source_control, sizeof rig->source_control, "%s.ctl",
             rig->source_path);
    snprintf(rig->dest_control, sizeof rig->dest_control, "%s.ctl",
             rig->dest_path);
    rig->client_options = (struct session_client_options){
        .loop = rig->stage.loop,
        .pool = rig->pool,
        .dest = { .host = "127.0.0.1" },
        .unix_path = rig->source_path,
        .control_path = rig->source_control,
        .control_needed = true,
        .program = "mig-client 1",
        .name = by_name ? "vm" : "",
        .wait_ms = ENDS_LONG_MS,
        .resume_timeout_ms = ENDS_LONG_MS,
        .window = ENDS_WINDOW,
        .once = once,
        .on_done = on_done,
        .arg = &rig->client_outcome,
    };
    rig->server_options = (struct session_server_options){
        .loop = rig->stage.loop,
        .pool = rig->pool,
        .listen = { .host = "127.0.0.1" },
        .unix_path = rig->dest_path,
        .control_path = rig->dest_control,
        .control_needed = true,
        .program = "mig-server 1",
        .wait_ms = ENDS_LONG_MS,
        .resume_timeout_ms = ENDS_LONG_MS,
        .window = ENDS_WINDOW,
        .once = once,
        .on_done = on_done,
        .arg = &rig->server_outcome,
    };
}

void
ends_close(struct ends *rig)
{
    session_client_free(rig->client);
    session_server_free(rig->server);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->source[i]);
    ends_dest_listens(rig, false);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
    capture_stop();
}

void
ends_start_server(struct ends *rig)
{
    char why[LISTENER_WHY_MAX];

    rig->server = session_server_new(&rig->server_options, why);
    assert_non_null(rig->server);
    rig->port = net_listening_port();
    rig->server_options.listen.port = rig->port; /* the next time, too */
}

void
ends_start_client(struct ends *rig)
{
    rig->client_options.dest.port = rig->port;
    rig->client = session_client_new(&rig->client_options);
    assert_non_null(rig->client);
}

void
ends_start(struct ends *rig)
{
    ends_start_server(rig);
    ends_start_client(rig);
}

void
ends_dest_listens(struct ends *rig, bool on)
{
    if (rig->dest_listens) {
        acceptor_close(&rig->dest);
        unlink(rig->dest_path);
    }
    rig->dest_listens = on;
    if (on)
        acceptor_open(&rig->dest, &rig->stage,
                      net_listen_unix(rig->dest_path, ENDS_CHANNELS_MAX));
}

void
ends_migrate(struct ends *rig, unsigned channels)
{
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->source[i]);
    rig->count = 0;
    STAGE_UNTIL(&rig->stage, access(rig->source_path, F_OK) == 0);
    for (unsigned i = 0; i < channels; i++) {
        struct peer *source = &rig->source[rig->count++];

        peer_open(source, &rig->stage, net_connect_unix(rig->source_path));
        peer_say(source, "x", 1);
    }
    STAGE_UNTIL(&rig->stage, rig->dest.count == channels);
}

void
ends_finish(struct ends *rig, const char *last)
{
    for (unsigned i = 0; i < rig->count; i++) {
        peer_say(&rig->source[i], last, strlen(last));
        peer_do(&rig->source[i], PEER_END);
        STAGE_UNTIL(&rig->stage, rig->dest.peers[i].eof);
        peer_do(&rig->dest.peers[i], PEER_END);
        STAGE_UNTIL(&rig->stage, peer_ended(&rig->source[i]));
    }
}

/* Whether ${fd} is the client's end of a connection to ${port}. */
static bool
is_transport(int fd, uint16_t port)
{
    struct sockaddr_in in = { 0 };
    socklen_t length = sizeof in;

    return getpeername(fd, (struct sockaddr *)&in, &length) == 0 &&
           in.sin_family == AF_INET && ntohs(in.sin_port) == port;
}

void
ends_cut(struct ends *rig)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (is_transport(fd, rig->port))
            shutdown(fd, SHUT_RDWR);
}

void
ends_drivers(struct ends *rig, struct partner *source, struct partner *dest,
             bool again)
{
    partner_open(source, &rig->stage, rig->source_control, HELPER_DRIVER,
                 again);
    partner_open(dest, &rig->stage, rig->dest_control, HELPER_DRIVER, again);
    STAGE_UNTIL(&rig->stage, source->there && dest->there);
}
