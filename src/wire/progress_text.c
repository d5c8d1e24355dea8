#include "wire/progress_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { FIELD_MAX = 64, FIELD_COUNT = 9, BAR_MIN = 10, BAR_MAX = 30 };

/* Pieces of a line, the most wanted ones first. */
struct fields {
    char text[FIELD_COUNT][FIELD_MAX];
    unsigned count;
};

static void add(struct fields *fields, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(struct fields *fields, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fields->text[fields->count++], FIELD_MAX, format, args);
    va_end(args);
}

static void
add_size(struct fields *fields, const char *before, int64_t bytes,
         const char *after)
{
    char size[TEXT_MAX];

    if (bytes != PROGRESS_ABSENT)
        add(fields, "%s%s%s", before, text_size(size, (uint64_t)bytes), after);
}

static void
add_time(struct fields *fields, const char *before, int64_t ms)
{
    char time[TEXT_MAX];

    if (ms != PROGRESS_ABSENT)
        add(fields, "%s%s", before, text_duration(time, (uint64_t)ms));
}

static void
collect(struct fields *fields, const struct progress_view *view)
{
    fields->count = 0;
    if (view->percent_tenths != PROGRESS_ABSENT)
        add(fields, "%3" PRId64 ".%" PRId64 "%%", view->percent_tenths / 10,
            view->percent_tenths % 10);
    add_size(fields, "", view->transferred_bytes, " sent");
    add_size(fields, "", view->rate, "/s");
    add_size(fields, "", view->remaining_bytes, " left");
    add_time(fields, "ETA ", view->eta_ms);
    add_size(fields, "dirty ", view->dirty_rate, "/s");
    if (view->iteration != PROGRESS_ABSENT)
        add(fields, "iteration %" PRId64, view->iteration);
    add_time(fields, "downtime ", view->expected_downtime_ms);
    if (view->throttle_percent > 0)
        add(fields, "throttle %" PRId64 "%%", view->throttle_percent);
}

/* How many of the fields fit into ${room} columns, each with two spaces before
 * it, and what they take. */
static unsigned
fit(const struct fields *fields, size_t room, size_t *used)
{
    unsigned count = 0;

    for (*used = 0; count < fields->count; count++) {
        size_t len = strlen(fields->text[count]) + 2;
        if (*used + len > room)
            break;
        *used += len;
    }
    return count;
}

static char *
draw_bar(char *at, int64_t percent_tenths, size_t columns)
{
    size_t inner = columns - 2;
    size_t full = (size_t)percent_tenths * inner / 1000;

    *at++ = '[';
    memset(at, '=', full);
    memset(at + full, ' ', inner - full);
    if (full > 0 && full < inner)
        at[full - 1] = '>';
    at += inner;
    *at++ = ']';
    return at;
}

void
progress_live_text(char buf[PROGRESS_TEXT_MAX], const struct progress *progress,
                   unsigned width)
{
    struct progress_view view;
    struct fields fields;
    size_t used, room = width > 0 ? width - 1 : 0;
    char *at = buf;

    if (room > PROGRESS_TEXT_MAX - 1)
        room = PROGRESS_TEXT_MAX - 1;
    progress_view(progress, &view);
    collect(&fields, &view);
    if (fields.count == 0)
        add(&fields, "%.30s", progress->migration.status_name);
    unsigned count = fit(&fields, room, &used);
    size_t bar = room - used;
    if (bar > BAR_MAX)
        bar = BAR_MAX;
    if (bar >= BAR_MIN && view.percent_tenths != PROGRESS_ABSENT)
        at = draw_bar(at, view.percent_tenths, bar);
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "  %s", fields.text[i]);
    *at = '\0';
}

void
progress_plain_text(char buf[PROGRESS_TEXT_MAX],
                    const struct progress *progress)
{
    struct progress_view view;
    struct fields fields;
    size_t used = 0;

    progress_view(progress, &view);
    collect(&fields, &view);
    if (fields.count == 0)
        add(&fields, "%.30s", progress->migration.status_name);
    for (unsigned i = 0; i < fields.count; i++) {
        const char *text = fields.text[i] + strspn(fields.text[i], " ");
        used += (size_t)snprintf(buf + used, PROGRESS_TEXT_MAX - used, "%s%s",
                                 i > 0 ? ", " : "", text);
    }
}

