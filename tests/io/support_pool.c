#include "support_pool.h"

#include "io/worker_pool.h"
#include "support_test.h"

static unsigned workers;

void
pool_use_workers(unsigned count)
{
    workers = count;
}

int
pool_add_failed(int failed)
{
    static int all;

    all += failed;
    return all;
}

/* The main thread's place is taken, so that the workers get what comes. */
struct worker_pool *
pool_open(struct loop *loop)
{
    struct worker_pool *pool = worker_pool_new(loop, workers + 1);

    assert_non_null(pool);
    if (workers > 0)
        assert_null(worker_pool_take(pool));
    return pool;
}

void
pool_close(struct worker_pool *pool)
{
    if (workers > 0)
        worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
}
