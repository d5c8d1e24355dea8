#include "wire/partner.h"

#include <stdlib.h>
#include <string.h>

#include "wire/qmp_message.h"

static const char *const names[] = {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a place, not an expression */
#define PARTNER_TYPE_NAME(name, text) [PARTNER_##name] = text,
    PARTNER_TYPES(PARTNER_TYPE_NAME)
#undef PARTNER_TYPE_NAME
        [PARTNER_OTHER] = "other"
};

/*
 * The length of the character at ${text}, which is UTF-8, if it can do harm on
 * a terminal: C0 and C1 controls, DEL, line and paragraph separators, and marks
 * that change the direction of writing.  0 if it can't.
 */
static size_t
harmful(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7f)
        return 1;
    if (text[0] == 0xc2 && text[1] < 0xa0)
        return 2;
    if (text[0] != 0xe2)
        return 0;
    if (text[1] == 0x80 && ((text[2] >= 0xa8 && text[2] <= 0xae) ||
                            text[2] == 0x8e || text[2] == 0x8f))
        return 3;
    return text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9 ? 3 : 0;
}

static bool
is_safe(const char *text)
{
    for (; *text != '\0'; text++)
        if (harmful((const unsigned char *)text) > 0)
            return false;
    return true;
}

static void
make_safe(char *text)
{
    while (*text != '\0') {
        size_t length = harmful((const unsigned char *)text);

        memset(text, '?', length);
        text += length > 0 ? length : 1;
    }
}

static void
copy_safe(char *buf, size_t size, const char *text)
{
    json_text_copy(buf, size, text);
    make_safe(buf);
}

static bool
clean_string(json_t *value)
{
    char *text;
    bool ok;

    if (is_safe(json_string_value(value)))
        return true;
    text = strdup(json_string_value(value));
    if (text == NULL)
        return false;
    make_safe(text);
    ok = json_string_set(value, text) == 0;
    free(text);
    return ok;
}

/* Make every text in ${value} safe.  False if it nests too deeply, or has names
 * that are not: no QEMU and no program of ours makes such. */
static bool
clean(json_t *value, int depth)
{
    const char *name;
    json_t *inner;
    size_t i;

    if (depth > PARTNER_DEPTH_MAX)
        return false;
    if (json_is_string(value))
        return clean_string(value);
    json_array_foreach(value, i, inner)
    {
        if (!clean(inner, depth + 1))
            return false;
    }
    json_object_foreach(value, name, inner)
    {
        if (!is_safe(name) || !clean(inner, depth + 1))
            return false;
    }
    return true;
}

static json_t *
take_object(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    json_t *copy = json_is_object(value) ? json_deep_copy(value) : NULL;

    if (copy != NULL && clean(copy, 1))
        return copy;
    json_decref(copy);
    return NULL;
}

/* Names as QEMU has them. */
static bool
is_setting(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= PARTNER_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == length;
}

static bool
is_value(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) <= PARTNER_VALUE_MAX;
    return json_is_number(value) || json_is_boolean(value);
}

static bool
are_settings(json_t *settings, bool capabilities)
{
    const char *name;
    json_t *value;

    if (json_object_size(settings) > PARTNER_SETTINGS_MAX)
        return false;
    json_object_foreach(settings, name, value)
    {
        if (!is_setting(name) ||
            !(capabilities ? json_is_boolean(value) : is_value(value)))
            return false;
    }
    return settings != NULL;
}

/* A text that may be missing. */
static bool
take_text(char *buf, size_t size, const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);

    buf[0] = '\0';
    if (json_is_string(value))
        copy_safe(buf, size, json_string_value(value));
    return value == NULL || json_is_string(value);
}

static bool
take_run(struct partner_message *message, const json_t *root)
{
    const json_t *run = json_object_get(root, "run");

    if (json_is_boolean(run))
        message->run = json_is_true(run) ? RUN_YES : RUN_NO;
    return run == NULL || json_is_boolean(run);
}

/*
 * A person may paste it into a shell at the other host, so it has nothing in it
 * that means anything to one, and it begins with the program that says it.
 */
static bool
is_command(const char *text, const char *program)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                " ./_:@%+=,-";
    size_t length = strlen(program);

    return strspn(text, plain) == strlen(text) && length > 0 &&
           strncmp(text, program, length) == 0 &&
           (text[length] == ' ' || text[length] == '\0');
}

/* Told is what can be pasted; all else is left out. */
static void
take_command(struct partner_message *message, const json_t *root)
{
    const char *text = json_string_value(json_object_get(root, "command"));

    if (text != NULL && strlen(text) < sizeof message->command &&
        is_command(text, message->program))
        memcpy(message->command, text, strlen(text) + 1);
}

static bool
take_hello(struct partner_message *message, const json_t *root)
{
    const json_t *version = json_object_get(root, "version");
    json_int_t number = json_integer_value(version);

    if (number < 1 || number > UINT16_MAX)
        return false;
    message->version = (unsigned)number;
    if (!take_text(message->program, sizeof message->program, root,
                   "program") ||
        !take_text(message->program_version, sizeof message->program_version,
                   root, "program-version"))
        return false;
    take_command(message, root);
    return true;
}

