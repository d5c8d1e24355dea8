/*
 * What is done about a migration that does not end: drives wire/convergence
 * with QEMU's numbers and with the time, and carries out what it decides.
 *
 *   decision        with a partner               alone
 *   postcopy        the handover's machine       migrate-start-postcopy
 *   cancel          the handover's machine       when QEMU was looked at again
 *   pause           stop                         stop
 *   auto-converge   the plan's slow_down         the plan's slow_down
 *
 * A guest that was paused for it counts as one that runs: the destination
 * starts it, and where it stays here after all it is continued here.  Once
 * postcopy is ordered nothing is cancelled any more, unless QEMU refused the
 * order.
 */
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_state.h"
#include "wire/facts.h"
#include "wire/progress_text.h"

enum {
    POLL_MS = 500, /* once the time is up, or where QEMU says nothing */
    STUCK_AGAIN_MS = 60000,
    STUCK_ITERATIONS = 3,           /* convergence knows better from then on */
    DOWNTIME_LIMIT_DEFAULT_MS = 300 /* QEMU's own; see qapi/migration.json */
};

static void
on_slowed(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error == NULL)
        return;
    log_warnx("migration: QEMU does not slow the guest down: %s", reply->error);
    convergence_refused(&sender->convergence, CONVERGENCE_AUTO_CONVERGE);
}

static void
slow_down(struct sender *sender)
{
    char why[SETTING_WHY_MAX] = "auto-converge was not on from the start";
    json_t *arguments = NULL;

    if (sender->plan.slow_down.count > 0)
        arguments = settings_parameters(&sender->plan.slow_down, NULL, why);
    if (arguments == NULL) {
        log_warnx("migration: the guest can't be slowed down: %s", why);
        convergence_refused(&sender->convergence, CONVERGENCE_AUTO_CONVERGE);
        return;
    }
    job_ask(&sender->job, "migrate-set-parameters", arguments, on_slowed);
}

/* Without a reply in time it may be paused all the same. */
static void
on_paused(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error == NULL)
        return;
    log_warnx("migration: QEMU does not pause the guest: %s", reply->error);
    if (reply->error_class == NULL)
        return;
    sender->paused = false;
    convergence_refused(&sender->convergence, CONVERGENCE_PAUSE);
}

void
sender_on_postcopy(void *arg, const struct qmp_reply *reply)
{
    struct sender *sender = arg;

    if (reply->error == NULL)
        return;
    log_warnx("migration: QEMU does not begin postcopy: %s", reply->error);
    if (reply->error_class == NULL)
        return; /* it may still begin */
    sender->switching = false;
    sender->can_postcopy = false;
    convergence_refused(&sender->convergence, CONVERGENCE_POSTCOPY);
    if (sender->together)
        sender_step(sender, SOURCE_QEMU_REFUSED);
}

static void
start_postcopy(struct sender *sender)
{
    if (sender->together) {
        sender_step(sender, SOURCE_POSTCOPY);
    } else {
        sender->switching = true;
        job_ask(&sender->job, "migrate-start-postcopy", NULL,
                sender_on_postcopy);
    }
}

static void
act(struct sender *sender, enum convergence_decision decision)
{
    switch (decision) {
    case CONVERGENCE_NOTHING: break;
    case CONVERGENCE_POSTCOPY: start_postcopy(sender); break;
    case CONVERGENCE_CANCEL:
        if (!sender_stop(sender, STATUS_TIMED_OUT))
            convergence_refused(&sender->convergence, decision);
        break;
    case CONVERGENCE_PAUSE:
        if (!sender->runs)
            break; /* somebody else has paused it, for his own reasons */
        sender->paused = true;
        job_ask(&sender->job, "stop", NULL, on_paused);
        break;
    case CONVERGENCE_AUTO_CONVERGE: slow_down(sender); break;
    }
}

/* What is new, and what would help where nothing is done about it. */
static void
say(struct sender *sender, const char *remark,
    enum convergence_decision decision, bool stalled)
{
    char help[PROGRESS_TEXT_MAX] = "";

    if (remark[0] == '\0')
        return;
    if (stalled)
        sender->stuck_said_ms = loop_now_ms(sender->job.loop);
    if (stalled && decision == CONVERGENCE_NOTHING)
        progress_help_text(help, &sender->job.progress);
    if (decision == CONVERGENCE_POSTCOPY)
        log_info("migration: %s", remark);
    else
        log_warnx("migration: %s%s%s", remark, help[0] != '\0' ? "; " : "",
                  help);
}

/* A pass that takes minutes tells by its rates alone, long before three of them
 * have been compared; and what lasts is said again. */
static void
say_stuck(struct sender *sender)
{
    const struct convergence *convergence = &sender->convergence;
    const struct progress *progress = &sender->job.progress;
    uint64_t now_ms = loop_now_ms(sender->job.loop);
    char text[PROGRESS_TEXT_MAX];
    struct progress_view view;

    progress_view(progress, &view);
    if (!view.stuck || convergence->postcopy || sender->paused ||
        (convergence->seen && !convergence_is_stalled(convergence) &&
         progress->hot_iterations >= STUCK_ITERATIONS) ||
        (sender->stuck_said_ms != 0 &&
         now_ms - sender->stuck_said_ms < STUCK_AGAIN_MS))
        return;
    sender->stuck_said_ms = now_ms;
    progress_stuck_text(text, progress);
    log_warnx("migration: %s", text);
}

