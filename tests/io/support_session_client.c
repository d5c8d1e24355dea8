#include "support_session_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_faults.h"
#include "support_pool.h"
#include "support_test.h"

static void
on_done(void *arg, enum exit_status status)
{
    struct source *rig = arg;

    rig->dones++;
    rig->status = status;
}

struct session_client_options
source_defaults(void)
{
    return (struct session_client_options){ .name = "vm",
                                            .wait_ms = SOURCE_LONG_MS,
                                            .resume_timeout_ms = SOURCE_LONG_MS,
                                            .window = SOURCE_WINDOW,
                                            .once = true };
}

struct source *
source_open(const struct session_client_options *given)
{
    struct session_client_options options = *given;
    struct source *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/source", rig->dir);
    session_acceptor_open(&rig->server, &rig->stage);
    options.loop = rig->stage.loop;
    options.pool = rig->pool;
    options.dest =
        (struct address){ .host = "127.0.0.1", .port = rig->server.port };
    options.unix_path = rig->path;
    options.on_done = on_done;
    options.arg = rig;
    rig->client = session_client_new(&options);
    assert_non_null(rig->client);
    faults_clear();
    return rig;
}

void
source_close(struct source *rig)
{
    session_client_free(rig->client);
    session_acceptor_close(&rig->server);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->qemus[i]);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
    free(rig);
}

struct session_peer *
source_channel(struct source *rig, uint32_t number)
{
    return rig->server.channels[number];
}

bool
source_listens(const struct source *rig)
{
    return access(rig->path, F_OK) == 0;
}

void
source_become_ready(struct source *rig)
{
    STAGE_UNTIL(&rig->stage, source_channel(rig, 0) != NULL);
    session_peer_text(source_channel(rig, 0), SOURCE_READY);
    STAGE_UNTIL(&rig->stage, source_listens(rig));
}

struct peer *
source_qemu(struct source *rig)
{
    struct peer *qemu = &rig->qemus[rig->count++];
    int fd = net_connect_unix(rig->path);

    assert_true(fd >= 0);
    rig->last_connect_ms = stage_now_ms();
    peer_open(qemu, &rig->stage, fd);
    return qemu;
}

struct source *
source_open_running(const struct session_client_options *options)
{
    struct source *rig = source_open(options);

    source_become_ready(rig);
    source_qemu(rig);
    STAGE_UNTIL(&rig->stage, source_channel(rig, 1) != NULL);
    return rig;
}

void
source_tell_end(struct source *rig, int reason)
{
    char text[64];

    snprintf(text, sizeof text, "{\"type\":\"end\",\"reason\":%d}\n", reason);
    session_peer_text(source_channel(rig, 0), text);
}

void
source_finish_channel(struct source *rig, const char *last)
{
    struct session_peer *server = source_channel(rig, 1);

    peer_say(&rig->qemus[0], last, strlen(last));
    peer_do(&rig->qemus[0], PEER_END);
    STAGE_UNTIL(&rig->stage, server->got_end);
    session_peer_frame(
        server, (struct frame){ .type = FRAME_FIN, .offset = server->sent });
    STAGE_UNTIL(&rig->stage, rig->qemus[0].eof);
    STAGE_UNTIL(&rig->stage,
                (server->last[FRAME_ACK].flags & FRAME_FLAG_FIN) != 0);
    session_peer_close(server);
}

void
source_end_control(struct source *rig)
{
    struct session_peer *control = source_channel(rig, 0);

    session_peer_frame(
        control, (struct frame){ .type = FRAME_FIN, .offset = control->sent });
    STAGE_UNTIL(&rig->stage, control->got_end);
    session_peer_close(control);
}

void
source_done(struct source *rig, enum exit_status status)
{
    STAGE_UNTIL(&rig->stage, rig->dones > 0);
    assert_int_equal(rig->status, status);
    assert_false(source_listens(rig));
    stage_turns_in(&rig->stage, 20);
    assert_int_equal(rig->dones, 1);
}

void
source_failure_held(struct source *rig)
{
    for (unsigned i = 0; i < rig->count; i++) {
        STAGE_UNTIL(&rig->stage, peer_ended(&rig->qemus[i]));
        assert_true(rig->qemus[i].ended_ms - rig->last_connect_ms >=
                    SOURCE_HOLD_MS);
    }
}
