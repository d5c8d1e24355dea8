/* The threads of a program: who gets a place on which. */
#include "io/worker_pool.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/worker.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_stage.h"
#include "support_test.h"

/* A worker has its own, which come and go with it. */
static unsigned
descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* The lowest descriptor that is free. */
static rlim_t
lowest_free(void)
{
    int fd = dup(STDERR_FILENO);

    close(fd);
    return (rlim_t)fd;
}

static void
one_thread_is_the_main_one_and_costs_nothing(void **state)
{
    unsigned before;
    struct worker_pool *pool;
    struct stage stage;

    (void)state;
    stage_open(&stage);
    before = descriptors();
    pool = worker_pool_new(stage.loop, 1);
    assert_non_null(pool);
    for (int i = 0; i < 3; i++)
        assert_null(worker_pool_take(pool));
    assert_int_equal(descriptors(), before);
    for (int i = 0; i < 3; i++)
        worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
    stage_close(&stage);
}

static void
without_a_pool_there_is_the_main_thread(void **state)
{
    (void)state;
    assert_null(worker_pool_take(NULL));
    worker_pool_give_back(NULL, NULL);
    worker_pool_free(NULL);
}

static void
places_go_around_and_threads_come_with_the_first(void **state)
{
    enum { THREADS = 3, ROUNDS = 3 };
    struct worker *got[THREADS * ROUNDS];
    struct worker_pool *pool;
    struct stage stage;
    unsigned before, each = 0;

    (void)state;
    stage_open(&stage);
    pool = worker_pool_new(stage.loop, THREADS);
    assert_non_null(pool);
    before = descriptors();
    for (unsigned i = 0; i < THREADS * ROUNDS; i++) {
        got[i] = worker_pool_take(pool);
        assert_true((got[i] == NULL) == (i % THREADS == 0));
        if (i >= THREADS)
            assert_ptr_equal(got[i], got[i - THREADS]);
        if (i == 1)
            each = descriptors() - before;
        assert_int_equal(descriptors(),
                         before + each * (i < THREADS ? i : THREADS - 1));
    }
    assert_int_not_equal(each, 0);
    assert_ptr_not_equal(got[1], got[2]);

    /* A place that is free is the next one's. */
    worker_pool_give_back(pool, got[2]);
    assert_ptr_equal(worker_pool_take(pool), got[2]);
    for (unsigned i = 0; i < THREADS * ROUNDS; i++)
        worker_pool_give_back(pool, got[i]);
    assert_int_equal(descriptors(), before);
    worker_pool_free(pool);
    stage_close(&stage);
}

static void
a_worker_ends_with_its_last_place_and_comes_again(void **state)
{
    struct worker_pool *pool;
    struct worker *worker;
    struct stage stage;
    unsigned open;

    (void)state;
    stage_open(&stage);
    pool = worker_pool_new(stage.loop, 2);
    assert_null(worker_pool_take(pool));
    open = descriptors();
    for (int i = 0; i < 50; i++) {
        worker = worker_pool_take(pool);
        assert_non_null(worker);
        worker_pool_give_back(pool, worker);
        assert_int_equal(descriptors(), open);
    }
    worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
    stage_close(&stage);
}

static void
a_worker_that_can_not_be_started_is_replaced_by_the_main_thread(void **state)
{
    enum { NEEDED = 16 }; /* descriptors, with some for other threads */
    struct rlimit limit, none;
    struct worker_pool *pool;
    struct worker *worker;
    struct stage stage;
    const char *logged;

    (void)state;
    stage_open(&stage);
    pool = worker_pool_new(stage.loop, 2);
    assert_null(worker_pool_take(pool));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (rlim_t more = 0; more < NEEDED; more++) {
        none = limit;
        capture_start();
        none.rlim_cur = lowest_free() + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        worker = worker_pool_take(pool);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        logged = capture_stop();
        assert_null(worker);
        assert_int_equal(capture_count(logged, "a thread is missing"),
                         more == 0 ? 1 : 0);
        worker_pool_give_back(pool, NULL);
    }
    worker = worker_pool_take(pool); /* with descriptors it is there again */
    assert_non_null(worker);
    worker_pool_give_back(pool, worker);
    worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
    stage_close(&stage);
}

