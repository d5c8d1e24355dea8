/*
 * Whether remaining falls.  Within an iteration it always does, down to what
 * fits the downtime limit; then QEMU looks what was dirtied meanwhile, and it
 * jumps.  So neither two updates nor two ends of iterations can be compared,
 * only what there was to send when an iteration began, and no update comes just
 * then.  But sent and remaining together stay the same within an iteration, and
 * grow by what was dirtied where it ends.  (7.2, at 60 MiB/s: 208.5 MiB all
 * through the first one, 333.5 all through the second.)  Hence
 *
 *   work(n) = sum(n) - sum(n - 1)
 *
 * holds whenever in an iteration the updates come.  Where several iterations
 * lie between two updates it is their mean.
 *
 * What xbzrle sends counts neither as sent nor, afterwards, as remaining, so
 * the sum shrinks with it, and the difference may be nothing.  Half of what
 * remains is then the larger one and counts instead.  Otherwise it is not, but
 * in the very last iterations: what remains is the work and the rest that the
 * iteration before left, which is below the downtime limit's worth.
 *
 * It falls when the work is a twentieth less than when it fell for the last
 * time: what shrinks by less in three iterations would need dozens of them, and
 * what a guest dirties is never quite the same.  When QEMU slows the guest down
 * still more, what that brings is waited for.
 *
 * What is done:
 *
 *   --postcopy-after     start postcopy, once
 *   --timeout            as --on-timeout says, once
 *   as long again        cancel; but never after postcopy or a pause
 *
 * A paused guest dirties nothing, so that always ends.  Cancelling is the way
 * out of the rest, since it costs the guest nothing.
 */
#include "wire/convergence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "wire/progress.h"

enum { STALLED_ITERATIONS = 3, FIRST_ITERATION = 1 };

static const double FALLEN = 0.95; /* of what it was */
static const double RISEN = 1.5;   /* the guest does something else by now */

