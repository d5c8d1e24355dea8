/*
 * One end of a resumable channel, as a pure machine: which frames it may take,
 * which it sends next, and what is proved.  Bytes and sockets are its owner's.
 *
 * Two streams run through a channel.  *Out* comes from the QEMU at this end, is
 * kept by the owner until it is acknowledged, and may be sent again over
 * another transport.  *In* comes from the far end and goes to the QEMU here.
 *
 *   out:  acked <= sent <= queued,     queued - acked <= the peer's room
 *   in:   delivered <= received,       received - delivered <= our room
 *
 * ACK means delivered to QEMU's socket, never just received.  A stream has
 * ended only when its end is delivered and that is acknowledged.
 */
#ifndef WIRE_CHANNEL_H
#define WIRE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire/greeting.h"
#include "wire/reason.h"

enum {
    CHANNEL_PING_MS = 1000, /* of silence, then a PING is sent */
    CHANNEL_DEAD_MS = 5000, /* of silence, then the transport is dead */
};

struct channel_out {
    uint64_t queued; /* read from QEMU */
    uint64_t sent;   /* next to send over this transport */
    uint64_t peak;   /* the most that was ever sent */
    uint64_t acked;  /* delivered at the far end */
    bool ended;      /* QEMU's stream ends at queued */
    bool fin_sent;   /* over this transport */
    bool fin_peak;   /* over any */
    bool fin_acked;
};

struct channel_in {
    uint64_t received;  /* kept for QEMU, or delivered */
    uint64_t delivered; /* written to QEMU */
    uint64_t told;      /* delivered, as the peer knows by this transport */
    uint64_t final;     /* where the stream ends, */
    bool has_final;     /* if that is known */
    bool fin_delivered;
    bool fin_told;
    uint32_t expected; /* payload of the present DATA frame yet to come */
};

struct channel {
    struct channel_out out;
    struct channel_in in;
    uint32_t room;      /* we can keep so many undelivered bytes */
    uint32_t peer_room; /* and so many can the peer */
    uint32_t ack_bytes; /* fewer are not acknowledged by themselves */
    bool ack_now;       /* but now they are */
    uint64_t allowed;   /* payload that may be sent before it is allowed more */
    bool attached;
    uint32_t offer;      /* of the stream for the next DATA frame, at most, */
    bool offer_all;      /* or exactly */
    uint8_t offer_flags; /* which that frame then has */
    enum reason reset;   /* to be sent to the peer, then nothing more */
    bool reset_sent;
    bool ping_due;
    bool pong_due;
    uint64_t pong_offset;
    uint64_t heard_ms;  /* when the peer was last heard */
    uint64_t pinged_ms; /* when it was last asked */
    uint32_t ask_ms;    /* of silence, then it is asked; */
    uint32_t rest_ms;   /* up to so much while nothing happens: */
    uint32_t quiet_ms;  /* now this much */
    bool roused;        /* something happened after a long rest */
};

/**
 * channel_init(channel, room):
 * Begin at offset 0 in both directions, without a transport.  This end can
 * keep ${room} bytes that QEMU has not taken yet.
 */
void channel_init(struct channel *channel, uint32_t room);

/**
 * channel_greet(channel, position):
 * Leave the transport, if there is one, forget what was received but not
 * delivered (the owner drops these bytes: they come again), and fill in
 * ${position} for a greeting.  From here to channel_attach nothing may be
 * delivered.
 */
void channel_greet(struct channel *channel, struct greeting_position *position);

/**
 * channel_accepts(channel, peer):
 * Return whether a peer can stand at ${peer}: it has what was acknowledged, and
 * nothing that was never sent.
 */
bool channel_accepts(const struct channel *channel,
                     const struct greeting_position *peer);

/**
 * channel_attach(channel, peer, now_ms, replay):
 * Go on over a new transport, after channel_greet; the peer's greeting says
 * that it stands at ${peer}.  Set *${replay} to the number of bytes to be sent
 * again.  Return REASON_NONE, or REASON_BAD_RESUME if the peer claims what
 * can't be, and then nothing has changed.
 */
enum reason channel_attach(struct channel *channel,
                           const struct greeting_position *peer,
                           uint64_t now_ms, uint64_t *replay);

/**
 * channel_detach(channel):
 * The transport is gone.
 */
void channel_detach(struct channel *channel);

/**
 * channel_patience(channel, ask_ms, rest_ms):
 * Ask a silent peer after ${ask_ms}, and while nothing but PINGs and answers
 * goes to and fro twice as late each time, up to ${rest_ms}.  ${ask_ms} is
 * below CHANNEL_DEAD_MS; the rest of that is what a peer has for its answer.
 * Without this it is always asked after CHANNEL_PING_MS.
 */
