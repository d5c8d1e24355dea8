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
    case 'b':
        return value_rate(value, &job->max_bandwidth) == 0
                   ? NULL
                   : "a rate such as 100M (MiB a second) or 1Gbit";
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

static void
want_number(struct job_config *config, const char *name, uint64_t number)
{
    char value[24];

    snprintf(value, sizeof value, "%" PRIu64, number);
    want(config, SETTING_PARAMETER, name, value);
}

/*
 * multifd is always said, on or off: a setting that an earlier migration left
 * behind would hang this one.  max-bandwidth too, for QEMU's default is
 * 128 MiB a second.
 */
static void
add_settings(struct job_config *config)
{
    const char *multifd = config->multifd > 0 ? "on" : "off";

    want(config, SETTING_CAPABILITY, "events", "on");
    want(config, SETTING_CAPABILITY, "multifd", multifd);
    if (config->multifd > 0)
        want_number(config, "multifd-channels", config->multifd);
    if (config->side == JOB_RECEIVES)
        return;
    want(config, SETTING_CAPABILITY, "return-path", "on");
    if (config->auto_converge)
        want(config, SETTING_CAPABILITY, "auto-converge", "on");
    if (config->xbzrle)
        want(config, SETTING_CAPABILITY, "xbzrle", "on");
    want_number(config, "max-bandwidth", config->max_bandwidth);
    if (config->downtime_limit_ms > 0)
        want_number(config, "downtime-limit", config->downtime_limit_ms);
}

/* An option of its own, and the same thing said otherwise by --capability. */
static int
check_conflict(const struct job_config *config, const char *name,
               const char *needed_by, char why[JOB_WHY_MAX])
{
    const char *value =
        settings_get(&config->settings, SETTING_CAPABILITY, name);

    if (needed_by == NULL || value == NULL || strcmp(value, "on") == 0)
        return 0;
    snprintf(why, JOB_WHY_MAX, "--capability %s=off contradicts %s", name,
             needed_by);
    return -1;
}

/* What needs a partner can't be had alone. */
static int
check_modes(const struct job_config *config, char why[JOB_WHY_MAX])
{
    const char *clash = NULL;

    if (config->standalone && config->control_given)
        clash = "--standalone and --control";
    else if (config->standalone && config->check)
        clash = "--standalone and --check";
    else if (config->standalone && (config->attach || config->release))
        clash = config->attach ? "--standalone and --attach"
                               : "--standalone and --release";
    else if (config->check && (config->attach || config->release))
        clash =
            config->attach ? "--check and --attach" : "--check and --release";
    else if (config->run_at_once && (config->attach || config->release))
        clash = config->attach ? "--run-at-once and --attach"
                               : "--run-at-once and --release";
    if (clash == NULL)
        return 0;
    snprintf(why, JOB_WHY_MAX, "%s exclude each other", clash);
    return -1;
}

int
job_config_finish(struct job_config *config, char why[JOB_WHY_MAX])
{
    bool sends = config->side == JOB_SENDS;

    if (check_modes(config, why) != 0)
        return -1;
    if (check_conflict(config, "multifd",
                       config->multifd > 0 ? "--multifd" : NULL, why) != 0 ||
        check_conflict(config, "auto-converge",
                       config->auto_converge ? "--auto-converge" : NULL,
                       why) != 0 ||
        check_conflict(config, "xbzrle", config->xbzrle ? "--xbzrle" : NULL,
                       why) != 0 ||
        check_conflict(config, "return-path",
                       sends ? "how mig-send knows that the VM has arrived"
                             : NULL,
                       why) != 0 ||
        check_conflict(config, "events",
                       sends ? "how mig-send follows the migration" : NULL,
                       why) != 0)
        return -1;
    if (find_qemu(config, why) != 0 || make_absolute(config, why) != 0)
        return -1;
    if (!config->control_given)
        snprintf(config->control_path, sizeof config->control_path, "%s.ctl",
                 config->unix_path);
    config->given = config->settings.count;
    add_settings(config);
    return 0;
}
