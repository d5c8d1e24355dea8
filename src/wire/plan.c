/*
 * What an option of mig-send can switch is always said, on or off: an earlier
 * attempt may have left it behind in the source's QEMU, and the destination's
 * is a new one.  max-bandwidth is, for QEMU's default is 128 MiB a second.
 *
 * QEMU does not take capabilities while a migration runs, but parameters.  So
 * auto-converge that is to come later is on from the start, and its parameters
 * allow 1 percent; what they should be is set when the time has come.  Such a
 * percent that is found in QEMU is one of ours that was left behind.
 *
 * Whether both QEMUs have it all, the preflight knows.
 */
#include "wire/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/setting_history.h"

/* What slows the guest down, and QEMU's defaults (migration/options.c). */
static const struct throttle {
    const char *name;
    int value;
} throttles[] = {
    { "cpu-throttle-initial", 20 },
    { "cpu-throttle-increment", 10 },
    { "max-cpu-throttle", 99 },
};
enum { THROTTLES = sizeof throttles / sizeof *throttles, THROTTLE_LEAST = 1 };

/* For what plan_make adds: the throttles and a compression.  With so much left,
 * no default has been dropped for want of room. */
enum { ROOM = THROTTLES + 1 };

/* A list that is being filled, and what went wrong with it. */
struct wishes {
    struct settings *wanted;
    char *why; /* PLAN_WHY_MAX bytes; "" as long as nothing did */
};

