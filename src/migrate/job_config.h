/* What mig-recv and mig-send are asked to do. */
#ifndef MIGRATE_JOB_CONFIG_H
#define MIGRATE_JOB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/convergence_options.h"
#include "wire/plan.h"
#include "wire/qmp_target.h"
#include "wire/settings.h"

enum job_side { JOB_RECEIVES, JOB_SENDS };

/* Keys of the options without a letter; the first is CLI_LONG. */
enum {
    JOB_OPTION_STANDALONE = 256,
    JOB_OPTION_CONTROL,
    JOB_OPTION_CHECK,
    JOB_OPTION_ATTACH,
    JOB_OPTION_RELEASE,
    JOB_OPTION_COMPRESSION,
    JOB_OPTION_POSTCOPY,
    JOB_OPTION_POSTCOPY_AFTER,
    JOB_OPTION_POSTCOPY_PREEMPT,
    JOB_OPTION_POSTCOPY_BANDWIDTH,
    JOB_OPTION_ON_TIMEOUT,
    JOB_OPTION_RECOVER,
    JOB_OPTION_STATUS,
    JOB_OPTION_CANCEL,
    JOB_OPTION_RUN_AT_ONCE
};

struct job_config {
    enum job_side side;
    struct qmp_target target; /* the QEMU */
    bool has_target;
    pid_t pid;           /* the QEMU instead; 0 if it is not given */
    char unix_path[108]; /* where QEMU listens, or where mig-client does */
    uint64_t multifd;    /* channels beside the first; 0 for none */
    uint64_t timeout_ms; /* for the migration; 0 for no end */
    bool json;
    bool standalone;            /* do not look for a partner */
    bool attach;                /* to what is under way already */
    bool release;               /* the same, and let the guest run here */
    bool recover;               /* what was interrupted in postcopy */
    bool status;                /* say what is going on, and do no more */
    bool cancel;                /* what is under way */
    bool run_at_once;           /* alone: without the source's word */
    char control_path[108 + 8]; /* of the tunnel's control socket */
    bool control_given;         /* so there is to be one */
    /* Those that were asked for, and at the side that receives behind them
     * what it needs beside them. */
    struct settings settings;
    size_t given; /* how many were asked for */

    /* The rest is for the side that sends. */
    uint64_t max_bandwidth;     /* bytes a second; 0 for no limit */
    uint64_t downtime_limit_ms; /* 0: as QEMU has it */
    bool auto_converge;
    bool xbzrle;
    const char *compression;     /* of multifd; NULL if it is not given */
    bool postcopy;               /* --postcopy */
    bool preempt;                /* in postcopy */
    uint64_t postcopy_bandwidth; /* bytes a second; 0 for no limit */
    struct convergence_options convergence;
    uint64_t wait_ms; /* for the partner, and for mig-client to listen */
    bool check;       /* compare both QEMUs, and do no more */
};

enum { JOB_WHY_MAX = 512 };

/**
 * job_config_init(config, side):
 * Set every default.
 */
void job_config_init(struct job_config *config, enum job_side side);

/**
 * job_config_option(config, key, value):
 * Take the option with the letter ${key}; the programs' tables say which letter
 * is which.  Return NULL, or a static text that says what was expected.
 */
const char *job_config_option(void *config, int key, const char *value);

/**
 * job_config_finish(config, why):
 * When every option is in: find the QEMU, make paths absolute, and see that
 * the options make sense together.  Return 0, or -1 and write one line into
 * ${why}.
 */
int job_config_finish(struct job_config *config, char why[JOB_WHY_MAX]);

/**
 * job_config_plan(config, options):
 * Set ${options} to what mig-send's plan is made of.  They refer to
 * ${config}, which must outlive them.
 */
void job_config_plan(const struct job_config *config,
                     struct plan_options *options);

#endif
