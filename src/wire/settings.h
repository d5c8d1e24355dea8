/*
 * Capabilities and parameters that a migration shall have, first as words from
 * a command line, then as the JSON that a certain QEMU wants.
 */
#ifndef WIRE_SETTINGS_H
#define WIRE_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { SETTINGS_MAX = 64, SETTING_WHY_MAX = 256 };

enum setting_kind { SETTING_CAPABILITY, SETTING_PARAMETER };

struct setting {
    enum setting_kind kind;
    bool optional; /* a QEMU that does not know it can do without */
    char name[64];
    char value[256];
};

struct settings {
    struct setting list[SETTINGS_MAX];
    size_t count;
};

/**
 * settings_parse(settings, kind, text):
 * Add "NAME=VALUE", or replace what there is of this ${kind} and name; a
 * capability's value is a switch (see value_switch).  Return NULL, or a static
 * text that says what was expected.
 */
const char *settings_parse(struct settings *settings, enum setting_kind kind,
                           const char *text);

/**
 * settings_default(settings, setting):
 * Add ${setting} unless there is one of its kind and name.
 */
void settings_default(struct settings *settings, const struct setting *setting);

/**
 * settings_get(settings, kind, name):
 * Return the value as a text, or NULL.  That of a capability is "on" or "off".
 */
const char *settings_get(const struct settings *settings,
                         enum setting_kind kind, const char *name);

/**
 * settings_capabilities(settings, known, why):
 * Return the arguments of migrate-set-capabilities, which the caller owns.
 * ${known} is what query-migrate-capabilities returned, or NULL if nothing is
 * known.  Return NULL and write one line into ${why} if this QEMU lacks a
 * capability that is not optional.
 */
json_t *settings_capabilities(const struct settings *settings,
                              const json_t *known, char why[SETTING_WHY_MAX]);

/**
 * settings_parameters(settings, current, why):
 * The same for migrate-set-parameters and query-migrate-parameters: each value
 * gets the type that ${current} has there; where it has none, the type that
 * the value looks like.
 */
json_t *settings_parameters(const struct settings *settings,
                            const json_t *current, char why[SETTING_WHY_MAX]);

/**
 * settings_confirm_capabilities(set, reply, why):
 * settings_confirm_parameters(set, reply, why):
 * Return whether ${reply}, which the query returned afterwards, has everything
 * as it was ${set}.  Else write one line into ${why}.
 */
bool settings_confirm_capabilities(const json_t *set, const json_t *reply,
                                   char why[SETTING_WHY_MAX]);
bool settings_confirm_parameters(json_t *set, const json_t *reply,
                                 char why[SETTING_WHY_MAX]);

#endif
