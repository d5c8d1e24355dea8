#include "tunnel/raw_migration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/transport.h"
#include "tunnel/worker_relay.h"
#include "wire/reason.h"

/*
 * Theory of operation.  A channel is live until its relay ends.  The first bad
 * end breaks the migration: the other relays are broken at once (which resets
 * their TCP connections), and a timer closes what is left open to QEMU.
 *
 *   live channels   broken   timer    then
 *   some            no       -        wait for the relays
 *   none            no       -        idle
 *   -               yes      runs     wait; a new accept starts it over, or
 *                                     is the next migration's (abandoned)
 *   -               yes      fires    close all: idle
 *
 * At the destination, that QEMU breaks off a channel after the first is no bad
 * end: it does so when it is done, too, with bytes unread that it has no need
 * of, a moment before it says on the main channel that it has the VM.  That one
 * has to end then, within MAIN_MS; until it has, what comes for the other is
 * kept, and if that is more than the end of a packet, it was a bad end after
 * all.  Then the source has MAIN_MS to end it, too.
 */
enum { MAIN_STEP_MS = 20, MAIN_MS = 3000, LEFTOVER_BYTES = 64 << 10 };

struct raw_channel {
    struct raw_migration *migration;
    unsigned number;
    struct worker_relay *relay; /* or NULL: */
    struct transport *qemu;     /* a connection that got no further */
    TAILQ_ENTRY(raw_channel) entry;
};

struct raw_migration {
    struct raw_migration_options options;
    TAILQ_HEAD(raw_channel_list, raw_channel) channels;
    struct timer *timer;
    struct timer *main_end; /* looks whether the main channel has ended */
    uint64_t main_until_ms; /* by when it has to */
    bool main_ended;        /* after another one was broken off */
    uint64_t last_accept_ms;
    bool broken;
    bool unconfirmed;
};

static void
channel_free(struct raw_channel *channel)
{
    TAILQ_REMOVE(&channel->migration->channels, channel, entry);
    worker_relay_free(channel->relay);
    transport_free(channel->qemu);
    free(channel);
}

static const char *
end_text(enum relay_end end)
{
    switch (end) {
    case RELAY_OPEN: return "open";
    case RELAY_CLEAN: return "ended cleanly";
    case RELAY_NET_LOST: return "TCP connection lost";
    case RELAY_QEMU_LOST: return "QEMU closed it";
    case RELAY_TORN_DOWN: return "torn down with the others";
    }
    return "?";
}

static void
log_end(const struct raw_channel *channel)
{
    enum side source = channel->migration->options.source;
    char there[TEXT_MAX], back[TEXT_MAX], took[TEXT_MAX], rate[TEXT_MAX];
    struct relay_report report;

    worker_relay_report(channel->relay, &report);
    log_info(
        "channel %u: %s%s%s; %s to the destination, %s back, %s, %s",
        channel->number, end_text(report.end), report.error ? ": " : "",
        report.error ? report.why : "", text_size(there, report.bytes[source]),
        text_size(back, report.bytes[!source]), text_duration(took, report.ms),
        text_rate(rate, report.bytes[source], report.ms));
    if (report.refused && source == SIDE_QEMU)
        log_warnx("channel %u: %s", channel->number,
                  reason_text(REASON_TLS_NEEDED));
}

static void
on_timer(void *arg)
{
    struct raw_migration *migration = arg;

    raw_migration_close_now(migration);
    migration->options.on_idle(migration->options.arg);
}

static bool
is_further(const struct raw_channel *channel)
{
    return channel->migration->options.source == SIDE_NET &&
           channel->number > 1;
}

/*
 * At the destination anybody who gets as far as a first channel's host can add
 * another one.  None of QEMU's fails before its first 64 bytes (MultiFDInit_t
 * in QEMU's migration/multifd.c) without QEMU noticing by itself, so one that
 * does is no reason to end the others.
 */
static bool
is_stray(const struct raw_channel *channel, const struct relay_report *report)
{
    enum { FIRST_BYTES = 64 };

    return is_further(channel) && report->bytes[SIDE_NET] < FIRST_BYTES &&
           report->bytes[SIDE_QEMU] == 0;
}

