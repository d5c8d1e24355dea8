/*
 * Whether it converges.  QEMU sends memory in iterations: each sends what the
 * guest has written during the one before.  With D bytes a second written and
 * B carried, the rest shrinks by D/B each time, so with D < B it ends, and the
 * guest is stopped for the last part once that part fits the downtime limit.
 *
 * A guest that writes its working set over and over faster than an iteration
 * lasts shows D = B, not D > B: QEMU counts a page once an iteration, so D is
 * the set over the iteration's length, and that length is the set over B.
 * Hence "stuck" is D >= 0.9 B, kept up for several iterations, or for some
 * time where one iteration is long.
 */
#include "wire/progress.h"

#include <string.h>

enum {
    RATE_WINDOW_MS = 3000, /* steady enough to read, short enough to follow */
    SAMPLE_SPACING_MS = 200,
    STALLED_MS = RATE_WINDOW_MS, /* when the rate has come down to 0 */
    STUCK_ITERATIONS = 3,
    STUCK_MS = 10000,
    FIRST_DIRTY_ITERATION = 2 /* the first sends everything */
};

int64_t
progress_rate(int64_t bytes, int64_t ms)
{
    static const double nonsense = 1e18; /* well inside an int64_t */
    double rate = (double)bytes * 1000 / (double)ms;

    return rate < nonsense && rate > -nonsense ? (int64_t)rate
                                               : PROGRESS_ABSENT;
}

static void
add_sample(struct progress *progress, const struct progress_sample *sample)
{
    if (progress->sample_count == PROGRESS_SAMPLES) {
        progress->sample_count--;
        memmove(progress->samples, progress->samples + 1,
                progress->sample_count * sizeof *sample);
    }
    progress->samples[progress->sample_count++] = *sample;
}

void
progress_init(struct progress *progress, const struct progress_options *options,
              uint64_t now_ms)
{
    memset(progress, 0, sizeof *progress);
    progress->options = *options;
    progress->begun_ms = now_ms;
    progress->now_ms = now_ms;
    progress->moved_ms = now_ms;
    migration_parse(&progress->migration, NULL);
    add_sample(progress, &(struct progress_sample){ .at_ms = now_ms });
}

/* The change from the oldest sample within the window to the newest, per
 * second. */
static int64_t
rate_of(const struct progress *progress, enum progress_count what)
{
    const struct progress_sample *last =
        &progress->samples[progress->sample_count - 1];
    const struct progress_sample *first = last;
    while (first > progress->samples &&
           last->at_ms - first[-1].at_ms <= RATE_WINDOW_MS)
        first--;
    if (first == last && first > progress->samples)
        first--;
    if (last->at_ms == first->at_ms)
        return PROGRESS_ABSENT;
    return progress_rate(last->bytes[what] - first->bytes[what],
                         (int64_t)(last->at_ms - first->at_ms));
}

static int64_t
wire_rate(const struct progress *progress)
{
    int64_t rate = rate_of(progress, PROGRESS_SENT);

    /* QEMU's own rate is that of its latest iteration, and stays when nothing
     * moves any more.  125,000 bytes are a megabit; a QEMU that counts past
     * INT64_MAX / 125000 tells nonsense. */
    if (rate == PROGRESS_ABSENT && progress->migration.mbits_per_s > 0 &&
        progress->migration.mbits_per_s < INT64_MAX / 125000)
        rate = progress->migration.mbits_per_s * 125000;
    return rate;
}

static int64_t
dirty_rate(const struct migration *migration)
{
    int64_t rate;

    if (migration->dirty_pages_per_s == MIGRATION_ABSENT ||
        migration->page_size_bytes == MIGRATION_ABSENT ||
        __builtin_mul_overflow(migration->dirty_pages_per_s,
                               migration->page_size_bytes, &rate))
        return PROGRESS_ABSENT;
    return rate;
}

static bool
is_hot(const struct progress *progress)
{
    const struct migration *migration = &progress->migration;
    int64_t dirty = dirty_rate(migration);
    int64_t carry = rate_of(progress, PROGRESS_MEMORY);

    if (migration->status != MIGRATION_ACTIVE ||
        migration->iteration < FIRST_DIRTY_ITERATION || carry <= 0 ||
        dirty <= 0)
        return false;
    if (migration->expected_downtime_ms != MIGRATION_ABSENT &&
        (uint64_t)migration->expected_downtime_ms <=
            progress->options.downtime_limit_ms)
        return false;
    return (double)dirty >= 0.9 * (double)carry;
}