void channel_patience(struct channel *channel, uint32_t ask_ms,
                      uint32_t rest_ms);

/**
 * channel_heard(channel, now_ms):
 * Bytes have come from the peer, whatever they are.
 */
void channel_heard(struct channel *channel, uint64_t now_ms);

/**
 * channel_take(channel, frame):
 * Take the header ${frame} that has come from the peer.  After a DATA header
 * its payload follows, to be told by channel_payload.  A RESET is the owner's
 * matter.  Return REASON_NONE, or a REASON_BAD_... for a frame that breaks the
 * protocol, and then nothing has changed.
 */
enum reason channel_take(struct channel *channel, const struct frame *frame);

/**
 * channel_payload(channel, bytes):
 * ${bytes} of the present DATA frame's payload are in the owner's hands; at
 * most channel->in.expected.
 */
void channel_payload(struct channel *channel, uint32_t bytes);

/**
 * channel_delivered(channel, bytes):
 * ${bytes} more have been written to QEMU.
 */
void channel_delivered(struct channel *channel, uint64_t bytes);

/**
 * channel_hold_acks(channel, bytes):
 * From now on send an ACK for no fewer than ${bytes} delivered ones, or half of
 * our room if that is less: an ACK costs a segment and two wake-ups.  The end
 * is always acknowledged at once.  What is held back is sent after
 * channel_ack_now, which the owner calls some time after channel_ack_waits has
 * returned true.
 */
void channel_hold_acks(struct channel *channel, uint32_t bytes);
bool channel_ack_waits(const struct channel *channel);
void channel_ack_now(struct channel *channel);

/**
 * channel_fin_due(channel):
 * Return whether all is delivered but the end: the owner ends QEMU's stream and
 * calls channel_fin_delivered.
 */
bool channel_fin_due(const struct channel *channel);
void channel_fin_delivered(struct channel *channel);

/**
 * channel_may_queue(channel, window):
 * Return how many more bytes may be read from QEMU if at most ${window} are to
 * be on their way: 0 after the end.
 */
uint64_t channel_may_queue(const struct channel *channel, uint64_t window);

/**
 * channel_allow(channel, bytes):
 * channel_held(channel):
 * Send ${bytes} of the stream at most from now on: everything unless this is
 * called.  What goes in one piece alone (channel_offer) goes as a whole while
 * that is not 0.  Return whether there is some that could be sent but for this;
 * what follows it in the stream waits for it, and nothing else does.
 */
void channel_allow(struct channel *channel, uint64_t bytes);
bool channel_held(const struct channel *channel);

/**
 * channel_queue(channel, bytes):
 * channel_end(channel):
 * ${bytes} more have been read from QEMU; its stream has ended.
 */
void channel_queue(struct channel *channel, uint64_t bytes);
void channel_end(struct channel *channel);

/**
 * channel_reset(channel, reason):
 * Give up: send what the peer has room for, then RESET with ${reason}, then
 * nothing more.  The first reason counts.
 */
void channel_reset(struct channel *channel, enum reason reason);

/**
 * channel_offer(channel, bytes, all, flags):
 * Let DATA frames have at most ${bytes} of the stream, or exactly so many if
 * ${all}, and ${flags}.  0 holds data back, and with it FIN and RESET, which
 * come after it; everything else goes on.  At first, and at each attachment:
 * FRAME_DATA_MAX, not all, no flags.
 */
void channel_offer(struct channel *channel, uint32_t bytes, bool all,
                   uint8_t flags);

/**
 * channel_next(channel, frame):
 * If there is something to send, fill in ${frame}, count it as sent and return
 * true.  A DATA frame carries the owner's bytes from frame->offset on.
 * Without a transport there never is.
 */
bool channel_next(struct channel *channel, struct frame *frame);

enum channel_tick {
    CHANNEL_QUIET, /* nothing to do */
    CHANNEL_PING,  /* channel_next has a PING */
    CHANNEL_DEAD,  /* the transport is dead: detach */
};

/**
 * channel_tick(channel, now_ms, next_ms):
 * See how long the peer has been silent.  Set *${next_ms} to the time at which
 * to look again; when ${channel}->roused is set that is too late, and it has
 * to be within ${channel}->ask_ms.
 */
enum channel_tick channel_tick(struct channel *channel, uint64_t now_ms,
                               uint64_t *next_ms);

/**
 * channel_complete(channel):
 * Return whether both streams have ended, proved to this end.
 */
bool channel_complete(const struct channel *channel);

/**
 * channel_finished(channel):
 * Return whether the channel is complete and the peer has been told.
 */
bool channel_finished(const struct channel *channel);

#endif
