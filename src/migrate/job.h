/*
 * What mig-recv's job and mig-send's job have in common: a QMP connection, the
 * settings, a migration that is followed, a time limit, and one end.
 */
#ifndef MIGRATE_JOB_H
#define MIGRATE_JOB_H

#include <stdio.h>

#include "base/exit_status.h"
#include "migrate/follow.h"
#include "migrate/job_config.h"
#include "migrate/qmp.h"
#include "wire/progress.h"

struct apply;
struct loop;
struct output;
struct timer;

struct job_options {
    const struct job_config *config; /* must outlive the job */
    FILE *json;                      /* for --json; NULL without it */
    FILE *terminal; /* for the live line; NULL for log lines instead */

    /**
     * on_done(arg, status):
     * The end; a line has said why.  Called from the loop, when nothing else of
     * the job is at work, and once, unless the job is freed before.  The
     * callback may free the job; one that is not freed does nothing any more.
     */
    void (*on_done)(void *arg, enum exit_status status);
    void *arg;
};

/* What differs; each gets the owner. */
struct job_hooks {
    void (*on_ready)(void *owner);
    void (*on_applied)(void *owner);
    /* QEMU does not take the settings: whether the job goes on all the same.
     * May be NULL; then it does not. */
    bool (*on_refused)(void *owner, const char *why);
    void (*on_event)(void *owner, const char *name, const json_t *data);
    void (*on_status)(void *owner); /* there is a new one, in job->progress */
    void (*on_update)(void *owner, bool whole); /* see follow.h */
    void (*on_end)(void *owner, enum qmp_end end, const char *why);
    void (*on_timeout)(void *owner); /* NULL if there is no time limit */
    void (*on_over)(void *owner);    /* it is: stop, on_done follows */
    void *owner;
};

struct job {
    struct loop *loop;
    struct job_options options;
    struct job_hooks hooks;
    struct output *output;
    struct qmp *qmp;
    struct apply *apply;
    struct follow *follow;
    struct timer *timeout;
    struct timer *ended;             /* calls on_done */
    const struct settings *settings; /* the config's, unless the owner has set
                                        others */
    struct progress progress;
    enum exit_status status; /* once it is over */
    bool begun;              /* QEMU was told to migrate */
    bool over;               /* see job_done */
    char runstate[32];       /* as it was last seen; "" if it was not */
    struct qmp_version version;
    char unknown_said[40]; /* the status of that kind that a line told of */
};

/**
 * job_init(job, loop, options, hooks):
 * Start to connect to the QEMU.  Return 0, or -1 with errno set.  The caller
 * ends it with job_fini, also after a failure.
 */
int job_init(struct job *job, struct loop *loop,
             const struct job_options *options, const struct job_hooks *hooks);
void job_fini(struct job *job);

/**
 * job_ask(job, name, arguments, on_reply):
 * Send the command ${name} with ${arguments} (owned by the job from now on, or
 * NULL), and call ${on_reply} with the hooks' owner.  If it can't be sent, the
 * job ends and a line says why; when it has ended, nothing is sent.
 */
void job_ask(struct job *job, const char *name, json_t *arguments,
             void (*on_reply)(void *owner, const struct qmp_reply *reply));

/**
 * job_try(job, name, arguments, on_reply):
 * The same, but if it can't be sent the job goes on: a connection that has
 * ended says so by itself.  Return 0, or -1 with errno set.
 */
int job_try(struct job *job, const char *name, json_t *arguments,
            void (*on_reply)(void *owner, const struct qmp_reply *reply));

/**
 * job_apply(job):
 * job_check_settings(job):
 * Give QEMU the settings, or see whether it has them, and call on_applied; if
 * that fails, the job ends.  When it has ended, nothing happens.
 */
void job_apply(struct job *job);
void job_check_settings(struct job *job);

/**
 * job_begin(job):
 * QEMU is being told to migrate: time counts from here.  Not for a job that has
 * ended.
 */
void job_begin(struct job *job);

/**
 * job_follow(job, interval_ms):
 * Follow the migration that QEMU has begun; if that fails, the job ends.  When
 * it has ended, nothing happens.
 */
void job_follow(struct job *job, uint64_t interval_ms);

/**
 * job_take_runstate(job, reply):
 * Take the reply to query-status into job->runstate, "" if it failed.
 */
void job_take_runstate(struct job *job, const struct qmp_reply *reply);

/**
 * job_result_name(status):
 * Return what ${status} is called in JSON, which is static.
 */
const char *job_result_name(enum exit_status status);

/**
 * job_done(job, status, format, ...):
 * Say how it ended, and end: job->over is true from now on, and the second end
 * and all that follow are left out.  The connection to QEMU and what hangs on
 * it are gone when this returns, and whatever on_over has ended; the job itself
 * stays until on_done, so that who called may still look at job->over.  After a
 * call that may end the job, look at that before doing anything else.
 */
void job_done(struct job *job, enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