static void
on_relay_end(void *arg)
{
    struct raw_channel *channel = arg;
    struct raw_migration *migration = channel->migration;
    struct relay_report report;

    worker_relay_report(channel->relay, &report);
    log_end(channel);
    if (report.end != RELAY_CLEAN && is_stray(channel, &report)) {
        log_info("channel %u did not belong to the migration", channel->number);
    } else if (report.end != RELAY_CLEAN) {
        raw_migration_break(migration);
        migration->options.on_broken(migration->options.arg);
        return;
    }
    if (channel->number == 1)
        migration->unconfirmed =
            !worker_relay_confirms(channel->relay, migration->options.source);
    channel_free(channel);
    if (TAILQ_EMPTY(&migration->channels))
        migration->options.on_idle(migration->options.arg);
}

static void
on_qemu_lost(void *arg)
{
    struct raw_channel *channel = arg;
    struct raw_migration *migration = channel->migration;

    log_debug("channel %u: broken off by QEMU", channel->number);
    if (migration->main_ended) {
        worker_relay_drop_qemu(channel->relay);
    } else if (!timer_pending(migration->main_end)) {
        migration->main_until_ms =
            loop_now_ms(migration->options.loop) + MAIN_MS;
        timer_start(migration->main_end, MAIN_STEP_MS);
    }
}

/* The main channel has ended: let the others end, in order. */
static void
drop_lost(struct raw_migration *migration)
{
    struct raw_channel *channel;

    migration->main_ended = true;
    TAILQ_FOREACH (channel, &migration->channels, entry)
        worker_relay_drop_qemu(channel->relay);
    timer_start(migration->main_end, MAIN_MS);
}

/* The source had time enough to end those that QEMU broke off. */
static void
end_lost(struct raw_migration *migration)
{
    struct raw_channel *channel, *next;

    for (channel = TAILQ_FIRST(&migration->channels); channel != NULL;
         channel = next) {
        next = TAILQ_NEXT(channel, entry);
        if (!worker_relay_lost_qemu(channel->relay))
            continue;
        worker_relay_break(channel->relay);
        log_end(channel);
        channel_free(channel);
    }
    if (TAILQ_EMPTY(&migration->channels))
        migration->options.on_idle(migration->options.arg);
}

static bool
much_is_left(const struct raw_migration *migration)
{
    const struct raw_channel *channel;

    TAILQ_FOREACH (channel, &migration->channels, entry)
        if (worker_relay_lost_qemu(channel->relay) &&
            worker_relay_left(channel->relay) > LEFTOVER_BYTES)
            return true;
    return false;
}

static void
on_main_end(void *arg)
{
    struct raw_migration *migration = arg;
    const struct raw_channel *first = TAILQ_FIRST(&migration->channels);
    uint64_t now = loop_now_ms(migration->options.loop);
    bool has_main;

    if (migration->broken || first == NULL)
        return;
    has_main = first->number == 1;
    if (!migration->main_ended &&
        (!has_main || worker_relay_qemu_hung_up(first->relay))) {
        drop_lost(migration);
    } else if (migration->main_ended && has_main) {
        timer_start(migration->main_end, MAIN_MS);
    } else if (migration->main_ended) {
        end_lost(migration);
    } else if (now < migration->main_until_ms && !much_is_left(migration)) {
        timer_start(migration->main_end, MAIN_STEP_MS);
    } else {
        raw_migration_break(migration);
        migration->options.on_broken(migration->options.arg);
    }
}

struct raw_migration *
raw_migration_new(const struct raw_migration_options *options)
{
    struct raw_migration *migration = calloc(1, sizeof *migration);

    if (migration == NULL)
        return NULL;
    migration->options = *options;
    TAILQ_INIT(&migration->channels);
    migration->timer = timer_new(options->loop, on_timer, migration);
    migration->main_end = timer_new(options->loop, on_main_end, migration);
    if (migration->timer == NULL || migration->main_end == NULL) {
        timer_free(migration->timer);
        timer_free(migration->main_end);
        free(migration);
        return NULL;
    }
    return migration;
}

