/* The processes that a test starts. */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "support_case.h"

enum { COMMAND_MAX = 64 };

/* A command line in the making; an empty one is all zeros. */
struct command {
    char *argv[COMMAND_MAX];
    size_t argc;
};

struct process {
    const char *name;
    pid_t pid;
    int pid_fd; /* pidfd_open(2); readable once the process has exited */
    bool reaped;
    int status; /* once reaped: exit status, or minus the signal's number */
    char out[CASE_PATH_MAX]; /* where its standard output goes */
    char err[CASE_PATH_MAX]; /* where its standard error goes */
};

/**
 * command_add(command, format, ...):
 * Add one argument.
 */
void command_add(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * command_add_all(command, args):
 * Add the arguments of the NULL-terminated list ${args}, which may be NULL.
 */
void command_add_all(struct command *command, const char *const *args);

/**
 * process_start(e2e, name, command):
 * Start ${command}, whose first argument is looked up in PATH, and clear it.
 * The process is killed when this one dies, and at the end of the test; it
 * has no standard input.  Its output goes to files in the test's folder that
 * are named after ${name}, a string that outlives the test.
 */
struct process *process_start(struct e2e *e2e, const char *name,
                              struct command *command);

/**
 * process_running(process):
 * Return whether the process has not exited yet.
 */
bool process_running(struct process *process);

/**
 * process_signal(process, signo):
 * Send a signal to a process that was not waited for yet.
 */
void process_signal(struct process *process, int signo);

/**
 * process_wait(process):
 * Wait until it exits.  Return its exit status, or minus the number of the
 * signal that ended it.  The test fails if it does not exit.
 */
int process_wait(struct process *process);

/**
 * process_kill(process):
 * Kill it (SIGKILL) and wait until it is gone.  A process that has exited is
 * let be.
 */
void process_kill(struct process *process);

/**
 * process_expect(process, status):
 * Wait until it exits, and fail the test unless its status is ${status}.
 */
void process_expect(struct process *process, int status);

/**
 * process_wait_text(process, path, text):
 * Wait until what it writes to ${path}, its out or err, contains ${text}.  The
 * test fails if it exits or hangs without.
 */
void process_wait_text(struct process *process, const char *path,
                       const char *text);

/**
 * process_said(process, text):
 * Return whether its standard error or output contains ${text} by now.
 */
bool process_said(struct process *process, const char *text);

/**
 * process_read(path):
 * Return the contents of the file ${path} so far, NUL-terminated; the caller
 * frees it.
 */
char *process_read(const char *path);

#endif
