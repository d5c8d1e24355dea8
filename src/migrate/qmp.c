/*
 * Theory of operation.
 *
 *   state        waits for                             then
 *   CONNECTING   the connector                         GREETING
 *   GREETING     QEMU's greeting                       NEGOTIATING
 *   NEGOTIATING  the reply to qmp_capabilities         READY
 *   READY        replies and events                    ENDED
 *   ENDED        to be freed
 *
 * One timer bounds GREETING, and then whichever command has the earliest
 * deadline.
 *
 * A callback may free the object, so the memory stays until the last of the
 * object's own functions on the stack has returned: "busy" counts them.
 */
#include "migrate/qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/loop.h"
#include "io/timer.h"
#include "io/transport.h"
#include "migrate/connector.h"
#include "migrate/qmp_requests.h"
#include "wire/splitter.h"

enum { WHY_MAX = 512 };

enum qmp_state { CONNECTING, GREETING, NEGOTIATING, READY, ENDED };

struct qmp {
    struct loop *loop;
    struct qmp_options options;
    enum qmp_state state;
    unsigned busy;
    bool freed;
    struct connector *connector;
    struct transport *transport;
    struct timer *timer;
    uint64_t deadline_ms; /* of the greeting */
    uint64_t heard_ms;    /* when something came last */
    pid_t peer;
    struct qmp_version version;
    struct splitter input;
    char *output;
    size_t output_len;
    size_t output_written;
    struct qmp_requests requests;
};

static void
disconnect(struct qmp *qmp)
{
    connector_free(qmp->connector);
    qmp->connector = NULL;
    transport_free(qmp->transport);
    qmp->transport = NULL;
    timer_stop(qmp->timer);
    qmp_requests_fini(&qmp->requests);
}

static void
destroy(struct qmp *qmp)
{
    timer_free(qmp->timer);
    splitter_fini(&qmp->input);
    free(qmp->output);
    free(qmp);
}

/* Around everything that may call back.  leave() returns whether the object
 * is still there. */
static void
enter(struct qmp *qmp)
{
    qmp->busy++;
}

static bool
leave(struct qmp *qmp)
{
    if (--qmp->busy > 0 || !qmp->freed)
        return true;
    destroy(qmp);
    return false;
}

void
qmp_free(struct qmp *qmp)
{
    if (qmp == NULL)
        return;
    qmp->state = ENDED;
    qmp->freed = true;
    disconnect(qmp);
    if (qmp->busy == 0)
        destroy(qmp);
}

