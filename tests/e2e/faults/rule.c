#include "rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GREETING_HEAD = 12,
    GREETING_LENGTH_AT = 10,
    GREETING_CHANNEL_AT = 16,
    GREETING_MIN = 32,
    HEADER_BYTES = 16,
    PACKED_HEADER_BYTES = 20, /* with the length of what is compressed */
    TYPE_DATA = 1,
    HEAD_CUT = 7 /* so many bytes of a header pass with "head" */
};

static struct rule rules[RULES_MAX];

static const char *const frame_names[] = { "data",  "ack",  "fin",
                                           "reset", "ping", "pong" };
static const char *const where_names[] = { "before", "head", "inside",
                                           "after" };
static const char *const action_names[] = { "reset", "resetall", "blackhole",
                                            "refuse" };

#define INDEX(names, word) \
    index_of(names, sizeof(names) / sizeof *(names), word)

static int
index_of(const char *const *names, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], word) == 0)
            return (int)i;
    return -1;
}

static bool
parse_pattern(struct rule *rule, const char *hex)
{
    unsigned byte;

    while (hex[0] != '\0' && rule->pattern_bytes < PATTERN_MAX) {
        if (sscanf(hex, "%2x", &byte) != 1 || hex[1] == '\0')
            return false;
        rule->pattern[rule->pattern_bytes++] = (unsigned char)byte;
        hex += 2;
    }
    return hex[0] == '\0' && rule->pattern_bytes > 1;
}

/* The words behind CHANNEL and direction, but for the action. */
static bool
parse_place(struct rule *rule, const char *kind, const char *place)
{
    int type = INDEX(frame_names, kind), where = INDEX(where_names, place);

    rule->kind = RULE_FRAME;
    rule->with_fin = strcmp(kind, "ackfin") == 0;
    if (rule->with_fin)
        type = INDEX(frame_names, "ack");
    if (type < 0 || where < 0)
        return false;
    rule->type = (unsigned)type + 1;
    rule->where = (enum rule_where)where;
    return true;
}

static bool
parse_rule(struct rule *rule, const char *line)
{
    char channel[16], direction[4], kind[16], rest[4][72];
    int n = sscanf(line, "%15s %3s %15s %71s %71s %71s %71s", channel,
                   direction, kind, rest[0], rest[1], rest[2], rest[3]);
    int action, where;

    if (n < 5 || strchr("<>", direction[0]) == NULL || direction[1] != '\0')
        return false;
    *rule = (struct rule){ .times = 1, .direction = direction[0] == '<' };
    rule->channel = channel[0] == '*' ? ANY_CHANNEL : strtol(channel, NULL, 10);
    action = INDEX(action_names, rest[n - 4]);
    rule->action = (enum action)action;
    if (strcmp(kind, "bytes") == 0) {
        rule->every = strtoull(rest[0], NULL, 10);
        rule->times = (unsigned)strtoul(rest[2], NULL, 10);
        return n == 7 && action >= 0 && rule->every > 0 && rule->times > 0;
    }
    if (strcmp(kind, "match") == 0) {
        where = INDEX(where_names, rest[1]);
        rule->kind = RULE_MATCH;
        rule->where = (enum rule_where)where;
        return n == 6 && action >= 0 && where >= INSIDE &&
               parse_pattern(rule, rest[0]);
    }
    return n == 5 && action >= 0 && parse_place(rule, kind, rest[0]);
}

bool
rule_add(const char *line)
{
    struct rule rule;

    if (!parse_rule(&rule, line))
        return false;
    for (size_t i = 0; i < RULES_MAX; i++)
        if (rules[i].times == 0) {
            rules[i] = rule;
            return true;
        }
    return false;
}

void
rule_clear(void)
{
    memset(rules, 0, sizeof(rules));
}

static uint64_t
get_number(const unsigned char *at, int bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | *at++;
    return value;
}

/* Return the next rule of this kind from ${from} on that is for this channel
 * and direction, or NULL. */
static struct rule *
next_rule(struct rule *from, enum rule_kind kind, long channel, int direction)
{
    for (struct rule *rule = from; rule < rules + RULES_MAX; rule++)
        if (rule->times > 0 && rule->kind == kind &&
            rule->direction == direction &&
            (rule->channel == ANY_CHANNEL || rule->channel == channel))
            return rule;
    return NULL;
}

static void
cut_in(struct watch *watch, struct rule *rule, uint64_t bytes)
{
    if (watch->cutting)
        return;
    watch->cutting = true;
    watch->cut_in = bytes;
    watch->action = rule->action;
    rule->times--;
    rule->counted = 0;
}

static void
check_frame(struct watch *watch, long channel, int direction,
            const unsigned char *header, uint64_t head)
{
    uint64_t length = get_number(header + (head == HEADER_BYTES ? 4 : 16), 4);
    const uint64_t at[] = { [BEFORE] = 0,
                            [HEAD] = HEAD_CUT,
                            [INSIDE] = head + length / 2,
                            [AFTER] = head + length };
    struct rule *rule = rules;

    while ((rule = next_rule(rule, RULE_FRAME, channel, direction)) != NULL) {
        if (rule->type == header[0] && (!rule->with_fin || header[1] == 1))
            cut_in(watch, rule, at[rule->where]);
        rule++;
    }
    watch->payload_left = length;
}

