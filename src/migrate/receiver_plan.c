/* The settings of a migration at the destination: those of the plan, with which
 * those that were given here have to agree. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "migrate/receiver_state.h"

enum { VALUE_MAX = 64 };

static void
add_setting(struct settings *settings, enum setting_kind kind, const char *name,
            const char *value)
{
    struct setting setting = { .kind = kind };

    snprintf(setting.name, sizeof setting.name, "%s", name);
    snprintf(setting.value, sizeof setting.value, "%s", value);
    /* What is only to be off, or to tell of changes, may be missing, and so may
     * what only saves the disks from being used too early. */
    setting.optional = strcmp(value, "off") == 0 ||
                       strcmp(name, "events") == 0 ||
                       strcmp(name, "late-block-activate") == 0;
    settings_default(settings, &setting);
}

static void
value_text(char text[VALUE_MAX], const json_t *value)
{
    if (json_is_integer(value))
        snprintf(text, VALUE_MAX, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, VALUE_MAX, "%g", json_real_value(value));
    else
        snprintf(text, VALUE_MAX, "%s", json_is_true(value) ? "on" : "off");
}

static void
take_settings(struct receiver *receiver, const struct partner_message *plan)
{
    struct settings *settings = &receiver->settings;
    char text[VALUE_MAX];
    const char *name;
    json_t *value;

    settings->count = 0;
    json_object_foreach(plan->capabilities, name, value)
    {
        value_text(text, value);
        add_setting(settings, SETTING_CAPABILITY, name, text);
    }
    json_object_foreach(plan->parameters, name, value)
    {
        value_text(text, value);
        add_setting(settings, SETTING_PARAMETER, name,
                    json_is_string(value) ? json_string_value(value) : text);
    }
    add_setting(settings, SETTING_CAPABILITY, "events", "on");
    add_setting(settings, SETTING_CAPABILITY, "late-block-activate", "on");
}

/* What was given here, too, has to be the same. */
static bool
agrees(struct receiver *receiver, const struct setting *own,
       char why[PARTNER_WHY_MAX])
{
    const char *theirs =
        settings_get(&receiver->settings, own->kind, own->name);

    if (theirs == NULL) {
        settings_default(&receiver->settings, own);
        return true;
    }
    if (strcmp(theirs, own->value) == 0)
        return true;
    snprintf(why, PARTNER_WHY_MAX,
             "mig-recv was given %s=%s, and mig-send has %s for both; give it "
             "to mig-send alone",
             own->name, own->value, theirs);
    return false;
}

bool
receiver_take_settings(struct receiver *receiver,
                       const struct partner_message *plan,
                       char why[PARTNER_WHY_MAX])
{
    const struct job_config *config = receiver->options.config;
    struct setting own = { .kind = SETTING_CAPABILITY };

    take_settings(receiver, plan);
    for (size_t i = 0; i < config->given; i++)
        if (!agrees(receiver, &config->settings.list[i], why))
            return false;
    if (config->multifd == 0)
        return true;
    snprintf(own.name, sizeof own.name, "multifd");
    snprintf(own.value, sizeof own.value, "on");
    if (!agrees(receiver, &own, why))
        return false;
    own.kind = SETTING_PARAMETER;
    snprintf(own.name, sizeof own.name, "multifd-channels");
    snprintf(own.value, sizeof own.value, "%" PRIu64, config->multifd);
    return agrees(receiver, &own, why);
}
