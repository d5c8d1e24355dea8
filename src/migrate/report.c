#include "migrate/report.h"

#include "migrate/job.h"
#include "migrate/partner_talk.h"
#include "wire/qmp_message.h"

enum { REPLY_MS = 2000 }; /* who asks waits, and QEMU may be busy */

void
report_ask(struct job *job,
           void (*on_reply)(void *owner, const struct qmp_reply *reply))
{
    const struct qmp_command command = { .name = "query-status",
                                         .timeout_ms = REPLY_MS,
                                         .on_reply = on_reply,
                                         .arg = job->hooks.owner };

    if (job->over)
        return;
    if (job->qmp == NULL || qmp_execute(job->qmp, &command) != 0)
        on_reply(job->hooks.owner, NULL);
}

void
report_say(struct partner_talk *talk, const struct job *job,
           struct standing *standing, const struct qmp_reply *reply)
{
    struct partner_message message = { .type = PARTNER_STATUS };
    const char *vm = NULL;

    if (talk == NULL)
        return;
    if (reply != NULL)
        vm = json_string_value(json_object_get(reply->value, "status"));
    json_text_copy(standing->vm, sizeof standing->vm,
                   vm != NULL ? vm : job->runstate);
    standing->begun = job->begun;
    message.body = standing_report(standing);
    partner_talk_say(talk, &message);
    partner_fini(&message);
}
