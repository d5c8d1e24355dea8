/*
 * Where progress goes: one live line at a terminal, or else a log line every
 * few seconds; and JSON, for programs.
 *
 * Nothing here waits for a reader.  For one that does not read, the live line
 * stays as it is and objects of type "progress" are dropped; "status" and
 * "result" are kept until it reads again, and the end waits for it a little.
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
 * output_state(output, state):
 * Write ${state}, an object that is the output's from now on, as JSON.
 */
void output_state(struct output *output, json_t *state);

/**
 * output_flush(output):
 * Write what was kept, if it can be written now.
 */
void output_flush(struct output *output);

/**
 * output_result(output, result):
 * That was all.  Waits for a reader that does not read for up to 2 s, or until
 * a signal comes.
 */
void output_result(struct output *output, const struct progress_result *result);

#endif
