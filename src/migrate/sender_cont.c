/*
 * Continues the guest at the source.  QEMU says that a migration is completed,
 * or has failed, a moment before it will take `cont`: until then it answers
 * "Migration is not finalized yet", and is asked again.
 */
#include "base/log.h"
#include "io/timer.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_state.h"

enum { AGAIN_MS = 100, TRIES_MAX = 50 };

static void
on_reply(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error != NULL && reply->error_class != NULL &&
        ++sender->cont_tries < TRIES_MAX) {
        log_debug("QMP: cont: %s; trying again", reply->error);
        timer_start(sender->cont_again, AGAIN_MS);
        return;
    }
    sender->on_cont(sender, reply->error);
}

void
sender_cont_again(void *arg)
{
    struct sender *sender = arg;

    if (job_try(&sender->job, "cont", NULL, on_reply) != 0)
        log_warnx("QMP: cont can't be sent");
}

void
sender_cont(struct sender *sender,
            void (*on_cont)(struct sender *sender, const char *error))
{
    sender->on_cont = on_cont;
    sender->cont_tries = 0;
    sender_cont_again(sender);
}
