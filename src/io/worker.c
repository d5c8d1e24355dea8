#include "io/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/mailbox.h"

struct worker {
    struct loop *loop;
    struct mailbox *mailbox;
    pthread_t thread;
    bool started;
};

/* A call that somebody waits for. */
struct call {
    void (*call)(void *arg);
    void *arg;
    bool done;
    pthread_mutex_t lock;
    pthread_cond_t is_done;
};

enum {
    /* What libevent 2.1 (epoll, a timer, a pair for signals) and the mailbox
     * need, */
    DESCRIPTORS = 5,
    /* and what other threads may open meanwhile. */
    SPARE_DESCRIPTORS = 11,
    WANTED_DESCRIPTORS = DESCRIPTORS + SPARE_DESCRIPTORS,
};

/* A loop's descriptors are looked for and taken by one thread at a time. */
static pthread_mutex_t descriptors_lock = PTHREAD_MUTEX_INITIALIZER;

static int
find_descriptors(void)
{
    int fds[WANTED_DESCRIPTORS], count = 0, error;

    while (count < WANTED_DESCRIPTORS &&
           (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
        count++;
    error = errno;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    errno = error;
    return count == WANTED_DESCRIPTORS ? 0 : -1;
}

/*
 * libevent ends the process when it gets no descriptors for a loop.  That must
 * not happen in the middle of a migration, so look first.
 */
static int
make_loop(struct worker *worker)
{
    pthread_mutex_lock(&descriptors_lock);
    if (find_descriptors() == 0)
        worker->loop = loop_new();
    if (worker->loop != NULL)
        worker->mailbox = mailbox_new(worker->loop);
    pthread_mutex_unlock(&descriptors_lock);
    return worker->mailbox != NULL ? 0 : -1;
}

static void *
serve(void *arg)
{
    struct worker *worker = arg;

    loop_run(worker->loop);
    return NULL;
}

static int
start_thread(struct worker *worker)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->thread, NULL, serve, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->started = error == 0;
    errno = error;
    return worker->started ? 0 : -1;
}

struct worker *
worker_new(void)
{
    struct worker *worker = calloc(1, sizeof *worker);
    int error;

    if (worker == NULL)
        return NULL;
    if (make_loop(worker) == 0 && start_thread(worker) == 0)
        return worker;
    error = errno;
    worker_free(worker);
    errno = error;
    return NULL;
}

static void
stop(void *arg)
{
    loop_stop(arg);
}

void
worker_free(struct worker *worker)
{
    struct letter letter;

    if (worker == NULL)
        return;
    if (worker->started) {
        letter = (struct letter){ .on_letter = stop, .arg = worker->loop };
        mailbox_post(worker->mailbox, &letter);
        pthread_join(worker->thread, NULL);
    }
    mailbox_free(worker->mailbox);
    loop_free(worker->loop);
    free(worker);
}

struct loop *
worker_loop(const struct worker *worker)
{
    return worker->loop;
}

struct mailbox *
worker_mailbox(const struct worker *worker)
{
    return worker->mailbox;
}

static void
make_call(void *arg)
{
    struct call *call = arg;

    call->call(call->arg);
    /* The caller may be gone as soon as the lock is free. */
    pthread_mutex_lock(&call->lock);
    call->done = true;
    pthread_cond_signal(&call->is_done);
    pthread_mutex_unlock(&call->lock);
}

void
worker_call(struct worker *worker, void (*call)(void *arg), void *arg)
{
    struct call waited = { .call = call,
                           .arg = arg,
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .is_done = PTHREAD_COND_INITIALIZER };
    struct letter letter = { .on_letter = make_call, .arg = &waited };

    mailbox_post(worker->mailbox, &letter);
    pthread_mutex_lock(&waited.lock);
    while (!waited.done)
        pthread_cond_wait(&waited.is_done, &waited.lock);
    pthread_mutex_unlock(&waited.lock);
    pthread_cond_destroy(&waited.is_done);
    pthread_mutex_destroy(&waited.lock);
}
