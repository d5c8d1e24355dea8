#include "migrate/helper.h"

#include "base/log.h"
#include "io/loop.h"
#include "migrate/asker.h"
#include "migrate/inspector.h"
#include "migrate/receiver.h"
#include "migrate/sender.h"
#include "wire/standing.h"

struct helper {
    struct loop *loop;
    const struct helper_options *options;
    FILE *json;
    struct asker *asker;         /* with --release or --cancel, at first */
    struct standing standing;    /* as the asker finds it */
    struct inspector *inspector; /* with --status */
    struct sender *sender;
    struct receiver *receiver;
    enum exit_status status;
};

static void
on_signal(void *arg, int signo)
{
    struct helper *helper = arg;

    (void)signo;
    if (helper->sender != NULL)
        sender_cancel(helper->sender);
    else if (helper->receiver != NULL)
        receiver_cancel(helper->receiver);
    else if (helper->asker == NULL || !asker_leave(helper->asker))
        loop_stop(helper->loop);
}

static void
on_done(void *arg, enum exit_status status)
{
    struct helper *helper = arg;

    helper->status = status;
    loop_stop(helper->loop);
}

static int
start(struct helper *helper)
{
    const struct job_options options = {
        .config = helper->options->config,
        .json = helper->json,
        .terminal = helper->options->terminal,
        .on_done = on_done,
        .arg = helper,
    };

    if (options.config->side == JOB_SENDS)
        helper->sender = sender_new(helper->loop, &options);
    else
        helper->receiver = receiver_new(helper->loop, &options);
    return helper->sender != NULL || helper->receiver != NULL ? 0 : -1;
}

static void
on_asked(void *arg, bool asked, enum exit_status status)
{
    struct helper *helper = arg;

    if (asked || start(helper) != 0)
        on_done(helper, status);
}

static int
ask(struct helper *helper)
{
    const struct job_config *config = helper->options->config;
    const struct asker_options options = {
        .loop = helper->loop,
        .path = config->control_path,
        .target = &config->target,
        .program = helper->options->program,
        .request = config->cancel ? REQUEST_CANCEL : REQUEST_RELEASE,
        .standing = &helper->standing,
        .json = helper->json,
        .on_done = on_asked,
        .arg = helper,
    };

    helper->asker = asker_new(&options);
    return helper->asker != NULL ? 0 : -1;
}

static int
inspect(struct helper *helper)
{
    const struct inspector_options options = {
        .loop = helper->loop,
        .config = helper->options->config,
        .program = helper->options->program,
        .out = helper->json != NULL ? NULL : helper->options->out,
        .json = helper->json,
        .on_done = on_done,
        .arg = helper,
    };

    helper->inspector = inspector_new(&options);
    return helper->inspector != NULL ? 0 : -1;
}

static int
begin(struct helper *helper)
{
    const struct job_config *config = helper->options->config;

    if (config->status)
        return inspect(helper);
    if (config->release || (config->cancel && !config->standalone))
        return ask(helper);
    return start(helper);
}

static int
run(struct helper *helper)
{
    helper->loop = loop_new();
    if (helper->loop == NULL || begin(helper) != 0 ||
        loop_on_signals(helper->loop, on_signal, helper) != 0)
        return -1;
    if (loop_run(helper->loop) != 0)
        helper->status = STATUS_UNKNOWN;
    return 0;
}

enum exit_status
helper_run(const struct helper_options *options)
{
    const struct job_config *config = options->config;
    struct helper helper = {
        .options = options,
        .json = config->json ? options->out : NULL,
        .standing = { .source = config->side == JOB_SENDS },
        .status = STATUS_FAILED,
    };

    if (run(&helper) != 0)
        log_warn("cannot start");
    asker_free(helper.asker);
    inspector_free(helper.inspector);
    sender_free(helper.sender);
    receiver_free(helper.receiver);
    loop_free(helper.loop);
    return helper.status;
}
