/* Asks a QEMU for its devices over QOM. */
#ifndef MIGRATE_GATHER_DEVICES_H
#define MIGRATE_GATHER_DEVICES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct gather_devices;
struct qmp;

struct gather_devices_options {
    struct qmp *qmp;
    uint64_t timeout_ms;    /* of each question */
    unsigned questions_max; /* then the devices are cut */

    /**
     * on_done(arg, why):
     * The end: ${why} is NULL, or why QEMU could not be asked.
     */
    void (*on_done)(void *arg, const char *why);
    void *arg;
};

/**
 * gather_devices_new(options):
 * Start.  Return NULL with errno set as by qmp_execute, or ENOMEM.  The caller
 * frees it with gather_devices_free, after ${options}->qmp or when it is done.
 */
struct gather_devices *gather_devices_new(
    const struct gather_devices_options *options);
void gather_devices_free(struct gather_devices *devices);

/**
 * gather_devices_found(devices):
 * Return the devices as facts_devices takes them, or NULL if this QEMU tells
 * none.  They belong to ${devices}.
 */
const json_t *gather_devices_found(const struct gather_devices *devices);

/**
 * gather_devices_cut(devices):
 * Return whether there are more.
 */
bool gather_devices_cut(const struct gather_devices *devices);

#endif
