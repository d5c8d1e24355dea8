/* The bounds of facts: kept when they are made, checked when they come. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire/facts.h"

enum member_kind {
    A_TEXT,
    A_NUMBER, /* an integer that is not negative */
    A_SWITCH,
    A_SCALAR,    /* any of these */
    TEXTS,       /* an array of texts */
    NUMBERS_OF,  /* an object of numbers */
    SWITCHES_OF, /* an object of switches */
    SCALARS_OF,  /* an object of any of the first three */
    ENTRIES      /* an array of objects, with the members below */
};

struct member {
    const char *key;
    enum member_kind kind;
    const struct member *members;
};

static const struct member ram_block[] = {
    { "name", A_TEXT, NULL },
    { "used", A_NUMBER, NULL },
    { "total", A_NUMBER, NULL },
    { NULL, A_TEXT, NULL },
};

static const struct member device[] = {
    { "type", A_TEXT, NULL }, { "place", A_TEXT, NULL },
    { "id", A_TEXT, NULL },   { "built_in", A_SWITCH, NULL },
    { NULL, A_TEXT, NULL },
};

static const struct member disk[] = {
    { "place", A_TEXT, NULL },  { "id", A_TEXT, NULL },
    { "size", A_NUMBER, NULL }, { "read_only", A_SWITCH, NULL },
    { "driver", A_TEXT, NULL }, { "file", A_TEXT, NULL },
    { NULL, A_TEXT, NULL },
};

static const struct member nic[] = {
    { "name", A_TEXT, NULL },         { "model", A_TEXT, NULL },
    { "mac", A_TEXT, NULL },          { "backend", A_TEXT, NULL },
    { "backend_name", A_TEXT, NULL }, { "info", A_TEXT, NULL },
    { "connected", A_SWITCH, NULL },  { NULL, A_TEXT, NULL },
};

static const struct member whole[] = {
    { "version", A_TEXT, NULL },
    { "machine", A_TEXT, NULL },
    { "accelerator", A_TEXT, NULL },
    { "cpu", A_TEXT, NULL },
    { "cpu_features", NUMBERS_OF, NULL },
    { "cpus", A_NUMBER, NULL },
    { "max_cpus", A_NUMBER, NULL },
    { "topology", A_TEXT, NULL },
    { "memory", A_NUMBER, NULL },
    { "plugged_memory", A_NUMBER, NULL },
    { "max_memory", A_NUMBER, NULL },
    { "memory_slots", A_NUMBER, NULL },
    { "ram_blocks", ENTRIES, ram_block },
    { "devices", ENTRIES, device },
    { "disks", ENTRIES, disk },
    { "nics", ENTRIES, nic },
    { "uuid", A_TEXT, NULL },
    { "status", A_TEXT, NULL },
    { "blocked", TEXTS, NULL },
    { "capabilities", SWITCHES_OF, NULL },
    { "parameters", SCALARS_OF, NULL },
    { "cut", A_SWITCH, NULL },
    { NULL, A_TEXT, NULL },
};

static bool
scalar_fits(const json_t *value, enum member_kind kind)
{
    if (json_is_string(value))
        return (kind == A_TEXT || kind == A_SCALAR) &&
               json_string_length(value) <= FACTS_TEXT_MAX;
    if (json_is_boolean(value))
        return kind == A_SWITCH || kind == A_SCALAR;
    return json_is_integer(value) && (kind == A_NUMBER || kind == A_SCALAR) &&
           json_integer_value(value) >= 0;
}

static bool
object_fits(const json_t *object, enum member_kind kind)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object) || json_object_size(object) > FACTS_LIST_MAX)
        return false;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strlen(key) > FACTS_TEXT_MAX || !scalar_fits(value, kind))
            return false;
    }
    return true;
}

/* Entries have scalars only. */
static bool
entry_fits(const json_t *entry, const struct member *members)
{
    if (!json_is_object(entry))
        return false;
    for (; members->key != NULL; members++) {
        const json_t *value = json_object_get(entry, members->key);
        if (value != NULL && !scalar_fits(value, members->kind))
            return false;
    }
    return true;
}

static bool
list_fits(const json_t *list, const struct member *members)
{
    json_t *entry;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > FACTS_LIST_MAX)
        return false;
    json_array_foreach(list, i, entry)
    {
        if (members != NULL ? !entry_fits(entry, members)
                            : !scalar_fits(entry, A_TEXT))
            return false;
    }
    return true;
}

static bool
member_fits(const json_t *value, const struct member *member)
{
    switch (member->kind) {
    case TEXTS:
    case ENTRIES: return list_fits(value, member->members);
    case NUMBERS_OF: return object_fits(value, A_NUMBER);
    case SWITCHES_OF: return object_fits(value, A_SWITCH);
    case SCALARS_OF: return object_fits(value, A_SCALAR);
    default: return scalar_fits(value, member->kind);
    }
}

const char *
facts_check(const json_t *facts)
{
    if (!json_is_object(facts))
        return "facts are no object";
    if (json_dumpb(facts, NULL, 0, JSON_COMPACT) > FACTS_BYTES_MAX)
        return "facts are too long";
    for (const struct member *member = whole; member->key != NULL; member++) {
        const json_t *value = json_object_get(facts, member->key);
        if (value != NULL && !member_fits(value, member))
            return "a member of the facts is not of its kind";
    }
    return NULL;
}

/* A quarter of the longest list at a time, from its end. */
static bool
shorten(json_t *facts)
{
    json_t *longest = NULL;

    for (const struct member *member = whole; member->key != NULL; member++) {
        json_t *list = json_object_get(facts, member->key);
        if (json_array_size(list) > json_array_size(longest))
            longest = list;
    }
    if (longest == NULL)
        return false;
    for (size_t left = json_array_size(longest) * 3 / 4;
         json_array_size(longest) > left;)
        json_array_remove(longest, json_array_size(longest) - 1);
    json_object_set_new(facts, "cut", json_true());
    return true;
}

/* No two members but lists are long; objects of QEMU's own names are the only
 * others that could be, and then they are what is left out. */
void
facts_finish(json_t *facts)
{
    static const char *const objects[] = { "parameters", "capabilities",
                                           "cpu_features" };

    for (size_t next = 0;
         json_dumpb(facts, NULL, 0, JSON_COMPACT) > FACTS_BYTES_MAX;) {
        if (shorten(facts))
            continue;
        if (next == sizeof objects / sizeof *objects)
            return;
        json_object_del(facts, objects[next++]);
        json_object_set_new(facts, "cut", json_true());
    }
}
