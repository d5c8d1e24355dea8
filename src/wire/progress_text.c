#include "wire/progress_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    FIELD_MAX = 64,
    FIELD_COUNT = 9,
    BAR_COLUMNS = 10,
    BAR_FROM_COLUMNS = 60, /* of a terminal */
    WIDE_COLUMNS = 100     /* where two spaces part the fields */
};

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

/* In whole seconds: tenths would only flicker. */
static void
add_standstill(struct fields *fields, int64_t ms, const char *second)
{
    if (ms < INT64_C(60000))
        add(fields, "stalled %" PRId64 "%s", ms / 1000, second);
    else
        add_time(fields, "stalled ", ms);
}

static void
collect(struct fields *fields, const struct progress_view *view)
{
    fields->count = 0;
    if (view->percent_tenths != PROGRESS_ABSENT)
        add(fields, "%" PRId64 ".%" PRId64 "%%", view->percent_tenths / 10,
            view->percent_tenths % 10);
    add_size(fields, "", view->transferred_bytes, " sent");
    if (view->stalled_ms != PROGRESS_ABSENT)
        add_standstill(fields, view->stalled_ms, " s");
    else
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

/* "50.0 MiB" becomes "50M", "1.3 GiB" becomes "1.3G"; "4.2 s" becomes "4.2s"
 * and "12.3 s" becomes "12s". */
static void
shorten(char text[TEXT_MAX])
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == '.' && from - text >= 2)
            from++; /* and the digit after it */
        else if (*from != ' ' && !(from[0] == 'i' && from[1] == 'B') &&
                 !(from > text && from[-1] == 'i' && from[0] == 'B'))
            *to++ = *from;
    }
    *to = '\0';
}

static void
add_short_size(struct fields *fields, const char *before, int64_t bytes,
               const char *after)
{
    char size[TEXT_MAX];

    if (bytes == PROGRESS_ABSENT)
        return;
    text_size(size, (uint64_t)bytes);
    shorten(size);
    add(fields, "%s%s%s", before, size, after);
}

static void
add_short_time(struct fields *fields, const char *before, int64_t ms)
{
    char time[TEXT_MAX];

    if (ms == PROGRESS_ABSENT)
        return;
    text_duration(time, (uint64_t)ms);
    shorten(time);
    add(fields, "%s%s", before, time);
}

static void
collect_short(struct fields *fields, const struct progress_view *view)
{
    fields->count = 0;
    if (view->percent_tenths != PROGRESS_ABSENT)
        add(fields, "%3" PRId64 "%%", view->percent_tenths / 10);
    add_short_size(fields, "", view->transferred_bytes, "");
    if (view->stalled_ms != PROGRESS_ABSENT)
        add_standstill(fields, view->stalled_ms, "s");
    else
        add_short_size(fields, "", view->rate, "/s");
    add_short_size(fields, "", view->remaining_bytes, " left");
    add_short_time(fields, "ETA ", view->eta_ms);
    add_short_size(fields, "dirty ", view->dirty_rate, "/s");
    if (view->iteration != PROGRESS_ABSENT)
        add(fields, "pass %" PRId64, view->iteration);
    add_short_time(fields, "down ", view->expected_downtime_ms);
    if (view->throttle_percent > 0)
        add(fields, "throttle %" PRId64 "%%", view->throttle_percent);
}

static char *
draw_bar(char *at, int64_t percent_tenths)
{
    size_t inner = BAR_COLUMNS - 2;
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
    const char *space = width >= WIDE_COLUMNS ? "  " : " ";
    size_t room = width > 0 ? width - 1 : 0;
    struct progress_view view;
    struct fields fields;
    char *at = buf;

    if (room > PROGRESS_TEXT_MAX - 1)
        room = PROGRESS_TEXT_MAX - 1;
    progress_view(progress, &view);
    collect_short(&fields, &view);
    if (fields.count == 0)
        add(&fields, "%.30s", progress->migration.status_name);
    if (width >= BAR_FROM_COLUMNS && view.percent_tenths != PROGRESS_ABSENT)
        at = draw_bar(at, view.percent_tenths);
    *at = '\0';
    for (unsigned i = 0; i < fields.count; i++) {
        const char *before = at > buf ? space : "";
        size_t len = strlen(before) + strlen(fields.text[i]);
        if ((size_t)(at - buf) + len > room)
            break;
        snprintf(at, len + 1, "%s%s", before, fields.text[i]);
        at += len;
    }
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
        used += (size_t)snprintf(buf + used, PROGRESS_TEXT_MAX - used, "%s%s",
                                 i > 0 ? ", " : "", fields.text[i]);
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
    if (!set->postcopy && !set->multifd)
        add(fields, "--postcopy (the VM moves first, its memory follows)");
    if (view->expected_downtime_ms > (int64_t)set->downtime_limit_ms &&
        view->expected_downtime_ms < DOWNTIME_MAX_MS)
        add(fields, "--downtime-limit %" PRId64 " (it would end now)",
            view->expected_downtime_ms + view->expected_downtime_ms / 10);
    else if (fields->count == 0)
        add(fields, "a higher --downtime-limit");
}

void
progress_help_text(char buf[PROGRESS_TEXT_MAX], const struct progress *progress)
{
    struct progress_view view;
    struct fields fields;
    int used = 0;

    progress_view(progress, &view);
    collect_help(&fields, progress, &view);
    for (unsigned i = 0; i < fields.count; i++)
        used +=
            snprintf(buf + used, (size_t)(PROGRESS_TEXT_MAX - used), "%s%s",
                     i == 0 ? "what would help: " : ", or ", fields.text[i]);
}

void
progress_stuck_text(char buf[PROGRESS_TEXT_MAX],
                    const struct progress *progress)
{
    char dirty[TEXT_MAX], carry[TEXT_MAX], help[PROGRESS_TEXT_MAX];
    struct progress_view view;

    progress_view(progress, &view);
    progress_help_text(help, progress);
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
    snprintf(buf + used, (size_t)(PROGRESS_TEXT_MAX - used), "%s", help);
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
    return progress_rate(migration->transferred_bytes, ms);
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
