#include "tunnel/session_label.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

const char *
session_label(char buf[SESSION_LABEL_MAX],
              const unsigned char id[SESSION_ID_BYTES], const char *name)
{
    snprintf(buf, SESSION_LABEL_MAX, "session %02x%02x%02x%02x%s%s%s", id[0],
             id[1], id[2], id[3], name[0] != '\0' ? " (" : "", name,
             name[0] != '\0' ? ")" : "");
    return buf;
}

/* ", compressed 3.1:1", or "" where that is less than 1.05:1. */
static const char *
saved(char buf[TEXT_MAX], const struct session_totals *totals)
{
    double ratio = totals->wire_bytes > 0 ? (double)totals->stream_bytes /
                                                (double)totals->wire_bytes
                                          : 1;

    buf[0] = '\0';
    if (ratio >= 1.05)
        snprintf(buf, TEXT_MAX, ", compressed %.1f:1", ratio);
    return buf;
}

void
session_log_end(const char *label, enum reason reason,
                const struct session_totals *totals)
{
    char there[TEXT_MAX], back[TEXT_MAX], again[TEXT_MAX], took[TEXT_MAX],
        rate[TEXT_MAX], ratio[TEXT_MAX];
    void (*say)(const char *format, ...) __attribute__((format(printf, 1, 2))) =
        reason == REASON_NONE ? log_info : log_warnx;

    say("%s: %s; %u channels, %s to the destination, %s back, %s sent again%s, "
        "%s, %s",
        label, reason_text(reason), totals->channels,
        text_size(there, totals->there_bytes),
        text_size(back, totals->back_bytes),
        text_size(again, totals->replayed_bytes), saved(ratio, totals),
        text_duration(took, totals->ms),
        text_rate(rate, totals->there_bytes, totals->ms));
}

enum exit_status
session_status(enum reason reason)
{
    switch (reason) {
    case REASON_NONE: return STATUS_DONE;
    case REASON_CANCELLED:
    case REASON_STOPPED: return STATUS_CANCELLED;
    default: return STATUS_FAILED;
    }
}
