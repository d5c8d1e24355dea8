#include "tunnel/worker_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/mailbox.h"
#include "io/tls.h"
#include "io/transport.h"
#include "io/worker.h"
#include "io/worker_pool.h"

/*
 * Theory of operation.  A channel that has its place on the main thread is
 * called straight, and calls its owner straight.
 *
 * With a worker, the channel and all that is below it belong to the worker's
 * thread.  The owner's calls are made there, and the main thread waits for
 * them; a worker never waits for the main thread.  What the channel has to tell
 * is kept here, and a letter asks the main thread to come and get it, which is
 * a call as any other.  So all that a call puts an end to is forgotten by that
 * call itself, and nothing stale is ever told:
 *
 *   greet            the transport was lost, all is finished: told again for
 *                    the next transport, if it still holds
 *   close_transport  the transport was lost
 *   reset            the transport was lost, the channel has failed
 *   free             everything
 *
 * A transport changes threads with nothing waited for on it.
 */
enum news_kind {
    NEWS_FINISHED,
    NEWS_LOST,
    NEWS_FAILED,
    NEWS_LOCAL_LOST,
    NEWS_KINDS
};

struct news {
    enum news_kind kind;
    bool in_order;      /* with NEWS_LOST */
    enum reason reason; /* with NEWS_FAILED */
};

struct worker_channel {
    struct session_channel_options options; /* the owner's */
    struct worker_pool *pool;
    struct worker *worker; /* NULL on the main thread */
    struct letter letter;
    bool complete;         /* as it once was found to be, which stays so */
    char why[TLS_WHY_MAX]; /* of the loss that was told last */

    /* The worker's, if there is one: */
    struct session_channel *channel;
    struct news news[NEWS_KINDS]; /* not told yet, one of a kind at most */
    unsigned news_count;
    char lost_why[TLS_WHY_MAX]; /* with NEWS_LOST */
};

/* A call on its way to the channel's thread, with what it takes and returns. */
struct request {
    struct worker_channel *channel;
    bool (*question)(const struct session_channel *channel);
    struct transport *transport;
    const struct greeting_position *peer;
    const void *early;
    size_t early_bytes;
    uint64_t replay;
    struct greeting_position *position;
    struct session_channel_report *report;
    struct news news;
    enum reason reason;
    bool yes;
};

static void
carry_out(void (*call)(void *arg), struct request *request)
{
    struct worker *worker = request->channel->worker;

    if (worker != NULL)
        worker_call(worker, call, request);
    else
        call(request);
}

static void
tell(struct worker_channel *channel, struct news news)
{
    channel->news[channel->news_count++] = news;
    mailbox_post(worker_pool_mailbox(channel->pool), &channel->letter);
}

static void
forget(struct worker_channel *channel, enum news_kind kind)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < channel->news_count; i++)
        if (channel->news[i].kind != kind)
            channel->news[kept++] = channel->news[i];
    channel->news_count = kept;
}

static void
on_lost(void *arg, const char *why, bool in_order)
{
    struct worker_channel *channel = arg;

    snprintf(channel->lost_why, sizeof channel->lost_why, "%s", why);
    tell(channel, (struct news){ .kind = NEWS_LOST, .in_order = in_order });
}

static void
on_finished(void *arg)
{
    tell(arg, (struct news){ .kind = NEWS_FINISHED });
}

static void
on_failed(void *arg, enum reason reason)
{
    tell(arg, (struct news){ .kind = NEWS_FAILED, .reason = reason });
}

static void
on_local_lost(void *arg)
{
    tell(arg, (struct news){ .kind = NEWS_LOCAL_LOST });
}

static void
get_news(void *arg)
{
    struct request *request = arg;
    struct worker_channel *channel = request->channel;

    request->yes = channel->news_count > 0;
    if (!request->yes)
        return;
    request->news = channel->news[0];
    forget(channel, request->news.kind);
    if (request->news.kind == NEWS_LOST)
        memcpy(channel->why, channel->lost_why, sizeof channel->why);
    if (channel->news_count > 0)
        mailbox_post(worker_pool_mailbox(channel->pool), &channel->letter);
}

