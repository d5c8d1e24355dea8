#include "support_session_sides.h"

#include <stdio.h>
#include <string.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_test.h"

enum { REST_MS = 100, REST_CALLS = 3 };

static unsigned long
count_calls(void)
{
    return fault_count(FAULT_READV) + fault_count(FAULT_SENDMSG);
}

void
sides_rest(struct sides *rig)
{
    unsigned long before;

    do {
        before = count_calls();
        stage_rest(&rig->stage);
        stage_turns_in(&rig->stage, REST_MS);
    } while (count_calls() - before > REST_CALLS);
}

static void
on_lost(void *arg, const char *why, bool in_order)
{
    struct side *side = arg;

    side->lost++;
    side->in_order = in_order;
    snprintf(side->why, sizeof side->why, "%s", why);
    if (in_order && worker_channel_complete(side->channel))
        side->over = true;
}

/* The server closes; the client waits for that. */
static void
on_server_finished(void *arg)
{
    struct side *side = arg;

    side->finished++;
    worker_channel_close_transport(side->channel);
    side->over = true;
}

static void
on_failed(void *arg, enum reason reason)
{
    struct side *side = arg;

    side->failed++;
    side->reason = reason;
}

static void
side_open(struct sides *rig, struct side *side, uint32_t window,
          const struct compression_wish *wish, uint8_t pack_log)
{
    int fds[2];

    *side = (struct side){ .is_server = side == &rig->side[1] };
    side->channel = worker_channel_new(
        rig->pool,
        &(struct session_channel_options){
            .loop = rig->stage.loop,
            .number = 1,
            .window = window,
            .compress = *wish,
            .pack_log = pack_log,
            .bandwidth = &rig->bandwidth,
            .on_lost = on_lost,
            .on_finished = side->is_server ? on_server_finished : NULL,
            .on_failed = on_failed,
            .local_reason =
                side->is_server ? REASON_DESTINATION_CLOSED : REASON_CANCELLED,
            .arg = side,
        });
    assert_non_null(side->channel);
    net_unix_pair(fds);
    net_send_buffer(fds[1], SIDES_SOCKET_BYTES);
    side->local_fd = fds[0];
    peer_open(&side->qemu, &rig->stage, fds[1]);
    worker_channel_set_local(side->channel,
                             transport_new(rig->stage.loop, fds[0]));
}

static void
side_close(struct side *side)
{
    worker_channel_free(side->channel);
    peer_close(&side->qemu);
}

static const struct compression_wish plain;

void
sides_open(struct sides *rig, uint32_t window)
{
    sides_open_packing(rig, window, &plain, 0);
}

void
sides_open_packing(struct sides *rig, uint32_t window,
                   const struct compression_wish *wish, uint8_t pack_log)
{
    faults_clear();
    memset(rig, 0, sizeof *rig);
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    side_open(rig, &rig->side[0], window, wish, 0);
    side_open(rig, &rig->side[1], window, &plain, pack_log);
}

enum reason
sides_attach(struct sides *rig, struct side *side, int fd,
             const struct greeting_position *peer, uint64_t *replay)
{
    struct transport *transport = transport_new(rig->stage.loop, fd);
    enum reason reason =
        worker_channel_attach(side->channel, transport, peer, NULL, 0, replay);

    if (reason != REASON_NONE)
        transport_free(transport);
    return reason;
}

void
sides_join(struct sides *rig, size_t chunk, uint64_t bytes)
{
    struct greeting_position positions[2];
    uint64_t replay;
    int ends[2];

    if (rig->wired)
        session_wire_cut(&rig->wire);
    for (int i = 0; i < 2; i++)
        worker_channel_greet(rig->side[i].channel, &positions[i]);
    session_wire_open(&rig->wire, &rig->stage, chunk, bytes, ends);
    rig->wired = true;
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            sides_attach(rig, &rig->side[i], ends[i], &positions[!i], &replay),
            REASON_NONE);
}

static void
open_alone(struct sides *rig, uint32_t window, uint32_t room,
           const struct compression_wish *wish, uint8_t pack_log)
{
    const struct greeting_position zero = { .window = room,
                                            .pack_log = pack_log };
    struct greeting_position own;
    uint64_t replay;
    int fds[2];

    faults_clear();
    memset(rig, 0, sizeof *rig);
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    side_open(rig, &rig->side[0], window, wish, pack_log);
    net_unix_pair(fds);
    net_send_buffer(fds[0], SIDES_SOCKET_BYTES);
    session_peer_open(&rig->peer, &rig->stage, fds[1], ROLE_FRAMES);
    rig->has_peer = true;
    worker_channel_greet(rig->side[0].channel, &own);
    assert_int_equal(own.delivered, 0);
    assert_int_equal(own.window, window);
    assert_int_equal(sides_attach(rig, &rig->side[0], fds[0], &zero, &replay),
                     REASON_NONE);
}

void
sides_open_alone(struct sides *rig, uint32_t window, uint32_t room)
{
    open_alone(rig, window, room, &plain, 0);
}

void
sides_open_alone_packing(struct sides *rig, const struct compression_wish *wish,
                         uint8_t pack_log)
{
    open_alone(rig, SIDES_WINDOW, SIDES_WINDOW, wish, pack_log);
}

void
sides_close(struct sides *rig)
{
    side_close(&rig->side[0]);
    if (rig->has_peer)
        session_peer_close(&rig->peer);
    else
        side_close(&rig->side[1]);
    if (rig->wired)
        session_wire_cut(&rig->wire);
    pool_close(rig->pool);
    stage_close(&rig->stage);
}
