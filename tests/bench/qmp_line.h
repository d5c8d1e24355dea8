/*
 * A blocking QMP client, only as much of one as a measurement needs, and on
 * purpose not the project's own: the same few lines drive QEMU whatever relay
 * is measured.
 */
#ifndef BENCH_QMP_LINE_H
#define BENCH_QMP_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QMP_STATUS_MAX = 32 };

struct qmp_line {
    const char *path; /* names it in the log */
    int fd;
    char *text; /* read, and not taken yet */
    size_t bytes;
    size_t room;
    char migration[QMP_STATUS_MAX]; /* of the last MIGRATION event */
    double stopped; /* the seconds at which QEMU sent these events, by the */
    double resumed; /* host's clock, which two QEMUs share; 0 for never */
};

/**
 * qmp_line_open(qmp, path, timeout_ms):
 * Connect ${qmp} to the socket at ${path}, which must outlive it, and greet.
 * Any later read fails after ${timeout_ms} of silence.  Return 0, or -1 after
 * a line in the log.
 */
int qmp_line_open(struct qmp_line *qmp, const char *path, uint64_t timeout_ms);

/**
 * qmp_line_close(qmp):
 * Disconnect.
 */
void qmp_line_close(struct qmp_line *qmp);

/**
 * qmp_line_call(qmp, command, arguments):
 * Run ${command}; ${arguments} may be NULL and is taken over.  Return what it
 * returned, for the caller to json_decref, or NULL after a line in the log.
 */
json_t *qmp_line_call(struct qmp_line *qmp, const char *command,
                      json_t *arguments);

/**
 * qmp_line_do(qmp, command, arguments):
 * As qmp_line_call, for a command that returns nothing.  Return 0 or -1.
 */
int qmp_line_do(struct qmp_line *qmp, const char *command, json_t *arguments);

/**
 * qmp_line_send(qmp, command, arguments):
 * As qmp_line_call, without waiting: qmp_line_take brings what it returned.
 * Return 0, or -1 after a line in the log.
 */
int qmp_line_send(struct qmp_line *qmp, const char *command, json_t *arguments);

/**
 * qmp_line_take(qmp, result):
 * Read what has come, without waiting, and note events.  Set *${result} to
 * what a command returned, for the caller to json_decref, or to NULL.  Return
 * 1 if there may be more, 0 if not, or -1 after a line in the log.
 */
int qmp_line_take(struct qmp_line *qmp, json_t **result);

/**
 * qmp_line_ended(qmp):
 * Return whether the last MIGRATION event was that of an end.
 */
bool qmp_line_ended(const struct qmp_line *qmp);

#endif
