/*
 * The tunnel carries a request to the helper at work, and tells us what that
 * says to its partner: its statements show what it has done.  To cancel is
 * asked for only once the helper has said how it stands, and that is asked for
 * again until it comes to something: a helper in postcopy refuses on its own
 * terminal alone, and one that has ended says nothing.
 */
#include "migrate/asker.h"

#include <stdlib.h>

#include "base/cli.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"
#include "migrate/doorbell.h"
#include "migrate/job.h"
#include "migrate/output.h"
#include "migrate/partner_link.h"
#include "wire/partner.h"
#include "wire/standing.h"

enum {
    ANSWER_MS = 10000, /* a destination may have to ask the source first */
    STATUS_MS = 4000,  /* more than a helper gives its QEMU */
    AGAIN_MS = 500
};

static const char released[] =
    "released by the helper that is at work here: the guest is here, and runs "
    "if it is to";
static const char empty[] = "not released: the guest will never run here";
static const char unanswered[] =
    "the helper that is at work here was asked to release the guest, and has "
    "not done it: see what it says";

struct asker {
    struct asker_options options;
    struct partner_link *link;
    struct ring *ring; /* where the tunnel leads to nobody */
    struct timer *timer;
    uint64_t deadline_ms; /* 0 before it was asked */
    bool sent;            /* the request, other than for the status */
    bool over;
    char program[CONTROL_PROGRAM_MAX + 1];
};

static void
done(struct asker *asker, bool asked, enum exit_status status)
{
    if (asker->over)
        return;
    asker->over = true;
    timer_stop(asker->timer);
    asker->options.on_done(asker->options.arg, asked, status);
}

static void
answer(struct asker *asker, enum exit_status status, const char *text)
{
    const struct progress_result result = { .result = job_result_name(status),
                                            .exit_status = (int)status,
                                            .message = text };
    struct output *output = NULL;

    if (asker->over)
        return;
    if (status == STATUS_DONE)
        log_info("%s", text);
    else
        log_warnx("%s", text);
    if (asker->options.json != NULL)
        output = output_new(asker->options.json, NULL);
    if (output != NULL)
        output_result(output, &result);
    output_free(output);
    done(asker, true, status);
}

static void
take_view(struct asker *asker, const struct tunnel_view *view)
{
    struct standing *standing = asker->options.standing;

    standing->view = *view;
    standing->tunnel = view->partner ? STANDING_PARTNER : STANDING_ALONE;
}

static void
request(struct asker *asker, enum helper_request what)
{
    if (partner_link_request(asker->link, what) != 0)
        log_debug("the helper at work can't be asked");
}

static void
on_up(void *arg, const struct tunnel_view *view)
{
    struct asker *asker = arg;
    bool looks = asker->options.request == REQUEST_STATUS;

    take_view(asker, view);
    asker->deadline_ms =
        loop_now_ms(asker->options.loop) + (looks ? STATUS_MS : ANSWER_MS);
    asker->sent = asker->options.request == REQUEST_RELEASE;
    request(asker, asker->sent ? REQUEST_RELEASE : REQUEST_STATUS);
    timer_start(asker->timer, AGAIN_MS);
}

static void
on_state(void *arg, const struct tunnel_view *view)
{
    take_view(arg, view);
}

static void
take_status(struct asker *asker, const json_t *report)
{
    struct standing *standing = asker->options.standing;
    const char *why;

    standing->helper = true;
    standing_take(standing, report);
    if (asker->options.request == REQUEST_STATUS) {
        done(asker, true, STATUS_DONE);
        return;
    }
    if (asker->options.request != REQUEST_CANCEL)
        return;
    why = standing_refuses_cancel(standing);
    if (why != NULL) {
        answer(asker, STATUS_FAILED, why);
    } else if (!asker->sent) {
        asker->sent = true;
        request(asker, REQUEST_CANCEL);
    }
}

static void
take_statement(struct asker *asker, enum partner_type type)
{
    bool cancels = asker->options.request == REQUEST_CANCEL;
    bool source = asker->options.standing->source;

    if (!asker->sent)
        return;
    switch (type) {
    case PARTNER_KEPT:
        answer(asker, STATUS_DONE,
               cancels ? "cancelled by the helper that is at work here: the "
                         "guest is here"
                       : released);
        break;
    case PARTNER_RUNNING:
        if (cancels)
            answer(asker, STATUS_FAILED, standing_too_late);
        else
            answer(asker, STATUS_DONE, released);
        break;
    case PARTNER_DISCARDED:
    case PARTNER_FAILED:
        if (cancels && !source)
            answer(asker, STATUS_DONE,
                   "cancelled: the guest is at the source, and this QEMU has "
                   "ended");
        else if (!cancels)
            answer(asker, STATUS_FAILED, empty);
        break;
    case PARTNER_GIVEN:
        if (cancels)
            answer(asker, STATUS_FAILED, standing_too_late);
        break;
    default: break;
    }
}

