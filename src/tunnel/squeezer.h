/*
 * The compressing half of a channel's end: lets the policy look at the link,
 * and feeds what waits in the ring to a thread, as far as the policy wants it.
 */
#ifndef TUNNEL_SQUEEZER_H
#define TUNNEL_SQUEEZER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/compression.h"

struct channel;
struct loop;
struct pressed;
struct ring;
struct squeezer;

/* What goes through one. */
struct squeezer_report {
    uint64_t stream_bytes; /* of DATA frames, */
    uint64_t wire_bytes;   /* and what they took */
};

struct squeezer_options {
    struct loop *loop;
    uint32_t number; /* of the channel, for log lines */
    struct compression_wish wish;

    /**
     * on_pressed(arg):
     * There may be more to send.  The callback may free the squeezer.
     */
    void (*on_pressed)(void *arg);
    void *arg;
};

/**
 * squeezer_new(options):
 * Return NULL with errno set if there is no memory.  The caller frees it with
 * squeezer_free.
 */
struct squeezer *squeezer_new(const struct squeezer_options *options);
void squeezer_free(struct squeezer *squeezer);

/**
 * squeezer_attach(squeezer, pack_log):
 * There is another transport, whose peer takes windows of up to 2^${pack_log}
 * bytes, or with 0 nothing compressed.
 */
void squeezer_attach(struct squeezer *squeezer, unsigned pack_log);

/**
 * squeezer_due(squeezer, now_us):
 * squeezer_look(squeezer, now_us, look):
 * Return whether a look is due; take it: ${look} has all but what the squeezer
 * itself knows.
 */
bool squeezer_due(const struct squeezer *squeezer, uint64_t now_us);
void squeezer_look(struct squeezer *squeezer, uint64_t now_us,
                   struct compression_look *look);

/**
 * squeezer_feed(squeezer, channel, ring):
 * Take what waits in ${ring}, as far as it is wanted and there is room, and say
 * to ${channel} what the next DATA frame may have.  Return the piece that is
 * that frame, if it is one.
 */
const struct pressed *squeezer_feed(struct squeezer *squeezer,
                                    struct channel *channel,
                                    const struct ring *ring);

/**
 * squeezer_pop(squeezer):
 * The piece is sent.
 */
void squeezer_pop(struct squeezer *squeezer);

/**
 * squeezer_count(squeezer, stream_bytes, wire_bytes):
 * squeezer_report(squeezer, report):
 * A DATA frame is on its way with so much; what there was in all.
 */
void squeezer_count(struct squeezer *squeezer, uint64_t stream_bytes,
                    uint64_t wire_bytes);
void squeezer_report(const struct squeezer *squeezer,
                     struct squeezer_report *report);

/**
 * squeezer_holds(squeezer):
 * Return how many bytes of the stream it may hold at present, beside what is
 * on its way.
 */
uint64_t squeezer_holds(const struct squeezer *squeezer);

#endif
