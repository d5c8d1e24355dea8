/* What mig-recv and mig-send are asked to do. */
#ifndef MIGRATE_JOB_CONFIG_H
#define MIGRATE_JOB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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
    bool run_at_once;           /* alone: without the source's word */
    char control_path[108 + 8]; /* of the tunnel's control socket */
    bool control_given;         /* so there is to be one */
    struct settings settings;
    size_t given; /* the first of them: those that were asked for */

    /* The rest is for the side that sends. */
    uint64_t max_bandwidth;     /* bytes a second; 0 for no limit */
    uint64_t downtime_limit_ms; /* 0: as QEMU has it */
    bool auto_converge;
    bool xbzrle;
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
 * When every option is in: find the QEMU, make paths absolute, and add the
 * settings that a migration needs to those that were asked for.  Return 0, or
 * -1 and write one line into ${why}.
 */
int job_config_finish(struct job_config *config, char why[JOB_WHY_MAX]);

#endif
