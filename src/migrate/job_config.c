#include "migrate/job_config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/value.h"
#include "migrate/target.h"

/* A week; longer is as good as no end. */
static const uint64_t TIME_MAX_MS = 7ULL * 24 * 3600 * 1000;

/* MAX_MIGRATE_DOWNTIME in QEMU's migration/options.c. */
enum { DOWNTIME_MAX_MS = 2000 * 1000 };

enum { MULTIFD_MAX = 255, WAIT_DEFAULT_MS = 30000 };

void
job_config_init(struct job_config *config, enum job_side side)
{
    memset(config, 0, sizeof *config);
    config->side = side;
    config->wait_ms = WAIT_DEFAULT_MS;
    snprintf(config->unix_path, sizeof config->unix_path, "%s",
             side == JOB_SENDS ? "/tmp/qemu_migration_source.sock"
                               : "/tmp/qemu_migration_dest.sock");
}

static const char *
take_target(struct job_config *config, const char *value)
{
    config->has_target = true;
    return qmp_target_parse(value, &config->target);
}

static const char *
take_pid(struct job_config *config, const char *value)
{
    uint64_t pid;

    if (value_count(value, 1, INT_MAX, &pid) != 0)
        return "the process id of a QEMU";
    config->pid = (pid_t)pid;
    return NULL;
}

static const char *
take_path(struct job_config *config, const char *value)
{
    if (value[0] == '\0' || strlen(value) >= sizeof config->unix_path)
        return "a path of at most 107 bytes, as Unix sockets have";
    memcpy(config->unix_path, value, strlen(value) + 1);
    return NULL;
}

static const char *
take_control(struct job_config *config, const char *value)
{
    if (value[0] == '\0' || strlen(value) >= sizeof config->unix_path)
        return "a path of at most 107 bytes, as Unix sockets have";
    snprintf(config->control_path, sizeof config->control_path, "%s", value);
    config->control_given = true;
    return NULL;
}

static const char *
take_time(const char *value, uint64_t *ms)
{
    return value_duration(value, TIME_MAX_MS, ms) == 0
               ? NULL
               : "a number of seconds up to a week, or a time such as 5m";
}

static const char *
take_number(const char *value, uint64_t most, uint64_t *number)
{
    if (value_count(value, 1, most, number) == 0)
        return NULL;
    return most == MULTIFD_MAX ? "a number of channels from 1 to 255"
                               : "milliseconds from 1 to 2000000";
}

static const char *
take_rate(const char *value, uint64_t *rate)
{
    return value_rate(value, rate) == 0
               ? NULL
               : "a rate such as 100M (MiB a second) or 1Gbit";
}

static const char *
take_compression(struct job_config *config, const char *value)
{
    config->compression = value;
    return plan_compression(value);
}

const char *
job_config_option(void *config, int key, const char *value)
{
    struct job_config *job = config;

    switch (key) {
    case 'Q': return take_target(job, value);
    case 'p': return take_pid(job, value);
    case 'u': return take_path(job, value);
    case 'm': return take_number(value, MULTIFD_MAX, &job->multifd);
    case 'c': return settings_parse(&job->settings, SETTING_CAPABILITY, value);
    case 'P': return settings_parse(&job->settings, SETTING_PARAMETER, value);
    case 't': return take_time(value, &job->timeout_ms);
    case 'w': return take_time(value, &job->wait_ms);
    case 'b': return take_rate(value, &job->max_bandwidth);
    case 'D':
        return take_number(value, DOWNTIME_MAX_MS, &job->downtime_limit_ms);
    case 'j': job->json = true; return NULL;
    case 'a': job->auto_converge = true; return NULL;
    case 'x': job->xbzrle = true; return NULL;
    case JOB_OPTION_STANDALONE: job->standalone = true; return NULL;
    case JOB_OPTION_CONTROL: return take_control(job, value);
    case JOB_OPTION_CHECK: job->check = true; return NULL;
    case JOB_OPTION_ATTACH: job->attach = true; return NULL;
    case JOB_OPTION_RELEASE: job->release = true; return NULL;
    case JOB_OPTION_COMPRESSION: return take_compression(job, value);
    case JOB_OPTION_POSTCOPY: job->postcopy = true; return NULL;
    case JOB_OPTION_POSTCOPY_AFTER:
        return convergence_parse_after(&job->convergence, value);
    case JOB_OPTION_POSTCOPY_PREEMPT: job->preempt = true; return NULL;
    case JOB_OPTION_POSTCOPY_BANDWIDTH:
        return take_rate(value, &job->postcopy_bandwidth);
    case JOB_OPTION_ON_TIMEOUT:
        return convergence_parse_timeout(&job->convergence, value);
    case JOB_OPTION_RECOVER: job->recover = true; return NULL;
    case JOB_OPTION_STATUS: job->status = true; return NULL;
    case JOB_OPTION_CANCEL: job->cancel = true; return NULL;
    case JOB_OPTION_RUN_AT_ONCE: job->run_at_once = true; return NULL;
    default: return "an option of this program";
    }
}

/* QEMU has a working directory of its own. */
static int
make_absolute(struct job_config *config, char why[JOB_WHY_MAX])
{
    char cwd[PATH_MAX], whole[PATH_MAX + sizeof config->unix_path + 1];

    if (config->unix_path[0] == '/')
        return 0;
    if (getcwd(cwd, sizeof cwd) == NULL) {
        snprintf(why, JOB_WHY_MAX, "--unix %s: working directory: %s",
                 config->unix_path, strerror(errno));
        return -1;
    }
    snprintf(whole, sizeof whole, "%s/%s", cwd, config->unix_path);
    if (strlen(whole) >= sizeof config->unix_path) {
        snprintf(why, JOB_WHY_MAX,
                 "--unix %s: its absolute path has more than the 107 bytes "
                 "that Unix sockets have",
                 config->unix_path);
        return -1;
    }
    memcpy(config->unix_path, whole, strlen(whole) + 1);
    return 0;
}

