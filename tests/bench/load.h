/*
 * The load generator: a source that writes as a migrating QEMU does and a sink
 * that reads as the QEMU at the other end does, so that a relay between them
 * can be measured without a virtual machine.
 *
 * Every channel carries the same number of bytes.  When the sink has all of
 * them it answers on the main channel, as QEMU does on its return path, and
 * closes; the source stops its clock at that answer.  A relay is thus charged
 * for delivery, not for what it took into its buffers.
 *
 * With a time to hold, the source leaves the channels open for so long after
 * the answer, so that a relay can be looked at that has nothing to do; the sink
 * closes them when the source does.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

enum {
    LOAD_CHANNELS_MAX = 256,
    LOAD_ANSWER_BYTES = 8, /* QEMU's MIG_RP_MSG_SHUT with its result */
};

struct load_config {
    const char *connect; /* the source's URI */
    const char *listen;  /* the sink's URI */
    const char *far;     /* the network namespace of a pair's sink, or NULL */
    uint64_t channels;
    uint64_t bytes; /* over all channels */
    enum stream_shape shape;
    uint64_t read_bytes; /* 0: what goes with ${shape} */
    uint64_t hold_ms;    /* how long the channels stay open when all is done */
    bool verify;         /* compare every byte, not the first of each read */
    bool split;          /* each end of a pair on its half of the processors */
    uint64_t timeout_ms;
};

struct load_result {
    uint64_t bytes;
    double seconds;
};

/**
 * load_source(config, stream, result):
 * Wait until somebody listens, open the channels one after the other, write,
 * and wait for the answer.
 * Return 0 with ${result} filled, or -1 after a line in the log.
 */
int load_source(const struct load_config *config, const struct stream *stream,
                struct load_result *result);

/**
 * load_sink(config, stream, listener, result):
 * Take the channels from ${listener}, which stays open, read and check them,
 * and answer.  Return 0 with ${result} filled, or -1 after a line in the log.
 */
int load_sink(const struct load_config *config, const struct stream *stream,
              int listener, struct load_result *result);

/**
 * load_channel_bytes(config):
 * Return how many bytes each channel carries.
 */
uint64_t load_channel_bytes(const struct load_config *config);

/**
 * load_now():
 * Return the seconds of the monotonic clock.
 */
double load_now(void);

#endif
