#include "migrate/job.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/apply.h"
#include "migrate/output.h"

enum {
    CONNECT_MS = 2000, /* a QEMU takes a few hundred ms to listen */
    GREET_MS = 5000,
    REPLY_MS = 10000,
    MESSAGE_MAX = 1000
};

/* QEMU's own default; see qapi/migration.json. */
enum { DOWNTIME_LIMIT_DEFAULT_MS = 300 };

/* A path from the command line of a process in another mount namespace may be
 * that of another VM's monitor here. */
static bool
is_wanted_qemu(struct job *job)
{
    const struct job_config *config = job->options.config;
    pid_t peer = qmp_peer(job->qmp);

    if (config->pid == 0 || config->target.path[0] == '\0' ||
        config->pid == peer)
        return true;
    job_done(job, STATUS_FAILED,
             "--pid %d: %s, the QMP socket on its command line, is not this "
             "process's but that of process %d here; give its QMP socket as "
             "this host sees it with --qmp. Nothing was started",
             (int)config->pid, config->target.path, (int)peer);
    return false;
}

static void
on_ready(void *arg, const struct qmp_version *version)
{
    struct job *job = arg;

    log_debug("QEMU: version %d.%d.%d", version->major, version->minor,
              version->micro);
    job->version = *version;
    if (is_wanted_qemu(job))
        job->hooks.on_ready(job->hooks.owner);
}

static void
on_event(void *arg, const char *name, const json_t *data)
{
    struct job *job = arg;

    log_debug("QEMU: event %s", name);
    job->hooks.on_event(job->hooks.owner, name, data);
}

static void
on_end(void *arg, enum qmp_end end, const char *why)
{
    struct job *job = arg;
    char target[QMP_TARGET_TEXT_MAX];

    if (end == QMP_UNREACHABLE)
        job_done(job, STATUS_FAILED, "QMP socket %s: %s",
                 qmp_target_text(target, &job->options.config->target), why);
    else
        job->hooks.on_end(job->hooks.owner, end, why);
}

static void
on_timeout(void *arg)
{
    struct job *job = arg;

    job->hooks.on_timeout(job->hooks.owner);
}

static void
on_ended(void *arg)
{
    struct job *job = arg;

    job->options.on_done(job->options.arg, job->status);
}

static void
init_progress(struct job *job)
{
    const struct job_config *config = job->options.config;
    const struct progress_options options = {
        .max_bandwidth = config->max_bandwidth,
        .downtime_limit_ms = config->downtime_limit_ms > 0
                                 ? config->downtime_limit_ms
                                 : DOWNTIME_LIMIT_DEFAULT_MS,
        .auto_converge = config->auto_converge,
        .xbzrle = config->xbzrle,
        .multifd = config->multifd > 0,
        .postcopy = config->convergence.postcopy,
    };

    progress_init(&job->progress, &options, loop_now_ms(job->loop));
}

int
job_init(struct job *job, struct loop *loop, const struct job_options *options,
         const struct job_hooks *hooks)
{
    const struct qmp_options qmp = {
        .target = options->config->target,
        .connect_ms = CONNECT_MS,
        .greet_ms = GREET_MS,
        .on_ready = on_ready,
        .on_event = on_event,
        .on_end = on_end,
        .arg = job,
    };

    memset(job, 0, sizeof *job);
    job->loop = loop;
    job->options = *options;
    job->hooks = *hooks;
    job->settings = &options->config->settings;
    init_progress(job);
    job->output = output_new(options->json, options->terminal);
    job->timeout = timer_new(loop, on_timeout, job);
    job->ended = timer_new(loop, on_ended, job);
    if (job->output == NULL || job->timeout == NULL || job->ended == NULL)
        return -1;
    job->qmp = qmp_new(loop, &qmp);
    return job->qmp != NULL ? 0 : -1;
}

/* The connection goes first, so that no reply comes to what is gone. */
static void
stop(struct job *job)
{
    qmp_free(job->qmp);
    job->qmp = NULL;
    apply_free(job->apply);
    job->apply = NULL;
    follow_free(job->follow);
    job->follow = NULL;
    if (job->timeout != NULL)
        timer_stop(job->timeout);
}

void
job_fini(struct job *job)
{
    stop(job);
    timer_free(job->timeout);
    job->timeout = NULL;
    timer_free(job->ended);
    job->ended = NULL;
    output_free(job->output);
    job->output = NULL;
}

/* For the reason that is in errno. */
static void
give_up(struct job *job)
{
    job_done(job, job->begun ? STATUS_UNKNOWN : STATUS_FAILED,
             "migration: can't go on: %s%s", strerror(errno),
             job->begun ? "; it goes on without this program: ask QEMU with "
                          "query-migrate"
                        : "; nothing was started");
}