/* On the main thread: its callbacks may free the channel. */
static void
on_letter(void *arg)
{
    struct worker_channel *channel = arg;
    const struct session_channel_options *owner = &channel->options;
    struct request request = { .channel = channel };

    carry_out(get_news, &request);
    if (!request.yes)
        return; /* it was put an end to meanwhile */
    switch (request.news.kind) {
    case NEWS_FINISHED: owner->on_finished(owner->arg); break;
    case NEWS_LOST:
        owner->on_lost(owner->arg, channel->why, request.news.in_order);
        break;
    case NEWS_FAILED: owner->on_failed(owner->arg, request.news.reason); break;
    case NEWS_LOCAL_LOST: owner->on_local_lost(owner->arg); break;
    case NEWS_KINDS: break;
    }
}

static void
make(void *arg)
{
    struct worker_channel *channel = ((struct request *)arg)->channel;
    struct session_channel_options options = channel->options;

    if (channel->worker != NULL) {
        options.loop = worker_loop(channel->worker);
        options.on_lost = on_lost;
        options.on_finished = options.on_finished != NULL ? on_finished : NULL;
        options.on_failed = on_failed;
        options.on_local_lost =
            options.on_local_lost != NULL ? on_local_lost : NULL;
        options.arg = channel;
    }
    channel->channel = session_channel_new(&options);
}

struct worker_channel *
worker_channel_new(struct worker_pool *pool,
                   const struct session_channel_options *options)
{
    struct worker_channel *channel = calloc(1, sizeof *channel);
    struct request request = { .channel = channel };

    if (channel == NULL)
        return NULL;
    channel->options = *options;
    channel->letter = (struct letter){ .on_letter = on_letter, .arg = channel };
    channel->pool = pool;
    channel->worker = worker_pool_take(pool);
    carry_out(make, &request);
    if (channel->channel != NULL)
        return channel;
    worker_channel_free(channel);
    errno = ENOMEM;
    return NULL;
}

static void
unmake(void *arg)
{
    struct request *request = arg;

    session_channel_free(request->channel->channel);
}

void
worker_channel_free(struct worker_channel *channel)
{
    struct request request = { .channel = channel };

    if (channel == NULL)
        return;
    carry_out(unmake, &request);
    if (channel->worker != NULL)
        mailbox_take_back(worker_pool_mailbox(channel->pool), &channel->letter);
    worker_pool_give_back(channel->pool, channel->worker);
    free(channel);
}

static void
set_local(void *arg)
{
    struct request *request = arg;

    session_channel_set_local(request->channel->channel, request->transport);
}

void
worker_channel_set_local(struct worker_channel *channel,
                         struct transport *local)
{
    struct request request = { .channel = channel, .transport = local };

    if (channel->worker != NULL)
        transport_move(local, worker_loop(channel->worker));
    carry_out(set_local, &request);
}

static void
take_local(void *arg)
{
    struct request *request = arg;
    const struct worker_channel *channel = request->channel;

    request->transport = session_channel_take_local(channel->channel);
    if (request->transport != NULL && channel->worker != NULL)
        transport_move(request->transport, channel->options.loop);
}

struct transport *
worker_channel_take_local(struct worker_channel *channel)
{
    struct request request = { .channel = channel };

    carry_out(take_local, &request);
    return request.transport;
}

static void
greet(void *arg)
{
    struct request *request = arg;

    session_channel_greet(request->channel->channel, request->position);
    forget(request->channel, NEWS_LOST);
    forget(request->channel, NEWS_FINISHED);
}

void
worker_channel_greet(struct worker_channel *channel,
                     struct greeting_position *position)
{
    struct request request = { .channel = channel, .position = position };

    carry_out(greet, &request);
}

static void
attach(void *arg)
{
    struct request *request = arg;
    const struct worker_channel *channel = request->channel;

    request->reason = session_channel_attach(
        channel->channel, request->transport, request->peer, request->early,
        request->early_bytes, &request->replay);
    if (request->reason != REASON_NONE && channel->worker != NULL)
        transport_move(request->transport, channel->options.loop);
}

