/*
 * Two ends of a resumable channel, joined by a wire; or one, whose peer is the
 * test.
 */
#ifndef SUPPORT_SESSION_SIDES_H
#define SUPPORT_SESSION_SIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support_peer.h"
#include "support_session_peer.h"
#include "support_session_wire.h"
#include "support_stage.h"
#include "tunnel/worker_channel.h"
#include "wire/bucket.h"

enum { SIDES_WINDOW = 1 << 20, SIDES_SOCKET_BYTES = 16 << 10 };

/* A channel, with the QEMU at its end. */
struct side {
    struct worker_channel *channel;
    struct peer qemu;
    int local_fd; /* the channel's end of their connection, which is its own */
    unsigned lost;
    bool in_order;
    char why[64];
    unsigned finished;
    unsigned failed;
    enum reason reason;
    bool is_server;
    bool over;
};

struct worker_pool;

struct sides {
    struct stage stage;
    struct worker_pool *pool;
    struct bucket bandwidth; /* of both sides; no limit at first */
    struct side side[2];
    struct session_wire wire;
    bool wired;
    struct session_peer peer; /* of side[0], where the test is the peer */
    bool has_peer;
};

/**
 * sides_rest(rig):
 * Serve the loop until the channels have come to rest, whosever thread they
 * are on.
 */
void sides_rest(struct sides *rig);

/**
 * sides_open(rig, window):
 * sides_open_packing(rig, window, wish, pack_log):
 * Make a client's side and a server's, not joined yet.  The client compresses
 * as ${wish} says, and the server takes windows of up to 2^${pack_log} bytes.
 */
void sides_open(struct sides *rig, uint32_t window);
void sides_open_packing(struct sides *rig, uint32_t window,
                        const struct compression_wish *wish, uint8_t pack_log);

/**
 * sides_open_alone(rig, window, room):
 * sides_open_alone_packing(rig, wish, pack_log):
 * Make a client's side, joined to the test, which has room for ${room} bytes;
 * or one that compresses as ${wish} says, or takes what the test compresses.
 */
void sides_open_alone(struct sides *rig, uint32_t window, uint32_t room);
void sides_open_alone_packing(struct sides *rig,
                              const struct compression_wish *wish,
                              uint8_t pack_log);
void sides_close(struct sides *rig);

/**
 * sides_join(rig, chunk, bytes):
 * Join the two sides, anew if they were, by a wire of this kind.
 */
void sides_join(struct sides *rig, size_t chunk, uint64_t bytes);

/**
 * sides_attach(rig, side, fd, peer, replay):
 * Let ${side}, which has greeted, go on over ${fd}, where its peer stands at
 * ${peer}.  Return what session_channel_attach does.
 */
enum reason sides_attach(struct sides *rig, struct side *side, int fd,
                         const struct greeting_position *peer,
                         uint64_t *replay);

#endif
