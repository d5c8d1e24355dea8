/*
 * One end of a resumable channel with its bytes: a local stream on one side (a
 * QEMU's connection, or channel 0's messages), a replaceable transport on the
 * other, and between them the channel machine of wire/channel.h and two rings.
 */
#ifndef TUNNEL_SESSION_CHANNEL_H
#define TUNNEL_SESSION_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/compression.h"
#include "wire/greeting.h"
#include "wire/reason.h"

struct bucket;
struct loop;
struct session_channel;
struct transport;

struct session_channel_options {
    struct loop *loop;
    uint32_t number;
    uint32_t window; /* bytes, the most that is on its way in one direction */
    bool patient;    /* the other end asks first whether this one lives */
    struct bucket *bandwidth; /* of what goes out, shared; NULL: no limit */

    /* One end of a channel may compress, and the other take that: */
    struct compression_wish compress; /* what this end sends, */
    uint8_t pack_log;                 /* or windows of up to 2^pack_log bytes;
                                         0 for none */

    /**
     * on_lost(arg, why, in_order):
     * The transport is gone, because of ${why}, which is good until the channel
     * is freed or loses another one; ${in_order} if the peer closed
     * it between two frames.  Everything is kept for the next one.
     */
    void (*on_lost)(void *arg, const char *why, bool in_order);

    /**
     * on_finished(arg):
     * Both streams have ended, proved to both ends as far as this one can
     * know.  The transport, if there is one, may be closed.  It is told again
     * if a peer that has missed something comes back.  NULL for an owner that
     * waits for its peer to close; then on_lost is all that is told.
     */
    void (*on_finished)(void *arg);

    /**
     * on_failed(arg, reason):
     * The channel can't go on: the peer gave up or broke the protocol, or
     * (REASON_DESTINATION_CLOSED or REASON_CANCELLED, by local_reason) the
     * local stream failed.  The owner ends the session.
     */
    void (*on_failed)(void *arg, enum reason reason);
    enum reason local_reason;

    /**
     * on_local_lost(arg):
     * The local stream can't be read or written any more.  That counts as its
     * end, and what has come for it is kept: the owner judges by another
     * channel, and calls session_channel_drop_local or ends the session.  If
     * much comes for it meanwhile, on_failed is told.  NULL where a local
     * stream that fails is a failure.
     */
    void (*on_local_lost)(void *arg);
    void *arg;
};

/* What has gone through a channel so far. */
struct session_channel_report {
    uint64_t out_bytes;     /* acknowledged by the far end */
    uint64_t in_bytes;      /* delivered here */
    uint64_t spliced_bytes; /* received without being copied */
    uint64_t replayed_bytes;
    uint64_t stream_bytes; /* of DATA frames in the direction that may be */
    uint64_t wire_bytes;   /* compressed, and what they took; both 0 if not */
    bool complete;
};

/**
 * session_channel_new(options):
 * Make a channel without local stream and without transport.  Return NULL with
 * errno set if there is no memory.  The caller frees it with
 * session_channel_free, which closes both.  Callbacks are the last statement
 * of what makes them, and may free the channel.
 */
struct session_channel *session_channel_new(
    const struct session_channel_options *options);
void session_channel_free(struct session_channel *channel);

/**
 * session_channel_set_local(channel, local):
 * Take over the local stream; once only.
 */
void session_channel_set_local(struct session_channel *channel,
                               struct transport *local);

/**
 * session_channel_greet(channel, position):
 * Close the transport, if there is one, and say where this end stands, for a
 * greeting.
 */
void session_channel_greet(struct session_channel *channel,
                           struct greeting_position *position);

/**
 * session_channel_accepts(channel, peer):
 * session_channel_fresh(channel):
 * Return whether a peer can stand at ${peer} (see channel_accepts); whether the
 * peer has not been heard yet, but for its greetings.
 */
bool session_channel_accepts(const struct session_channel *channel,
                             const struct greeting_position *peer);
bool session_channel_fresh(const struct session_channel *channel);

/**
 * session_channel_attach(channel, transport, peer, early, early_bytes, replay):
 * Go on over ${transport}, whose peer stands at ${peer}, after
 * session_channel_greet.  What followed the peer's greeting stands in ${early},
 * at most 4096 bytes.  Set *${replay} to the number of bytes that are sent
 * again.  Return REASON_NONE, and then the transport is the channel's; or
 * REASON_BAD_RESUME, and then it stays the caller's.  No callback is made
 * before this function returns.
 */
enum reason session_channel_attach(struct session_channel *channel,
                                   struct transport *transport,
                                   const struct greeting_position *peer,
                                   const void *early, size_t early_bytes,
                                   uint64_t *replay);

/**
 * session_channel_reset(channel, reason):
 * Give up: read the local stream no more, send what is left and then RESET.
 */
void session_channel_reset(struct session_channel *channel, enum reason reason);

/**
 * session_channel_flushed(channel):
 * Return whether everything that can be sent has been handed to the kernel.
 */
bool session_channel_flushed(const struct session_channel *channel);

/**
 * session_channel_drop_local(channel):
 * The local stream is lost, if it is, and nobody needs what has come for it, or
 * comes yet.
 */
void session_channel_drop_local(struct session_channel *channel);

/**
 * session_channel_close_transport(channel):
 * Close the transport in order: the peer reads an end.
 */
void session_channel_close_transport(struct session_channel *channel);

/**
 * session_channel_take_local(channel):
 * Return the local stream, which is the caller's from now on, or NULL.
 */
struct transport *session_channel_take_local(struct session_channel *channel);

/**
 * session_channel_fd(channel):
 * Return the descriptor of the transport, which stays its own, or -1 without
 * one.
 */
int session_channel_fd(const struct session_channel *channel);

/**
 * session_channel_connected(channel):
 * session_channel_complete(channel):
 * session_channel_ended(channel):
 * Return whether there is a transport; whether both streams have ended, proved
 * to this end; whether the peer's stream has ended, delivered or not, before
 * the local one.
 */
bool session_channel_connected(const struct session_channel *channel);
bool session_channel_complete(const struct session_channel *channel);
bool session_channel_ended(const struct session_channel *channel);

/**
 * session_channel_local_ended(channel):
 * Return whether the local stream has been read to its end.
 */
bool session_channel_local_ended(const struct session_channel *channel);

/**
 * session_channel_report(channel, report):
 * Fill in ${report}.
 */
void session_channel_report(const struct session_channel *channel,
                            struct session_channel_report *report);

/**
 * session_channel_verdict(channel, at_source):
 * Judge the migration by this channel, its main one, which is complete; see
 * verdict_of.  One that is not is the fault of the side that ended first.
 */
enum reason session_channel_verdict(const struct session_channel *channel,
                                    bool at_source);

#endif
