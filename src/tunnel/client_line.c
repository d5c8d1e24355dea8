#include "tunnel/client_line.h"
#include "tunnel/worker_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "io/dialer.h"
#include "io/handshake.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/tls.h"
#include "io/transport.h"

/*
 * Theory of operation.
 *
 *   state     waits for                          then
 *   DIALLING  the dialer                         SECURING, or failed
 *   SECURING  the handshake, if there is TLS     GREETING, PAUSING, or refused
 *   GREETING  the server's greeting, 5 s         UP, PAUSING, or refused
 *   UP        the channel                        finished, failed, or DIALLING
 *   PAUSING   the timer                          DIALLING
 *   OVER      nothing
 *
 * What fails while there is time left is tried again: all of DIALLING, SECURING
 * and GREETING counts against one deadline, that of the first connection or
 * that of the resumption.
 *
 * What one end's TLS has against the other's is no use to try again, except in
 * a resumption: the files of one of them may just be being renewed, and whoever
 * sits between the two must not be able to end a session by a word in plain.
 * The server looks at the client's certificate last, so what it has against
 * that comes in the place of its greeting.
 */
enum line_state { DIALLING, SECURING, GREETING, UP, PAUSING, OVER };

enum {
    ATTEMPT_MS = 5000,
    SECURING_MS = 6000, /* the handshake itself gives up earlier */
    GREETING_MS = 5000,
    REFUSED_MS = 3000,
    PAUSE_FIRST_MS = 100,
    DAYS_MS = 2 * 24 * 3600 * 1000, /* more than anybody can ask for */
    PAUSE_LAST_MS = 2000,
};

struct client_line {
    struct client_line_options options;
    struct worker_channel *channel;
    enum line_state state;
    bool accepted; /* the server knows the channel */
    bool complained;
    bool told_refused; /* in this resumption */
    uint64_t down_ms;  /* when it was lost, or first dialled */
    uint64_t deadline_ms;
    uint64_t pause_ms;
    uint64_t up_ms;         /* when the latest transport was accepted, */
    uint64_t carried_bytes; /* and what the channel had carried by then */
    uint64_t refused_ms;    /* since when the host refuses; 0 if it does not */
    struct dialer *dialer;
    struct timer *timer;
    struct handshake *handshake; /* in SECURING */
    struct transport *greeting;  /* the transport in GREETING */
    char why[TLS_WHY_MAX];       /* what was wrong with the one or the other */
    unsigned char out[GREETING_CLIENT_BYTES];
    size_t out_bytes; /* of it written */
    unsigned char in[GREETING_MAX];
    size_t in_bytes; /* of it read */
};

static void dial(struct client_line *line);

static void
stop(struct client_line *line, enum line_state state)
{
    dialer_free(line->dialer);
    line->dialer = NULL;
    handshake_free(line->handshake);
    line->handshake = NULL;
    transport_abort(line->greeting); /* so that no greeting arrives late */
    line->greeting = NULL;
    timer_stop(line->timer);
    line->state = state;
}

static void
fail(struct client_line *line, enum reason reason, const char *why)
{
    stop(line, OVER);
    line->options.on_failed(line->options.arg, reason, why);
}

static void
complain(struct client_line *line, const char *why)
{
    char dest[ADDRESS_TEXT_MAX], left[TEXT_MAX];
    uint64_t now = loop_now_ms(line->options.loop);

    if (!line->accepted && !line->complained && line->deadline_ms > now)
        log_warnx("cannot connect to mig-server at %s: %s; trying%s%s",
                  address_text(dest, &line->options.dest), why,
                  line->options.wait_ms < DAYS_MS ? " for " : " on",
                  line->options.wait_ms < DAYS_MS
                      ? text_duration(left, line->deadline_ms - now)
                      : "");
    line->complained = true;
}

static void
pause_before_dialling(struct client_line *line)
{
    stop(line, PAUSING);
    timer_start(line->timer, line->pause_ms);
    line->pause_ms *= 2;
    if (line->pause_ms > PAUSE_LAST_MS)
        line->pause_ms = PAUSE_LAST_MS;
}

