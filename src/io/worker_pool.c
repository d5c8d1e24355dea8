#include "io/worker_pool.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "io/mailbox.h"
#include "io/worker.h"

/* A thread of the pool; the first has no worker. */
struct seat {
    struct worker *worker; /* NULL while nobody sits there */
    unsigned places;       /* taken */
};

struct worker_pool {
    struct mailbox *mailbox;
    bool missed; /* a worker could not be started, and that was said */
    unsigned threads;
    struct seat seats[];
};

static unsigned
count_cores(void)
{
    cpu_set_t set;
    long count;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    else
        count = sysconf(_SC_NPROCESSORS_ONLN); /* more than there is room for */
    if (count < 1)
        return 1;
    return count < WORKER_POOL_MAX ? (unsigned)count : WORKER_POOL_MAX;
}

struct worker_pool *
worker_pool_new(struct loop *loop, unsigned threads)
{
    struct worker_pool *pool;
    int error;

    if (threads == 0)
        threads = count_cores();
    pool = calloc(1, sizeof *pool + threads * sizeof(struct seat));
    if (pool == NULL)
        return NULL;
    pool->threads = threads;
    if (threads == 1)
        return pool; /* there is nobody to post a letter */
    pool->mailbox = mailbox_new(loop);
    if (pool->mailbox != NULL)
        return pool;
    error = errno;
    free(pool);
    errno = error;
    return NULL;
}

void
worker_pool_free(struct worker_pool *pool)
{
    if (pool == NULL)
        return;
    mailbox_free(pool->mailbox);
    free(pool);
}

static struct seat *
emptiest(struct worker_pool *pool)
{
    struct seat *seat = &pool->seats[0];

    for (unsigned i = 1; i < pool->threads; i++)
        if (pool->seats[i].places < seat->places)
            seat = &pool->seats[i];
    return seat;
}

/* Return whether there is somebody.  Said once while there is not: anybody who
 * may open channels could have it said for each. */
static bool
fill(struct worker_pool *pool, struct seat *seat)
{
    if (seat->worker != NULL)
        return true;
    seat->worker = worker_new();
    if (seat->worker == NULL && !pool->missed)
        log_warn("a thread is missing, the others have more to do");
    pool->missed = seat->worker == NULL;
    return !pool->missed;
}

struct worker *
worker_pool_take(struct worker_pool *pool)
{
    struct seat *seat;

    if (pool == NULL)
        return NULL;
    seat = emptiest(pool);
    if (seat != &pool->seats[0] && !fill(pool, seat))
        seat = &pool->seats[0];
    seat->places++;
    return seat->worker;
}

void
worker_pool_give_back(struct worker_pool *pool, struct worker *worker)
{
    struct seat *seat;

    if (pool == NULL)
        return;
    for (seat = pool->seats; seat->worker != worker; seat++)
        continue; /* the first one's is NULL */
    if (--seat->places > 0 || worker == NULL)
        return;
    seat->worker = NULL;
    worker_free(worker);
}

struct mailbox *
worker_pool_mailbox(const struct worker_pool *pool)
{
    return pool->mailbox;
}