/* What the helper at work says to its partner tells what it has done. */
static void
on_message(void *arg, const json_t *object, enum line_from from)
{
    struct asker *asker = arg;
    struct partner_message message;

    if (from != FROM_HERE || asker->deadline_ms == 0 ||
        partner_take(&message, object) != REASON_NONE)
        return;
    if (message.type == PARTNER_STATUS)
        take_status(asker, message.body);
    else
        take_statement(asker, message.type);
    partner_fini(&message);
}

static void
give_up(struct asker *asker)
{
    switch (asker->options.request) {
    case REQUEST_STATUS:
        asker->options.standing->helper = true;
        done(asker, true, STATUS_UNKNOWN);
        break;
    case REQUEST_CANCEL:
        answer(asker, STATUS_UNKNOWN,
               "the helper that is at work here was asked to cancel, and has "
               "not done it yet: see what it says");
        break;
    case REQUEST_RELEASE: answer(asker, STATUS_UNKNOWN, unanswered); break;
    }
}

static void
on_timer(void *arg)
{
    struct asker *asker = arg;

    if (loop_now_ms(asker->options.loop) >= asker->deadline_ms) {
        give_up(asker);
        return;
    }
    if (asker->options.request == REQUEST_CANCEL)
        request(asker, REQUEST_STATUS);
    timer_start(asker->timer, AGAIN_MS);
}

static void
on_answer(void *arg, enum exit_status status)
{
    struct asker *asker = arg;

    if (status == STATUS_DONE)
        answer(asker, status, released);
    else if (status == STATUS_FAILED)
        answer(asker, status, empty);
    else
        answer(asker, status, unanswered);
}

/* One whom the tunnel has left may be at work. */
static void
ring(struct asker *asker)
{
    timer_stop(asker->timer);
    asker->ring =
        ring_new(asker->options.loop, asker->options.target, on_answer, asker);
    if (asker->ring == NULL)
        done(asker, false, STATUS_FAILED);
}

bool
asker_leave(struct asker *asker)
{
    if (!asker->over && !asker->sent && asker->ring == NULL)
        return false;
    give_up(asker);
    return true;
}

/* Absent: no tunnel.  Refused: nobody is at work, or not any more. */
static void
on_end(void *arg, enum partner_link_end end, const char *why)
{
    struct asker *asker = arg;

    log_debug("nobody to ask by way of the tunnel: %s", why);
    if (end == LINK_REFUSED && asker->sent &&
        asker->options.request == REQUEST_CANCEL &&
        !asker->options.standing->begun)
        answer(asker, STATUS_DONE,
               "cancelled: the helper that was at work here has ended, before "
               "the migration began");
    else if (asker->options.request == REQUEST_CANCEL &&
             !asker->options.standing->source)
        answer(asker, STATUS_FAILED,
               "no mig-recv is at work here that could ask the source: cancel "
               "it there, with mig-send --cancel");
    else if (asker->options.request == REQUEST_RELEASE)
        ring(asker);
    else
        done(asker, false, STATUS_FAILED);
}

struct asker *
asker_new(const struct asker_options *options)
{
    struct asker *asker = calloc(1, sizeof *asker);

    if (asker == NULL)
        return NULL;
    asker->options = *options;
    snprintf(asker->program, sizeof asker->program, "%s %s", options->program,
             cli_version());
    const struct partner_link_options link = {
        .loop = options->loop,
        .path = options->path,
        .program = asker->program,
        .role = HELPER_OBSERVER,
        .on_up = on_up,
        .on_state = on_state,
        .on_message = on_message,
        .on_end = on_end,
        .arg = asker,
    };
    asker->timer = timer_new(options->loop, on_timer, asker);
    asker->link = partner_link_new(&link);
    if (asker->timer != NULL && asker->link != NULL)
        return asker;
    asker_free(asker);
    return NULL;
}

void
asker_free(struct asker *asker)
{
    if (asker == NULL)
        return;
    partner_link_free(asker->link);
    ring_free(asker->ring);
    timer_free(asker->timer);
    free(asker);
}