/* What was tried failed, and there may be time to try again. */
static void
try_again(struct client_line *line, const char *why)
{
    uint64_t now = loop_now_ms(line->options.loop);

    stop(line, PAUSING);
    if (now + line->pause_ms > line->deadline_ms) {
        fail(line, REASON_LOST, why);
        return;
    }
    complain(line, why);
    pause_before_dialling(line);
}

/* TLS refuses one of the two: ${why}, which goes with the connection. */
static void
refused(struct client_line *line, const char *why)
{
    snprintf(line->why, sizeof line->why, "%s", why);
    if (!line->accepted) {
        fail(line, REASON_PROTOCOL, line->why);
        return;
    }
    if (!line->told_refused)
        log_warnx("%s channel %u: cannot resume: %s; trying on",
                  line->options.label, (unsigned)line->options.number,
                  line->why);
    line->told_refused = true;
    try_again(line, line->why);
}

/* Bytes that have gone through, both ways. */
static uint64_t
carried(const struct client_line *line)
{
    struct session_channel_report report;

    worker_channel_report(line->channel, &report);
    return report.out_bytes + report.in_bytes;
}

/* Whoever has asked for it should know that it is not to be had. */
static void
say_plain(const struct client_line *line, const struct greeting_position *peer)
{
    if (!line->accepted && line->options.number == 1 && peer->pack_log == 0 &&
        line->options.compress.mode == COMPRESSION_FIXED)
        log_warnx("%s: mig-server takes nothing compressed: it is older, or "
                  "was told not to",
                  line->options.label);
}

static void
say_up(struct client_line *line, uint64_t replay)
{
    char took[TEXT_MAX], bytes[TEXT_MAX];
    uint64_t now = loop_now_ms(line->options.loop);

    if (line->accepted)
        log_info("%s channel %u: resumed after %s, %s sent again",
                 line->options.label, (unsigned)line->options.number,
                 text_duration(took, now - line->down_ms),
                 text_size(bytes, replay));
    else
        log_debug("%s channel %u: connected", line->options.label,
                  (unsigned)line->options.number);
}

static void
take_answer(struct client_line *line, const struct server_greeting *answer,
            size_t used)
{
    struct transport *transport = line->greeting;
    bool first = !line->accepted;
    uint64_t replay = 0;
    enum reason reason = answer->reason;

    if (reason == REASON_NONE && (answer->version < PROTOCOL_VERSION_MIN ||
                                  answer->version > PROTOCOL_VERSION_MAX))
        reason = REASON_VERSION;
    if (reason == REASON_NONE && answer->channel != line->options.number)
        reason = REASON_PROTOCOL;
    if (reason == REASON_NONE)
        reason = worker_channel_attach(line->channel, transport,
                                       &answer->position, line->in + used,
                                       line->in_bytes - used, &replay);
    if (reason != REASON_NONE) {
        fail(line, reason, NULL);
        return;
    }
    line->greeting = NULL;
    stop(line, UP);
    say_up(line, replay);
    say_plain(line, &answer->position);
    line->accepted = true;
    line->up_ms = loop_now_ms(line->options.loop);
    line->carried_bytes = carried(line);
    if (first)
        line->options.on_up(line->options.arg);
}

/* A relay between the hosts may do so too, until it reaches its own target, so
 * this is no reason to give up. */
static const char hung_up[] =
    "it hangs up when greeted, as a mig-server with --raw does";

/*
 * No answer can be had, or not all of it: ${error} says why, 0 for an end.
 * ${write_error} as for read_answer.
 */
static void
no_answer(struct client_line *line, int error, int write_error)
{
    errno = error;
    if (error == EPROTO)
        refused(line, transport_why(line->greeting));
    else if (write_error != 0)
        try_again(line, strerror(write_error));
    else if (error != EAGAIN)
        try_again(line,
                  error != 0 && line->accepted ? strerror(error) : hung_up);
}

/*
 * ${write_error} is 0, or why the greeting could not be written: a server that
 * refuses may have closed already, and is heard first.
 */
