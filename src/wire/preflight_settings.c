/*
 * Capabilities and parameters.  The plan's are set at both sides, so that they
 * stop nothing but where a QEMU does not know them.  What the plan does not
 * name stays as somebody has set it by hand, and where it matters to both it
 * must be the same: a destination that waits for other connections than come
 * hangs without a word.
 */
#include <stdio.h>
#include <string.h>

#include "wire/facts.h"
#include "wire/preflight_rows.h"
#include "wire/setting_history.h"

enum { VALUE_MAX = 160 };

static const json_t *
known(const struct preflight_work *work, enum preflight_side side,
      enum setting_kind kind)
{
    return json_object_get(work->facts[side], kind == SETTING_CAPABILITY
                                                  ? "capabilities"
                                                  : "parameters");
}

/* 100 times major and minor; 0 if it is not known. */
static int
version_of(const struct preflight_work *work, enum preflight_side side)
{
    int major, minor;

    if (facts_major_minor(work->facts[side], &major, &minor) != 0)
        return 0;
    return major * 100 + minor;
}

static void
value_text(char buf[VALUE_MAX], const json_t *value)
{
    if (json_is_string(value))
        snprintf(buf, VALUE_MAX, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(buf, VALUE_MAX, "%lld", (long long)json_integer_value(value));
    else
        snprintf(buf, VALUE_MAX, "%s", json_is_true(value) ? "on" : "off");
}

/* How a setting will be at a side: as planned, or else as it is now.  Return
 * false if nobody knows. */
static bool
effective(const struct preflight_work *work, enum preflight_side side,
          enum setting_kind kind, const char *name, char buf[VALUE_MAX])
{
    const char *planned = settings_get(work->plan, kind, name);
    const json_t *now = json_object_get(known(work, side, kind), name);

    if (planned != NULL)
        snprintf(buf, VALUE_MAX, "%.*s", VALUE_MAX - 1, planned);
    else if (now != NULL)
        value_text(buf, now);
    else
        return false;
    return true;
}

static bool
is_on(const struct preflight_work *work, enum preflight_side side,
      const char *capability)
{
    char value[VALUE_MAX];

    return effective(work, side, SETTING_CAPABILITY, capability, value) &&
           strcmp(value, "on") == 0;
}

enum standing { KNOWN, NOT_KNOWN, NOT_TOLD };

/* A QEMU lists all of its capabilities, but may keep a parameter back that has
 * never been set. */
static enum standing
standing_of(const struct preflight_work *work, enum preflight_side side,
            const struct setting *setting)
{
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);
    const json_t *list = known(work, side, setting->kind);
    int version = version_of(work, side);

    if (json_object_get(list, setting->name) != NULL)
        return KNOWN;
    if (list != NULL && setting->kind == SETTING_CAPABILITY)
        return NOT_KNOWN;
    if (history == NULL || version == 0)
        return NOT_TOLD;
    return version < history->since ||
                   (history->until > 0 && version > history->until)
               ? NOT_KNOWN
               : KNOWN;
}

static bool
matters(const struct setting *setting, enum preflight_side side)
{
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);

    /* A switch that is to be off is off where there is none. */
    if (setting->kind == SETTING_CAPABILITY &&
        strcmp(setting->value, "off") == 0)
        return false;
    if (history == NULL)
        return true;
    return history->place == SETTING_BOTH ||
           (history->place == SETTING_SOURCE) == (side == PREFLIGHT_SOURCE);
}

/* What can be had of a setting at a side. */
static enum standing
judge(const struct preflight_work *work, enum preflight_side side,
      const struct setting *setting)
{
    enum standing standing = standing_of(work, side, setting);
    int since =
        setting_value_since(setting->kind, setting->name, setting->value);
    int version = version_of(work, side);

    if (standing == KNOWN && version > 0 && version < since)
        return NOT_KNOWN;
    return standing;
}

static void
explain_lack(const struct preflight_work *work, struct preflight_row *row,
             const struct setting *setting, const char *whose,
             enum preflight_side side)
{
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);
    int since =
        setting_value_since(setting->kind, setting->name, setting->value);
    int until = history != NULL ? history->until : 0;
    char version[64] = "";

    if (since == 0 && history != NULL)
        since = history->since;
    if (until > 0 && version_of(work, side) > until)
        snprintf(version, sizeof version,
                 "; QEMU %d.%d was the last that had it", until / 100,
                 until % 100);
    else if (since > 0)
        snprintf(version, sizeof version, "; it needs QEMU %d.%d", since / 100,
                 since % 100);
    preflight_why(row, "%s %s=%s%s", whose, setting->name, setting->value,
                  version);
}

static void
add_lack(struct preflight_work *work, const struct setting *setting,
         const enum standing standing[2])
{
    static const char *const words[] = { "has it", "lacks it", "unknown" };
    static const char *const whose[] = { "the source's QEMU has no",
                                         "the destination's QEMU has no" };
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);
    bool lacks[2] = { standing[0] == NOT_KNOWN, standing[1] == NOT_KNOWN };
    enum preflight_side side =
        lacks[0] ? PREFLIGHT_SOURCE : PREFLIGHT_DESTINATION;
    const char *none =
        work->facts[0] == work->facts[1] ? "QEMU has no" : "neither QEMU has";
    struct preflight_row *row;

    /* One that is not in our table may be for the source alone. */
    row = preflight_row(work,
                        lacks[0] || (lacks[1] && history != NULL)
                            ? PREFLIGHT_STOP
                            : PREFLIGHT_WARNING,
                        setting->name);
    for (unsigned each = 0; each < 2; each++)
        preflight_say(row, each, "%s",
                      matters(setting, each) ? words[standing[each]]
                                             : "not needed");
    if (lacks[0] || lacks[1])
        explain_lack(work, row, setting,
                     lacks[0] && lacks[1] ? none : whose[side], side);
    else
        preflight_why(row, "QEMU does not tell whether it has %s=%s",
                      setting->name, setting->value);
}

