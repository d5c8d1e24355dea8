#include "wire/compression.h"

#include <string.h>

#include "base/value.h"
#include "wire/packer.h"

/*
 * Theory of operation.  Time is cut into slots, in each of which some looks
 * say what is waited for: the link, if the window is full and most of what is
 * on its way has not left this host's kernel; else the compressor, if it has
 * more to do than it can; else something that is not our matter.
 *
 *   state   compresses   left for
 *   WATCH   no           TRY, when two slots in a row wait for the link
 *   TRY     at level 1   ON, if the stream got on faster; else WATCH
 *   ON      yes          WATCH, when the data does not give way any more, or
 *                        the link is not what is waited for at level 1
 *
 * Only a comparison counts in the end.  Whether a processor has time left can't
 * be seen from here, so TRY measures how fast the stream gets on against how
 * fast it did just before.  Data that does not give way costs the link nothing
 * as long as the compressor keeps up, and memory has stretches of it, so one
 * slot of that ends no try.  A failure is tried again after a pause that
 * doubles each time, until it has gone well for two seconds.  A stream that
 * waits for nothing that compression could help is looked at without it now and
 * then, ever more rarely if that only confirms it; and at once when it gets on
 * slower than it did without: what takes the time then may be compression
 * itself.
 *
 * A link that carries so much in the plain that one processor would be busy
 * with compressing alone is left alone.
 *
 * In ON the level follows what is waited for: the link, a better one; the
 * compressor, or nothing, a faster one.  A level that was too slow is not tried
 * again for a while, and a better level costs what was compressed before, so it
 * waits until four windows have made that worth it.
 */
enum {
    SLOT_US = 100000,
    LOOK_US = 10000,
    SLOT_LOOKS = 3,
    SECOND_US = 1000000,
    PAUSE_FIRST_US = 1000000,
    PAUSE_LAST_US = 32000000,

    FAST_BYTES = 250 << 20, /* a second: what level 1 does with what resists */
    WATCH_SLOTS = 2,
    TRY_RAMP_SLOTS = 2, /* until the window has grown */
    TRY_SLOTS = 5,
    TRY_STIFF_SLOTS = 3, /* a stretch may be shorter, and says little */
    STIFF_SLOTS = 5,
    WORSE_SLOTS = 2,
    GOOD_SLOTS = 20, /* then it was no luck */
    LEVEL_SLOTS = 3,
    CEILING_SLOTS = 50,
    IDLE_FIRST = 10,
    IDLE_LAST = 320,

    LEVEL_FIRST = 1,
    LEVEL_LAST = 9, /* what is above takes far more time for little */
};

int
compression_parse(const char *text, struct compression_wish *wish)
{
    static const char zstd[] = "zstd";
    uint64_t level = PACKER_LEVEL_USUAL;

    if (strcmp(text, "auto") == 0) {
        wish->mode = COMPRESSION_AUTO;
        return 0;
    }
    if (strcmp(text, "off") == 0) {
        wish->mode = COMPRESSION_OFF;
        return 0;
    }
    if (strncmp(text, zstd, strlen(zstd)) != 0)
        return -1;
    text += strlen(zstd);
    if (*text != '\0' &&
        (*text != ':' ||
         value_count(text + 1, 1, PACKER_LEVEL_MAX, &level) != 0))
        return -1;
    wish->mode = COMPRESSION_FIXED;
    wish->level = (int)level;
    return 0;
}

uint8_t
compression_window_log(uint64_t bytes)
{
    uint8_t log = PACKED_WINDOW_LOG_MIN;

    while (log < PACKED_WINDOW_LOG_MAX && (uint64_t)1 << log < bytes)
        log++;
    return log;
}

int
compression_window_parse(const char *text, uint8_t *log)
{
    enum { LEAST = 64 << 10, MOST = 1 << PACKED_WINDOW_LOG_MAX };
    uint64_t bytes;

    if (value_size(text, LEAST, MOST, &bytes) != 0)
        return -1;
    *log = compression_window_log(bytes);
    return 0;
}

/* What a slot of time was like. */
struct slot {
    uint64_t rate; /* bytes a second */
    bool slow;     /* the link was waited for, */
    bool behind;   /* or the compressor */
    bool stiff;    /* the data did not give way */
};

