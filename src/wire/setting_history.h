/*
 * Which QEMU has which migration capability and parameter, and where each
 * matters.  Versions are from the "since" notes of QEMU's qapi/migration.json,
 * and from docs/about/removed-features.rst.
 */
#ifndef WIRE_SETTING_HISTORY_H
#define WIRE_SETTING_HISTORY_H

#include <stdbool.h>

#include "wire/settings.h"

enum setting_place { SETTING_SOURCE, SETTING_DESTINATION, SETTING_BOTH };

struct setting_history {
    const char *name;
    int since; /* 100 times major and minor: 702 is 7.2 */
    int until; /* the last version that has it; 0 if it is still there */
    enum setting_kind kind;
    enum setting_place place;
    bool unfit; /* can't be used over a tunnel, or does not end in a move */
};

/**
 * setting_history_find(kind, name):
 * Return what is known of a capability or a parameter, or NULL.
 */
const struct setting_history *setting_history_find(enum setting_kind kind,
                                                   const char *name);

/**
 * setting_history_next(history):
 * Return the entry after ${history}, the first for NULL; NULL at the end.
 */
const struct setting_history *setting_history_next(
    const struct setting_history *history);

/**
 * setting_value_since(kind, name, value):
 * Return the version that ${value} came with, or 0 if that is not later than
 * ${name} itself.
 */
int setting_value_since(enum setting_kind kind, const char *name,
                        const char *value);

#endif
