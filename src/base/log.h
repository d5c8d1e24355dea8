/*
 * Log lines for people, on stderr: one line an event, the object first.
 *
 * The logger is process-wide and is set up once, before any thread starts; from
 * then on every thread may log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_QUIET,  /* warnings only */
    LOG_LEVEL_NORMAL, /* events an operator wants to know of */
    LOG_LEVEL_VERBOSE /* and those a developer wants to know of */
};

/**
 * log_open(program, level):
 * Start every later line with ${program} and a colon, and drop lines above
 * ${level}.  ${program} must outlive the process.  Without this call the level
 * is LOG_LEVEL_NORMAL and lines have no program.
 */
void log_open(const char *program, enum log_level level);

/**
 * log_wants(level):
 * Return whether a line of ${level} would be written.
 */
bool log_wants(enum log_level level);

/**
 * log_set_hook(hook, arg):
 * Call ${hook}(${arg}) before each line is written, so that a program that
 * keeps a live line on a terminal can clear it.  NULL removes the hook.
 */
void log_set_hook(void (*hook)(void *arg), void *arg);

/**
 * log_debug(format, ...):
 * log_info(format, ...):
 * log_warnx(format, ...):
 * Write one line; if it can't be written without waiting, drop it, and say with
 * the next one how many were.  ${format} has no newline at its end.  Bytes that
 * are no printable ASCII are replaced by '?', so that a peer's words can't
 * steer a terminal.  errno is kept.
 */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * log_warn(format, ...):
 * As log_warnx, followed by a colon and the text of errno.
 */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Allows a burst of lines, then one each interval, and counts the rest. */
struct log_limit {
    unsigned burst;       /* lines allowed at once */
    unsigned interval_ms; /* time after which one more is allowed */
    unsigned spent;       /* lines written in this burst */
    uint64_t since_ms;    /* when ${spent} last fell */
    uint64_t dropped;     /* lines not written since the last one that was */
};

/**
 * log_limit_pass(limit, now_ms, dropped):
 * Return whether a line that a peer caused may be written at the monotonic
 * time ${now_ms}; if so, set *${dropped} to the number of lines held back
 * since the last one that was let through.
 */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ms,
                    uint64_t *dropped);

#endif