enum reason
worker_channel_attach(struct worker_channel *channel,
                      struct transport *transport,
                      const struct greeting_position *peer, const void *early,
                      size_t early_bytes, uint64_t *replay)
{
    struct request request = {
        .channel = channel,
        .transport = transport,
        .peer = peer,
        .early = early,
        .early_bytes = early_bytes,
    };

    if (channel->worker != NULL)
        transport_move(transport, worker_loop(channel->worker));
    carry_out(attach, &request);
    if (request.reason == REASON_NONE)
        *replay = request.replay;
    return request.reason;
}

static void
reset(void *arg)
{
    struct request *request = arg;

    session_channel_reset(request->channel->channel, request->reason);
    forget(request->channel, NEWS_LOST);
    forget(request->channel, NEWS_FAILED);
}

void
worker_channel_reset(struct worker_channel *channel, enum reason reason)
{
    struct request request = { .channel = channel, .reason = reason };

    carry_out(reset, &request);
}

static void
drop_local(void *arg)
{
    struct request *request = arg;

    session_channel_drop_local(request->channel->channel);
}

void
worker_channel_drop_local(struct worker_channel *channel)
{
    struct request request = { .channel = channel };

    carry_out(drop_local, &request);
}

static void
close_transport(void *arg)
{
    struct request *request = arg;

    session_channel_close_transport(request->channel->channel);
    forget(request->channel, NEWS_LOST);
}

void
worker_channel_close_transport(struct worker_channel *channel)
{
    struct request request = { .channel = channel };

    carry_out(close_transport, &request);
}

static void
accepts(void *arg)
{
    struct request *request = arg;

    request->yes =
        session_channel_accepts(request->channel->channel, request->peer);
}

bool
worker_channel_accepts(struct worker_channel *channel,
                       const struct greeting_position *peer)
{
    struct request request = { .channel = channel, .peer = peer };

    carry_out(accepts, &request);
    return request.yes;
}

static void
answer(void *arg)
{
    struct request *request = arg;

    request->yes = request->question(request->channel->channel);
}

static bool
ask(struct worker_channel *channel,
    bool (*question)(const struct session_channel *channel))
{
    struct request request = { .channel = channel, .question = question };

    carry_out(answer, &request);
    return request.yes;
}

bool
worker_channel_fresh(struct worker_channel *channel)
{
    return ask(channel, session_channel_fresh);
}

bool
worker_channel_flushed(struct worker_channel *channel)
{
    return ask(channel, session_channel_flushed);
}

bool
worker_channel_connected(struct worker_channel *channel)
{
    return ask(channel, session_channel_connected);
}

bool
worker_channel_complete(struct worker_channel *channel)
{
    if (!channel->complete)
        channel->complete = ask(channel, session_channel_complete);
    return channel->complete;
}

bool
worker_channel_ended(struct worker_channel *channel)
{
    return ask(channel, session_channel_ended);
}

bool
worker_channel_local_ended(struct worker_channel *channel)
{
    return ask(channel, session_channel_local_ended);
}

int
worker_channel_fd(const struct worker_channel *channel)
{
    return channel->worker == NULL ? session_channel_fd(channel->channel) : -1;
}

static void
report_to(void *arg)
{
    struct request *request = arg;

    session_channel_report(request->channel->channel, request->report);
}

void
worker_channel_report(struct worker_channel *channel,
                      struct session_channel_report *report)
{
    struct request request = { .channel = channel, .report = report };

    carry_out(report_to, &request);
}

static void
judge(void *arg)
{
    struct request *request = arg;

    request->reason =
        session_channel_verdict(request->channel->channel, request->yes);
}

enum reason
worker_channel_verdict(struct worker_channel *channel, bool at_source)
{
    struct request request = { .channel = channel, .yes = at_source };

    carry_out(judge, &request);
    return request.reason;
}
