#include "wire/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum control_type type;
    const char *name;
} names[] = {
    { CONTROL_WAITING, "waiting" }, { CONTROL_READY, "ready" },
    { CONTROL_END, "end" },         { CONTROL_HELPER, "helper" },
    { CONTROL_MESSAGE, "message" },
};
enum { NAME_COUNT = sizeof names / sizeof *names };

static enum reason
take_end(struct control_message *message, const json_t *root)
{
    const json_t *reason = json_object_get(root, "reason");
    json_int_t number = json_integer_value(reason);

    if (!json_is_integer(reason) || number < 0 || number > UINT16_MAX)
        return REASON_BAD_CONTROL;
    message->reason = reason_known((uint16_t)number);
    return REASON_NONE;
}

static enum reason
take_helper(struct control_message *message, const json_t *root)
{
    const json_t *attached = json_object_get(root, "attached");

    if (!json_is_boolean(attached))
        return REASON_BAD_CONTROL;
    message->attached = json_is_true(attached);
    return REASON_NONE;
}

static enum reason
take_message(struct control_message *message, const json_t *root)
{
    json_t *object = json_object_get(root, "message");

    if (!json_is_object(object))
        return REASON_BAD_CONTROL;
    message->message = json_incref(object);
    return REASON_NONE;
}

static enum reason
take(struct control_message *message, const json_t *root)
{
    const char *type = json_string_value(json_object_get(root, "type"));

    if (type == NULL)
        return REASON_BAD_CONTROL;
    *message = (struct control_message){ .type = CONTROL_OTHER };
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (strcmp(type, names[i].name) == 0)
            message->type = names[i].type;
    switch (message->type) {
    case CONTROL_END: return take_end(message, root);
    case CONTROL_HELPER: return take_helper(message, root);
    case CONTROL_MESSAGE: return take_message(message, root);
    default: return REASON_NONE;
    }
}

enum reason
control_parse(struct control_message *message, const char *text, size_t length)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    enum reason reason = REASON_BAD_CONTROL;

    if (json_is_object(root))
        reason = take(message, root);
    json_decref(root);
    return reason;
}

void
control_message_fini(struct control_message *message)
{
    json_decref(message->message);
    message->message = NULL;
}

static char *
message_text(const char *name, const json_t *message)
{
    char *object = json_dumps(message, JSON_COMPACT);
    char *text = NULL;
    int n = -1;

    if (object != NULL)
        n = asprintf(&text, "{\"type\":\"%s\",\"message\":%s}\n", name, object);
    free(object);
    if (n < 0)
        return NULL;
    if (n <= CONTROL_LINE_MAX + 1) /* the line break is not counted */
        return text;
    free(text);
    return NULL;
}

char *
control_text(const struct control_message *message)
{
    const char *name = "other";
    char *text = NULL;
    int n;

    for (size_t i = 0; i < NAME_COUNT; i++)
        if (names[i].type == message->type)
            name = names[i].name;
    if (message->type == CONTROL_MESSAGE)
        return message_text(name, message->message);
    if (message->type == CONTROL_END)
        n = asprintf(&text, "{\"type\":\"%s\",\"reason\":%d,\"text\":\"%s\"}\n",
                     name, (int)message->reason, reason_text(message->reason));
    else if (message->type == CONTROL_HELPER)
        n = asprintf(&text, "{\"type\":\"%s\",\"attached\":%s}\n", name,
                     message->attached ? "true" : "false");
    else
        n = asprintf(&text, "{\"type\":\"%s\"}\n", name);
    return n < 0 ? NULL : text;
}
