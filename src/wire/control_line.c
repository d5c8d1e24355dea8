#include "wire/control_line.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const roles[] = {
    [HELPER_DRIVER] = "driver", [HELPER_OBSERVER] = "observer"
};
static const char *const requests[] = { [REQUEST_STATUS] = "status",
                                        [REQUEST_CANCEL] = "cancel",
                                        [REQUEST_RELEASE] = "release" };
static const char *const states[] = {
    [TUNNEL_JOINING] = "joining", [TUNNEL_WAITING] = "waiting",
    [TUNNEL_READY] = "ready",     [TUNNEL_RUNNING] = "running",
    [TUNNEL_ENDED] = "ended",     [TUNNEL_UNKNOWN] = "unknown",
};
static const char *const origins[] = {
    [FROM_PARTNER] = "partner", [FROM_HERE] = "here"
};
static const char *const types[] = {
    [LINE_OTHER] = "other",         [LINE_HELLO] = "hello",
    [LINE_MESSAGE] = "message",     [LINE_REQUEST] = "request",
    [LINE_STATE] = "state",         [LINE_REFUSED] = "refused",
    [LINE_BANDWIDTH] = "bandwidth",
};

/* Return the place of ${word} among the ${count} ${words}, or -1. */
static int
find(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

/* Return the place of the string ${key} among ${words}: -1 if it is none of
 * them, -2 if it is no string. */
static int
take_word(const json_t *root, const char *key, const char *const *words,
          size_t count)
{
    const char *word = json_string_value(json_object_get(root, key));

    return word != NULL ? find(words, count, word) : -2;
}

static enum line_type
take_type(const json_t *root, enum reason *reason)
{
    int found = take_word(root, "type", types, COUNT(types));

    *reason = found == -2 ? REASON_BAD_CONTROL : REASON_NONE;
    return found < 0 ? LINE_OTHER : (enum line_type)found;
}

/* Set ${buf}, of ${size} bytes, to the string ${key}, which may be longer if
 * ${cut}. */
static enum reason
take_text(const json_t *root, const char *key, char *buf, size_t size, bool cut)
{
    const char *text = json_string_value(json_object_get(root, key));

    if (text == NULL || (!cut && strlen(text) >= size))
        return REASON_BAD_CONTROL;
    snprintf(buf, size, "%s", text);
    return REASON_NONE;
}

static enum reason
take_version(const json_t *root, unsigned *version)
{
    const json_t *number = json_object_get(root, "version");
    json_int_t value = json_integer_value(number);

    if (value < 1 || value > UINT16_MAX)
        return REASON_BAD_CONTROL;
    *version = (unsigned)value;
    return REASON_NONE;
}

static enum reason
take_message(const json_t *root, json_t **message)
{
    json_t *object = json_object_get(root, "message");

    if (!json_is_object(object))
        return REASON_BAD_CONTROL;
    *message = json_incref(object);
    return REASON_NONE;
}

/* A request of a later version is left out as any line of one. */
static enum reason
take_request(const json_t *root, enum line_type *type,
             enum helper_request *request)
{
    int found = take_word(root, "request", requests, COUNT(requests));

    if (found == -2)
        return REASON_BAD_CONTROL;
    if (found == -1)
        *type = LINE_OTHER;
    else
        *request = (enum helper_request)found;
    return REASON_NONE;
}

static enum reason
take_rate(const json_t *root, uint64_t *rate)
{
    const json_t *number = json_object_get(root, "rate");

    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return REASON_BAD_CONTROL;
    *rate = (uint64_t)json_integer_value(number);
    return REASON_NONE;
}

static enum reason
take_helper_hello(struct helper_line *line, const json_t *root)
{
    int role = take_word(root, "role", roles, COUNT(roles));

    if (take_version(root, &line->version) != REASON_NONE)
        return REASON_BAD_CONTROL;
    if (line->version != CONTROL_LINE_VERSION)
        return REASON_NONE;
    if (role < 0)
        return REASON_BAD_CONTROL;
    line->role = (enum helper_role)role;
    return take_text(root, "program", line->program, sizeof line->program,
                     false);
}

static enum reason
take_helper_line(struct helper_line *line, const json_t *root)
{
    enum reason reason;

    *line = (struct helper_line){ .type = take_type(root, &reason) };
    switch (line->type) {
    case LINE_HELLO: return take_helper_hello(line, root);
    case LINE_MESSAGE: return take_message(root, &line->message);
    case LINE_REQUEST: return take_request(root, &line->type, &line->request);
    case LINE_BANDWIDTH: return take_rate(root, &line->rate);
    default: line->type = LINE_OTHER; return reason;
    }
}

static enum reason
take_view(const json_t *root, struct tunnel_view *view)
{
    int state = take_word(root, "state", states, COUNT(states));
    const json_t *partner = json_object_get(root, "partner");

    if (state == -2 || !json_is_boolean(partner))
        return REASON_BAD_CONTROL;
    view->state = state == -1 ? TUNNEL_UNKNOWN : (enum tunnel_state)state;
    view->partner = json_is_true(partner);
    if (json_is_null(json_object_get(root, "session")))
        return REASON_NONE;
    return take_text(root, "session", view->session, sizeof view->session,
                     false);
}

static enum reason
take_tunnel_hello(struct tunnel_line *line, const json_t *root)
{
    if (take_version(root, &line->version) != REASON_NONE)
        return REASON_BAD_CONTROL;
    if (line->version != CONTROL_LINE_VERSION)
        return REASON_NONE;
    if (take_view(root, &line->view) != REASON_NONE)
        return REASON_BAD_CONTROL;
    return take_text(root, "program", line->program, sizeof line->program,
                     false);
}

static enum reason
take_tunnel_message(struct tunnel_line *line, const json_t *root)
{
    int from = take_word(root, "from", origins, COUNT(origins));

    if (from < 0)
        return REASON_BAD_CONTROL;
    line->from = (enum line_from)from;
    return take_message(root, &line->message);
}

static enum reason
take_tunnel_line(struct tunnel_line *line, const json_t *root)
{
    enum reason reason;

    *line = (struct tunnel_line){ .type = take_type(root, &reason) };
    switch (line->type) {
    case LINE_HELLO: return take_tunnel_hello(line, root);
    case LINE_STATE: return take_view(root, &line->view);
    case LINE_MESSAGE: return take_tunnel_message(line, root);
    case LINE_REQUEST: return take_request(root, &line->type, &line->request);
    case LINE_BANDWIDTH: return take_rate(root, &line->rate);
    case LINE_REFUSED:
        return take_text(root, "why", line->why, sizeof line->why, true);
    case LINE_OTHER: break;
    }
    return reason;
}

enum reason
helper_line_parse(struct helper_line *line, const char *text, size_t length)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    enum reason reason = REASON_BAD_CONTROL;

    if (json_is_object(root))
        reason = take_helper_line(line, root);
    json_decref(root);
    return reason;
}

