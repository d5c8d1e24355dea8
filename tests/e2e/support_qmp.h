/*
 * A small synchronous QMP client of the tests' own, so that what the programs
 * report is checked against what QEMU says, by other code.
 */
#ifndef SUPPORT_QMP_H
#define SUPPORT_QMP_H

#include <jansson.h>

struct qmp;

/**
 * qmp_open(path):
 * Connect to the QMP socket ${path}, which may not be there yet, and get
 * through the greeting.  The test fails if that takes too long.  The caller
 * frees it with qmp_close.
 */
struct qmp *qmp_open(const char *path);
void qmp_close(struct qmp *qmp);

/**
 * qmp_try(qmp, command, arguments):
 * Send a command; ${arguments}, which may be NULL, is consumed.  Return the
 * reply, with a member "return" or "error", which the caller frees with
 * json_decref; or NULL if the QEMU is gone.
 */
json_t *qmp_try(struct qmp *qmp, const char *command, json_t *arguments);

/**
 * qmp_call(qmp, command, arguments):
 * As qmp_try, but return the member "return" alone, and fail the test if there
 * is none.
 */
json_t *qmp_call(struct qmp *qmp, const char *command, json_t *arguments);

/**
 * qmp_do(qmp, command, arguments):
 * As qmp_call, where the reply does not matter.
 */
void qmp_do(struct qmp *qmp, const char *command, json_t *arguments);

/**
 * qmp_wait_event(qmp, name):
 * Wait for the event ${name}, or take it if it has come since the last one
 * waited for.  The test fails if it does not come.
 */
void qmp_wait_event(struct qmp *qmp, const char *name);

#endif
