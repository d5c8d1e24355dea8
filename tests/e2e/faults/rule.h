/*
 * Rules: at which byte a connection is to be broken.  They know the session
 * protocol by code of their own, so that a mistake in src/wire does not hide
 * itself.
 */
#ifndef FAULTS_RULE_H
#define FAULTS_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANY_CHANNEL = -1, NO_CHANNEL = -2 };
enum { PATTERN_MAX = 32, RULES_MAX = 16 };

/* What is done at that byte. */
enum action {
    ACTION_RESET,     /* of this connection */
    ACTION_RESET_ALL, /* of all */
    ACTION_BLACKHOLE,
    ACTION_REFUSE /* reset all, and listen no more */
};

enum rule_kind { RULE_BYTES, RULE_FRAME, RULE_MATCH };

/* Where, relative to the frame or the pattern. */
enum rule_where { BEFORE, HEAD, INSIDE, AFTER };

struct rule {
    enum rule_kind kind;
    enum action action;
    unsigned times; /* how often it is still to act; 0 is a free place */
    long channel;
    int direction;           /* 0 from the client, 1 from the server */
    uint64_t every, counted; /* RULE_BYTES */
    enum rule_where where;
    unsigned type; /* RULE_FRAME */
    bool with_fin; /* only an ACK that acknowledges the end */
    unsigned char pattern[PATTERN_MAX]; /* RULE_MATCH */
    size_t pattern_bytes;
};

/* One direction of a connection, as far as it has been understood. */
struct watch {
    enum { IN_GREETING, IN_HEADER, IN_PAYLOAD, OPAQUE } state;
    uint64_t payload_left;
    unsigned char tail[PATTERN_MAX]; /* the last bytes of payload */
    size_t tail_bytes;
    bool cutting;
    uint64_t cut_in; /* bytes that still pass before the cut */
    enum action action;
};

/**
 * rule_add(line):
 * Add a rule, from the words of a command:
 *   CHANNEL|* <|> bytes N times M ACTION
 *   CHANNEL|* <|> data|ack|ackfin|fin|reset|ping|pong WHERE ACTION
 *   CHANNEL|* <|> match HEX inside|after ACTION
 * where > is from the client to the server, WHERE is before, head, inside or
 * after, and ACTION is reset, resetall, blackhole or refuse.  In raw mode there
 * are no frames and no channels: * with bytes or match.  All but
 * the first kind act once.  Return whether it is one and there is room.
 */
bool rule_add(const char *line);

/**
 * rule_clear():
 * Forget all rules.
 */
void rule_clear(void);

/**
 * watch_pass(watch, channel, direction, bytes, length, cut):
 * Look at ${length} new bytes of one direction of a connection.  Return how
 * many of them may pass now; the rest is to be shown again when more has come.
 * *${channel} is set when the greeting says it.  *${cut} is set if the
 * connection is to be broken behind them, by ${watch}->action.
 */
size_t watch_pass(struct watch *watch, long *channel, int direction,
                  const unsigned char *bytes, size_t length, bool *cut);

#endif
