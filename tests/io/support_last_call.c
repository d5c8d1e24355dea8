#include "support_last_call.h"

#include "migrate/job.h"
#include "support_capture.h"
#include "wire/handover.h"

struct receiver;
struct sender;

static struct job *job;
static unsigned count, last;

int __real_job_init(struct job *own, struct loop *loop,
                    const struct job_options *options,
                    const struct job_hooks *hooks);
int __wrap_job_init(struct job *own, struct loop *loop,
                    const struct job_options *options,
                    const struct job_hooks *hooks);
void __real_job_ask(struct job *own, const char *name, json_t *arguments,
                    void (*on_reply)(void *owner,
                                     const struct qmp_reply *reply));
void __wrap_job_ask(struct job *own, const char *name, json_t *arguments,
                    void (*on_reply)(void *owner,
                                     const struct qmp_reply *reply));
void __real_job_follow(struct job *own, uint64_t interval_ms);
void __wrap_job_follow(struct job *own, uint64_t interval_ms);
void __real_sender_step(struct sender *sender, enum source_event event);
void __wrap_sender_step(struct sender *sender, enum source_event event);
void __real_receiver_step(struct receiver *receiver,
                          enum destination_event event);
void __wrap_receiver_step(struct receiver *receiver,
                          enum destination_event event);

void
last_call(unsigned at)
{
    count = 0;
    last = at;
}

unsigned
last_call_count(void)
{
    return count;
}

/* The call is made all the same: what it has begun must end, too. */
static void
call_made(void)
{
    if (job->over || ++count != last)
        return;
    job_done(job, STATUS_FAILED, "this was the last call");
    capture_start();
}

int
__wrap_job_init(struct job *own, struct loop *loop,
                const struct job_options *options,
                const struct job_hooks *hooks)
{
    job = own;
    return __real_job_init(own, loop, options, hooks);
}

void
__wrap_job_ask(struct job *own, const char *name, json_t *arguments,
               void (*on_reply)(void *owner, const struct qmp_reply *reply))
{
    __real_job_ask(own, name, arguments, on_reply);
    call_made();
}

void
__wrap_job_follow(struct job *own, uint64_t interval_ms)
{
    __real_job_follow(own, interval_ms);
    call_made();
}

void
__wrap_sender_step(struct sender *sender, enum source_event event)
{
    __real_sender_step(sender, event);
    call_made();
}

void
__wrap_receiver_step(struct receiver *receiver, enum destination_event event)
{
    __real_receiver_step(receiver, event);
    call_made();
}
