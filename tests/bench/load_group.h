/*
 * The channels of one run at one end: a thread for each, as QEMU has, and one
 * fate for all, as in a migration.
 */
#ifndef BENCH_LOAD_GROUP_H
#define BENCH_LOAD_GROUP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "load.h"

struct load_group;

struct load_channel {
    struct load_group *group;
    unsigned number; /* from 1, as connected or as accepted */
    atomic_int fd;
    pthread_t thread;
    bool running;
    bool is_main; /* set at the sink once the magic is read */
};

struct load_group {
    const struct load_config *config;
    const struct stream *stream;
    int listener; /* -1 at the source */
    double start; /* when the first channel was open */
    atomic_bool aborted;
    size_t count;
    struct load_channel channels[];
};

/* What an end does with its channels. */
struct load_end {
    int (*open)(struct load_channel *channel); /* a socket, or -1 */
    int (*body)(struct load_channel *channel); /* 0, or -1 after a line */
};

/**
 * load_group_new(config, stream, listener):
 * Return a group of as many closed channels as ${config} says, or NULL.
 */
struct load_group *load_group_new(const struct load_config *config,
                                  const struct stream *stream, int listener);

/**
 * load_group_free(group):
 * Close every channel and free ${group}.
 */
void load_group_free(struct load_group *group);

/**
 * load_group_run(group, end):
 * Open the channels one after the other, each starting its ${end}->body in a
 * thread at once, and wait for all of them.  When one fails, all are shut
 * down.  Return 0 if every body did.
 */
int load_group_run(struct load_group *group, const struct load_end *end);

#endif
