/*
 * Where progress goes: one live line at a terminal, or else a log line every
 * few seconds; and JSON, for programs.
 */
#ifndef MIGRATE_OUTPUT_H
#define MIGRATE_OUTPUT_H

#include <stdio.h>

#include "wire/progress_json.h"

struct output;

/**
 * output_new(json, terminal):
 * Write JSON to ${json} unless it is NULL, and the live line to ${terminal};
 * if that is NULL there are log lines instead.  Both stay the caller's.  Takes
 * the log's hook, so that log lines and the live line keep apart: one output a
 * process.  Return NULL if there is no memory.  The caller frees it with
 * output_free.
 */
struct output *output_new(FILE *json, FILE *terminal);
void output_free(struct output *output);

/**
 * output_progress(output, progress):
 * There are new numbers.
 */
void output_progress(struct output *output, const struct progress *progress);

/**
 * output_status(output, progress):
 * There is a new status.
 */
void output_status(struct output *output, const struct progress *progress);

/**
 * output_result(output, result):
 * That was all.
 */
void output_result(struct output *output, const struct progress_result *result);

#endif