static void
keep_tail(struct watch *watch, const unsigned char *bytes, size_t length)
{
    size_t n = length < PATTERN_MAX ? length : PATTERN_MAX;
    size_t old = PATTERN_MAX - n;

    if (old > watch->tail_bytes)
        old = watch->tail_bytes;
    memmove(watch->tail, watch->tail + watch->tail_bytes - old, old);
    memcpy(watch->tail + old, bytes + length - n, n);
    watch->tail_bytes = old + n;
}

/* Look for a pattern in payload, also where it began in what came before. */
static void
check_match(struct watch *watch, struct rule *rule, const unsigned char *bytes,
            size_t length)
{
    unsigned char seam[2 * PATTERN_MAX];
    size_t more = length < PATTERN_MAX ? length : PATTERN_MAX;
    const unsigned char *at;
    size_t end;

    memcpy(seam, watch->tail, watch->tail_bytes);
    memcpy(seam + watch->tail_bytes, bytes, more);
    at = memmem(seam, watch->tail_bytes + more, rule->pattern,
                rule->pattern_bytes);
    if (at != NULL)
        end = (size_t)(at - seam) + rule->pattern_bytes;
    if (at != NULL && end > watch->tail_bytes) {
        end -= watch->tail_bytes;
    } else {
        at = memmem(bytes, length, rule->pattern, rule->pattern_bytes);
        if (at == NULL)
            return;
        end = (size_t)(at - bytes) + rule->pattern_bytes;
    }
    if (rule->where == INSIDE)
        end -= end < rule->pattern_bytes / 2 ? end : rule->pattern_bytes / 2;
    cut_in(watch, rule, end);
}

static void
check_payload(struct watch *watch, long channel, int direction,
              const unsigned char *bytes, size_t length)
{
    struct rule *rule = rules;

    if (next_rule(rule, RULE_MATCH, channel, direction) == NULL)
        return;
    while ((rule = next_rule(rule, RULE_MATCH, channel, direction)) != NULL) {
        check_match(watch, rule, bytes, length);
        rule++;
    }
    keep_tail(watch, bytes, length);
}

static void
count_bytes(struct watch *watch, long channel, int direction, size_t length)
{
    struct rule *rule = rules;

    while ((rule = next_rule(rule, RULE_BYTES, channel, direction)) != NULL) {
        uint64_t left = rule->every - rule->counted;

        if (length < left)
            rule->counted += length;
        else
            cut_in(watch, rule, left);
        rule++;
    }
}

/* Return how long the greeting at ${bytes} is, 0 if it can't be told yet, or
 * SIZE_MAX if it is none. */
static size_t
greeting_length(const unsigned char *bytes, size_t length)
{
    size_t whole;

    if (memcmp(bytes, "mig-tun\n", length < 8 ? length : 8) != 0)
        return SIZE_MAX;
    if (length < GREETING_HEAD)
        return 0;
    whole = (size_t)get_number(bytes + GREETING_LENGTH_AT, 2);
    if (whole < GREETING_MIN)
        return SIZE_MAX;
    return length < whole ? 0 : whole;
}

/* Return the length of the next piece, all of which is there, or 0. */
static size_t
next_piece(struct watch *watch, long *channel, int direction,
           const unsigned char *bytes, size_t length)
{
    size_t n = length;

    switch (watch->state) {
    case IN_GREETING:
        n = greeting_length(bytes, length);
        if (n == SIZE_MAX) {
            watch->state = OPAQUE;
            return length;
        }
        if (n > 0) {
            *channel = (long)get_number(bytes + GREETING_CHANNEL_AT, 4);
            watch->state = IN_HEADER;
        }
        return n;
    case IN_HEADER:
        if (length < HEADER_BYTES)
            return 0;
        n = bytes[0] == TYPE_DATA && bytes[1] == 1 ? PACKED_HEADER_BYTES
                                                   : HEADER_BYTES;
        if (length < n)
            return 0;
        check_frame(watch, *channel, direction, bytes, n);
        if (watch->payload_left > 0)
            watch->state = IN_PAYLOAD;
        return n;
    case IN_PAYLOAD:
        if (n > watch->payload_left)
            n = (size_t)watch->payload_left;
        check_payload(watch, *channel, direction, bytes, n);
        watch->payload_left -= n;
        if (watch->payload_left == 0)
            watch->state = IN_HEADER;
        return n;
    case OPAQUE: check_payload(watch, *channel, direction, bytes, n); break;
    }
    return n;
}

size_t
watch_pass(struct watch *watch, long *channel, int direction,
           const unsigned char *bytes, size_t length, bool *cut)
{
    size_t passed = 0, n;

    *cut = false;
    while (passed < length &&
           (n = next_piece(watch, channel, direction, bytes + passed,
                           length - passed)) > 0) {
        count_bytes(watch, *channel, direction, n);
        if (watch->cutting && watch->cut_in <= n) {
            *cut = true;
            return passed + (size_t)watch->cut_in;
        }
        watch->cut_in -= watch->cutting ? n : 0;
        passed += n;
    }
    return passed;
}