/* Where ${in} bytes became ${out}: they gave way, by a tenth at least. */
static bool
gives_way(uint64_t in, uint64_t out)
{
    return out <= in - in / 10;
}

void
compression_init(struct compression *compression,
                 const struct compression_wish *wish)
{
    *compression = (struct compression){ .wish = *wish };
    compression_restart(compression);
}

void
compression_restart(struct compression *compression)
{
    *compression = (struct compression){
        .wish = compression->wish,
        .pause_us = PAUSE_FIRST_US,
        .idle_limit = IDLE_FIRST,
        .ceiling = LEVEL_LAST + 1,
        .ratio_in = 1,
        .ratio_out = 1,
    };
}

int
compression_level(const struct compression *compression)
{
    switch (compression->wish.mode) {
    case COMPRESSION_OFF: break;
    case COMPRESSION_FIXED: return compression->wish.level;
    case COMPRESSION_AUTO: return compression->level;
    }
    return 0;
}

bool
compression_due(const struct compression *compression, uint64_t now_us)
{
    return compression->wish.mode == COMPRESSION_AUTO &&
           (!compression->begun || now_us - compression->looked_us >= LOOK_US);
}

static void
enter(struct compression *compression, enum compression_state state)
{
    compression->state = state;
    compression->slots = 0;
    compression->firm_slots = 0;
    compression->idle_slots = 0;
    compression->stiff_slots = 0;
    compression->worse_slots = 0;
    compression->good_slots = 0;
    compression->rate = 0;
    compression->level = state == COMPRESSION_WATCH ? 0 : LEVEL_FIRST;
}

/* It is no use now. */
static void
give_up(struct compression *compression, uint64_t now_us)
{
    enter(compression, COMPRESSION_WATCH);
    compression->rechecking = false;
    compression->idle_limit = IDLE_FIRST;
    compression->not_before_us = now_us + compression->pause_us;
    compression->pause_us *= 2;
    if (compression->pause_us > PAUSE_LAST_US)
        compression->pause_us = PAUSE_LAST_US;
}

static void
watch(struct compression *compression, uint64_t now_us, uint64_t rate,
      bool slow)
{
    if (compression->slots++ == 0)
        return; /* there may be something compressed in it */
    compression->firm_slots = slow ? compression->firm_slots + 1 : 0;
    compression->rate = slow ? compression->rate + rate : 0;
    if (compression->firm_slots < WATCH_SLOTS)
        return;
    compression->plain_rate = compression->rate / compression->firm_slots;
    compression->firm_slots = 0;
    compression->rate = 0;
    if (compression->plain_rate < FAST_BYTES &&
        now_us >= compression->not_before_us)
        enter(compression, COMPRESSION_TRY);
}

static void
succeed(struct compression *compression)
{
    if (compression->rechecking) {
        compression->idle_limit *= 2;
        if (compression->idle_limit > IDLE_LAST)
            compression->idle_limit = IDLE_LAST;
    }
    compression->rechecking = false;
    enter(compression, COMPRESSION_ON);
}

static void
try(struct compression *compression, uint64_t now_us, const struct slot *slot)
{
    uint64_t plain_rate = compression->plain_rate;
    uint64_t needed = plain_rate + plain_rate / 20;
    bool steady = ++compression->slots > TRY_RAMP_SLOTS;

    compression->stiff_slots = slot->stiff ? compression->stiff_slots + 1 : 0;
    if (compression->stiff_slots >= TRY_STIFF_SLOTS ||
        (slot->stiff && slot->behind) ||
        (steady && !slot->slow && slot->rate < plain_rate - plain_rate / 10)) {
        give_up(compression, now_us);
        return;
    }
    if (steady)
        compression->rate += slot->rate;
    if (compression->slots < TRY_SLOTS)
        return;
    if (compression->rate / (TRY_SLOTS - TRY_RAMP_SLOTS) < needed)
        give_up(compression, now_us);
    else
        succeed(compression);
}

static void
choose(struct compression *compression, int level,
       const struct compression_look *look)
{
    compression->level = level;
    compression->level_in = look->packed_in;
    compression->firm_slots = 0;
    compression->idle_slots = 0;
}

