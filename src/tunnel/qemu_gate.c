#include "tunnel/qemu_gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/transport.h"
#include "io/unix_socket.h"

/*
 *   the connection   QEMU's socket        then
 *   first            nobody listens       look again, up to wait_ms
 *   any              EAGAIN (backlog)     try again, up to wait_ms
 *   first            refused, no file     as if nobody listened
 *   any              another error        give up
 */
enum { LOOK_MS = 100, RETRY_MS = 10 };

struct qemu_gate {
    struct qemu_gate_options options;
    char unix_path[108]; /* sun_path, unix(7) */
    struct timer *retry;
    uint64_t deadline_ms;
    bool first;
    bool told_wait;
};

static void
give_up(struct qemu_gate *gate, const char *why)
{
    gate->options.on_connected(gate->options.arg, NULL, why);
}

static void
try_again(struct qemu_gate *gate, uint64_t ms, const char *why)
{
    char wait[TEXT_MAX];

    if (loop_now_ms(gate->options.loop) >= gate->deadline_ms) {
        give_up(gate, why);
        return;
    }
    if (!gate->told_wait && ms == LOOK_MS) {
        log_info("waiting up to %s for QEMU to listen on %s",
                 text_duration(wait, gate->options.wait_ms), gate->unix_path);
        gate->told_wait = true;
    }
    timer_start(gate->retry, ms);
}

static bool
is_ready(struct qemu_gate *gate)
{
    static const char nobody[] =
        "no QEMU listens there; start it with -incoming defer and run mig-recv";
    const char *unwanted = gate->options.still_wanted(gate->options.arg);
    int listening;

    if (unwanted != NULL) {
        give_up(gate, unwanted);
        return false;
    }
    listening = unix_listening(gate->unix_path);
    if (listening == 0)
        try_again(gate, LOOK_MS, nobody);
    else if (listening < 0)
        give_up(gate, strerror(errno));
    return listening == 1;
}

/* Nobody listens yet, or this host is short of something for the moment. */
static bool
may_pass(const struct qemu_gate *gate, int error)
{
    if (error == ECONNREFUSED || error == ENOENT)
        return gate->first;
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

static void
connect_now(struct qemu_gate *gate)
{
    struct transport *qemu = NULL;
    char why[SOCKET_WHY_MAX];
    int fd;

    if (gate->first && !is_ready(gate))
        return;
    if (!socket_file_trusted(gate->unix_path, why)) {
        give_up(gate, why);
        return;
    }
    fd = unix_connect(gate->unix_path);
    if (fd >= 0)
        qemu = transport_new(gate->options.loop, fd);
    if (qemu != NULL)
        gate->options.on_connected(gate->options.arg, qemu, NULL);
    else if (errno == EAGAIN)
        try_again(gate, RETRY_MS, "its backlog stays full");
    else if (may_pass(gate, errno))
        try_again(gate, LOOK_MS, strerror(errno));
    else
        give_up(gate, strerror(errno));
}

static void
on_retry(void *arg)
{
    connect_now(arg);
}

struct qemu_gate *
qemu_gate_new(const struct qemu_gate_options *options)
{
    struct qemu_gate *gate = calloc(1, sizeof *gate);

    if (gate == NULL)
        return NULL;
    gate->options = *options;
    snprintf(gate->unix_path, sizeof gate->unix_path, "%s", options->unix_path);
    gate->retry = timer_new(options->loop, on_retry, gate);
    if (gate->retry == NULL) {
        free(gate);
        return NULL;
    }
    return gate;
}

void
qemu_gate_free(struct qemu_gate *gate)
{
    if (gate == NULL)
        return;
    timer_free(gate->retry);
    free(gate);
}

void
qemu_gate_connect(struct qemu_gate *gate, bool first)
{
    gate->first = first;
    gate->told_wait = gate->told_wait && !first;
    gate->deadline_ms = loop_now_ms(gate->options.loop) + gate->options.wait_ms;
    timer_start(gate->retry, 0);
}

void
qemu_gate_stop(struct qemu_gate *gate)
{
    timer_stop(gate->retry);
}