static void
judge(struct progress *progress)
{
    bool is_new = progress->migration.iteration != progress->iteration;

    progress->iteration = progress->migration.iteration;
    if (!is_hot(progress)) {
        progress->hot_iterations = 0;
        return;
    }
    if (progress->hot_iterations == 0)
        progress->hot_since_ms = progress->now_ms;
    if (progress->hot_iterations == 0 || is_new)
        progress->hot_iterations++;
}

void
progress_take(struct progress *progress, const struct migration *migration,
              uint64_t now_ms)
{
    const struct progress_sample *last =
        &progress->samples[progress->sample_count - 1];

    progress->now_ms = now_ms;
    if (migration->transferred_bytes != MIGRATION_ABSENT &&
        migration->transferred_bytes != progress->migration.transferred_bytes)
        progress->moved_ms = now_ms;
    migration_merge(&progress->migration, migration);
    if (migration->transferred_bytes == MIGRATION_ABSENT)
        return;
    const struct progress_sample sample = {
        .at_ms = now_ms,
        .bytes[PROGRESS_SENT] = migration->transferred_bytes,
        .bytes[PROGRESS_MEMORY] = migration_memory_bytes(migration),
    };
    if (sample.bytes[PROGRESS_SENT] < last->bytes[PROGRESS_SENT] ||
        sample.bytes[PROGRESS_MEMORY] < last->bytes[PROGRESS_MEMORY])
        progress->sample_count = 0; /* it has begun anew */
    else if (now_ms - last->at_ms < SAMPLE_SPACING_MS)
        return;
    add_sample(progress, &sample);
    judge(progress);
}

static int64_t
stalled_ms(const struct progress *progress)
{
    uint64_t still_ms = progress->now_ms - progress->moved_ms;

    if (progress->migration.transferred_bytes == MIGRATION_ABSENT ||
        migration_is_over(progress->migration.status) || still_ms < STALLED_MS)
        return PROGRESS_ABSENT;
    return (int64_t)still_ms;
}

static int64_t
percent_tenths(const struct migration *migration)
{
    int64_t total = migration->total_bytes;
    int64_t remaining = migration->remaining_bytes;

    if (migration->status == MIGRATION_COMPLETED)
        return 1000;
    if (total <= 0 || remaining == MIGRATION_ABSENT)
        return PROGRESS_ABSENT;
    if (remaining > total)
        return 0;
    /* Rounded down, and never done before it is. */
    double done = (double)(total - remaining) * 1000 / (double)total;
    return done > 999 ? 999 : (int64_t)done;
}

static int64_t
eta_ms(const struct progress_view *view)
{
    int64_t dirty = view->dirty_rate > 0 ? view->dirty_rate : 0;

    if (view->remaining_bytes == PROGRESS_ABSENT || view->stuck ||
        view->carry_rate <= dirty)
        return PROGRESS_ABSENT;
    double ms = (double)view->remaining_bytes * 1000 /
                (double)(view->carry_rate - dirty);
    /* More than a year is no estimate. */
    return ms < 365.0 * 24 * 3600 * 1000 ? (int64_t)ms : PROGRESS_ABSENT;
}

void
progress_view(const struct progress *progress, struct progress_view *view)
{
    const struct migration *migration = &progress->migration;
    bool over = migration_is_over(migration->status);

    *view = (struct progress_view){
        .percent_tenths = percent_tenths(migration),
        .elapsed_ms = (int64_t)(progress->now_ms - progress->begun_ms),
        .transferred_bytes = migration->transferred_bytes,
        .remaining_bytes = migration->remaining_bytes,
        .total_bytes = migration->total_bytes,
        .rate = wire_rate(progress),
        .stalled_ms = stalled_ms(progress),
        .dirty_rate = dirty_rate(migration),
        .carry_rate = rate_of(progress, PROGRESS_MEMORY),
        .iteration = migration->iteration,
        .expected_downtime_ms = migration->expected_downtime_ms,
        .throttle_percent = migration->throttle_percent,
        .stuck = !over && progress->hot_iterations > 0 &&
                 (progress->hot_iterations >= STUCK_ITERATIONS ||
                  progress->now_ms - progress->hot_since_ms >= STUCK_MS),
    };
    view->eta_ms = over ? PROGRESS_ABSENT : eta_ms(view);
}