enum reason
tunnel_line_parse(struct tunnel_line *line, const char *text, size_t length)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    enum reason reason = REASON_BAD_CONTROL;

    if (json_is_object(root))
        reason = take_tunnel_line(line, root);
    json_decref(root);
    return reason;
}

/* Return ${root}, of which the reference is given back, as a line. */
static char *
line_text(json_t *root)
{
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    size_t length = text != NULL ? strlen(text) : 0;
    char *line = NULL;

    json_decref(root);
    if (text != NULL && length <= CONTROL_LINE_MAX)
        line = realloc(text, length + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    memcpy(line + length, "\n", 2);
    return line;
}

static char *
bandwidth_text(uint64_t rate)
{
    return line_text(json_pack("{ss sI}", "type", types[LINE_BANDWIDTH], "rate",
                               (json_int_t)rate));
}

char *
helper_line_text(const struct helper_line *line)
{
    const char *type = types[line->type];

    switch (line->type) {
    case LINE_HELLO:
        return line_text(json_pack("{ss si ss ss}", "type", type, "version",
                                   (int)line->version, "program", line->program,
                                   "role", roles[line->role]));
    case LINE_MESSAGE:
        return line_text(
            json_pack("{ss sO}", "type", type, "message", line->message));
    case LINE_REQUEST:
        return line_text(json_pack("{ss ss}", "type", type, "request",
                                   requests[line->request]));
    case LINE_BANDWIDTH: return bandwidth_text(line->rate);
    default: return NULL;
    }
}

/* What HELLO and STATE have in common. */
static json_t *
view_object(enum line_type type, const struct tunnel_view *view)
{
    return json_pack("{ss ss ss? sb}", "type", types[type], "state",
                     states[view->state], "session",
                     view->session[0] != '\0' ? view->session : NULL, "partner",
                     (int)view->partner);
}

static char *
tunnel_hello_text(const struct tunnel_line *line)
{
    json_t *root = view_object(LINE_HELLO, &line->view);

    if (json_object_set_new(root, "version",
                            json_integer((json_int_t)line->version)) != 0 ||
        json_object_set_new(root, "program", json_string(line->program)) != 0) {
        json_decref(root);
        return NULL;
    }
    return line_text(root);
}

char *
tunnel_line_text(const struct tunnel_line *line)
{
    const char *type = types[line->type];

    switch (line->type) {
    case LINE_HELLO: return tunnel_hello_text(line);
    case LINE_STATE: return line_text(view_object(LINE_STATE, &line->view));
    case LINE_MESSAGE:
        return line_text(json_pack("{ss ss sO}", "type", type, "from",
                                   origins[line->from], "message",
                                   line->message));
    case LINE_REQUEST:
        return line_text(json_pack("{ss ss}", "type", type, "request",
                                   requests[line->request]));
    case LINE_REFUSED:
        return line_text(json_pack("{ss ss}", "type", type, "why", line->why));
    case LINE_BANDWIDTH: return bandwidth_text(line->rate);
    case LINE_OTHER: break;
    }
    return NULL;
}

bool
control_message_fits(const json_t *message)
{
    return json_is_object(message) &&
           json_dumpb(message, NULL, 0, JSON_COMPACT) <= CONTROL_MESSAGE_MAX;
}

bool
control_path(char path[CONTROL_PATH_MAX], const char *unix_path)
{
    return snprintf(path, CONTROL_PATH_MAX, "%s" CONTROL_SUFFIX, unix_path) <
           CONTROL_PATH_MAX;
}

const char *
tunnel_state_name(enum tunnel_state state)
{
    return states[state];
}