static void end(struct qmp *qmp, enum qmp_end how, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
end(struct qmp *qmp, enum qmp_end how, const char *format, ...)
{
    char why[WHY_MAX];
    va_list args;

    if (qmp->state == ENDED)
        return;
    if (qmp->state != READY)
        how = QMP_UNREACHABLE;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    qmp->state = ENDED;
    disconnect(qmp);
    qmp->options.on_end(qmp->options.arg, how, why);
}

/* Wait for room to write only while there is something to write. */
static void
rearm(struct qmp *qmp)
{
    if (qmp->state != ENDED)
        transport_want(qmp->transport, true,
                       qmp->output_written < qmp->output_len);
}

static void
rearm_timer(struct qmp *qmp)
{
    const struct qmp_request *first = qmp_requests_earliest(&qmp->requests);
    uint64_t now_ms = loop_now_ms(qmp->loop), deadline_ms;

    if (qmp->state == ENDED)
        return;
    if (qmp->state != GREETING && first == NULL) {
        timer_stop(qmp->timer);
        return;
    }
    deadline_ms =
        qmp->state == GREETING ? qmp->deadline_ms : first->deadline_ms;
    timer_start(qmp->timer, deadline_ms > now_ms ? deadline_ms - now_ms : 0);
}

static int
append_output(struct qmp *qmp, const char *text, size_t len)
{
    size_t kept = qmp->output_len - qmp->output_written;
    char *output = malloc(kept + len);

    if (output == NULL)
        return -1;
    if (kept > 0)
        memcpy(output, qmp->output + qmp->output_written, kept);
    memcpy(output + kept, text, len);
    free(qmp->output);
    qmp->output = output;
    qmp->output_len = kept + len;
    qmp->output_written = 0;
    return 0;
}

static int
send_command(struct qmp *qmp, const struct qmp_command *command)
{
    struct qmp_request *request =
        qmp_request_new(&qmp->requests, command, loop_now_ms(qmp->loop));
    char *text;
    int result = -1;

    if (request == NULL)
        return -1;
    errno = EILSEQ;
    text = qmp_command_text(command->name, command->arguments, request->id);
    if (text != NULL)
        result = append_output(qmp, text, strlen(text));
    free(text);
    if (result != 0) {
        qmp_request_drop(&qmp->requests, request);
        return -1;
    }
    rearm(qmp);
    rearm_timer(qmp);
    return 0;
}

int
qmp_execute(struct qmp *qmp, const struct qmp_command *command)
{
    if (qmp->state == READY)
        return send_command(qmp, command);
    errno = ENOTCONN;
    return -1;
}

pid_t
qmp_peer(const struct qmp *qmp)
{
    return qmp->peer;
}

uint64_t
qmp_silent_ms(const struct qmp *qmp)
{
    return loop_now_ms(qmp->loop) - qmp->heard_ms;
}

static void
on_negotiated(void *arg, const struct qmp_reply *reply)
{
    struct qmp *qmp = arg;

    if (reply->error != NULL) {
        end(qmp, QMP_UNREACHABLE, "%s", reply->error);
        return;
    }
    qmp->state = READY;
    rearm_timer(qmp);
    qmp->options.on_ready(qmp->options.arg, &qmp->version);
}

static void
on_greeting(struct qmp *qmp, const struct qmp_version *version)
{
    const struct qmp_command negotiate = {
        .name = "qmp_capabilities",
        .timeout_ms = qmp->options.greet_ms,
        .on_reply = on_negotiated,
        .arg = qmp,
    };

    if (qmp->state != GREETING)
        return;
    qmp->version = *version;
    qmp->state = NEGOTIATING;
    if (send_command(qmp, &negotiate) != 0)
        end(qmp, QMP_BROKEN, "out of memory");
}

/* Hand the reply to who asked; a reply to nobody came after its timeout, or
 * has no id because QEMU could not read what it got. */
static void
on_reply(struct qmp *qmp, const struct qmp_message *message)
{
    struct qmp_request *request = NULL;
    const struct qmp_reply reply = {
        .value = message->kind == QMP_RETURN ? message->data : NULL,
        .error = message->error_desc,
        .error_class = message->error_class,
    };

    if (message->id != NULL)
        request = qmp_requests_find(&qmp->requests, message->id);
    if (request != NULL)
        qmp_request_answer(&qmp->requests, request, &reply);
    rearm_timer(qmp);
}

static void
on_text(struct qmp *qmp, const char *text, size_t len)
{
    struct qmp_message message;
    const char *wrong = qmp_message_parse(&message, text, len);

    if (wrong != NULL) {
        end(qmp, QMP_BROKEN, "what is there does not speak QMP (%s)", wrong);
        return;
    }
    if (message.kind == QMP_GREETING)
        on_greeting(qmp, &message.version);
    else if (message.kind != QMP_EVENT)
        on_reply(qmp, &message);
    else if (qmp->state == READY)
        qmp->options.on_event(qmp->options.arg, message.event, message.data);
    qmp_message_fini(&message);
}

static void
read_input(struct qmp *qmp)
{
    enum splitter_result result;
    const char *text;
    size_t len, room;
    struct iovec iov = { .iov_base = splitter_room(&qmp->input, &room) };

    if (iov.iov_base == NULL) {
        end(qmp, QMP_BROKEN, "out of memory");
        return;
    }
    iov.iov_len = room;
    ssize_t got = transport_readv(qmp->transport, &iov, 1);
    if (got == 0 || (got == -1 && errno == ECONNRESET)) {
        end(qmp, QMP_CLOSED, "QEMU closed the connection");
        return;
    }
    if (got == -1) {
        if (errno != EAGAIN)
            end(qmp, QMP_BROKEN, "%s", strerror(errno));
        return;
    }
    qmp->heard_ms = loop_now_ms(qmp->loop);
    splitter_add(&qmp->input, (size_t)got);
    while ((result = splitter_next(&qmp->input, &text, &len)) ==
           SPLITTER_TEXT) {
        on_text(qmp, text, len);
        if (qmp->state == ENDED)
            return;
    }
    if (result == SPLITTER_TOO_LONG)
        end(qmp, QMP_BROKEN, "QEMU sent a message of more than 1 MiB");
}

static void
write_output(struct qmp *qmp)
{
    struct iovec iov = {
        .iov_base = qmp->output + qmp->output_written,
        .iov_len = qmp->output_len - qmp->output_written,
    };

    if (iov.iov_len == 0)
        return;
    ssize_t put = transport_writev(qmp->transport, &iov, 1);
    if (put >= 0)
        qmp->output_written += (size_t)put;
    else if (errno == EPIPE || errno == ECONNRESET)
        end(qmp, QMP_CLOSED, "QEMU closed the connection");
    else if (errno != EAGAIN)
        end(qmp, QMP_BROKEN, "%s", strerror(errno));
}

static void
on_transport(void *arg, bool readable, bool writable)
{
    struct qmp *qmp = arg;

    /* Read first: what QEMU said before it closed is worth more than the
     * news that it can't be written to. */
    enter(qmp);
    if (readable)
        read_input(qmp);
    if (writable && qmp->state != ENDED)
        write_output(qmp);
    if (leave(qmp))
        rearm(qmp);
}

static pid_t
peer_of(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    /* For TCP it succeeds, but has no process. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return 0;
    return peer.pid;
}

static void
greet(struct qmp *qmp, int fd)
{
    qmp->state = GREETING;
    qmp->heard_ms = loop_now_ms(qmp->loop);
    qmp->deadline_ms = qmp->heard_ms + qmp->options.greet_ms;
    qmp->peer = peer_of(fd);
    qmp->transport = transport_new(qmp->loop, fd);
    if (qmp->transport == NULL) {
        end(qmp, QMP_BROKEN, "out of memory");
        return;
    }
    transport_on_ready(qmp->transport, on_transport, qmp);
    rearm(qmp);
    rearm_timer(qmp);
}

static void
on_connected(void *arg, int fd, const char *why)
{
    struct qmp *qmp = arg;

    enter(qmp);
    if (fd != -1)
        greet(qmp, fd);
    else
        end(qmp, QMP_UNREACHABLE, "%s", why);
    leave(qmp);
}

/* Give up each command whose time is up.  A callback may change the list, so
 * it is asked anew each time. */
static void
expire_requests(struct qmp *qmp)
{
    struct qmp_request *first;

    while ((first = qmp_requests_earliest(&qmp->requests)) != NULL &&
           first->deadline_ms <= loop_now_ms(qmp->loop))
        qmp_request_expire(&qmp->requests, first);
}

static void
on_timer(void *arg)
{
    struct qmp *qmp = arg;

    enter(qmp);
    if (qmp->state == GREETING)
        end(qmp, QMP_UNREACHABLE,
            "it did not greet within %" PRIu64
            " ms: a QMP socket serves one program at a time; is another one "
            "connected?",
            qmp->options.greet_ms);
    else
        expire_requests(qmp);
    if (leave(qmp))
        rearm_timer(qmp);
}

struct qmp *
qmp_new(struct loop *loop, const struct qmp_options *options)
{
    struct qmp *qmp = calloc(1, sizeof *qmp);
    const struct connector_options connect = {
        .target = options->target,
        .wait_ms = options->connect_ms,
        .on_done = on_connected,
        .arg = qmp,
    };

    if (qmp == NULL)
        return NULL;
    qmp->loop = loop;
    qmp->options = *options;
    qmp_requests_init(&qmp->requests);
    splitter_init(&qmp->input, QMP_MESSAGE_MAX);
    qmp->timer = timer_new(loop, on_timer, qmp);
    qmp->connector = connector_new(loop, &connect);
    if (qmp->timer == NULL || qmp->connector == NULL) {
        connector_free(qmp->connector);
        destroy(qmp);
        return NULL;
    }
    return qmp;
}
