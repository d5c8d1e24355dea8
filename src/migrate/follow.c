#include "migrate/follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/timer.h"
#include "migrate/qmp.h"

/* QEMU does not answer while its main loop is busy with the switchover, which
 * takes as long as the downtime: silence is worth a line, but is no failure. */
enum { SILENCE_MS = 10000 };

struct follow {
    struct follow_options options;
    struct timer *timer;
    bool asking; /* a query is under way */
    bool stale;  /* and its answer may be older than what is asked for */
    bool fresh;  /* the answer that is being told is not */
    bool silent; /* the last query had no answer */
};

static void
on_answer(void *arg, const struct qmp_reply *reply)
{
    struct follow *follow = arg;
    struct migration migration;
    bool silent = reply->error != NULL && reply->error_class == NULL;

    follow->asking = false;
    follow->fresh = !follow->stale;
    if (follow->stale)
        follow_ask(follow);
    else
        timer_start(follow->timer, follow->options.interval_ms);
    if (silent != follow->silent)
        log_info("QMP: %s", silent ? "QEMU does not answer; waiting"
                                   : "QEMU answers again");
    follow->silent = silent;
    if (reply->error != NULL) {
        if (!silent)
            log_debug("QMP: query-migrate: %s", reply->error);
        return;
    }
    migration_parse(&migration, reply->value);
    follow->options.on_update(follow->options.arg, &migration, true);
}

void
follow_ask(struct follow *follow)
{
    const struct qmp_command query = {
        .name = "query-migrate",
        .timeout_ms = SILENCE_MS,
        .on_reply = on_answer,
        .arg = follow,
    };

    follow->stale = follow->asking;
    if (follow->asking)
        return;
    if (qmp_execute(follow->options.qmp, &query) == 0)
        follow->asking = true;
    else
        timer_start(follow->timer, follow->options.interval_ms);
}

static void
on_timer(void *arg)
{
    follow_ask(arg);
}

void
follow_event(struct follow *follow, const char *name, const json_t *data)
{
    struct migration migration;

    if (strcmp(name, "MIGRATION") != 0)
        return;
    follow_ask(follow);
    follow->fresh = false;
    if (!json_is_string(json_object_get(data, "status")))
        return; /* "none" is not what it says */
    migration_parse(&migration, data);
    follow->options.on_update(follow->options.arg, &migration, false);
}

struct follow *
follow_new(struct loop *loop, const struct follow_options *options)
{
    struct follow *follow = calloc(1, sizeof *follow);

    if (follow == NULL)
        return NULL;
    follow->options = *options;
    follow->timer = timer_new(loop, on_timer, follow);
    if (follow->timer == NULL) {
        free(follow);
        return NULL;
    }
    follow_ask(follow);
    return follow;
}

void
follow_free(struct follow *follow)
{
    if (follow == NULL)
        return;
    timer_free(follow->timer);
    free(follow);
}

bool
follow_is_fresh(const struct follow *follow)
{
    return follow->fresh;
}
