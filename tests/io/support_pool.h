/* The threads of a rig. */
#ifndef SUPPORT_POOL_H
#define SUPPORT_POOL_H

struct loop;
struct worker_pool;

/**
 * pool_use_workers(count):
 * From now on what a rig makes is on ${count} workers, 0 for the main thread.
 */
void pool_use_workers(unsigned count);

/**
 * pool_open(loop):
 * pool_close(pool):
 * Make the threads of a rig whose main thread's loop is ${loop}.
 */
struct worker_pool *pool_open(struct loop *loop);
void pool_close(struct worker_pool *pool);

/**
 * pool_add_failed(failed):
 * Add to the number of tests that have failed, and return it.
 */
int pool_add_failed(int failed);

/**
 * POOL_RUN_GROUP(workers, name, tests):
 * POOL_RUN_BOTH(tests):
 * Run the tests on so many workers, or 0 for the main thread; or on the main
 * thread, and on two.  Return how many have failed so far.
 */
#define POOL_RUN_GROUP(workers, name, tests) \
    (pool_use_workers(workers),              \
     pool_add_failed(cmocka_run_group_tests_name(name, tests, NULL, NULL)))
#define POOL_RUN_BOTH(tests)                  \
    (POOL_RUN_GROUP(0, "main thread", tests), \
     POOL_RUN_GROUP(2, "two workers", tests))

#endif
