#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static const char *
format_scaled(char buf[TEXT_MAX], double number, const char *suffix)
{
    static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
                                         "TiB", "PiB", "EiB" };
    size_t unit = 0;

    /* 1023.5 would be written as 1024 */
    while (number >= 1023.5 && unit + 1 < sizeof units / sizeof *units) {
        number /= 1024;
        unit++;
    }
    if (unit == 0 || number >= 99.95)
        snprintf(buf, TEXT_MAX, "%.0f %s%s", number, units[unit], suffix);
    else
        snprintf(buf, TEXT_MAX, "%.1f %s%s", number, units[unit], suffix);
    return buf;
}

const char *
text_size(char buf[TEXT_MAX], uint64_t bytes)
{
    return format_scaled(buf, (double)bytes, "");
}

const char *
text_rate(char buf[TEXT_MAX], uint64_t bytes, uint64_t ms)
{
    if (ms == 0) {
        snprintf(buf, TEXT_MAX, "-");
        return buf;
    }
    return format_scaled(buf, (double)bytes * 1000 / (double)ms, "/s");
}

const char *
text_duration(char buf[TEXT_MAX], uint64_t ms)
{
    uint64_t seconds = ms / 1000;

    if (ms < 1000)
        snprintf(buf, TEXT_MAX, "%" PRIu64 " ms", ms);
    else if (seconds < 60)
        snprintf(buf, TEXT_MAX, "%" PRIu64 ".%" PRIu64 " s", seconds,
                 ms % 1000 / 100);
    else if (seconds < 3600)
        snprintf(buf, TEXT_MAX, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60,
                 seconds % 60);
    else
        snprintf(buf, TEXT_MAX, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600,
                 seconds / 60 % 60);
    return buf;
}
