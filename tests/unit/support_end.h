/*
 * One end of the model: a channel machine with what its owner has to do, by the
 * rules of wire/channel.h, and the QEMU at this end.
 */
#ifndef SUPPORT_END_H
#define SUPPORT_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support_path.h"
#include "wire/channel.h"

enum { END_STEP_MAX = 16 << 10 }; /* bytes that any step moves at most */

/* Where the transport was lost, to know that the model gets there. */
enum loss {
    LOSS_GREETING, /* before the client was attached */
    LOSS_ATTACHED, /* before the first frame after that */
    LOSS_HEADER,   /* with a part of a header read */
    LOSS_PAYLOAD,  /* with a part of a payload read */
    LOSS_FIN,      /* between FIN and its ACK */
    LOSS_COMPLETE, /* with one end complete and the other not */
    LOSS_CLOSED,   /* between the server's close and the client's */
    LOSS_LATE,     /* by a greeting that the client had given up on */
    LOSSES,
};

struct model_end {
    enum side side;
    struct channel channel;
    struct store out;
    struct store in;
    uint64_t total; /* bytes that QEMU here writes before its end */
    uint64_t got;   /* bytes that QEMU here has got */
    bool got_end;

    struct path *path;
    bool greeting; /* the client: no answer yet */
    bool fresh;    /* nothing has come since the transport was attached */
    bool closed;   /* the server: closed in order */
    bool done;     /* the client: closed in order, after the server */
    unsigned char greeted[GREETING_SERVER_BYTES];
    size_t greeted_bytes;

    /* What is being written, and read. */
    unsigned char head[GREETING_CLIENT_BYTES];
    size_t head_at;
    size_t head_bytes;
    uint64_t payload_at;
    size_t payload_left;
    unsigned char header[FRAME_HEADER_BYTES];
    size_t header_bytes;

    const char *broken; /* the first rule that did not hold, or NULL */
};

/**
 * end_init(end, side, room, peer_room, total):
 * end_fini(end):
 * An end with room for ${room} bytes, whose peer has room for ${peer_room}.
 */
void end_init(struct model_end *end, enum side side, uint32_t room,
              uint32_t peer_room, uint64_t total);
void end_fini(struct model_end *end);

/**
 * end_queue(end, most, window):
 * end_deliver(end, most):
 * QEMU writes, or takes, up to ${most} bytes.  Return whether it did, or ended.
 */
bool end_queue(struct model_end *end, size_t most, uint64_t window);
bool end_deliver(struct model_end *end, size_t most);

/**
 * end_send(end, most):
 * end_receive(end, most, now_ms):
 * Move up to ${most} bytes to or from the transport.  Return whether something
 * has happened.
 */
bool end_send(struct model_end *end, size_t most);
bool end_receive(struct model_end *end, size_t most, uint64_t now_ms);

/**
 * end_dial(client, path):
 * The client goes on over a new path.
 */
void end_dial(struct model_end *client, struct path *path);

/**
 * end_accept(server, path, stale, most, now_ms):
 * The server reads what a client says first on ${path}, and attaches it when
 * that is all there.  It may refuse only what is ${stale}.
 */
bool end_accept(struct model_end *server, struct path *path, bool stale,
                size_t most, uint64_t now_ms);

/**
 * end_close(server):
 * A server that has finished closes the transport in order.
 */
bool end_close(struct model_end *server);

/**
 * end_drop(end):
 * Close the transport as it is.
 */
void end_drop(struct model_end *end);

/**
 * end_check(end, other):
 * See whether all that must hold at any time does.
 */
void end_check(struct model_end *end, const struct model_end *other);

#endif
