#include "wire/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "wire/setting_history.h"

/* Return the place of a setting, settings->count if it is not there. */
static size_t
find(const struct settings *settings, enum setting_kind kind, const char *name)
{
    size_t i = 0;

    while (i < settings->count && (settings->list[i].kind != kind ||
                                   strcmp(settings->list[i].name, name) != 0))
        i++;
    return i;
}

static const char *
store(struct settings *settings, const struct setting *setting)
{
    size_t i = find(settings, setting->kind, setting->name);

    if (i == SETTINGS_MAX)
        return "at most 64 capabilities and parameters";
    if (i == settings->count)
        settings->count++;
    settings->list[i] = *setting;
    return NULL;
}

const char *
settings_parse(struct settings *settings, enum setting_kind kind,
               const char *text)
{
    struct setting setting = { .kind = kind };
    const char *equals = strchr(text, '=');
    bool on = false, is_switch = kind == SETTING_CAPABILITY;
    const char *expected = is_switch ? "NAME=on or NAME=off" : "NAME=VALUE";

    if (equals == NULL || equals == text ||
        (size_t)(equals - text) >= sizeof setting.name ||
        strlen(equals + 1) >= sizeof setting.value)
        return expected;
    if (is_switch && value_switch(equals + 1, &on) != 0)
        return expected;
    memcpy(setting.name, text, (size_t)(equals - text));
    snprintf(setting.value, sizeof setting.value, "%s",
             !is_switch ? equals + 1
             : on       ? "on"
                        : "off");
    return store(settings, &setting);
}

void
settings_default(struct settings *settings, const struct setting *setting)
{
    if (find(settings, setting->kind, setting->name) == settings->count)
        store(settings, setting);
}

const char *
settings_get(const struct settings *settings, enum setting_kind kind,
             const char *name)
{
    size_t i = find(settings, kind, name);

    return i < settings->count ? settings->list[i].value : NULL;
}

/* The entry for ${name} in a list of {"capability": ..., "state": ...}. */
static const json_t *
capability(const json_t *list, const char *name)
{
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const char *this =
            json_string_value(json_object_get(entry, "capability"));
        if (this != NULL && strcmp(this, name) == 0)
            return entry;
    }
    return NULL;
}

static void
explain_lack(const struct setting *setting, char why[SETTING_WHY_MAX])
{
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);
    char version[64] = "";

    if (history != NULL && history->until > 0)
        snprintf(version, sizeof version, "; QEMU %d.%d to %d.%d have it",
                 history->since / 100, history->since % 100,
                 history->until / 100, history->until % 100);
    else if (history != NULL)
        snprintf(version, sizeof version, "; it needs QEMU %d.%d",
                 history->since / 100, history->since % 100);
    snprintf(why, SETTING_WHY_MAX,
             "this QEMU has no migration capability '%s'%s", setting->name,
             version);
}

json_t *
settings_capabilities(const struct settings *settings, const json_t *known,
                      char why[SETTING_WHY_MAX])
{
    json_t *list = json_array();

    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        if (setting->kind != SETTING_CAPABILITY)
            continue;
        if (json_is_array(known) && capability(known, setting->name) == NULL) {
            if (setting->optional)
                continue;
            explain_lack(setting, why);
            json_decref(list);
            return NULL;
        }
        json_array_append_new(
            list, json_pack("{s:s, s:b}", "capability", setting->name, "state",
                            strcmp(setting->value, "on") == 0));
    }
    return json_pack("{s:o}", "capabilities", list);
}

/* A value of no known type: QEMU will say if the guess is wrong. */
static json_t *
guess(const char *text)
{
    uint64_t number;
    bool on;

    if (value_count(text, 0, INT64_MAX, &number) == 0)
        return json_integer((json_int_t)number);
    if (value_switch(text, &on) == 0)
        return json_boolean(on);
    return json_string(text);
}

static json_t *
typed(const char *text, const json_t *like, const char **expected)
{
    uint64_t number;
    bool on;

    if (like == NULL || json_is_null(like))
        return guess(text);
    if (json_is_number(like)) {
        *expected = "a number";
        return value_size(text, 0, INT64_MAX, &number) == 0
                   ? json_integer((json_int_t)number)
                   : NULL;
    }
    if (json_is_boolean(like)) {
        *expected = "on or off";
        return value_switch(text, &on) == 0 ? json_boolean(on) : NULL;
    }
    *expected = "a text in UTF-8";
    return json_string(text);
}

json_t *
settings_parameters(const struct settings *settings, const json_t *current,
                    char why[SETTING_WHY_MAX])
{
    json_t *parameters = json_object();

    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        const char *expected = "a text in UTF-8";
        if (setting->kind != SETTING_PARAMETER)
            continue;
        json_t *value = typed(
            setting->value, json_object_get(current, setting->name), &expected);
        if (value == NULL) {
            snprintf(why, SETTING_WHY_MAX,
                     "migration parameter '%s': expected %s, not '%.64s'",
                     setting->name, expected, setting->value);
            json_decref(parameters);
            return NULL;
        }
        json_object_set_new(parameters, setting->name, value);
    }
    return parameters;
}

bool
settings_confirm_capabilities(const json_t *set, const json_t *reply,
                              char why[SETTING_WHY_MAX])
{
    json_t *wanted;
    size_t i;

    json_array_foreach(json_object_get(set, "capabilities"), i, wanted)
    {
        const char *name =
            json_string_value(json_object_get(wanted, "capability"));
        const json_t *entry = capability(reply, name);
        if (entry == NULL || json_equal(json_object_get(entry, "state"),
                                        json_object_get(wanted, "state")))
            continue;
        snprintf(why, SETTING_WHY_MAX,
                 "migration capability '%s' is not as it was asked for", name);
        return false;
    }
    return true;
}

bool
settings_confirm_parameters(json_t *set, const json_t *reply,
                            char why[SETTING_WHY_MAX])
{
    const char *name;
    json_t *wanted;

    json_object_foreach(set, name, wanted)
    {
        const json_t *value = json_object_get(reply, name);
        if (value == NULL || json_equal(value, wanted) ||
            (json_is_number(value) && json_is_number(wanted) &&
             json_number_value(value) == json_number_value(wanted)))
            continue;
        snprintf(why, SETTING_WHY_MAX,
                 "migration parameter '%s' is not as it was asked for", name);
        return false;
    }
    return true;
}