/* When time alone may decide something; 0 for never. */
static uint64_t
next_ms(const struct convergence *convergence)
{
    const struct convergence_options *options = &convergence->options;
    uint64_t after_ms = 0;

    if (options->after == AFTER_MS && !convergence->postcopy)
        after_ms = convergence->begun_ms + options->after_number;
    if (convergence->deadline_ms == 0 ||
        (after_ms != 0 && after_ms < convergence->deadline_ms))
        return after_ms;
    return convergence->deadline_ms;
}

static void
arm(struct sender *sender)
{
    uint64_t now_ms = loop_now_ms(sender->job.loop);
    uint64_t at_ms = next_ms(&sender->convergence);

    if (at_ms == 0)
        timer_stop(sender->policy);
    else
        timer_start(sender->policy,
                    at_ms > now_ms ? at_ms - now_ms : (uint64_t)POLL_MS);
}

/* Return whether anything was decided.  Without the partner nobody would start
 * the guest there, so postcopy waits for it. */
static bool
take(struct sender *sender, const struct migration *migration)
{
    bool heard = !sender->together || sender->handover.partner;
    bool was_stalled = convergence_is_stalled(&sender->convergence);
    char remark[CONVERGENCE_REMARK_MAX];
    enum convergence_decision decision;

    sender->convergence.options.postcopy = sender->can_postcopy && heard;
    decision = convergence_take(&sender->convergence, migration,
                                loop_now_ms(sender->job.loop), remark);
    say(sender, remark, decision,
        !was_stalled && convergence_is_stalled(&sender->convergence));
    arm(sender);
    act(sender, decision);
    return decision != CONVERGENCE_NOTHING;
}

/* While it is being cancelled, from here or from there, nothing else is
 * decided. */
static bool
is_at_work(const struct sender *sender)
{
    if (sender->together && sender->handover.state == SOURCE_CANCELLING)
        return false;
    return sender->state == SENDER_MIGRATING && !sender->job.over &&
           !sender->handed && sender->wish == STATUS_DONE;
}

bool
sender_policy_update(struct sender *sender)
{
    if (!is_at_work(sender))
        return false;
    say_stuck(sender);
    return take(sender, &sender->job.progress.migration);
}

void
sender_on_policy(void *arg)
{
    struct sender *sender = arg;
    struct migration migration = sender->job.progress.migration;

    if (!is_at_work(sender))
        return;
    /* QEMU was told to migrate, even if it has not said anything yet. */
    if (migration.status == MIGRATION_NONE)
        migration.status = MIGRATION_SETUP;
    take(sender, &migration);
}

static uint64_t
downtime_limit_ms(const struct sender *sender)
{
    const json_t *known = json_object_get(
        json_object_get(sender->facts, "parameters"), "downtime-limit");

    if (sender->options.config->downtime_limit_ms > 0)
        return sender->options.config->downtime_limit_ms;
    return json_is_integer(known) && json_integer_value(known) > 0
               ? (uint64_t)json_integer_value(known)
               : (uint64_t)DOWNTIME_LIMIT_DEFAULT_MS;
}

static void
begin(struct sender *sender, uint64_t begun_ms, bool postcopy)
{
    struct convergence_options options = sender->options.config->convergence;

    options.downtime_limit_ms = downtime_limit_ms(sender);
    if (options.postcopy && !postcopy)
        log_warnx("migration: postcopy is not on, so it can't be started");
    sender->can_postcopy = options.postcopy && postcopy;
    convergence_init(&sender->convergence, &options, begun_ms);
    arm(sender);
}

void
sender_policy_begin(struct sender *sender)
{
    begin(sender, loop_now_ms(sender->job.loop), true);
}

static bool
is_on(const struct sender *sender, const char *capability)
{
    return json_is_true(json_object_get(
        json_object_get(sender->facts, "capabilities"), capability));
}

static void
on_parameters(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    const struct migration *migration = &sender->job.progress.migration;
    uint64_t now_ms = loop_now_ms(sender->job.loop), took_ms = 0;

    facts_parameters(sender->facts, reply->value);
    if (migration->total_time_ms > 0 &&
        (uint64_t)migration->total_time_ms < now_ms)
        took_ms = (uint64_t)migration->total_time_ms;
    if (is_on(sender, "auto-converge"))
        sender_plan_slow_down(sender);
    begin(sender, now_ms - took_ms, is_on(sender, "postcopy-ram"));
}

void
sender_policy_attach(struct sender *sender, const json_t *capabilities)
{
    json_decref(sender->facts);
    sender->facts = json_object();
    facts_capabilities(sender->facts, capabilities);
    job_ask(&sender->job, "query-migrate-parameters", NULL, on_parameters);
}

static void
on_unpaused(struct sender *sender, const char *error)
{
    if (error != NULL)
        log_warnx("VM: is here, but QEMU does not continue it: %s", error);
    job_ask(&sender->job, "query-status", NULL, sender_on_final_status);
}

bool
sender_unpause(struct sender *sender)
{
    enum source_state state = sender->handover.state;

    if (!sender->paused)
        return false;
    sender->paused = false;
    if (sender->together && state != SOURCE_MOVING &&
        state != SOURCE_SWITCHING && state != SOURCE_CANCELLING &&
        state != SOURCE_SPLIT)
        return false; /* the destination may have it */
    log_info("VM: has not moved, so it is continued here");
    sender_cont(sender, on_unpaused);
    return true;
}