void
raw_migration_free(struct raw_migration *migration)
{
    if (migration == NULL)
        return;
    raw_migration_close_now(migration);
    timer_free(migration->timer);
    timer_free(migration->main_end);
    free(migration);
}

static struct raw_channel *
channel_new(struct raw_migration *migration, unsigned number)
{
    struct raw_channel *channel = calloc(1, sizeof *channel);

    if (channel == NULL)
        return NULL;
    channel->migration = migration;
    channel->number = number;
    TAILQ_INSERT_TAIL(&migration->channels, channel, entry);
    return channel;
}

int
raw_migration_add(struct raw_migration *migration,
                  const struct raw_channel_options *options)
{
    struct raw_channel *channel = channel_new(migration, options->number);

    if (channel == NULL) {
        transport_abort(options->sides[SIDE_NET]);
        transport_free(options->sides[SIDE_QEMU]);
        return -1;
    }
    channel->relay = worker_relay_new(
        migration->options.pool,
        &(struct relay_options){
            .loop = migration->options.loop,
            .sides = { options->sides[SIDE_QEMU], options->sides[SIDE_NET] },
            .early = options->early,
            .early_bytes = options->early_bytes,
            .bandwidth = migration->options.bandwidth,
            .on_end = on_relay_end,
            .on_qemu_lost = is_further(channel) ? on_qemu_lost : NULL,
            .arg = channel,
        });
    if (channel->relay == NULL) {
        channel_free(channel);
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

void
raw_migration_hold(struct raw_migration *migration)
{
    migration->last_accept_ms = loop_now_ms(migration->options.loop);
    if (migration->broken)
        timer_start(migration->timer, migration->options.hold_ms);
}

void
raw_migration_doom(struct raw_migration *migration, struct transport *qemu)
{
    struct raw_channel *channel = channel_new(migration, 0);

    if (channel == NULL)
        transport_free(qemu);
    else
        channel->qemu = qemu;
}

void
raw_migration_break(struct raw_migration *migration)
{
    struct raw_channel *channel;
    uint64_t now = loop_now_ms(migration->options.loop);
    uint64_t until = migration->last_accept_ms + migration->options.hold_ms;

    if (migration->broken)
        return;
    migration->broken = true;
    TAILQ_FOREACH (channel, &migration->channels, entry) {
        struct relay_report report;

        if (channel->relay == NULL)
            continue;
        worker_relay_report(channel->relay, &report);
        if (report.end != RELAY_OPEN)
            continue;
        worker_relay_break(channel->relay);
        log_end(channel);
    }
    timer_start(migration->timer, until > now ? until - now : 0);
}

void
raw_migration_close_now(struct raw_migration *migration)
{
    struct raw_channel *channel;

    migration->broken = migration->broken || !raw_migration_idle(migration);
    timer_stop(migration->timer);
    while ((channel = TAILQ_FIRST(&migration->channels)) != NULL) {
        if (channel->relay != NULL)
            worker_relay_break(channel->relay);
        channel_free(channel);
    }
}

bool
raw_migration_main_lives(const struct raw_migration *migration)
{
    struct raw_channel *channel;

    if (migration->broken)
        return false;
    TAILQ_FOREACH (channel, &migration->channels, entry)
        if (channel->number == 1)
            return true;
    return false;
}

bool
raw_migration_idle(const struct raw_migration *migration)
{
    return TAILQ_EMPTY(&migration->channels);
}

bool
raw_migration_abandoned(const struct raw_migration *migration)
{
    const struct raw_channel *channel;

    if (!migration->broken)
        return false;
    TAILQ_FOREACH (channel, &migration->channels, entry)
        if (channel->relay != NULL ? !worker_relay_qemu_hung_up(channel->relay)
                                   : !transport_hung_up(channel->qemu))
            return false;
    return true;
}

bool
raw_migration_broken(const struct raw_migration *migration)
{
    return migration->broken;
}

bool
raw_migration_confirmed(const struct raw_migration *migration)
{
    return !migration->unconfirmed;
}
