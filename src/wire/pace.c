#include "wire/pace.h"

#include <string.h>

/*
 * Theory of operation.  window = rate * (round trip + slack).  When the path is
 * full, what is too much waits on the way for no longer than the slack; on a
 * slow path, than PACE_MIN_BYTES take and the slack.  The slack is 20 ms, but
 * no more than a round trip or what PACE_NEAR_BYTES take, whichever is longer.
 *
 * A byte that waits has a longer round trip.  If that were taken for the path's
 * own, the window would grow by the slack, and by it again, for as long as the
 * path is kept full.  So between two periods the window drains: it falls below
 * what the path holds until one byte has gone through a path without a queue,
 * and this byte's round trip is the first of the new period.  That costs a
 * quarter of the rate for a round trip or two, each five seconds.
 *
 * While a full window comes back without having waited, the path has room, and
 * the window grows by half of itself in each round trip.
 *
 * The rate is the highest of the latest slots, which together are two round
 * trips at least, so that a drain does not hide it.  A rate that falls shows
 * after PACE_SLOTS slots.
 */
enum {
    SLOT_US = 25000,
    RTT_PERIOD_US = 5000000,
    SECOND_US = 1000000,
};

static uint64_t
clamp(const struct pace *pace, uint64_t window)
{
    if (window < PACE_MIN_BYTES)
        window = PACE_MIN_BYTES;
    return window < pace->max_bytes ? window : pace->max_bytes;
}

void
pace_init(struct pace *pace, uint64_t max_bytes)
{
    *pace = (struct pace){ .max_bytes = max_bytes };
    pace->window = clamp(pace, PACE_MIN_BYTES);
}

void
pace_restart(struct pace *pace, uint64_t now_us, uint64_t acked)
{
    pace->probing = false;
    pace->rtt_us = 0;
    pace->rtt_last_us = 0;
    pace->rtt_since_us = now_us;
    pace->acked = acked;
    pace->grown = 0;
    pace->draining = true; /* the old window may be too much to measure with */
    pace->drain_bytes = clamp(pace, PACE_MIN_BYTES);
    pace->slot_us = now_us;
    pace->slot_acked = acked;
    memset(pace->rates, 0, sizeof pace->rates);
}

void
pace_sent(struct pace *pace, uint64_t now_us, uint64_t offset)
{
    uint64_t flight = offset - pace->acked;

    if (pace->probing || (pace->draining && flight > pace->drain_bytes))
        return;
    pace->probing = true;
    pace->probe_offset = offset;
    pace->probe_us = now_us;
    pace->probe_flight = flight;
}

static uint64_t
least_round_trip(const struct pace *pace)
{
    if (pace->rtt_last_us != 0 && pace->rtt_last_us < pace->rtt_us)
        return pace->rtt_last_us;
    return pace->rtt_us;
}

static uint64_t
highest_rate(const struct pace *pace)
{
    uint64_t highest = 0;

    for (unsigned i = 0; i < PACE_SLOTS; i++)
        if (pace->rates[i] > highest)
            highest = pace->rates[i];
    return highest;
}

static uint64_t
slack_us(const struct pace *pace)
{
    uint64_t rate = highest_rate(pace), us = PACE_SLACK_US;

    if (rate > 0)
        us = (uint64_t)PACE_NEAR_BYTES * SECOND_US / rate;
    if (us < least_round_trip(pace))
        us = least_round_trip(pace);
    return us < PACE_SLACK_US ? us : PACE_SLACK_US;
}

static void
resize(struct pace *pace)
{
    uint64_t us = least_round_trip(pace) + slack_us(pace);
    uint64_t window = highest_rate(pace) * us / SECOND_US;

    pace->window = clamp(pace, window > pace->grown ? window : pace->grown);
}

/* Let what waits on the way drain, to see the round trip without it. */
static void
drain(struct pace *pace)
{
    uint64_t holds = highest_rate(pace) * least_round_trip(pace) / SECOND_US;

    pace->draining = true;
    pace->drain_bytes = clamp(pace, holds / 4 * 3);
    pace->probing = false;
}

static void
begin_period(struct pace *pace, uint64_t now_us, uint64_t rtt_us)
{
    pace->rtt_last_us = pace->rtt_us;
    pace->rtt_us = rtt_us;
    pace->rtt_since_us = now_us;
    pace->draining = false;
    pace->grown = 0;
}

static void
take_round_trip(struct pace *pace, uint64_t now_us)
{
    uint64_t took = now_us - pace->probe_us;
    uint64_t waited_us;

    if (took == 0)
        took = 1;
    pace->probing = false;
    if (pace->draining) {
        begin_period(pace, now_us, took);
        return;
    }
    if (pace->rtt_us == 0 || took < pace->rtt_us)
        pace->rtt_us = took;
    waited_us = took - least_round_trip(pace);
    pace->grown = 0;
    if (waited_us < slack_us(pace) / 2 &&
        pace->probe_flight >= pace->window / 4 * 3) {
        pace->grown = pace->window / 2 * 3;
        resize(pace);
    }
}

/* A slot has ended. */
static void
take_rate(struct pace *pace, uint64_t now_us)
{
    uint64_t bytes = pace->acked - pace->slot_acked;

    pace->slot = (pace->slot + 1) % PACE_SLOTS;
    pace->rates[pace->slot] = bytes * SECOND_US / (now_us - pace->slot_us);
    resize(pace);
    if (pace->rtt_us != 0 && now_us - pace->rtt_since_us >= RTT_PERIOD_US)
        drain(pace);
}

void
pace_acked(struct pace *pace, uint64_t now_us, uint64_t offset)
{
    uint64_t slot_us = least_round_trip(pace) * 2 / PACE_SLOTS;

    pace->acked = offset;
    if (pace->probing && offset >= pace->probe_offset)
        take_round_trip(pace, now_us);
    if (slot_us < SLOT_US)
        slot_us = SLOT_US;
    if (!pace->draining && now_us - pace->slot_us < slot_us)
        return;
    if (!pace->draining)
        take_rate(pace, now_us);
    pace->slot_us = now_us;
    pace->slot_acked = offset;
}

uint64_t
pace_window(const struct pace *pace)
{
    return pace->draining ? pace->drain_bytes : pace->window;
}