static void
list_setting(struct preflight_row *row, enum preflight_side side,
             const struct setting *setting)
{
    char before[PREFLIGHT_TEXT_MAX];
    bool is_switch = setting->kind == SETTING_CAPABILITY;

    snprintf(before, sizeof before, "%s", row->side[side]);
    preflight_say(row, side, "%s%s%s%s%s", before,
                  before[0] != '\0' ? ", " : "", setting->name,
                  is_switch ? "" : "=", is_switch ? "" : setting->value);
}

/* An optional setting would be set at one side only, but matters to both. */
static bool
is_half(const struct setting *setting, const enum standing standing[2])
{
    const struct setting_history *history =
        setting_history_find(setting->kind, setting->name);

    return history != NULL && history->place == SETTING_BOTH &&
           standing[0] != standing[1];
}

/* Each that can't be had has its row; the others share one. */
static void
check_plan(struct preflight_work *work)
{
    struct preflight_row list = { .name = "settings" };
    bool listed = false;

    for (size_t i = 0; i < work->plan->count; i++) {
        const struct setting *setting = &work->plan->list[i];
        enum standing standing[2] = { KNOWN, KNOWN };
        for (unsigned side = 0; side < 2; side++)
            if (matters(setting, side))
                standing[side] = judge(work, side, setting);
        bool lacking = standing[0] != KNOWN || standing[1] != KNOWN;
        if (lacking && (!setting->optional || is_half(setting, standing)))
            add_lack(work, setting, standing);
        for (unsigned side = 0; side < 2; side++)
            if (!lacking && matters(setting, side)) {
                list_setting(&list, side, setting);
                listed = true;
            }
    }
    if (listed)
        *preflight_row(work, PREFLIGHT_OK, "settings") = list;
}

/* What somebody has set by hand at one side only. */
static void
compare_unplanned(struct preflight_work *work,
                  const struct setting_history *history)
{
    char value[2][VALUE_MAX];
    struct preflight_row *row;

    if (history->place != SETTING_BOTH ||
        settings_get(work->plan, history->kind, history->name) != NULL)
        return;
    if (history->kind == SETTING_PARAMETER &&
        !is_on(work, PREFLIGHT_SOURCE, "multifd"))
        return; /* all of these are multifd's */
    for (unsigned side = 0; side < 2; side++)
        if (!effective(work, side, history->kind, history->name, value[side]))
            snprintf(value[side], VALUE_MAX, "off");
    if (strcmp(value[0], value[1]) == 0)
        return;
    row = preflight_row(work, PREFLIGHT_STOP, history->name);
    for (unsigned side = 0; side < 2; side++)
        preflight_say(row, side, "%s", value[side]);
    preflight_why(row,
                  "both must have the same, or the migration fails or hangs: "
                  "say mig-send --%s %s=%s",
                  history->kind == SETTING_CAPABILITY ? "capability"
                                                      : "parameter",
                  history->name, value[PREFLIGHT_SOURCE]);
}

static void
check_unfit(struct preflight_work *work, const struct setting_history *history)
{
    struct preflight_row *row;

    if (!history->unfit || !is_on(work, PREFLIGHT_SOURCE, history->name) ||
        json_object_get(known(work, PREFLIGHT_SOURCE, history->kind),
                        history->name) == NULL)
        return;
    row = preflight_row(work, PREFLIGHT_STOP, history->name);
    preflight_say(row, PREFLIGHT_SOURCE, "on");
    preflight_why(row,
                  "can't be used to move a VM through a tunnel: say mig-send "
                  "--capability %s=off",
                  history->name);
}

/* Before 10.1 they were refused together, or taken and mixed up (7.2). */
static void
check_multifd_postcopy(struct preflight_work *work)
{
    enum { TOGETHER_SINCE = 1001 };
    int version[2] = { version_of(work, PREFLIGHT_SOURCE),
                       version_of(work, PREFLIGHT_DESTINATION) };
    struct preflight_row *row;

    if (!is_on(work, PREFLIGHT_SOURCE, "multifd") ||
        !is_on(work, PREFLIGHT_SOURCE, "postcopy-ram") ||
        (version[0] >= TOGETHER_SINCE && version[1] >= TOGETHER_SINCE))
        return;
    row = preflight_row(work, PREFLIGHT_STOP, "multifd and postcopy");
    for (unsigned side = 0; side < 2; side++) {
        const char *text = preflight_fact(work, side, "version");
        preflight_say(row, side, "QEMU %s", text != NULL ? text : "unknown");
    }
    preflight_why(row, "both at once need QEMU 10.1 at both hosts: leave out "
                       "--multifd or --postcopy");
}

void
preflight_settings(struct preflight_work *work)
{
    const struct setting_history *history = NULL;

    check_plan(work);
    check_multifd_postcopy(work);
    while ((history = setting_history_next(history)) != NULL) {
        compare_unplanned(work, history);
        check_unfit(work, history);
    }
}
