/* What an operator wants to happen when a migration takes long. */
#ifndef WIRE_CONVERGENCE_OPTIONS_H
#define WIRE_CONVERGENCE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What to do when its time is up, as --on-timeout says it. */
#define CONVERGENCE_TIMEOUTS(X) \
    X(CANCEL, "cancel")         \
    X(POSTCOPY, "postcopy")     \
    X(PAUSE, "pause")           \
    X(AUTO_CONVERGE, "auto-converge")

enum convergence_timeout {
    ON_TIMEOUT_UNSET, /* counts as cancel */
#define CONVERGENCE_TIMEOUT_ENUM(name, text) ON_TIMEOUT_##name,
    CONVERGENCE_TIMEOUTS(CONVERGENCE_TIMEOUT_ENUM)
#undef CONVERGENCE_TIMEOUT_ENUM
};

/* When to start postcopy, apart from a timeout. */
enum convergence_after {
    AFTER_NEVER,
    AFTER_PASSES, /* so many passes over the memory are done */
    AFTER_MS,     /* so long after the migration was begun */
    AFTER_STALLED
};

struct convergence_options {
    uint64_t timeout_ms; /* 0 for no end */
    enum convergence_timeout on_timeout;
    enum convergence_after after;
    uint64_t after_number;      /* passes or milliseconds */
    bool postcopy;              /* postcopy-ram is on at both QEMUs */
    uint64_t downtime_limit_ms; /* for what is told; 0 if it is not known */
};

/**
 * convergence_parse_timeout(options, text):
 * convergence_parse_after(options, text):
 * Take the argument of --on-timeout; of --postcopy-after: "stalled", a number
 * of passes (digits alone), or a time, which must have its unit, as in "30s" or
 * "2m".  Return NULL, or a static text that says what was expected.
 */
const char *convergence_parse_timeout(struct convergence_options *options,
                                      const char *text);
const char *convergence_parse_after(struct convergence_options *options,
                                    const char *text);

/**
 * convergence_options_finish(options, postcopy, auto_converge):
 * When every option is in; ${postcopy} and ${auto_converge} say whether these
 * options were given.  Set what was not said, and ${options}->postcopy to
 * whether postcopy-ram is to be on.  Return NULL, or a static text that says
 * why the options make no sense together.
 */
const char *convergence_options_finish(struct convergence_options *options,
                                       bool postcopy, bool auto_converge);

#endif
