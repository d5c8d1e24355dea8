#include "wire/qmp_message.h"

#include <stdlib.h>
#include <string.h>

/*
 * A number above 2^63-1 is no jansson integer, but QEMU's sizes are unsigned
 * and may be that large.  Such a message is read again with every number as a
 * real one, rather than lost.
 */
static json_t *
load(const char *text, size_t len)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, &error);
    if (root == NULL && json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
                          &error);
    return root;
}

bool
qmp_version_at_least(const struct qmp_version *version, int major, int minor)
{
    return version->major > major ||
           (version->major == major && version->minor >= minor);
}

static int
version_part(const json_t *qemu, const char *name)
{
    double part = json_number_value(json_object_get(qemu, name));
    return part >= 0 && part < 1000 ? (int)part : 0;
}

static void
parse_greeting(struct qmp_message *message, const json_t *greeting)
{
    const json_t *version = json_object_get(greeting, "version");
    const json_t *qemu = json_object_get(version, "qemu");
    message->kind = QMP_GREETING;
    message->version.major = version_part(qemu, "major");
    message->version.minor = version_part(qemu, "minor");
    message->version.micro = version_part(qemu, "micro");
}

static const char *
text_or(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : otherwise;
}

static void
parse_error(struct qmp_message *message, const json_t *error)
{
    message->kind = QMP_ERROR;
    message->error_class = text_or(error, "class", "GenericError");
    message->error_desc = text_or(error, "desc", "no reason given");
}

static const char *
parse_object(struct qmp_message *message, const json_t *root)
{
    const json_t *part;

    message->id = json_string_value(json_object_get(root, "id"));
    if ((part = json_object_get(root, "return")) != NULL) {
        message->kind = QMP_RETURN;
        message->data = part;
    } else if ((part = json_object_get(root, "error")) != NULL) {
        parse_error(message, part);
    } else if ((part = json_object_get(root, "event")) != NULL) {
        message->kind = QMP_EVENT;
        message->event = json_string_value(part);
        message->data = json_object_get(root, "data");
        if (message->event == NULL)
            return "an event without a name";
    } else if ((part = json_object_get(root, "QMP")) != NULL) {
        parse_greeting(message, part);
    } else {
        return "neither a greeting, a reply nor an event";
    }
    return NULL;
}

const char *
qmp_message_parse(struct qmp_message *message, const char *text, size_t len)
{
    const char *why;

    *message = (struct qmp_message){ .root = load(text, len) };
    if (message->root == NULL)
        return "no JSON";
    if (json_is_object(message->root))
        why = parse_object(message, message->root);
    else
        why = "no JSON object";
    if (why != NULL)
        qmp_message_fini(message);
    return why;
}

void
qmp_message_fini(struct qmp_message *message)
{
    json_decref(message->root);
    message->root = NULL;
}

char *
qmp_command_text(const char *name, const json_t *arguments, const char *id)
{
    json_t *command = json_pack("{s:s, s:s}", "execute", name, "id", id);
    if (command == NULL)
        return NULL;
    if (arguments != NULL &&
        json_object_set_new(command, "arguments", json_deep_copy(arguments)) !=
            0) {
        json_decref(command);
        return NULL;
    }
    size_t len = json_dumpb(command, NULL, 0, JSON_COMPACT);
    char *text = len > 0 ? malloc(len + 2) : NULL;
    if (text != NULL) {
        json_dumpb(command, text, len, JSON_COMPACT);
        memcpy(text + len, "\n", 2);
    }
    json_decref(command);
    return text;
}

void
json_text_copy(char *buf, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        /* 10xxxxxx continues a character (RFC 3629, 3). */
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(buf, text, len);
    buf[len] = '\0';
}