int
job_try(struct job *job, const char *name, json_t *arguments,
        void (*on_reply)(void *owner, const struct qmp_reply *reply))
{
    const struct qmp_command command = {
        .name = name,
        .arguments = arguments,
        .timeout_ms = REPLY_MS,
        .on_reply = on_reply,
        .arg = job->hooks.owner,
    };
    int sent = job->over ? 0 : qmp_execute(job->qmp, &command);
    int error = errno;

    json_decref(arguments);
    errno = error;
    return sent;
}

void
job_ask(struct job *job, const char *name, json_t *arguments,
        void (*on_reply)(void *owner, const struct qmp_reply *reply))
{
    if (job_try(job, name, arguments, on_reply) != 0)
        give_up(job);
}

static void
on_applied(void *arg, const char *why)
{
    struct job *job = arg;

    apply_free(job->apply);
    job->apply = NULL;
    if (why != NULL && job->hooks.on_refused != NULL &&
        job->hooks.on_refused(job->hooks.owner, why))
        return;
    if (why != NULL)
        job_done(job, STATUS_FAILED, "migration: %s; nothing was started", why);
    else
        job->hooks.on_applied(job->hooks.owner);
}

static void
start_apply(struct job *job, bool check_only)
{
    const struct apply_options options = {
        .qmp = job->qmp,
        .settings = job->settings,
        .check_only = check_only,
        .on_done = on_applied,
        .arg = job,
    };

    if (job->over)
        return;
    job->apply = apply_new(&options);
    if (job->apply == NULL)
        give_up(job);
}

void
job_apply(struct job *job)
{
    start_apply(job, false);
}

void
job_check_settings(struct job *job)
{
    start_apply(job, true);
}

void
job_begin(struct job *job)
{
    job->begun = true;
    init_progress(job);
    /* mig-send's ends otherwise: wire/convergence.h. */
    if (job->hooks.on_timeout != NULL && job->options.config->timeout_ms > 0)
        timer_start(job->timeout, job->options.config->timeout_ms);
}

/* Once, and again only for another one. */
static void
say_unknown(struct job *job, const struct migration *migration)
{
    if (migration->status != MIGRATION_UNKNOWN ||
        strcmp(job->unknown_said, migration->status_name) == 0)
        return;
    json_text_copy(job->unknown_said, sizeof job->unknown_said,
                   migration->status_name);
    log_warnx("migration: status '%s' is not known here; taken as still "
              "running",
              migration->status_name);
}

static void
on_update(void *arg, const struct migration *migration, bool whole)
{
    struct job *job = arg;
    bool is_new = strcmp(job->progress.migration.status_name,
                         migration->status_name) != 0;

    progress_take(&job->progress, migration, loop_now_ms(job->loop));
    output_flush(job->output);
    if (is_new) {
        log_debug("migration: status %s", migration->status_name);
        say_unknown(job, migration);
        output_status(job->output, &job->progress);
        job->hooks.on_status(job->hooks.owner);
    }
    if (job->over)
        return;
    if (whole && job->options.config->side == JOB_SENDS &&
        !migration_is_over(migration->status))
        output_progress(job->output, &job->progress);
    job->hooks.on_update(job->hooks.owner, whole);
}

void
job_follow(struct job *job, uint64_t interval_ms)
{
    const struct follow_options options = {
        .qmp = job->qmp,
        .interval_ms = interval_ms,
        .on_update = on_update,
        .arg = job,
    };

    if (job->over)
        return;
    job->follow = follow_new(job->loop, &options);
    if (job->follow == NULL)
        give_up(job);
}

void
job_take_runstate(struct job *job, const struct qmp_reply *reply)
{
    const char *status =
        json_string_value(json_object_get(reply->value, "status"));

    json_text_copy(job->runstate, sizeof job->runstate,
                   status != NULL ? status : "");
}

const char *
job_result_name(enum exit_status status)
{
    switch (status) {
    case STATUS_DONE: return "completed";
    case STATUS_CANCELLED: return "cancelled";
    case STATUS_TIMED_OUT: return "timed-out";
    case STATUS_UNKNOWN: return "unknown";
    case STATUS_FAILED:
    case STATUS_USAGE: break;
    }
    return "failed";
}

void
job_done(struct job *job, enum exit_status status, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;

    if (job->over)
        return;
    job->over = true;
    job->status = status;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (status == STATUS_DONE)
        log_info("%s", message);
    else
        log_warnx("%s", message);
    const struct progress_result result = {
        .result = job_result_name(status),
        .exit_status = (int)status,
        .message = message,
        .vm = job->runstate[0] != '\0' ? job->runstate : NULL,
        .progress = job->begun ? &job->progress : NULL,
    };
    output_result(job->output, &result);
    stop(job);
    job->hooks.on_over(job->hooks.owner);
    timer_start(job->ended, 0);
}