static void add(char remark[CONVERGENCE_REMARK_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a clause: they are parted by semicolons. */
static void
add(char remark[CONVERGENCE_REMARK_MAX], const char *format, ...)
{
    static const char part[] = "; ";
    size_t used = strlen(remark);
    va_list args;

    if (used + sizeof part >= CONVERGENCE_REMARK_MAX)
        return;
    if (used > 0) {
        memcpy(remark + used, part, sizeof part);
        used += sizeof part - 1;
    }
    va_start(args, format);
    vsnprintf(remark + used, CONVERGENCE_REMARK_MAX - used, format, args);
    va_end(args);
}

void
convergence_init(struct convergence *convergence,
                 const struct convergence_options *options, uint64_t begun_ms)
{
    memset(convergence, 0, sizeof *convergence);
    convergence->options = *options;
    convergence->begun_ms = begun_ms;
    if (options->timeout_ms > 0)
        convergence->deadline_ms = begun_ms + options->timeout_ms;
}

bool
convergence_is_stalled(const struct convergence *convergence)
{
    return convergence->flat >= STALLED_ITERATIONS;
}

/* What an iteration had to send that has begun since the latest point. */
static double
work_of(const struct convergence *convergence,
        const struct convergence_point *point, double remaining_bytes)
{
    const struct convergence_point *before = &convergence->point;
    double grown = (point->sum_bytes - before->sum_bytes) /
                   (double)(point->iteration - before->iteration);

    return grown > remaining_bytes / 2 ? grown : remaining_bytes / 2;
}

static void
rebase(struct convergence *convergence, const struct convergence_point *point,
       double work_bytes)
{
    convergence->base = *point;
    convergence->base_bytes = work_bytes;
    convergence->flat = 0;
}

/* A new iteration has begun.  Return whether that makes it stalled. */
static bool
judge(struct convergence *convergence, const struct convergence_point *point,
      const struct migration *migration)
{
    double work_bytes =
        work_of(convergence, point, (double)migration->remaining_bytes);
    bool slowed = migration->throttle_percent > convergence->throttle_percent;

    convergence->throttle_percent = migration->throttle_percent;
    if (slowed || work_bytes < FALLEN * convergence->base_bytes) {
        rebase(convergence, point, work_bytes);
        return false;
    }
    /* From there on it may fall, and never as low as it once was. */
    if (work_bytes > RISEN * convergence->base_bytes)
        convergence->base_bytes = work_bytes;
    return ++convergence->flat == STALLED_ITERATIONS;
}

/* Look at an update.  Return whether that makes it stalled. */
static bool
observe(struct convergence *convergence, const struct migration *migration,
        uint64_t now_ms)
{
    int64_t sent_bytes = migration_memory_bytes(migration);
    struct convergence_point point = {
        .at_ms = now_ms,
        .iteration = migration->iteration,
        .sent_bytes = (double)sent_bytes,
        .sum_bytes = (double)(sent_bytes > 0 ? sent_bytes : 0) +
                     (double)migration->remaining_bytes,
    };
    bool stalled = false;

    if (migration->status != MIGRATION_ACTIVE ||
        migration->iteration == MIGRATION_ABSENT ||
        migration->remaining_bytes == MIGRATION_ABSENT)
        return false;
    if (!convergence->seen || point.iteration < convergence->point.iteration) {
        /* Only of the first iteration it is known what it had to send. */
        rebase(convergence, &point,
               point.iteration <= FIRST_ITERATION ? point.sum_bytes
                                                  : (double)INT64_MAX);
        convergence->throttle_percent = migration->throttle_percent;
    } else if (point.iteration > convergence->point.iteration) {
        stalled = judge(convergence, &point, migration);
    }
    convergence->seen = true;
    convergence->point = point;
    return stalled;
}

/* As a whole number; what no QEMU can mean is cut. */
static uint64_t
whole(double number)
{
    static const double most = 1e18;

    return number < most ? (uint64_t)number : (uint64_t)most;
}

/* Bytes a second since remaining fell for the last time; 0 if not known. */
static uint64_t
rate_since_base(const struct convergence *convergence, double from, double to)
{
    const struct convergence_point *base = &convergence->base;
    uint64_t ms = convergence->point.at_ms - base->at_ms;

    if (ms == 0 || base->sent_bytes < 0 || to <= from)
        return 0;
    return whole((to - from) * 1000 / (double)ms);
}

/* QEMU's own counts what is on the wire, and is for where that is all there is.
 */
static uint64_t
carry_rate(const struct convergence *convergence,
           const struct migration *migration)
{
    uint64_t rate = rate_since_base(convergence, convergence->base.sent_bytes,
                                    convergence->point.sent_bytes);

    if (rate == 0 && migration->mbits_per_s > 0)
        return whole((double)migration->mbits_per_s * 1e6 / 8);
    return rate;
}

/* QEMU's own, where it tells one. */
static uint64_t
dirty_rate(const struct convergence *convergence,
           const struct migration *migration)
{
    int64_t rate;

    if (migration->dirty_pages_per_s > 0 && migration->page_size_bytes > 0 &&
        !__builtin_mul_overflow(migration->dirty_pages_per_s,
                                migration->page_size_bytes, &rate))
        return (uint64_t)rate;
    return rate_since_base(convergence, convergence->base.sum_bytes,
                           convergence->point.sum_bytes);
}

static void
say_stalled(const struct convergence *convergence,
            const struct migration *migration,
            char remark[CONVERGENCE_REMARK_MAX])
{
    uint64_t limit_ms = convergence->options.downtime_limit_ms;
    uint64_t dirty = dirty_rate(convergence, migration);
    uint64_t carry = carry_rate(convergence, migration);
    char text[2][TEXT_MAX];

    add(remark, "stalled: remaining has not fallen for %d iterations",
        STALLED_ITERATIONS);
    if (dirty > 0 && carry > 0)
        add(remark, "the guest dirties %s/s, the link carries %s/s",
            text_size(text[0], dirty), text_size(text[1], carry));
    else
        add(remark, "the guest dirties memory as fast as the link carries it");
    if (limit_ms > 0 && migration->expected_downtime_ms > (int64_t)limit_ms)
        add(remark, "to stop the guest now would take %s, the limit is %s",
            text_duration(text[0], (uint64_t)migration->expected_downtime_ms),
            text_duration(text[1], limit_ms));
}

/* Whether it is in a state in which a decision changes something. */
static bool
is_open(const struct convergence *convergence,
        const struct migration *migration)
{
    return !convergence->cancelled && !migration_is_idle(migration->status) &&
           migration->status != MIGRATION_CANCELLING;
}

static bool
wants_postcopy(const struct convergence *convergence,
               const struct migration *migration, uint64_t now_ms)
{
    const struct convergence_options *options = &convergence->options;

    if (!options->postcopy || convergence->postcopy || convergence->paused ||
        migration->status != MIGRATION_ACTIVE)
        return false;
    switch (options->after) {
    case AFTER_PASSES:
        return migration->iteration > (int64_t)options->after_number;
    case AFTER_MS:
        return now_ms - convergence->begun_ms >= options->after_number;
    case AFTER_STALLED: return convergence_is_stalled(convergence);
    default: return false;
    }
}

static void
say_postcopy(const struct convergence *convergence,
             char remark[CONVERGENCE_REMARK_MAX])
{
    const struct convergence_options *options = &convergence->options;
    char text[TEXT_MAX];

    if (options->after == AFTER_PASSES)
        add(remark, "starting postcopy after %" PRIu64 " pass%s",
            options->after_number, options->after_number == 1 ? "" : "es");
    else if (options->after == AFTER_MS)
        add(remark, "starting postcopy after %s",
            text_duration(text, options->after_number));
    else
        add(remark, "starting postcopy");
}

static void
say_pause(const struct convergence *convergence,
          const struct migration *migration,
          char remark[CONVERGENCE_REMARK_MAX])
{
    uint64_t carry = carry_rate(convergence, migration);
    char text[2][TEXT_MAX];

    if (migration->remaining_bytes == MIGRATION_ABSENT || carry == 0)
        add(remark, "its time is up: pausing the guest until it has moved");
    else
        add(remark,
            "its time is up: pausing the guest until it has moved: %s are "
            "left, for about %s",
            text_size(text[0], (uint64_t)migration->remaining_bytes),
            text_duration(text[1], whole((double)migration->remaining_bytes *
                                         1000 / (double)carry)));
}

/* What --on-timeout says. */
static enum convergence_decision
obey(struct convergence *convergence, const struct migration *migration,
     char remark[CONVERGENCE_REMARK_MAX])
{
    switch (convergence->options.on_timeout) {
    case ON_TIMEOUT_POSTCOPY:
        if (convergence->options.postcopy) {
            add(remark, "its time is up: starting postcopy");
            return CONVERGENCE_POSTCOPY;
        }
        add(remark, "its time is up, but postcopy is not on at both QEMUs: it "
                    "is cancelled when as much time has passed again");
        return CONVERGENCE_NOTHING;
    case ON_TIMEOUT_PAUSE:
        say_pause(convergence, migration, remark);
        return CONVERGENCE_PAUSE;
    case ON_TIMEOUT_AUTO_CONVERGE:
        add(remark, "its time is up: slowing the guest down from now on "
                    "(auto-converge)");
        return CONVERGENCE_AUTO_CONVERGE;
    default:
        add(remark, "its time is up: cancelling it");
        return CONVERGENCE_CANCEL;
    }
}

static enum convergence_decision
on_deadline(struct convergence *convergence, const struct migration *migration,
            uint64_t now_ms, char remark[CONVERGENCE_REMARK_MAX])
{
    const struct convergence_options *options = &convergence->options;
    uint64_t late_ms = now_ms - convergence->deadline_ms;
    bool cancels = convergence->tried ||
                   options->on_timeout == ON_TIMEOUT_UNSET ||
                   options->on_timeout == ON_TIMEOUT_CANCEL;

    if (convergence->paused)
        return CONVERGENCE_NOTHING;
    if (migration_is_postcopy(migration)) {
        add(remark, "its time is up, but in postcopy the VM needs both hosts: "
                    "it goes on");
        convergence->deadline_ms = 0;
        return CONVERGENCE_NOTHING;
    }
    if (convergence->postcopy)
        return CONVERGENCE_NOTHING;
    /* It has not begun to send, or is about to end. */
    if (!cancels && migration->status != MIGRATION_ACTIVE) {
        if (late_ms < options->timeout_ms)
            return CONVERGENCE_NOTHING;
        cancels = true;
        convergence->tried = true;
    }
    convergence->deadline_ms = now_ms + options->timeout_ms;
    if (cancels && convergence->tried) {
        add(remark, "its time is up again: cancelling it");
        return CONVERGENCE_CANCEL;
    }
    convergence->tried = true;
    return obey(convergence, migration, remark);
}

static enum convergence_decision
decide(struct convergence *convergence, const struct migration *migration,
       uint64_t now_ms, char remark[CONVERGENCE_REMARK_MAX])
{
    if (!is_open(convergence, migration))
        return CONVERGENCE_NOTHING;
    if (wants_postcopy(convergence, migration, now_ms)) {
        say_postcopy(convergence, remark);
        return CONVERGENCE_POSTCOPY;
    }
    if (convergence->deadline_ms == 0 || now_ms < convergence->deadline_ms)
        return CONVERGENCE_NOTHING;
    return on_deadline(convergence, migration, now_ms, remark);
}

enum convergence_decision
convergence_take(struct convergence *convergence,
                 const struct migration *migration, uint64_t now_ms,
                 char remark[CONVERGENCE_REMARK_MAX])
{
    enum convergence_decision decision;

    remark[0] = '\0';
    if (observe(convergence, migration, now_ms) && !convergence->postcopy)
        say_stalled(convergence, migration, remark);
    decision = decide(convergence, migration, now_ms, remark);
    if (decision == CONVERGENCE_POSTCOPY)
        convergence->postcopy = true;
    if (decision == CONVERGENCE_CANCEL)
        convergence->cancelled = true;
    if (decision == CONVERGENCE_PAUSE)
        convergence->paused = true;
    return decision;
}

void
convergence_refused(struct convergence *convergence,
                    enum convergence_decision decision)
{
    switch (decision) {
    case CONVERGENCE_POSTCOPY:
        convergence->options.postcopy = false;
        convergence->postcopy = false;
        break;
    case CONVERGENCE_PAUSE: convergence->paused = false; break;
    case CONVERGENCE_CANCEL: convergence->cancelled = false; break;
    default: break;
    }
}
