#include "wire/setting_history.h"

#include <stddef.h>
#include <string.h>

#define CAPABILITY(name, since, until, place, unfit)                   \
    {                                                                  \
        name, since, until, SETTING_CAPABILITY, SETTING_##place, unfit \
    }
#define PARAMETER(name, since, until, place)                          \
    {                                                                 \
        name, since, until, SETTING_PARAMETER, SETTING_##place, false \
    }

/*
 * What both must have the same has "BOTH": a destination that waits for other
 * connections or other packets than come hangs or fails.
 *
 * Unfit are what needs a socket of another kind (zero-copy-send, rdma-pin-all)
 * or a file (mapped-ram), and what leaves a guest at the source, too
 * (background-snapshot, x-colo).
 */
static const struct setting_history histories[] = {
    CAPABILITY("auto-converge", 106, 0, SOURCE, false),
    CAPABILITY("background-snapshot", 600, 0, SOURCE, true),
    CAPABILITY("block", 210, 900, SOURCE, false),
    CAPABILITY("compress", 204, 900, BOTH, false),
    CAPABILITY("dirty-bitmaps", 212, 0, BOTH, false),
    CAPABILITY("dirty-limit", 801, 0, SOURCE, false),
    CAPABILITY("events", 204, 0, SOURCE, false),
    CAPABILITY("late-block-activate", 300, 0, DESTINATION, false),
    CAPABILITY("mapped-ram", 900, 0, BOTH, true),
    CAPABILITY("multifd", 400, 0, BOTH, false),
    CAPABILITY("pause-before-switchover", 211, 0, SOURCE, false),
    CAPABILITY("postcopy-blocktime", 300, 0, DESTINATION, false),
    CAPABILITY("postcopy-preempt", 701, 0, BOTH, false),
    CAPABILITY("postcopy-ram", 206, 0, BOTH, false),
    CAPABILITY("rdma-pin-all", 200, 0, BOTH, true),
    CAPABILITY("release-ram", 209, 0, SOURCE, false),
    CAPABILITY("return-path", 210, 0, SOURCE, false),
    CAPABILITY("switchover-ack", 801, 0, BOTH, false),
    CAPABILITY("validate-uuid", 402, 0, SOURCE, false),
    CAPABILITY("x-colo", 208, 0, BOTH, true),
    CAPABILITY("x-ignore-shared", 400, 0, BOTH, false),
    CAPABILITY("xbzrle", 102, 0, SOURCE, false),
    CAPABILITY("zero-blocks", 106, 0, SOURCE, false),
    CAPABILITY("zero-copy-send", 701, 0, SOURCE, true),
    PARAMETER("announce-initial", 400, 0, DESTINATION),
    PARAMETER("announce-max", 400, 0, DESTINATION),
    PARAMETER("announce-rounds", 400, 0, DESTINATION),
    PARAMETER("announce-step", 400, 0, DESTINATION),
    PARAMETER("avail-switchover-bandwidth", 802, 0, SOURCE),
    PARAMETER("block-bitmap-mapping", 502, 0, SOURCE),
    PARAMETER("block-incremental", 210, 900, SOURCE),
    PARAMETER("compress-level", 204, 900, SOURCE),
    PARAMETER("compress-threads", 204, 900, SOURCE),
    PARAMETER("compress-wait-thread", 301, 900, SOURCE),
    PARAMETER("cpr-exec-command", 1002, 0, SOURCE),
    PARAMETER("cpu-throttle-increment", 207, 0, SOURCE),
    PARAMETER("cpu-throttle-initial", 207, 0, SOURCE),
    PARAMETER("cpu-throttle-tailslow", 501, 0, SOURCE),
    PARAMETER("decompress-threads", 204, 900, DESTINATION),
    PARAMETER("direct-io", 901, 0, SOURCE),
    PARAMETER("downtime-limit", 208, 0, SOURCE),
    PARAMETER("max-bandwidth", 208, 0, SOURCE),
    PARAMETER("max-cpu-throttle", 301, 0, SOURCE),
    PARAMETER("max-postcopy-bandwidth", 300, 0, SOURCE),
    PARAMETER("mode", 802, 0, SOURCE),
    PARAMETER("multifd-channels", 400, 0, BOTH),
    PARAMETER("multifd-compression", 500, 0, BOTH),
    PARAMETER("multifd-qatzip-level", 902, 0, SOURCE),
    PARAMETER("multifd-zlib-level", 500, 0, SOURCE),
    PARAMETER("multifd-zstd-level", 500, 0, SOURCE),
    PARAMETER("throttle-trigger-threshold", 500, 0, SOURCE),
    PARAMETER("tls-authz", 400, 0, DESTINATION),
    PARAMETER("tls-creds", 207, 0, SOURCE),
    PARAMETER("tls-hostname", 207, 0, SOURCE),
    PARAMETER("vcpu-dirty-limit", 801, 0, SOURCE),
    PARAMETER("x-checkpoint-delay", 208, 0, SOURCE),
    PARAMETER("x-vcpu-dirty-limit-period", 801, 0, SOURCE),
    PARAMETER("xbzrle-cache-size", 211, 0, SOURCE),
    PARAMETER("zero-page-detection", 900, 0, SOURCE),
};

enum { HISTORIES = sizeof histories / sizeof *histories };

const struct setting_history *
setting_history_find(enum setting_kind kind, const char *name)
{
    for (size_t i = 0; i < HISTORIES; i++)
        if (histories[i].kind == kind && strcmp(histories[i].name, name) == 0)
            return &histories[i];
    return NULL;
}

const struct setting_history *
setting_history_next(const struct setting_history *history)
{
    if (history == NULL)
        return histories;
    return history + 1 < histories + HISTORIES ? history + 1 : NULL;
}

int
setting_value_since(enum setting_kind kind, const char *name, const char *value)
{
    static const struct {
        const char *value;
        int since;
    } compressions[] = { { "qpl", 901 }, { "uadk", 901 }, { "qatzip", 902 } };

    if (kind != SETTING_PARAMETER || strcmp(name, "multifd-compression") != 0)
        return 0;
    for (size_t i = 0; i < sizeof compressions / sizeof *compressions; i++)
        if (strcmp(compressions[i].value, value) == 0)
            return compressions[i].since;
    return 0;
}
