/*
 * When to compress, and how hard: a policy without a clock.  Its owner carries
 * the bytes, and lets it look at the link now and then.
 */
#ifndef WIRE_COMPRESSION_H
#define WIRE_COMPRESSION_H

#include <stdbool.h>
#include <stdint.h>

enum compression_mode {
    COMPRESSION_OFF,
    COMPRESSION_AUTO,  /* while it makes a slow link faster */
    COMPRESSION_FIXED, /* always, with one level */
};

/* What the operator wants. */
struct compression_wish {
    enum compression_mode mode;
    int level;        /* FIXED alone: 1 to PACKER_LEVEL_MAX */
    uint8_t pack_log; /* the window: 2^pack_log bytes; see wire/unpacker.h */
};

/**
 * compression_parse(text, wish):
 * Read what stands on a command line: auto, off, zstd or zstd:LEVEL.  Return 0,
 * or -1 and leave ${wish} as it was.  Its pack_log is not touched.
 */
int compression_parse(const char *text, struct compression_wish *wish);

/**
 * compression_window_log(bytes):
 * Return the pack_log of a window of at least ${bytes}, if there is one.
 */
uint8_t compression_window_log(uint64_t bytes);

/**
 * compression_window_parse(text, log):
 * Read the pack_log of a window that is given on a command line, of 64 KiB to
 * 128 MiB.  Return 0, or -1 and leave *${log} as it was.
 */
int compression_window_parse(const char *text, uint8_t *log);

/* Counters from any beginning, and what is so right now. */
struct compression_look {
    uint64_t acked;      /* the stream is delivered up to here */
    uint64_t packed_in;  /* bytes that were compressed, */
    uint64_t packed_out; /* and what they became */
    uint64_t flight;     /* bytes of the stream on their way */
    uint64_t unsent;     /* bytes that the link has not carried yet */
    bool full;           /* the window is: more waits */
    unsigned waiting;    /* pieces that the compressor has not done */
};

enum compression_state {
    COMPRESSION_WATCH, /* plain: is the link slow? */
    COMPRESSION_TRY,   /* compressed: is it faster so? */
    COMPRESSION_ON,    /* it was */
};

struct compression {
    struct compression_wish wish;
    enum compression_state state;
    int level;

    /* The present slot of time: */
    uint64_t slot_us;
    uint64_t looked_us;
    struct compression_look first; /* with which it began */
    bool begun;
    unsigned looks;
    unsigned slow;   /* in which the link was what is waited for, */
    unsigned behind; /* or the compressor */

    unsigned slots;       /* in this state, or of this sort in a row: */
    unsigned firm_slots;  /* the link is the bottleneck */
    unsigned idle_slots;  /* it is not */
    unsigned stiff_slots; /* the data does not give way */
    unsigned worse_slots; /* it got on slower than without */
    unsigned good_slots;  /* faster, in this state */
    uint64_t rate;        /* added up over some slots, bytes a second */
    uint64_t plain_rate;  /* without compression, before it was tried */
    uint64_t ratio_in;    /* of what was compressed last, */
    uint64_t ratio_out;   /* to this */
    uint64_t not_before_us;
    uint64_t pause_us;      /* before the next try, if this one is none */
    unsigned idle_limit;    /* so many idle slots, and a plain look is due */
    bool rechecking;        /* this is that look */
    int ceiling;            /* a level that was too slow, */
    unsigned ceiling_slots; /* and for how long that counts */
    uint64_t level_in;      /* packed_in when the level was chosen */
};

/**
 * compression_init(compression, wish):
 * Begin.
 */
void compression_init(struct compression *compression,
                      const struct compression_wish *wish);

/**
 * compression_restart(compression):
 * Another path: forget what was measured.
 */
void compression_restart(struct compression *compression);

/**
 * compression_due(compression, now_us):
 * Return whether it wants to look.
 */
bool compression_due(const struct compression *compression, uint64_t now_us);

/**
 * compression_look(compression, now_us, look):
 * Take a look, which may change the level.
 */
void compression_look(struct compression *compression, uint64_t now_us,
                      const struct compression_look *look);

/**
 * compression_level(compression):
 * Return the level to compress with, or 0 not to.
 */
int compression_level(const struct compression *compression);

#endif