static void
read_answer(struct client_line *line, int write_error)
{
    struct iovec iov = { line->in + line->in_bytes,
                         sizeof line->in - line->in_bytes };
    ssize_t n = transport_readv(line->greeting, &iov, 1);
    struct server_greeting answer;
    size_t used;

    if (n <= 0) {
        no_answer(line, n < 0 ? errno : 0, write_error);
        return;
    }
    line->in_bytes += (size_t)n;
    switch (server_greeting_parse(&answer, line->in, line->in_bytes, &used)) {
    case GREETING_MORE: no_answer(line, EAGAIN, write_error); return;
    case GREETING_DONE: take_answer(line, &answer, used); return;
    case GREETING_FOREIGN: break;
    }
    if (line->accepted)
        try_again(line, "something else answers there");
    else
        fail(line, REASON_PROTOCOL, "what answers there is not mig-server");
}

static void
write_greeting(struct client_line *line)
{
    struct iovec iov = { line->out + line->out_bytes,
                         sizeof line->out - line->out_bytes };
    ssize_t n = transport_writev(line->greeting, &iov, 1);

    if (n < 0 && errno != EAGAIN) {
        read_answer(line, errno);
        return;
    }
    line->out_bytes += n > 0 ? (size_t)n : 0;
    transport_want(line->greeting, true, line->out_bytes < sizeof line->out);
}

static void
on_greeting_ready(void *arg, bool readable, bool writable)
{
    struct client_line *line = arg;

    if (readable)
        read_answer(line, 0);
    else if (writable)
        write_greeting(line);
}

/* Return ${ms}, or less if there is less time left. */
static uint64_t
at_most(const struct client_line *line, uint64_t ms)
{
    uint64_t now = loop_now_ms(line->options.loop);

    if (line->deadline_ms <= now)
        return 0;
    return ms < line->deadline_ms - now ? ms : line->deadline_ms - now;
}

static void
greet(struct client_line *line)
{
    struct client_greeting greeting = {
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .resume = line->accepted,
        .channel = line->options.number,
    };

    line->state = GREETING;
    memcpy(greeting.session, line->options.session, sizeof greeting.session);
    memcpy(greeting.name, line->options.name, sizeof greeting.name);
    worker_channel_greet(line->channel, &greeting.position);
    client_greeting_encode(&greeting, line->out);
    line->out_bytes = 0;
    line->in_bytes = 0;
    transport_on_ready(line->greeting, on_greeting_ready, line);
    timer_start(line->timer, at_most(line, GREETING_MS));
    write_greeting(line);
}

static void
on_handshake(void *arg, enum handshake_end end, struct transport *transport,
             const char *why)
{
    struct client_line *line = arg;

    if (end == HANDSHAKE_REFUSED) {
        refused(line, why);
    } else if (transport == NULL) {
        snprintf(line->why, sizeof line->why, "%s", why);
        try_again(line, line->why);
    } else {
        handshake_free(line->handshake);
        line->handshake = NULL;
        line->greeting = transport;
        greet(line);
    }
}

static void
secure(struct client_line *line, int fd)
{
    tls_refresh(line->options.tls);
    line->state = SECURING;
    line->handshake = handshake_new(&(struct handshake_options){
        .loop = line->options.loop,
        .fd = fd,
        .tls = line->options.tls,
        .on_done = on_handshake,
        .arg = line,
    });
    if (line->handshake == NULL)
        try_again(line, strerror(ENOMEM));
    else
        timer_start(line->timer, at_most(line, SECURING_MS));
}

static void
on_dialled(void *arg, int fd, const char *why)
{
    struct client_line *line = arg;

    dialer_free(line->dialer);
    line->dialer = NULL;
    if (fd < 0) {
        try_again(line, why);
        return;
    }
    line->refused_ms = 0;
    if (line->options.tls != NULL) {
        secure(line, fd);
        return;
    }
    line->greeting = transport_new(line->options.loop, fd);
    if (line->greeting != NULL)
        greet(line);
    else
        try_again(line, strerror(ENOMEM));
}

/*
 * A host that refuses has no server any more, and with it went the session: in
 * that case there is nothing to wait for.  A moment is allowed, for a firewall
 * or a relay between the hosts that is just being restarted.
 */