/* QEMU takes no --downtime-limit above 2000 s (migration/options.c), and the
 * tenth that is added to the expected one must fit. */
enum { DOWNTIME_MAX_MS = 1800 * 1000 };

/* What would help, the gentlest first; always at least one. */
static void
collect_help(struct fields *fields, const struct progress *progress,
             const struct progress_view *view)
{
    const struct progress_options *set = &progress->options;
    char text[TEXT_MAX];

    fields->count = 0;
    /* Within a tenth of the limit, it is the limit that holds it, and more
     * connections would not carry more. */
    if (set->max_bandwidth > 0 &&
        (double)view->rate >= 0.9 * (double)set->max_bandwidth)
        add(fields, "a higher --max-bandwidth (now %s/s)",
            text_size(text, set->max_bandwidth));
    else if (!set->multifd && !set->xbzrle)
        add(fields, "--multifd 4 (more than one connection)");
    if (!set->auto_converge)
        add(fields, "--auto-converge (slows the guest down)");
    if (view->expected_downtime_ms > (int64_t)set->downtime_limit_ms &&
        view->expected_downtime_ms < DOWNTIME_MAX_MS)
        add(fields, "--downtime-limit %" PRId64 " (it would end now)",
            view->expected_downtime_ms + view->expected_downtime_ms / 10);
    else if (fields->count == 0)
        add(fields, "a higher --downtime-limit");
}

void
progress_stuck_text(char buf[PROGRESS_TEXT_MAX],
                    const struct progress *progress)
{
    struct progress_view view;
    struct fields fields;
    char dirty[TEXT_MAX], carry[TEXT_MAX];

    progress_view(progress, &view);
    collect_help(&fields, progress, &view);
    int used = snprintf(
        buf, PROGRESS_TEXT_MAX,
        "will not converge: the guest dirties %s/s and the link carries %s/s; ",
        text_size(dirty, (uint64_t)(view.dirty_rate > 0 ? view.dirty_rate : 0)),
        text_size(carry,
                  (uint64_t)(view.carry_rate > 0 ? view.carry_rate : 0)));
    if (view.throttle_percent > 0)
        used += snprintf(buf + used, (size_t)(PROGRESS_TEXT_MAX - used),
                         "the guest is slowed down by %" PRId64 "%% so far; ",
                         view.throttle_percent);
    for (unsigned i = 0; i < fields.count; i++)
        used +=
            snprintf(buf + used, (size_t)(PROGRESS_TEXT_MAX - used), "%s%s",
                     i == 0 ? "what would help: " : ", or ", fields.text[i]);
}

int64_t
progress_average_rate(const struct progress *progress)
{
    const struct migration *migration = &progress->migration;
    int64_t setup = migration->setup_time_ms > 0 ? migration->setup_time_ms : 0;
    int64_t ms = migration->total_time_ms - setup;

    if (migration->total_time_ms == MIGRATION_ABSENT || ms <= 0 ||
        migration->transferred_bytes == MIGRATION_ABSENT)
        return PROGRESS_ABSENT;
    return (int64_t)((double)migration->transferred_bytes * 1000 / (double)ms);
}

void
progress_report_text(char buf[PROGRESS_TEXT_MAX],
                     const struct progress *progress)
{
    const struct migration *migration = &progress->migration;
    struct fields fields = { .count = 0 };
    int64_t total = migration->total_time_ms;
    size_t used = 0;

    if (total == MIGRATION_ABSENT)
        total = (int64_t)(progress->now_ms - progress->begun_ms);
    add_time(&fields, "total time ", total);
    add_time(&fields, "downtime ", migration->downtime_ms);
    add_size(&fields, "", migration->transferred_bytes, " sent");
    add_size(&fields, "", progress_average_rate(progress), "/s on average");
    if (migration->iteration != MIGRATION_ABSENT)
        add(&fields, "%" PRId64 " iterations", migration->iteration);
    for (unsigned i = 0; i < fields.count; i++)
        used += (size_t)snprintf(buf + used, PROGRESS_TEXT_MAX - used, "%s%s",
                                 i > 0 ? ", " : "", fields.text[i]);
}
