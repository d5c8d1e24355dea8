#include "support_session_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_faults.h"
#include "support_peer.h"
#include "support_pool.h"
#include "support_test.h"

enum { BACKLOG = 16 };

static void
on_done(void *arg, enum exit_status status)
{
    struct sessions *rig = arg;

    rig->dones++;
    rig->status = status;
}

struct session_server_options
sessions_defaults(void)
{
    return (struct session_server_options){ .wait_ms = SESSIONS_LONG_MS,
                                            .resume_timeout_ms =
                                                SESSIONS_LONG_MS,
                                            .window = SESSIONS_WINDOW };
}

struct sessions *
sessions_open(const struct session_server_options *given, bool by_name)
{
    struct session_server_options options = *given;
    struct sessions *rig = calloc(1, sizeof *rig);
    char why[LISTENER_WHY_MAX];

    assert_non_null(rig);
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/%s", rig->dir,
             by_name ? "%n" : "dest");
    options.loop = rig->stage.loop;
    options.pool = rig->pool;
    options.listen = (struct address){ .host = "127.0.0.1" };
    options.unix_path = rig->path;
    options.on_done = on_done;
    options.arg = rig;
    rig->server = session_server_new(&options, why);
    assert_non_null(rig->server);
    rig->port = net_listening_port();
    faults_clear();
    return rig;
}

struct acceptor *
sessions_qemu(struct sessions *rig, const char *name)
{
    struct acceptor *qemu = &rig->qemus[rig->qemu_count++];
    char path[NET_PATH_MAX + 80];

    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    acceptor_open(qemu, &rig->stage, net_listen_unix(path, BACKLOG));
    return qemu;
}

void
sessions_close(struct sessions *rig)
{
    session_server_free(rig->server);
    for (unsigned i = 0; i < rig->count; i++)
        session_peer_close(&rig->clients[i]);
    for (unsigned i = 0; i < rig->qemu_count; i++)
        acceptor_close(&rig->qemus[i]);
    net_remove_dir(rig->dir);
    pool_close(rig->pool);
    stage_close(&rig->stage);
    free(rig);
}

struct session_peer *
sessions_dial(struct sessions *rig)
{
    struct session_peer *client = &rig->clients[rig->count++];

    assert_true(rig->count <= SESSIONS_CLIENTS_MAX);
    session_peer_open(client, &rig->stage, net_connect_tcp(NULL, rig->port),
                      ROLE_CLIENT);
    return client;
}

struct session_peer *
sessions_greet(struct sessions *rig, const struct client_greeting *greeting)
{
    struct session_peer *client = sessions_dial(rig);

    session_peer_greet(client, greeting);
    STAGE_UNTIL(&rig->stage, client->greeted || session_peer_ended(client));
    client->received = greeting->position.delivered;
    client->got_end = greeting->position.fin_delivered;
    return client;
}

void
sessions_refused(struct sessions *rig, const struct client_greeting *greeting,
                 enum reason reason)
{
    struct session_peer *client = sessions_greet(rig, greeting);

    assert_true(client->greeted);
    assert_int_equal(client->server.reason, reason);
    assert_int_equal(client->server.channel, greeting->channel);
    assert_int_equal(client->server.version, PROTOCOL_VERSION_MAX);
    STAGE_UNTIL(&rig->stage, session_peer_ended(client));
    session_peer_close(client);
    rig->count--;
}

struct session_peer *
sessions_channel(struct sessions *rig, char session, const char *name,
                 uint32_t number)
{
    const struct client_greeting greeting =
        session_greeting(session, name, number);
    struct session_peer *client = sessions_greet(rig, &greeting);

    assert_true(client->greeted);
    assert_int_equal(client->server.reason, REASON_NONE);
    assert_int_equal(client->server.version, 1);
    assert_int_equal(client->server.channel, number);
    assert_int_equal(client->server.position.delivered, 0);
    assert_int_equal(client->server.position.window, SESSIONS_WINDOW);
    return client;
}

struct sessions_migration
sessions_migrate(struct sessions *rig, char session, const char *name,
                 struct acceptor *qemu)
{
    struct sessions_migration now = { .qemu = qemu, .first = qemu->count };

    now.control = sessions_channel(rig, session, name, 0);
    STAGE_UNTIL(&rig->stage, strstr(now.control->text, "ready") != NULL);
    now.main = sessions_channel(rig, session, name, 1);
    STAGE_UNTIL(&rig->stage, qemu->count == now.first + 1);
    peer_expect(&qemu->peers[now.first], 1, 0);
    session_peer_data(now.main, 1, 0, SESSIONS_FIRST_BYTES);
    STAGE_UNTIL(&rig->stage,
                qemu->peers[now.first].received == SESSIONS_FIRST_BYTES);
    return now;
}

void
sessions_told(struct sessions *rig, struct session_peer *control,
              enum reason reason)
{
    char text[64];

    snprintf(text, sizeof text, "{\"type\":\"end\",\"reason\":%d,",
             (int)reason);
    STAGE_UNTIL(&rig->stage, control->got_end || session_peer_ended(control));
    if (strstr(control->text, text) == NULL)
        fail_msg("no %s in %s", text, control->text);
}

void
sessions_finish_with(struct sessions *rig, struct sessions_migration *now,
                     const char *tail)
{
    struct peer *qemu = &now->qemu->peers[now->first];
    uint64_t bytes = SESSIONS_FIRST_BYTES + strlen(tail);

    now->main->sent = SESSIONS_FIRST_BYTES;
    qemu->expects = false;
    session_peer_text(now->main, tail);
    session_peer_frame(now->main,
                       (struct frame){ .type = FRAME_FIN, .offset = bytes });
    STAGE_UNTIL(&rig->stage, qemu->eof);
    assert_int_equal(qemu->received, bytes);
    assert_false(qemu->mismatch);
    peer_close(qemu);
    STAGE_UNTIL(&rig->stage, session_peer_ended(now->main));
    assert_int_equal(now->main->last[FRAME_ACK].offset, bytes);
    assert_int_equal(now->main->last[FRAME_ACK].flags, FRAME_FLAG_FIN);
}

void
sessions_leave(struct sessions *rig, struct sessions_migration *now)
{
    session_peer_frame(
        now->control,
        (struct frame){ .type = FRAME_FIN, .offset = now->control->sent });
    STAGE_UNTIL(&rig->stage, session_peer_ended(now->control));
}

void
sessions_finish(struct sessions *rig, struct sessions_migration *now)
{
    sessions_finish_with(rig, now, "{}");
    sessions_told(rig, now->control, REASON_NONE);
    sessions_leave(rig, now);
}

struct client_greeting
sessions_resume(char session, const char *name, uint32_t channel,
                uint64_t delivered)
{
    struct client_greeting greeting = session_greeting(session, name, channel);

    greeting.resume = true;
    greeting.position.delivered = delivered;
    return greeting;
}