static void
on_retry(void *arg, const char *why)
{
    struct client_line *line = arg;
    uint64_t now = loop_now_ms(line->options.loop);

    complain(line, why);
    if (!line->accepted || dialer_error(line->dialer) != ECONNREFUSED)
        line->refused_ms = 0;
    else if (line->refused_ms == 0)
        line->refused_ms = now;
    else if (now - line->refused_ms >= REFUSED_MS)
        timer_start(line->timer, 0); /* the dialer can't be freed from here */
}

static void
dial(struct client_line *line)
{
    uint64_t now = loop_now_ms(line->options.loop);

    stop(line, DIALLING);
    line->dialer = dialer_new(
        line->options.loop,
        &(struct dialer_options){
            .address = line->options.dest,
            .net = line->options.net,
            .wait_ms = line->deadline_ms > now ? line->deadline_ms - now : 0,
            .attempt_ms = ATTEMPT_MS,
            .on_done = on_dialled,
            .on_retry = on_retry,
            .arg = line,
        });
    if (line->dialer == NULL)
        try_again(line, strerror(errno));
}

static void
on_timer(void *arg)
{
    struct client_line *line = arg;

    if (line->state == SECURING)
        try_again(line, "no end to the TLS handshake");
    else if (line->state == GREETING)
        try_again(line, "no answer to the greeting");
    else if (line->state == DIALLING)
        fail(line, REASON_UNKNOWN, "mig-server is gone: connection refused");
    else
        dial(line);
}

static void
on_channel_lost(void *arg, const char *why, bool in_order)
{
    struct client_line *line = arg;

    if (in_order && worker_channel_complete(line->channel)) {
        stop(line, OVER);
        line->options.on_finished(line->options.arg);
        return;
    }
    log_warnx("%s channel %u: transport lost: %s (resuming)",
              line->options.label, (unsigned)line->options.number, why);
    line->down_ms = loop_now_ms(line->options.loop);
    line->deadline_ms = line->down_ms + line->options.resume_timeout_ms;
    line->refused_ms = 0;
    line->told_refused = false;

    /* A server that takes each transport and drops it is not hammered. */
    if (carried(line) != line->carried_bytes ||
        line->down_ms - line->up_ms >= PAUSE_LAST_MS) {
        line->pause_ms = PAUSE_FIRST_MS;
        dial(line);
    } else {
        pause_before_dialling(line);
    }
}

static void
on_channel_failed(void *arg, enum reason reason)
{
    fail(arg, reason, NULL);
}

struct client_line *
client_line_new(const struct client_line_options *options)
{
    struct client_line *line = calloc(1, sizeof *line);

    if (line == NULL)
        return NULL;
    line->options = *options;
    line->pause_ms = PAUSE_FIRST_MS;
    line->down_ms = loop_now_ms(options->loop);
    line->deadline_ms = line->down_ms + options->wait_ms;
    line->timer = timer_new(options->loop, on_timer, line);
    line->channel = worker_channel_new(
        options->pool,
        &(struct session_channel_options){
            .loop = options->loop,
            .number = options->number,
            .window = options->window,
            .compress = options->compress,
            .bandwidth = options->number != 0 ? options->bandwidth : NULL,
            .on_lost = on_channel_lost,
            .on_finished = NULL, /* the server closes: see on_channel_lost */
            .on_failed = on_channel_failed,
            .local_reason = REASON_CANCELLED,
            .arg = line,
        });
    if (line->timer == NULL || line->channel == NULL) {
        client_line_free(line);
        errno = ENOMEM;
        return NULL;
    }
    line->state = PAUSING;
    timer_start(line->timer, 0); /* no callback before we return */
    return line;
}

void
client_line_free(struct client_line *line)
{
    if (line == NULL)
        return;
    if (line->timer != NULL)
        stop(line, OVER);
    worker_channel_free(line->channel);
    timer_free(line->timer);
    free(line);
}

struct worker_channel *
client_line_channel(struct client_line *line)
{
    return line->channel;
}

void
client_line_give_up(struct client_line *line, enum reason reason)
{
    stop(line, OVER);
    worker_channel_reset(line->channel, reason);
}