static void
without_a_thread_nothing_of_a_worker_is_left(void **state)
{
    struct worker_pool *pool;
    struct worker *worker;
    struct stage stage;
    const char *logged;
    unsigned before;

    (void)state;
    faults_clear();
    stage_open(&stage);
    pool = worker_pool_new(stage.loop, 2);
    assert_null(worker_pool_take(pool));
    before = descriptors();
    capture_start();
    fault_error(FAULT_PTHREAD_CREATE, 1, EAGAIN);
    worker = worker_pool_take(pool);
    logged = capture_stop();
    assert_null(worker);
    assert_int_equal(capture_count(logged, "a thread is missing"), 1);
    assert_int_equal(capture_count(logged, strerror(EAGAIN)), 1);
    assert_int_equal(descriptors(), before);
    worker = worker_pool_take(pool); /* the next one is there again */
    assert_non_null(worker);
    worker_pool_give_back(pool, worker);
    worker_pool_give_back(pool, NULL);
    worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
    stage_close(&stage);
}

static void
that_a_thread_is_missing_is_said_once_until_one_is_there(void **state)
{
    enum { TRIES = 5 };
    struct worker_pool *pool;
    struct worker *worker;
    struct stage stage;

    (void)state;
    faults_clear();
    stage_open(&stage);
    pool = worker_pool_new(stage.loop, 2);
    assert_null(worker_pool_take(pool));
    capture_start();
    for (unsigned time = 1; time <= 2; time++) {
        fault_error(FAULT_PTHREAD_CREATE, TRIES, EAGAIN);
        for (int i = 0; i < TRIES; i++)
            assert_null(worker_pool_take(pool));
        assert_int_equal(capture_count(capture_text(), "a thread is missing"),
                         time);
        worker = worker_pool_take(pool);
        assert_non_null(worker);
        worker_pool_give_back(pool, worker);
    }
    (void)capture_stop();
    for (int i = 0; i < 1 + 2 * TRIES; i++)
        worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
    stage_close(&stage);
}

static void *
make_workers(void *arg)
{
    enum { TIMES = 300 };
    unsigned *made = arg;

    for (int i = 0; i < TIMES; i++) {
        struct worker *worker = worker_new();

        *made += worker != NULL ? 1 : 0;
        worker_free(worker);
    }
    return NULL;
}

/*
 * Channels on several threads begin to compress at the same moment.  The one
 * must not look for descriptors, and then miss those that the other has taken.
 */
static void
many_that_make_workers_do_not_take_each_others_descriptors(void **state)
{
    enum { MAKERS = 8, FEW = 24 };
    pthread_t makers[MAKERS];
    unsigned made[MAKERS] = { 0 }, all = 0;
    struct rlimit limit, few;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    for (rlim_t more = 0; more <= FEW; more++) {
        few.rlim_cur = lowest_free() + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        for (int i = 0; i < MAKERS; i++)
            assert_int_equal(
                pthread_create(&makers[i], NULL, make_workers, &made[i]), 0);
        for (int i = 0; i < MAKERS; i++)
            pthread_join(makers[i], NULL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    for (int i = 0; i < MAKERS; i++)
        all += made[i];
    assert_int_not_equal(all, 0);
}

static void
no_number_means_one_thread_for_each_processor(void **state)
{
    struct worker_pool *pool;
    struct stage stage;
    cpu_set_t all, one;

    (void)state;
    stage_open(&stage);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    pool = worker_pool_new(stage.loop, 0);
    assert_null(worker_pool_take(pool));
    assert_null(worker_pool_take(pool));
    worker_pool_give_back(pool, NULL);
    worker_pool_give_back(pool, NULL);
    worker_pool_free(pool);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    stage_close(&stage);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_is_the_main_one_and_costs_nothing),
        cmocka_unit_test(without_a_pool_there_is_the_main_thread),
        cmocka_unit_test(places_go_around_and_threads_come_with_the_first),
        cmocka_unit_test(a_worker_ends_with_its_last_place_and_comes_again),
        cmocka_unit_test(
            a_worker_that_can_not_be_started_is_replaced_by_the_main_thread),
        cmocka_unit_test(without_a_thread_nothing_of_a_worker_is_left),
        cmocka_unit_test(
            that_a_thread_is_missing_is_said_once_until_one_is_there),
        cmocka_unit_test(
            many_that_make_workers_do_not_take_each_others_descriptors),
        cmocka_unit_test(no_number_means_one_thread_for_each_processor),
    };

    return RUN_TESTS(tests);
}