static bool
take_plan(struct partner_message *message, const json_t *root)
{
    message->capabilities = take_object(root, "capabilities");
    message->parameters = take_object(root, "parameters");
    return are_settings(message->capabilities, true) &&
           are_settings(message->parameters, false) && take_run(message, root);
}

/* How it was given decides nothing; but what is not known can't be told. */
static bool
take_given(struct partner_message *message, const json_t *root)
{
    const char *how = json_string_value(json_object_get(root, "how"));

    if (how == NULL)
        return false;
    message->postcopy = strcmp(how, "postcopy") == 0;
    return (message->postcopy || strcmp(how, "precopy") == 0) &&
           take_run(message, root);
}

static bool
take_kept(struct partner_message *message, const json_t *root)
{
    const json_t *running = json_object_get(root, "running");

    message->running = json_is_true(running);
    return json_is_boolean(running) &&
           take_text(message->why, sizeof message->why, root, "why");
}

static bool
take_members(struct partner_message *message, const json_t *root)
{
    switch (message->type) {
    case PARTNER_HELLO: return take_hello(message, root);
    case PARTNER_FACTS:
    case PARTNER_PROGRESS:
    case PARTNER_STATUS:
        message->body = take_object(root, names[message->type]);
        return message->body != NULL;
    case PARTNER_PLAN: return take_plan(message, root);
    case PARTNER_GIVEN: return take_given(message, root);
    case PARTNER_KEPT: return take_kept(message, root);
    case PARTNER_REFUSED:
    case PARTNER_FAILED:
        return take_text(message->why, sizeof message->why, root, "why");
    case PARTNER_PREPARED:
    case PARTNER_ARRIVED:
    case PARTNER_RUNNING:
    case PARTNER_DISCARDED:
    case PARTNER_GONE:
    case PARTNER_TAKE_BACK:
    case PARTNER_RELEASE_ASKED:
    case PARTNER_CANCEL:
    case PARTNER_LISTENING:
    case PARTNER_BYE:
    case PARTNER_OTHER: break;
    }
    return true;
}

enum reason
partner_take(struct partner_message *message, const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));

    *message = (struct partner_message){ .type = 0 };
    if (type == NULL)
        return REASON_BAD_CONTROL;
    while (message->type < PARTNER_OTHER &&
           strcmp(type, names[message->type]) != 0)
        message->type++;
    if (take_members(message, object))
        return REASON_NONE;
    partner_fini(message);
    return REASON_BAD_CONTROL;
}

enum reason
partner_parse(struct partner_message *message, const char *text, size_t length)
{
    json_t *root = NULL;
    enum reason reason;

    if (length <= PARTNER_TEXT_MAX)
        root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    reason = partner_take(message, root);
    json_decref(root);
    return reason;
}

void
partner_fini(struct partner_message *message)
{
    json_decref(message->capabilities);
    json_decref(message->parameters);
    json_decref(message->body);
    message->capabilities = message->parameters = message->body = NULL;
}

/* Whether all could be put into ${root}, for which NULL is no object. */
static bool
put(json_t *root, const char *name, json_t *value)
{
    return json_object_set_new(root, name, value) == 0;
}

static bool
put_run(json_t *root, enum handover_run run)
{
    return run == RUN_UNKNOWN || put(root, "run", json_boolean(run == RUN_YES));
}

static bool
put_members(json_t *root, const struct partner_message *message)
{
    switch (message->type) {
    case PARTNER_HELLO:
        return put(root, "version", json_integer(message->version)) &&
               put(root, "program", json_string(message->program)) &&
               put(root, "program-version",
                   json_string(message->program_version)) &&
               (message->command[0] == '\0' ||
                put(root, "command", json_string(message->command)));
    case PARTNER_FACTS:
    case PARTNER_PROGRESS:
    case PARTNER_STATUS:
        return put(root, names[message->type], json_incref(message->body));
    case PARTNER_PLAN:
        return put(root, "capabilities", json_incref(message->capabilities)) &&
               put(root, "parameters", json_incref(message->parameters)) &&
               put_run(root, message->run);
    case PARTNER_GIVEN:
        return put(root, "how",
                   json_string(message->postcopy ? "postcopy" : "precopy")) &&
               put_run(root, message->run);
    case PARTNER_KEPT:
        return put(root, "running", json_boolean(message->running)) &&
               put(root, "why", json_string(message->why));
    case PARTNER_REFUSED:
    case PARTNER_FAILED: return put(root, "why", json_string(message->why));
    case PARTNER_PREPARED:
    case PARTNER_ARRIVED:
    case PARTNER_RUNNING:
    case PARTNER_DISCARDED:
    case PARTNER_GONE:
    case PARTNER_TAKE_BACK:
    case PARTNER_RELEASE_ASKED:
    case PARTNER_CANCEL:
    case PARTNER_LISTENING:
    case PARTNER_BYE:
    case PARTNER_OTHER: break;
    }
    return true;
}

char *
partner_text(const struct partner_message *message)
{
    json_t *root = json_object();
    char *text = NULL;

    if (put(root, "type", json_string(names[message->type])) &&
        put_members(root, message))
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (text != NULL && strlen(text) > PARTNER_TEXT_MAX) {
        free(text);
        return NULL;
    }
    return text;
}

const char *
partner_type_name(enum partner_type type)
{
    return names[type];
}
