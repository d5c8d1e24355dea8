#include "tunnel/squeezer.h"

#include <stdlib.h>

#include "base/log.h"
#include "tunnel/press.h"
#include "tunnel/ring.h"
#include "wire/channel.h"
#include "wire/frame.h"

/*
 * Theory of operation.  Without compression this is in nobody's way: there is
 * no thread before the policy wants one.  While there are pieces in the press,
 * what is sent next comes from there; plain frames go on when it is empty.
 *
 * The pieces are ahead of what the channel has sent.  `next` is where they end.
 */
struct squeezer {
    struct squeezer_options options;
    struct compression policy;
    unsigned pack_log; /* of the press, if there is one */
    bool allowed;      /* by the peer */
    struct press *press;
    uint64_t next;
    uint64_t packed_in;
    uint64_t packed_out;
    struct squeezer_report report;
};

struct squeezer *
squeezer_new(const struct squeezer_options *options)
{
    struct squeezer *squeezer = calloc(1, sizeof *squeezer);

    if (squeezer == NULL)
        return NULL;
    squeezer->options = *options;
    compression_init(&squeezer->policy, &options->wish);
    return squeezer;
}

void
squeezer_free(struct squeezer *squeezer)
{
    if (squeezer == NULL)
        return;
    press_free(squeezer->press);
    free(squeezer);
}

void
squeezer_attach(struct squeezer *squeezer, unsigned pack_log)
{
    if (squeezer->press != NULL && pack_log != squeezer->pack_log) {
        press_free(squeezer->press);
        squeezer->press = NULL;
    }
    if (squeezer->press != NULL)
        press_restart(squeezer->press);
    squeezer->pack_log = pack_log;
    squeezer->allowed = pack_log != 0;
    compression_restart(&squeezer->policy);
}

bool
squeezer_due(const struct squeezer *squeezer, uint64_t now_us)
{
    return squeezer->allowed && compression_due(&squeezer->policy, now_us);
}

void
squeezer_look(struct squeezer *squeezer, uint64_t now_us,
              struct compression_look *look)
{
    int before = compression_level(&squeezer->policy), level;

    look->packed_in = squeezer->packed_in;
    look->packed_out = squeezer->packed_out;
    if (squeezer->press != NULL)
        look->waiting = press_waiting(squeezer->press);
    compression_look(&squeezer->policy, now_us, look);
    level = compression_level(&squeezer->policy);
    if (level != before)
        log_debug("channel %u: compression level %d%s",
                  (unsigned)squeezer->options.number, level,
                  level == 0 ? ", which is none" : "");
}

static int
level_of(const struct squeezer *squeezer)
{
    return squeezer->allowed ? compression_level(&squeezer->policy) : 0;
}

static bool
have_press(struct squeezer *squeezer)
{
    if (squeezer->press != NULL)
        return true;
    squeezer->press =
        press_new(squeezer->options.loop, squeezer->pack_log,
                  squeezer->options.on_pressed, squeezer->options.arg);
    if (squeezer->press != NULL)
        return true;
    log_warn("channel %u: cannot compress", (unsigned)squeezer->options.number);
    squeezer->allowed = false; /* over this transport */
    return false;
}

/* A piece goes as a whole, so the peer must have room for it. */
static void
fill(struct squeezer *squeezer, int level, const struct channel *channel,
     const struct ring *ring)
{
    while (squeezer->next < channel->out.queued) {
        uint64_t length = channel->out.queued - squeezer->next;

        if (length > PACKER_IN_BYTES)
            length = PACKER_IN_BYTES;
        if (length > channel->peer_room)
            length = channel->peer_room;
        if (length == 0 || !press_take(squeezer->press, level, ring,
                                       squeezer->next, (uint32_t)length))
            return;
        squeezer->next += length;
    }
}

const struct pressed *
squeezer_feed(struct squeezer *squeezer, struct channel *channel,
              const struct ring *ring)
{
    const struct pressed *front;
    int level = level_of(squeezer);
    bool empty = squeezer->press == NULL || press_pieces(squeezer->press) == 0;

    if (empty)
        squeezer->next = channel->out.sent;
    if (level > 0 && squeezer->next < channel->out.queued &&
        have_press(squeezer)) {
        fill(squeezer, level, channel, ring);
        empty = press_pieces(squeezer->press) == 0;
    }
    if (empty) {
        channel_offer(channel, FRAME_DATA_MAX, false, 0);
        return NULL;
    }
    front = press_front(squeezer->press);
    if (front == NULL)
        channel_offer(channel, 0, false, 0);
    else
        channel_offer(channel, front->length, true,
                      front->payload != NULL ? FRAME_FLAG_PACKED : 0);
    return front;
}

void
squeezer_pop(struct squeezer *squeezer)
{
    const struct pressed *front = press_front(squeezer->press);

    if (front->payload != NULL) {
        squeezer->packed_in += front->length;
        squeezer->packed_out += front->payload_bytes;
    }
    press_pop(squeezer->press);
}

void
squeezer_count(struct squeezer *squeezer, uint64_t stream_bytes,
               uint64_t wire_bytes)
{
    squeezer->report.stream_bytes += stream_bytes;
    squeezer->report.wire_bytes += wire_bytes;
}

void
squeezer_report(const struct squeezer *squeezer, struct squeezer_report *report)
{
    *report = squeezer->report;
}

uint64_t
squeezer_holds(const struct squeezer *squeezer)
{
    return level_of(squeezer) > 0 ? PRESS_BYTES : 0;
}
