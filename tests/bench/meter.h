/*
 * Measures what relays cost: starts them, runs a workload through them, ends
 * them, and says what CPU and memory they used meanwhile.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stddef.h>
#include <stdint.h>

enum { METER_RELAYS_MAX = 8 };

struct meter_config {
    const char *unix_path;
    uint64_t port; /* 0: none */
    const char *log;
    uint64_t timeout_ms;
    char **relays[METER_RELAYS_MAX];
    size_t relay_count;
    char **workload;
};

/**
 * meter_run(config):
 * Start the relays, wait until they listen, run the workload, end everything
 * below this process, and print a line of figures if the workload was done.
 * Return the workload's exit status, or one of exit_status.h where there is
 * none.
 */
int meter_run(const struct meter_config *config);

#endif
