#include "qmp_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "endpoint.h"

enum { URI_ROOM = 256, READ_BYTES = 4096, ROOM_BYTES = 8192 };

/* Read once.  Return 1, 0 if ${flags} say not to wait, or -1 after a line. */
static int
read_some(struct qmp_line *qmp, int flags)
{
    ssize_t n;

    if (qmp->room - qmp->bytes < READ_BYTES) {
        char *text = realloc(qmp->text, qmp->room + ROOM_BYTES);

        if (text == NULL)
            return -1;
        qmp->text = text;
        qmp->room += ROOM_BYTES;
    }
    do
        n = recv(qmp->fd, qmp->text + qmp->bytes, READ_BYTES, flags);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT) != 0)
        return 0;
    if (n <= 0) {
        if (n == 0)
            log_warnx("%s: QEMU has closed it", qmp->path);
        else
            log_warn("%s: no answer", qmp->path);
        return -1;
    }
    qmp->bytes += (size_t)n;
    return 1;
}

/* The next object, for the caller to json_decref.  As read_some. */
static int
read_object(struct qmp_line *qmp, int flags, json_t **object)
{
    char *end;
    size_t length;
    int outcome;

    while (qmp->bytes == 0 ||
           (end = memchr(qmp->text, '\n', qmp->bytes)) == NULL) {
        outcome = read_some(qmp, flags);
        if (outcome <= 0)
            return outcome;
    }
    length = (size_t)(end - qmp->text) + 1;
    *object = json_loadb(qmp->text, length, 0, NULL);
    if (*object == NULL)
        log_warnx("%s: not JSON: %.*s", qmp->path, (int)length - 1, qmp->text);
    qmp->bytes -= length;
    memmove(qmp->text, qmp->text + length, qmp->bytes);
    return *object != NULL ? 1 : -1;
}

/* When QEMU sent ${object}, an event, by this host's clock. */
static double
event_s(json_t *object)
{
    json_t *timestamp = json_object_get(object, "timestamp");

    return json_number_value(json_object_get(timestamp, "seconds")) +
           json_number_value(json_object_get(timestamp, "microseconds")) / 1e6;
}

static void
note_event(struct qmp_line *qmp, const char *event, json_t *object)
{
    json_t *data = json_object_get(object, "data");
    const char *status = json_string_value(json_object_get(data, "status"));

    if (strcmp(event, "MIGRATION") == 0 && status != NULL)
        snprintf(qmp->migration, sizeof(qmp->migration), "%s", status);
    else if (strcmp(event, "STOP") == 0)
        qmp->stopped = event_s(object);
    else if (strcmp(event, "RESUME") == 0)
        qmp->resumed = event_s(object);
}

/* As read_object, for what a command returned; *${result} is NULL for events.
 * An error that a command returned is one here, too. */
static int
read_result(struct qmp_line *qmp, int flags, json_t **result)
{
    json_t *object, *error;
    const char *event, *text;
    int outcome;

    *result = NULL;
    outcome = read_object(qmp, flags, &object);
    if (outcome <= 0)
        return outcome;
    event = json_string_value(json_object_get(object, "event"));
    error = json_object_get(object, "error");
    text = json_string_value(json_object_get(error, "desc"));
    if (event != NULL)
        note_event(qmp, event, object);
    if (error != NULL)
        log_warnx("%s: %s", qmp->path, text != NULL ? text : "failed");
    *result = json_incref(json_object_get(object, "return"));
    json_decref(object);
    return error == NULL ? 1 : -1;
}

static int
write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t wrote = send(fd, text, length, MSG_NOSIGNAL);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        text += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

int
qmp_line_send(struct qmp_line *qmp, const char *command, json_t *arguments)
{
    json_t *object = json_pack("{s:s}", "execute", command);
    char *text;
    int outcome;

    if (arguments != NULL)
        json_object_set_new(object, "arguments", arguments);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    outcome = text == NULL ? -1 : write_all(qmp->fd, text, strlen(text));
    if (outcome != 0)
        log_warn("%s: %s", qmp->path, command);
    free(text);
    return outcome;
}

int
qmp_line_take(struct qmp_line *qmp, json_t **result)
{
    return read_result(qmp, MSG_DONTWAIT, result);
}

json_t *
qmp_line_call(struct qmp_line *qmp, const char *command, json_t *arguments)
{
    json_t *result = NULL;

    if (qmp_line_send(qmp, command, arguments) != 0)
        return NULL;
    while (result == NULL)
        if (read_result(qmp, 0, &result) < 0) {
            log_warnx("%s: %s failed", qmp->path, command);
            return NULL;
        }
    return result;
}

int
qmp_line_do(struct qmp_line *qmp, const char *command, json_t *arguments)
{
    json_t *result = qmp_line_call(qmp, command, arguments);

    json_decref(result);
    return result != NULL ? 0 : -1;
}

int
qmp_line_open(struct qmp_line *qmp, const char *path, uint64_t timeout_ms)
{
    struct timeval limit = { .tv_sec = (time_t)(timeout_ms / 1000) + 1 };
    char uri[URI_ROOM];
    json_t *greeting = NULL;

    *qmp = (struct qmp_line){ .path = path };
    snprintf(uri, sizeof(uri), "unix:%s", path);
    qmp->fd = endpoint_connect(uri);
    if (qmp->fd < 0)
        return -1;
    setsockopt(qmp->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (read_object(qmp, 0, &greeting) > 0 &&
        qmp_line_do(qmp, "qmp_capabilities", NULL) == 0) {
        json_decref(greeting);
        return 0;
    }
    json_decref(greeting);
    qmp_line_close(qmp);
    return -1;
}

void
qmp_line_close(struct qmp_line *qmp)
{
    close(qmp->fd);
    free(qmp->text);
    *qmp = (struct qmp_line){ .fd = -1 };
}

bool
qmp_line_ended(const struct qmp_line *qmp)
{
    return strcmp(qmp->migration, "completed") == 0 ||
           strcmp(qmp->migration, "failed") == 0 ||
           strcmp(qmp->migration, "cancelled") == 0;
}
