/*
 * What mig-send and mig-recv do when they have been told what: look, ask the
 * helper that is at work already, or do the work, until it is done or a person
 * stops them.
 */
#ifndef MIGRATE_HELPER_H
#define MIGRATE_HELPER_H

#include <stdio.h>

#include "base/exit_status.h"

struct job_config;

struct helper_options {
    const struct job_config *config;
    const char *program; /* "mig-send" */
    FILE *out;           /* what was asked for, or JSON */
    FILE *terminal;      /* for the live line; NULL for log lines instead */
};

/**
 * helper_run(options):
 * Do what ${options}->config says.  Return what came of it; a line has said
 * why, except where a person has stopped it before anything was begun.
 */
enum exit_status helper_run(const struct helper_options *options);

#endif
