#include "wire/convergence_options.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/value.h"

/* A week, as for --timeout; no migration needs so many passes. */
static const uint64_t TIME_MAX_MS = 7ULL * 24 * 3600 * 1000;
enum { PASSES_MAX = 1000000 };

const char *
convergence_parse_timeout(struct convergence_options *options, const char *text)
{
    static const struct {
        const char *text;
        enum convergence_timeout value;
    } words[] = {
#define WORD(name, text) { (text), ON_TIMEOUT_##name },
        CONVERGENCE_TIMEOUTS(WORD)
#undef WORD
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].text, text) == 0) {
            options->on_timeout = words[i].value;
            return NULL;
        }
    return "cancel, postcopy, pause or auto-converge";
}

/* value_duration takes bare numbers as seconds: here they would be mistaken for
 * passes, so a time ends with a letter. */
static bool
parse_time(const char *text, uint64_t *ms)
{
    size_t length = strlen(text);

    return length > 0 && isalpha((unsigned char)text[length - 1]) &&
           value_duration(text, TIME_MAX_MS, ms) == 0 && *ms > 0;
}

const char *
convergence_parse_after(struct convergence_options *options, const char *text)
{
    uint64_t number = 0;

    if (strcmp(text, "stalled") == 0)
        options->after = AFTER_STALLED;
    else if (value_count(text, 1, PASSES_MAX, &number) == 0)
        options->after = AFTER_PASSES;
    else if (parse_time(text, &number))
        options->after = AFTER_MS;
    else
        return "a number of passes such as 3, a time with its unit such as "
               "30s or 2m, or stalled";
    options->after_number = number;
    return NULL;
}

const char *
convergence_options_finish(struct convergence_options *options, bool postcopy,
                           bool auto_converge)
{
    if (options->on_timeout != ON_TIMEOUT_UNSET && options->timeout_ms == 0)
        return "--on-timeout needs --timeout";
    if (options->after != AFTER_NEVER && !postcopy)
        return "--postcopy-after needs --postcopy";
    if (auto_converge && options->on_timeout == ON_TIMEOUT_AUTO_CONVERGE)
        return "--auto-converge is on from the start, so --on-timeout "
               "auto-converge would change nothing";
    if (options->on_timeout == ON_TIMEOUT_UNSET)
        options->on_timeout = ON_TIMEOUT_CANCEL;
    if (postcopy && options->after == AFTER_NEVER)
        options->after = AFTER_STALLED;
    options->postcopy = postcopy || options->on_timeout == ON_TIMEOUT_POSTCOPY;
    return NULL;
}
