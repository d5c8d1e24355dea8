#include "wire/control.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum control_type type;
    const char *name;
} names[] = {
    { CONTROL_WAITING, "waiting" },
    { CONTROL_READY, "ready" },
    { CONTROL_END, "end" },
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
take(struct control_message *message, const json_t *root)
{
    const char *type = json_string_value(json_object_get(root, "type"));

    if (type == NULL)
        return REASON_BAD_CONTROL;
    *message = (struct control_message){ .type = CONTROL_OTHER };
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (strcmp(type, names[i].name) == 0)
            message->type = names[i].type;
    return message->type == CONTROL_END ? take_end(message, root) : REASON_NONE;
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

char *
control_text(const struct control_message *message)
{
    const char *name = "other";
    char *text = NULL;
    int n;

    for (size_t i = 0; i < NAME_COUNT; i++)
        if (names[i].type == message->type)
            name = names[i].name;
    if (message->type == CONTROL_END)
        n = asprintf(&text, "{\"type\":\"%s\",\"reason\":%d,\"text\":\"%s\"}\n",
                     name, (int)message->reason, reason_text(message->reason));
    else
        n = asprintf(&text, "{\"type\":\"%s\"}\n", name);
    return n < 0 ? NULL : text;
}