const char *
plan_compression(const char *text)
{
    static const char *const words[] = { "none", "zlib", "zstd" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return NULL;
    return "none, zlib or zstd";
}

static struct setting
make(enum setting_kind kind, const char *name, const char *value, bool optional)
{
    struct setting setting = { .kind = kind, .optional = optional };

    snprintf(setting.name, sizeof setting.name, "%s", name);
    snprintf(setting.value, sizeof setting.value, "%s", value);
    return setting;
}

static void
want(struct wishes *wishes, enum setting_kind kind, const char *name,
     const char *value, bool optional)
{
    const struct setting setting = make(kind, name, value, optional);

    settings_default(wishes->wanted, &setting);
}

static void
want_number(struct wishes *wishes, const char *name, uint64_t number)
{
    char value[24];

    snprintf(value, sizeof value, "%" PRIu64, number);
    want(wishes, SETTING_PARAMETER, name, value, false);
}

/* ${reason} is what needs it, NULL if nothing does: then --capability may still
 * say that it is to be on. */
static void
want_switch(struct wishes *wishes, const char *name, const char *reason,
            bool optional)
{
    const char *given = settings_get(wishes->wanted, SETTING_CAPABILITY, name);

    if (reason == NULL)
        want(wishes, SETTING_CAPABILITY, name, "off", true);
    else
        want(wishes, SETTING_CAPABILITY, name, "on", optional);
    if (reason != NULL && given != NULL && strcmp(given, "off") == 0 &&
        wishes->why[0] == '\0')
        snprintf(wishes->why, PLAN_WHY_MAX,
                 "--capability %s=off contradicts %s", name, reason);
}

static void
want_switches(struct wishes *wishes, const struct plan_options *options)
{
    want_switch(wishes, "return-path",
                "how mig-send knows that the VM has arrived", false);
    want_switch(wishes, "events", "how mig-send follows the migration", true);
    want_switch(wishes, "multifd", options->multifd > 0 ? "--multifd" : NULL,
                false);
    want_switch(wishes, "postcopy-ram", options->postcopy ? "postcopy" : NULL,
                false);
    want_switch(wishes, "postcopy-preempt",
                options->preempt ? "--postcopy-preempt" : NULL, false);
    want_switch(wishes, "xbzrle", options->xbzrle ? "--xbzrle" : NULL, false);
    want_switch(wishes, "auto-converge",
                options->auto_converge     ? "--auto-converge"
                : options->slow_down_later ? "--on-timeout auto-converge"
                                           : NULL,
                false);
    want(wishes, SETTING_CAPABILITY, "late-block-activate", "on", true);
}

static void
want_parameters(struct wishes *wishes, const struct plan_options *options)
{
    if (options->multifd > 0)
        want_number(wishes, "multifd-channels", options->multifd);
    if (options->compression != NULL)
        want(wishes, SETTING_PARAMETER, "multifd-compression",
             options->compression, false);
    if (options->postcopy)
        want_number(wishes, "max-postcopy-bandwidth",
                    options->postcopy_bandwidth);
    want_number(wishes, "max-bandwidth", options->max_bandwidth);
    if (options->downtime_limit_ms > 0)
        want_number(wishes, "downtime-limit", options->downtime_limit_ms);
}

static bool
is_on(const struct settings *wanted, const char *name)
{
    const char *value = settings_get(wanted, SETTING_CAPABILITY, name);

    return value != NULL && strcmp(value, "on") == 0;
}

/* What excludes each other whatever the QEMUs are, or NULL. */
static const char *
contradiction(const struct settings *wanted, const struct plan_options *options)
{
    const char *compression =
        settings_get(wanted, SETTING_PARAMETER, "multifd-compression");
    bool multifd = is_on(wanted, "multifd");
    bool postcopy = is_on(wanted, "postcopy-ram");

    if (is_on(wanted, "postcopy-preempt") && !postcopy)
        return "--postcopy-preempt needs --postcopy";
    if (options->postcopy_bandwidth > 0 && !postcopy)
        return "--postcopy-bandwidth needs --postcopy";
    if (compression != NULL && strcmp(compression, "none") != 0 && !multifd)
        return "--multifd-compression needs --multifd";
    if (is_on(wanted, "xbzrle") && multifd)
        return "--xbzrle and --multifd exclude each other";
    if (wanted->count > SETTINGS_MAX - ROOM)
        return "too many capabilities and parameters";
    return NULL;
}

int
plan_wish(struct settings *wanted, const struct plan_options *options,
          char why[PLAN_WHY_MAX])
{
    struct wishes wishes = { .wanted = wanted, .why = why };
    const char *text;

    why[0] = '\0';
    *wanted = *options->given;
    want_switches(&wishes, options);
    want_parameters(&wishes, options);
    text = contradiction(wanted, options);
    if (why[0] == '\0' && text != NULL)
        snprintf(why, PLAN_WHY_MAX, "%s", text);
    return why[0] == '\0' ? 0 : -1;
}

static const json_t *
fact(const json_t *facts, const struct setting *setting)
{
    const char *list =
        setting->kind == SETTING_CAPABILITY ? "capabilities" : "parameters";

    return json_object_get(json_object_get(facts, list), setting->name);
}

/* Whether QEMU's own parameters are those of a slow_down_later that never came
 * into effect. */
static bool
is_left_behind(const json_t *source)
{
    const json_t *most = json_object_get(json_object_get(source, "parameters"),
                                         "max-cpu-throttle");

    return json_is_integer(most) && json_integer_value(most) == THROTTLE_LEAST;
}

/* How far the guest may be slowed down when it is to be: as the operator says,
 * else as it is, else as it was before. */
static void
throttle_value(char value[24], const struct plan_options *options,
               const json_t *source, const struct throttle *throttle)
{
    const char *given =
        settings_get(options->given, SETTING_PARAMETER, throttle->name);
    const json_t *now =
        json_object_get(json_object_get(source, "parameters"), throttle->name);

    if (given != NULL)
        snprintf(value, 24, "%.23s", given);
    else if (json_is_integer(now) && !is_left_behind(source))
        snprintf(value, 24, "%lld", (long long)json_integer_value(now));
    else
        snprintf(value, 24, "%d", throttle->value);
}

static void
plan_throttle(struct plan *plan, const struct plan_options *options,
              const json_t *source)
{
    char value[24];

    plan->slow_down.count = 0;
    for (size_t i = 0; i < THROTTLES; i++) {
        throttle_value(value, options, source, &throttles[i]);
        const struct setting later =
            make(SETTING_PARAMETER, throttles[i].name, value, false);
        if (options->slow_down_later) {
            char least[sizeof later.name + 8];
            settings_default(&plan->slow_down, &later);
            snprintf(least, sizeof least, "%s=%d", later.name, THROTTLE_LEAST);
            settings_parse(&plan->wanted, SETTING_PARAMETER, least);
        } else if (is_left_behind(source)) {
            settings_default(&plan->wanted, &later);
        }
    }
}

/* A compression that an earlier attempt left behind. */
static void
plan_compression_none(struct plan *plan, const json_t *facts)
{
    const struct setting none =
        make(SETTING_PARAMETER, "multifd-compression", "none", false);
    const char *now = json_string_value(fact(facts, &none));

    if (is_on(&plan->wanted, "multifd") && now != NULL &&
        strcmp(now, "none") != 0)
        settings_default(&plan->wanted, &none);
}

/* Whether a side gets a setting.  One that is not in the history is of a later
 * QEMU, and goes to the source and to whom it is known. */
static bool
goes_to(const struct setting *setting, enum preflight_side side,
        const json_t *facts)
{
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);
    bool listed = fact(facts, setting) != NULL;

    if (history == NULL)
        return side == PREFLIGHT_SOURCE || listed;
    if (setting->optional && !listed)
        return false;
    if (strcmp(setting->name, "events") == 0)
        return true; /* each QEMU tells its own */
    return history->place == SETTING_BOTH ||
           (history->place == SETTING_SOURCE) == (side == PREFLIGHT_SOURCE);
}

static void
split(struct plan *plan, const json_t *const facts[2])
{
    for (unsigned side = 0; side < 2; side++) {
        plan->side[side].count = 0;
        for (size_t i = 0; i < plan->wanted.count; i++)
            if (goes_to(&plan->wanted.list[i], side, facts[side]))
                settings_default(&plan->side[side], &plan->wanted.list[i]);
    }
}

int
plan_make(struct plan *plan, const struct plan_options *options,
          const json_t *source, const json_t *destination,
          struct preflight *preflight, char why[PLAN_WHY_MAX])
{
    const json_t *const facts[2] = { source, destination };

    if (plan_wish(&plan->wanted, options, why) != 0)
        return -1;
    plan_throttle(plan, options, source);
    plan_compression_none(plan, source);
    plan_compression_none(plan, destination);
    preflight_compare_settings(preflight, source, destination, &plan->wanted);
    for (size_t i = 0; i < preflight->count; i++) {
        const struct preflight_row *row = &preflight->rows[i];
        if (row->verdict != PREFLIGHT_STOP)
            continue;
        snprintf(why, PLAN_WHY_MAX, "%s: %s", row->name, row->why);
        return -1;
    }
    split(plan, facts);
    return 0;
}