static void
adapt(struct compression *compression, const struct compression_look *look,
      bool slow, bool behind)
{
    uint64_t worth = (uint64_t)4 << compression->wish.pack_log;

    if (compression->ceiling_slots > 0 && --compression->ceiling_slots == 0)
        compression->ceiling = LEVEL_LAST + 1;
    compression->firm_slots = slow ? compression->firm_slots + 1 : 0;
    compression->idle_slots = slow ? 0 : compression->idle_slots + 1;
    if (compression->firm_slots >= LEVEL_SLOTS &&
        compression->level + 1 < compression->ceiling &&
        look->packed_in - compression->level_in >= worth) {
        choose(compression, compression->level + 1, look);
    } else if (compression->level > LEVEL_FIRST &&
               (behind || compression->idle_slots >= LEVEL_SLOTS)) {
        compression->ceiling = compression->level;
        compression->ceiling_slots = CEILING_SLOTS;
        choose(compression, compression->level - 1, look);
    }
}

/* Count the slot: is it still worth it? */
static void
weigh(struct compression *compression, const struct slot *slot)
{
    bool worse = !slot->slow && compression->level == LEVEL_FIRST &&
                 slot->rate < compression->plain_rate;

    compression->stiff_slots = slot->stiff ? compression->stiff_slots + 1 : 0;
    compression->worse_slots = worse ? compression->worse_slots + 1 : 0;
    if (worse || slot->stiff || ++compression->good_slots < GOOD_SLOTS)
        return;
    compression->good_slots = 0;
    compression->pause_us = PAUSE_FIRST_US;
}

static void
go_on(struct compression *compression, uint64_t now_us,
      const struct compression_look *look, const struct slot *slot)
{
    bool worse;

    weigh(compression, slot);
    worse = compression->worse_slots >= WORSE_SLOTS;
    if (compression->stiff_slots >= STIFF_SLOTS || (worse && slot->behind)) {
        give_up(compression, now_us);
        return;
    }
    adapt(compression, look, slot->slow, slot->behind);
    if (worse || (compression->level == LEVEL_FIRST &&
                  compression->idle_slots >= compression->idle_limit)) {
        enter(compression, COMPRESSION_WATCH);
        compression->rechecking = true;
    }
}

static void
end_slot(struct compression *compression, uint64_t now_us,
         const struct compression_look *look)
{
    const struct compression_look *first = &compression->first;
    uint64_t in = look->packed_in - first->packed_in;
    uint64_t out = look->packed_out - first->packed_out;
    const struct slot slot = {
        .rate = (look->acked - first->acked) * SECOND_US /
                (now_us - compression->slot_us),
        .slow = compression->slow * 4 >= compression->looks * 3,
        .behind = compression->behind * 4 >= compression->looks * 3,
        .stiff = in > 0 && !gives_way(in, out),
    };

    if (in > 0 && out > 0) {
        compression->ratio_in = in;
        compression->ratio_out = out;
    }
    switch (compression->state) {
    case COMPRESSION_WATCH:
        watch(compression, now_us, slot.rate, slot.slow);
        break;
    case COMPRESSION_TRY: try(compression, now_us, &slot); break;
    case COMPRESSION_ON: go_on(compression, now_us, look, &slot); break;
    }
}

/* Return whether most of what is on its way has not left this host. */
static bool
waits_here(const struct compression *compression,
           const struct compression_look *look)
{
    uint64_t flight = look->flight;

    if (compression->level != 0)
        flight = flight * compression->ratio_out / compression->ratio_in;
    return look->unsent >= flight / 2;
}

void
compression_look(struct compression *compression, uint64_t now_us,
                 const struct compression_look *look)
{
    enum { BEHIND = 2 };

    compression->looked_us = now_us;
    if (!compression->begun) {
        compression->begun = true;
        compression->slot_us = now_us;
        compression->first = *look;
        return;
    }
    compression->looks++;
    if (look->waiting >= BEHIND)
        compression->behind++;
    else if (look->full && waits_here(compression, look))
        compression->slow++;
    if (now_us - compression->slot_us < SLOT_US ||
        compression->looks < SLOT_LOOKS)
        return;
    end_slot(compression, now_us, look);
    compression->slot_us = now_us;
    compression->first = *look;
    compression->looks = 0;
    compression->slow = 0;
    compression->behind = 0;
}
