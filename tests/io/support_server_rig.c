#include "support_server_rig.h"

#include <errno.h>
#include <stdio.h>

#include "support_net.h"
#include "support_pool.h"
#include "support_test.h"

/* Longer than a test takes, unless it fails. */
enum { LONG_MS = 20000 };

static void
on_done(void *arg, enum exit_status status)
{
    struct server_rig *rig = arg;

    rig->dones++;
    rig->status = status;
}

struct raw_server_options
server_rig_defaults(void)
{
    return (struct raw_server_options){ .wait_ms = LONG_MS, .once = true };
}

void
server_rig_open(struct server_rig *rig, const struct raw_server_options *given)
{
    struct raw_server_options options = *given;
    char why[LISTENER_WHY_MAX];

    *rig = (struct server_rig){ 0 };
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/dest", rig->dir);
    options.loop = rig->stage.loop;
    options.pool = rig->pool;
    options.listen = (struct address){ .host = SERVER_RIG_HOST };
    options.unix_path = rig->path;
    options.on_done = on_done;
    options.arg = rig;
    rig->server = raw_server_new(&options, why);
    assert_non_null(rig->server);
    rig->port = net_listening_port();
}

void
server_rig_qemu_listens(struct server_rig *rig, int backlog)
{
    acceptor_open(&rig->qemu, &rig->stage, net_listen_unix(rig->path, backlog));
    rig->qemu_listens = true;
}

void
server_rig_open_ready(struct server_rig *rig,
                      const struct raw_server_options *options)
{
    server_rig_open(rig, options);
    server_rig_qemu_listens(rig, SERVER_RIG_BACKLOG);
}

void
server_rig_close(struct server_rig *rig)
{
    raw_server_free(rig->server);
    for (unsigned i = 0; i < rig->count; i++)
        peer_close(&rig->sources[i]);
    if (rig->qemu_listens)
        acceptor_close(&rig->qemu);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
}

struct peer *
server_rig_connect(struct server_rig *rig, const char *host)
{
    struct peer *source = &rig->sources[rig->count++];

    assert_true(rig->count <= SERVER_RIG_SOURCES);
    peer_open(source, &rig->stage, net_connect_tcp(host, rig->port));
    return source;
}

struct peer *
server_rig_say(struct server_rig *rig, const void *words, size_t length)
{
    struct peer *source = server_rig_connect(rig, SERVER_RIG_HOST);

    peer_say(source, words, length);
    return source;
}

struct peer *
server_rig_main(struct server_rig *rig)
{
    return server_rig_say(rig, "QEVM", 4);
}

void
server_rig_begin(struct server_rig *rig, unsigned channels)
{
    for (unsigned i = 0; i < channels; i++) {
        unsigned char number = (unsigned char)i;

        if (i == 0)
            server_rig_main(rig);
        else
            server_rig_say(rig, &number, 1);
    }
    STAGE_UNTIL(&rig->stage, rig->qemu.count == channels);
    for (unsigned i = 0; i < channels; i++)
        STAGE_UNTIL(&rig->stage, rig->qemu.peers[i].received > 0);
}

void
server_rig_assert_done(struct server_rig *rig, enum exit_status status)
{
    STAGE_UNTIL(&rig->stage, rig->dones > 0);
    assert_int_equal(rig->status, status);
    stage_turns_in(&rig->stage, 20);
    assert_int_equal(rig->dones, 1);
}

void
server_rig_assert_dropped(struct server_rig *rig, struct peer *source)
{
    STAGE_UNTIL(&rig->stage, peer_ended(source));
    assert_false(source->eof);
    assert_int_equal(source->read_error, ECONNRESET);
}
