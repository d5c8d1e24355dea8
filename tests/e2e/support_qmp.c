#include "support_qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support_case.h"
#include "support_wait.h"

struct qmp {
    struct sockaddr_un address;
    int fd;
    FILE *in;
    char *line;
    size_t line_room;
    json_t *events; /* those that nobody has waited for yet */
};

static bool
try_connect(void *arg)
{
    struct qmp *qmp = arg;

    qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(qmp->fd >= 0);
    if (connect(qmp->fd, (struct sockaddr *)&qmp->address,
                sizeof(qmp->address)) == 0)
        return true;
    close(qmp->fd);
    qmp->fd = -1;
    return false;
}

/* Return the next message, or NULL at the end of the stream.  The socket has a
 * receive timeout, so that this can't hang. */
static json_t *
next_message(struct qmp *qmp)
{
    json_t *message;
    ssize_t n = getline(&qmp->line, &qmp->line_room, qmp->in);

    if (n < 0) {
        if (errno == EAGAIN)
            fail_msg("%s: no answer", qmp->address.sun_path);
        return NULL;
    }
    message = json_loadb(qmp->line, (size_t)n, 0, NULL);
    assert_non_null(message);
    return message;
}

/* Return the next message that is no event; keep the events. */
static json_t *
next_reply(struct qmp *qmp)
{
    json_t *message;

    while ((message = next_message(qmp)) != NULL &&
           json_object_get(message, "event") != NULL)
        json_array_append_new(qmp->events, message);
    return message;
}

struct qmp *
qmp_open(const char *path)
{
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    struct qmp *qmp = calloc(1, sizeof(*qmp));
    json_t *greeting;

    assert_non_null(qmp);
    qmp->address.sun_family = AF_UNIX;
    snprintf(qmp->address.sun_path, sizeof(qmp->address.sun_path), "%s", path);
    if (!wait_until(PATIENCE_MS, try_connect, qmp))
        fail_msg("%s: nobody listens", path);
    setsockopt(qmp->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    qmp->in = fdopen(qmp->fd, "r");
    assert_non_null(qmp->in);
    qmp->events = json_array();

    greeting = next_message(qmp);
    assert_non_null(greeting);
    assert_non_null(json_object_get(greeting, "QMP"));
    json_decref(greeting);
    qmp_do(qmp, "qmp_capabilities", NULL);
    return qmp;
}

void
qmp_close(struct qmp *qmp)
{
    if (qmp == NULL)
        return;
    fclose(qmp->in);
    free(qmp->line);
    json_decref(qmp->events);
    free(qmp);
}

json_t *
qmp_try(struct qmp *qmp, const char *command, json_t *arguments)
{
    json_t *message =
        json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
    char *text = json_dumps(message, JSON_COMPACT);
    ssize_t n;

    assert_non_null(text);
    n = send(qmp->fd, text, strlen(text), MSG_NOSIGNAL);
    free(text);
    json_decref(message);
    return n < 0 ? NULL : next_reply(qmp);
}

json_t *
qmp_call(struct qmp *qmp, const char *command, json_t *arguments)
{
    json_t *reply = qmp_try(qmp, command, arguments);
    json_t *value;

    if (reply == NULL)
        fail_msg("%s: QEMU is gone", command);
    value = json_object_get(reply, "return");
    if (value == NULL)
        fail_msg("%s: %s", command,
                 json_string_value(
                     json_object_get(json_object_get(reply, "error"), "desc")));
    json_incref(value);
    json_decref(reply);
    return value;
}

void
qmp_do(struct qmp *qmp, const char *command, json_t *arguments)
{
    json_decref(qmp_call(qmp, command, arguments));
}

/* Forget all events up to the first one called ${name}, if there is one. */
static bool
take_event(struct qmp *qmp, const char *name)
{
    bool found = false;

    while (!found && json_array_size(qmp->events) > 0) {
        const json_t *event = json_array_get(qmp->events, 0);

        found = strcmp(json_string_value(json_object_get(event, "event")),
                       name) == 0;
        json_array_remove(qmp->events, 0);
    }
    return found;
}

void
qmp_wait_event(struct qmp *qmp, const char *name)
{
    while (!take_event(qmp, name)) {
        json_t *message = next_message(qmp);

        if (message == NULL)
            fail_msg("QEMU is gone before %s", name);
        json_array_append_new(qmp->events, message);
    }
}
