/*
 * The threads of a program that has more than one: the main one, and workers.
 * A channel takes a place on one of them and stays there.
 */
#ifndef IO_WORKER_POOL_H
#define IO_WORKER_POOL_H

struct loop;
struct mailbox;
struct worker;
struct worker_pool;

enum { WORKER_POOL_MAX = 256 };

/**
 * worker_pool_new(loop, threads):
 * Make a pool of ${threads} threads, at most WORKER_POOL_MAX, or 0: one for
 * each processor that this process may run on.  That of ${loop} is the first of
 * them; no other is started yet.  Return NULL with errno set
 * if there is no memory or no descriptor.  The caller frees it with
 * worker_pool_free, when every place has been given back.
 */
struct worker_pool *worker_pool_new(struct loop *loop, unsigned threads);
void worker_pool_free(struct worker_pool *pool);

/**
 * worker_pool_take(pool):
 * Take a place on the thread that has the fewest, the first of several alike.
 * Return its worker, which is started if this is its first place; or NULL, when
 * it is the main thread, when a worker is wanted but can't be started, which is
 * logged unless it was so the last time, or when ${pool} is NULL.
 */
struct worker *worker_pool_take(struct worker_pool *pool);

/**
 * worker_pool_give_back(pool, worker):
 * Give back the place that worker_pool_take has returned.  With its last one a
 * worker ends.
 */
void worker_pool_give_back(struct worker_pool *pool, struct worker *worker);

/**
 * worker_pool_mailbox(pool):
 * Return the main thread's mailbox.
 */
struct mailbox *worker_pool_mailbox(const struct worker_pool *pool);

#endif
