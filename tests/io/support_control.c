#include "support_control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_capture.h"
#include "support_faults.h"
#include "support_test.h"

static void
on_driver(void *arg, bool attached)
{
    struct control_rig *rig = arg;

    assert_int_equal(control_socket_driver(rig->socket), attached);
    *(attached ? &rig->came : &rig->left) += 1;
    assert_true(rig->came - rig->left <= 1);
    if (!attached)
        rig->at_left = rig->messages;
}

static void
on_message(void *arg, json_t *message)
{
    struct control_rig *rig = arg;
    char *text = json_dumps(message, JSON_COMPACT);

    rig->messages++;
    rig->early += rig->came == rig->left;
    snprintf(rig->last, sizeof rig->last, "%s", text);
    free(text);
    if (rig->busy != NULL && rig->messages < CONTROL_RIG_BUSY)
        line_peer_say(rig->busy, "{\"type\":\"message\",\"message\":{}}\n");
    if (rig->hold)
        control_socket_hold(rig->socket, true);
}

void
control_rig_start(struct control_rig *rig)
{
    char why[SOCKET_WHY_MAX];

    rig->socket = control_socket_new(
        &(struct control_socket_options){ .loop = rig->stage.loop,
                                          .path = rig->path,
                                          .program = "mig-client 1",
                                          .bandwidth = &rig->bandwidth,
                                          .on_driver = on_driver,
                                          .on_message = on_message,
                                          .arg = rig },
        why);
    assert_non_null(rig->socket);
}

void
control_rig_stop(struct control_rig *rig)
{
    control_socket_free(rig->socket);
    rig->socket = NULL;
    rig->came = 0;
    rig->left = 0;
}

void
control_rig_open(struct control_rig *rig)
{
    *rig = (struct control_rig){ 0 };
    faults_clear();
    capture_start();
    stage_open(&rig->stage);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/x.ctl", rig->dir);
    control_rig_start(rig);
}

void
control_rig_close(struct control_rig *rig)
{
    control_socket_free(rig->socket);
    for (unsigned i = 0; i < rig->count; i++)
        line_peer_close(&rig->peers[i]);
    net_remove_dir(rig->dir);
    stage_close(&rig->stage);
    capture_stop();
}

struct line_peer *
control_rig_connect(struct control_rig *rig, const char *hello)
{
    struct line_peer *peer = &rig->peers[rig->count++];

    assert_true(rig->count <= CONTROL_RIG_PEERS);
    line_peer_open(peer, &rig->stage, net_connect_unix(rig->path));
    line_peer_say(peer, hello);
    return peer;
}

struct line_peer *
control_rig_driver(struct control_rig *rig)
{
    struct line_peer *peer = control_rig_connect(rig, DRIVER_HELLO);

    line_peer_wait(peer, "\"type\":\"hello\"");
    return peer;
}

struct line_peer *
control_rig_observer(struct control_rig *rig)
{
    struct line_peer *peer = control_rig_connect(rig, OBSERVER_HELLO);

    line_peer_wait(peer, "\"type\":\"hello\"");
    return peer;
}

void
control_rig_message(struct control_rig *rig, const char *text)
{
    json_t *message = json_loads(text, 0, NULL);

    assert_non_null(message);
    control_socket_message(rig->socket, message);
    json_decref(message);
}