static int
find_qemu(struct job_config *config, char why[JOB_WHY_MAX])
{
    char detail[TARGET_WHY_MAX];

    if (config->has_target == (config->pid != 0)) {
        snprintf(why, JOB_WHY_MAX,
                 config->has_target
                     ? "--qmp and --pid exclude each other"
                     : "needs --qmp PATH|HOST:PORT or --pid PID");
        return -1;
    }
    if (config->pid != 0 &&
        target_of_pid(config->pid, &config->target, detail) != 0) {
        snprintf(why, JOB_WHY_MAX, "--pid: %.480s", detail);
        return -1;
    }
    if (target_check(&config->target, detail) != 0) {
        snprintf(why, JOB_WHY_MAX, "--qmp: %.480s", detail);
        return -1;
    }
    return 0;
}

static void
want(struct job_config *config, enum setting_kind kind, const char *name,
     const char *value)
{
    struct setting setting = { .kind = kind };

    snprintf(setting.name, sizeof setting.name, "%s", name);
    snprintf(setting.value, sizeof setting.value, "%s", value);
    /* What is only to be off, or to tell of changes, may be missing. */
    setting.optional = strcmp(value, "off") == 0 || strcmp(name, "events") == 0;
    settings_default(&config->settings, &setting);
}

/*
 * For the side that receives; the other's are the plan's (wire/plan.h).
 * multifd is always said, on or off: a setting that an earlier migration left
 * behind would hang this one.
 */
static void
add_settings(struct job_config *config)
{
    char channels[24];

    want(config, SETTING_CAPABILITY, "events", "on");
    want(config, SETTING_CAPABILITY, "multifd",
         config->multifd > 0 ? "on" : "off");
    snprintf(channels, sizeof channels, "%" PRIu64, config->multifd);
    if (config->multifd > 0)
        want(config, SETTING_PARAMETER, "multifd-channels", channels);
}

static int
check_multifd(const struct job_config *config, char why[JOB_WHY_MAX])
{
    const char *value =
        settings_get(&config->settings, SETTING_CAPABILITY, "multifd");

    if (config->multifd == 0 || value == NULL || strcmp(value, "on") == 0)
        return 0;
    snprintf(why, JOB_WHY_MAX,
             "--capability multifd=off contradicts "
             "--multifd");
    return -1;
}

void
job_config_plan(const struct job_config *config, struct plan_options *options)
{
    *options = (struct plan_options){
        .given = &config->settings,
        .multifd = config->multifd,
        .compression = config->compression,
        .postcopy = config->convergence.postcopy,
        .preempt = config->preempt,
        .postcopy_bandwidth = config->postcopy_bandwidth,
        .xbzrle = config->xbzrle,
        .auto_converge = config->auto_converge,
        .slow_down_later =
            config->convergence.on_timeout == ON_TIMEOUT_AUTO_CONVERGE,
        .max_bandwidth = config->max_bandwidth,
        .downtime_limit_ms = config->downtime_limit_ms,
    };
}

/* What follows from the options alone: nothing has been started. */
static int
check_plan(struct job_config *config, char why[JOB_WHY_MAX])
{
    struct plan_options options;
    struct settings wanted;
    char detail[PLAN_WHY_MAX];
    const char *clash;

    config->convergence.timeout_ms = config->timeout_ms;
    config->convergence.downtime_limit_ms = config->downtime_limit_ms;
    clash = convergence_options_finish(&config->convergence, config->postcopy,
                                       config->auto_converge);
    if (clash != NULL) {
        snprintf(why, JOB_WHY_MAX, "%s", clash);
        return -1;
    }
    job_config_plan(config, &options);
    if (plan_wish(&wanted, &options, detail) == 0)
        return 0;
    snprintf(why, JOB_WHY_MAX, "%.*s", JOB_WHY_MAX - 1, detail);
    return -1;
}

/* Each of these is all that a program does.  What needs a partner can't be had
 * alone. */
static int
check_modes(const struct job_config *config, char why[JOB_WHY_MAX])
{
    const struct {
        bool given;
        bool alone; /* goes with --standalone */
        const char *name;
    } modes[] = {
        { config->check, false, "--check" },
        { config->run_at_once, true, "--run-at-once" },
        { config->attach, false, "--attach" },
        { config->release, false, "--release" },
        { config->recover, true, "--recover" },
        { config->status, true, "--status" },
        { config->cancel, config->side == JOB_SENDS, "--cancel" },
    };
    const char *one = config->standalone ? "--standalone" : NULL;
    const char *other =
        config->standalone && config->control_given ? "--control" : NULL;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!modes[i].given || other != NULL)
            continue;
        if (one == NULL || (config->standalone && modes[i].alone &&
                            strcmp(one, "--standalone") == 0))
            one = modes[i].name;
        else
            other = modes[i].name;
    }
    if (other == NULL)
        return 0;
    snprintf(why, JOB_WHY_MAX, "%s and %s exclude each other", one, other);
    return -1;
}

int
job_config_finish(struct job_config *config, char why[JOB_WHY_MAX])
{
    bool sends = config->side == JOB_SENDS;

    if (check_modes(config, why) != 0 ||
        (sends ? check_plan(config, why) : check_multifd(config, why)) != 0 ||
        find_qemu(config, why) != 0 || make_absolute(config, why) != 0)
        return -1;
    if (!config->control_given)
        snprintf(config->control_path, sizeof config->control_path, "%s.ctl",
                 config->unix_path);
    config->given = config->settings.count;
    if (!sends)
        add_settings(config);
    return 0;
}
