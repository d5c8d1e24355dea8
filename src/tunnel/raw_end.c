#include "tunnel/raw_end.h"

#include <stdlib.h>

#include "base/log.h"
#include "io/timer.h"
#include "tunnel/raw_migration.h"

enum { STOP_MS = 5000 };

struct raw_end {
    struct raw_end_options options;
    struct raw_migration *migration;
    struct timer *stop_timer;
    bool stopping;
    bool done;
};

static void
done(struct raw_end *end, enum exit_status status)
{
    end->done = true;
    timer_stop(end->stop_timer);
    end->options.on_done(end->options.done_arg, status);
}

static void
on_broken(void *arg)
{
    struct raw_end *end = arg;

    end->options.drop_queue(end->options.arg);
}

static void
on_idle(void *arg)
{
    struct raw_end *end = arg;
    bool broken = raw_migration_broken(end->migration);
    bool confirmed = raw_migration_confirmed(end->migration);

    if (!broken && end->options.is_expecting(end->options.arg))
        return;
    end->options.drop_queue(end->options.arg);
    raw_migration_free(end->migration);
    end->migration = NULL;
    if (broken)
        log_warnx("migration broken off");
    else if (!confirmed)
        log_warnx("migration ended, but the destination has not said that it "
                  "has the VM: it was cancelled, or it failed");
    else
        log_info("migration ended cleanly");
    if (end->options.once || end->stopping)
        done(end, broken || !confirmed ? STATUS_FAILED : STATUS_DONE);
    else
        end->options.on_over(end->options.arg);
}

/* The time to stop is over, or a person can't wait. */
static void
stop_now(struct raw_end *end)
{
    end->options.drop_queue(end->options.arg);
    raw_migration_free(end->migration);
    end->migration = NULL;
    log_warnx("stopped in the middle of a migration");
    done(end, STATUS_CANCELLED);
}

static void
on_stop_timer(void *arg)
{
    stop_now(arg);
}

struct raw_end *
raw_end_new(const struct raw_end_options *options)
{
    struct raw_end *end = calloc(1, sizeof *end);

    if (end == NULL)
        return NULL;
    end->options = *options;
    end->stop_timer = timer_new(options->loop, on_stop_timer, end);
    if (end->stop_timer == NULL) {
        free(end);
        return NULL;
    }
    return end;
}

void
raw_end_free(struct raw_end *end)
{
    if (end == NULL)
        return;
    raw_migration_free(end->migration);
    timer_free(end->stop_timer);
    free(end);
}

struct raw_migration *
raw_end_migration(struct raw_end *end)
{
    return end->migration;
}

struct raw_migration *
raw_end_begin(struct raw_end *end)
{
    end->migration = raw_migration_new(&(struct raw_migration_options){
        .loop = end->options.loop,
        .pool = end->options.pool,
        .source = end->options.source,
        .bandwidth = end->options.bandwidth,
        .hold_ms = end->options.hold_ms,
        .on_broken = on_broken,
        .on_idle = on_idle,
        .arg = end,
    });
    return end->migration;
}

void
raw_end_renew(struct raw_end *end)
{
    if (end->migration != NULL && !end->options.once && !end->stopping &&
        raw_migration_abandoned(end->migration))
        on_idle(end);
}

void
raw_end_break(struct raw_end *end)
{
    end->options.drop_queue(end->options.arg);
    raw_migration_break(end->migration);
}

void
raw_end_stop(struct raw_end *end)
{
    if (end->done)
        return; /* a signal that came together with the end */
    if (end->stopping) {
        stop_now(end);
        return;
    }
    end->stopping = true;
    end->options.halt(end->options.arg);
    if (end->migration == NULL) {
        done(end, end->options.once ? STATUS_CANCELLED : STATUS_DONE);
        return;
    }
    log_info("stopping: the migration under way has %d s to end",
             STOP_MS / 1000);
    timer_start(end->stop_timer, STOP_MS);
}
