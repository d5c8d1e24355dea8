#include "migrate/asker.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cli.h"
#include "base/log.h"
#include "io/timer.h"
#include "migrate/doorbell.h"
#include "migrate/partner_link.h"
#include "wire/partner.h"

/* A destination may have to ask the source first. */
enum { ANSWER_MS = 10000 };

static const char released[] =
    "released by the helper that is at work here: the guest is here, and runs "
    "if it is to";
static const char empty[] = "not released: the guest will never run here";
static const char asked[] =
    "the helper that is at work here was asked to release the guest, and has "
    "not done it: see what it says";

struct asker {
    struct asker_options options;
    struct partner_link *link;
    struct timer *timer;
    bool asked;
    char program[CONTROL_PROGRAM_MAX + 1];
};

static void
on_up(void *arg, const struct tunnel_view *view)
{
    struct asker *asker = arg;

    (void)view;
    if (asker->asked || partner_link_request(asker->link, REQUEST_RELEASE) != 0)
        return;
    asker->asked = true;
    timer_start(asker->timer, ANSWER_MS);
}

static void
answer(struct asker *asker, enum exit_status status, const char *text)
{
    if (status == STATUS_DONE)
        log_info("%s", text);
    else
        log_warnx("%s", text);
    asker->options.on_done(asker->options.arg, true, status);
}

/* What the helper at work says to its partner tells what it has done. */
static void
on_message(void *arg, const json_t *object, enum line_from from)
{
    struct asker *asker = arg;
    struct partner_message message;
    enum partner_type type;

    if (from != FROM_HERE || !asker->asked ||
        partner_take(&message, object) != REASON_NONE)
        return;
    type = message.type;
    partner_fini(&message);
    if (type == PARTNER_RUNNING || type == PARTNER_KEPT)
        answer(asker, STATUS_DONE, released);
    else if (type == PARTNER_DISCARDED || type == PARTNER_FAILED)
        answer(asker, STATUS_FAILED, empty);
}

static void
on_timer(void *arg)
{
    answer(arg, STATUS_UNKNOWN, asked);
}

/* Absent: no tunnel.  Refused: nobody is at work there, but one whom the tunnel
 * has left may be. */
static void
on_end(void *arg, enum partner_link_end end, const char *why)
{
    struct asker *asker = arg;
    enum exit_status status = STATUS_FAILED;

    (void)end;
    log_debug("nobody to ask by way of the tunnel: %s", why);
    if (!doorbell_ring(asker->options.target, &status))
        asker->options.on_done(asker->options.arg, false, STATUS_FAILED);
    else if (status == STATUS_DONE)
        answer(asker, status, released);
    else if (status == STATUS_FAILED)
        answer(asker, status, empty);
    else
        answer(asker, status, asked);
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
    timer_free(asker->timer);
    free(asker);
}
